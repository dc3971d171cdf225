"""Dishonest firms."""

from __future__ import annotations

from interfirm.sim.firm import SimFirm


class Liar:
    def __init__(self, firm: SimFirm) -> None:
        self.firm = firm

    def corrupt(self) -> None:
        pass
