"""What goes wrong in a world and how often. Rates are parts per million, times in virtual milliseconds."""

from __future__ import annotations

from interfirm.base.errors import Refusal
from interfirm.base.values import Value


class Faults(Value, frozen=True):
    """One climate."""

    name: str
    delay_ms_min: int = 1
    delay_ms_max: int = 5
    """What a frame takes on its way."""
    loss_ppm: int = 0
    duplication_ppm: int = 0
    late_ppm: int = 0
    """Frames that take up to `late_ms_max`, and so are overtaken."""
    late_ms_max: int = 0
    disconnect_ppm: int = 0
    """Connections that break, by frame sent."""
    crash_ppm: int = 0
    """Firms killed at a commit, by commit."""
    notary_crash_ppm: int = 0
    """Notaries killed in a batch, by batch."""
    down_ms_max: int = 0
    """How long somebody who was killed stays away."""
    partition_every_ms: int = 0
    """Mean time from one partition to the next; 0 for none."""
    partition_ms_max: int = 0
    skew_ms_max: int = 0
    """How wrong a firm's clock may be."""
    dishonest: bool = False
    """Whether one firm lies."""
    lie_ppm: int = 0
    """Messages and requests of the dishonest firm that it tampers with."""


NONE = Faults(name="none")
CALM = Faults(
    name="calm", delay_ms_max=40, loss_ppm=5_000, duplication_ppm=5_000, late_ppm=20_000, late_ms_max=400,
    disconnect_ppm=1_000, crash_ppm=2_000, notary_crash_ppm=2_000, down_ms_max=3_000,
)  # fmt: skip
STORM = Faults(
    name="storm", delay_ms_max=200, loss_ppm=40_000, duplication_ppm=40_000, late_ppm=60_000, late_ms_max=3_000,
    disconnect_ppm=8_000, crash_ppm=15_000, notary_crash_ppm=20_000, down_ms_max=8_000, partition_every_ms=20_000,
    partition_ms_max=6_000, skew_ms_max=400, dishonest=True, lie_ppm=350_000,
)  # fmt: skip
CLIMATES = {climate.name: climate for climate in (NONE, CALM, STORM)}


def climate(name: str) -> Faults:
    """The climate of this name; Refusal `sim.faults` where there is none."""
    if name not in CLIMATES:
        raise Refusal("sim.faults", "there is no such climate", faults=name[:40], known=sorted(CLIMATES))
    return CLIMATES[name]
