"""What became of the flows of a simulated firm."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.node.vault.types import FlowRecord
from interfirm.sim.firm import SimFirm


def flow(firm: SimFirm, name: str) -> FlowRecord:
    """The record of a flow that was asked for."""
    with firm.reading() as turn:
        record = turn.flow(name)
    assert record is not None
    return record


def result(firm: SimFirm, name: str) -> Any:
    """What it came to."""
    return msgspec.msgpack.decode(flow(firm, name).result)
