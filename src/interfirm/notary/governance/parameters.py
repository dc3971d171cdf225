"""Parameters: every field of `AgreedLimits` and what governance and fees need besides, each with bounds (pure).

A parameter is a name and an integer. Bounds keep a vote from stopping the machine for good: what carries a proposal to
the notary can be made neither too small to do so nor larger than what every decoder takes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS, AgreedLimits
from interfirm.base.values import Value
from interfirm.notary.governance.types import FEE_SCHEDULE, PARAMETERS, UNITS_MAX

MILLION = 1_000_000
NOBODY, REQUESTER, FIRST_SIGNER = 0, 1, 2
"""Who pays a fee; for what has no listed signature, the requester does."""
VALIDATES_NOTHING, VALIDATES_TEMPLATES, VALIDATES_ALL = 0, 1, 2
"""What must come whole, to be re-executed: nothing, contracts of the templates that the voters named, everything."""
CHARGED = (
    "notarise", "withdraw", "lock", "import", "finish", "unlock", "register", "rotate", "revoke", "follow", "reserve",
    "settle", "free", "subscribe", "unsubscribe", "ask", "notarise-whole", "publish", "renew",
)  # fmt: skip
"""The kinds of request that can cost something; governance and accusations are free."""


class Bounds(Value, frozen=True):
    """A parameter's value where nobody changed it, and the least and the greatest that it may have."""

    default: int
    low: int
    high: int


_CEILINGS = (
    "message_bytes_max", "depth_max", "transaction_bytes_max", "sealed_bytes_max", "envelope_bytes_max",
    "envelope_requests_count_max", "block_requests_count_max", "notary_batch_count_max", "payload_bytes_max",
    "attachment_bytes_max", "validators_count_max", "receipt_bytes_max",
)  # fmt: skip
"""What decoders were built for; it can be lowered only."""
_LEAST = {
    "message_bytes_max": 1024 * 1024, "depth_max": 24, "transaction_bytes_max": 64 * 1024,
    "sealed_bytes_max": 16 * 1024, "envelope_bytes_max": 128 * 1024, "envelope_requests_count_max": 8,
    "block_requests_count_max": 64, "notary_batch_count_max": 8, "notary_queue_count_max": 64,
    "requests_per_minute_max": 60, "proposal_actions_count_max": 8, "proposals_open_count_max": 8,
    "proposal_life_ms_max": 60_000, "registry_age_ms_max": 60_000, "window_ms_max": 60_000, "validators_count_max": 4,
    "voters_count_max": 4, "rotations_count_max": 8, "receipt_bytes_max": 64 * 1024, "page_count_max": 8,
}  # fmt: skip
_FACTOR = 16
_ENVELOPE_LIFE = Bounds(default=LIMITS.envelope_life_ms_max, low=10_000, high=LIMITS.envelope_life_ms_max)
"""Ids are remembered for the longest life that an envelope ever could have, so a shorter one forgets none too early."""


def _of_limit(name: str, default: int) -> Bounds:
    low = _LEAST.get(name, max(1, default // _FACTOR))
    return Bounds(default=default, low=low, high=default if name in _CEILINGS else default * _FACTOR)


_AGREED = AgreedLimits()
_LIMITS = {name: _of_limit(name, getattr(LIMITS, name)) for name in AgreedLimits.__struct_fields__}
_OWN = {
    "envelope_life_ms_max": _ENVELOPE_LIFE,
    "epoch_heights": Bounds(default=256, low=1, high=100_000),
    "validating": Bounds(default=VALIDATES_NOTHING, low=VALIDATES_NOTHING, high=VALIDATES_ALL),
    "validated_count_max": Bounds(default=512, low=1, high=8192),
    "bond_units_min": Bounds(default=0, low=0, high=UNITS_MAX),
    "bond_epochs": Bounds(default=512, low=1, high=1_000_000),
}
_FEES = {
    "fee_payer": Bounds(default=NOBODY, low=NOBODY, high=FIRST_SIGNER),
    "fee_refused_units": Bounds(default=0, low=0, high=UNITS_MAX),
    "fee_burned_ppm": Bounds(default=0, low=0, high=MILLION),
    **{f"fee_{kind}_units": Bounds(default=0, low=0, high=UNITS_MAX) for kind in CHARGED},
}
AT_NOTARY = frozenset(_LEAST) - {"message_bytes_max", "depth_max", "receipt_bytes_max", "validators_count_max"} | {
    "entries_count_max", "lines_count_max", "claims_count_max", "components_count_max", "parties_count_max",
    "sealed_keep_ms", "subscriptions_count_max", "tells_count_max", "validators_count_max", "notaries_count_max",
    *_OWN, *_FEES,
}  # fmt: skip
"""What a notary judges by; the other limits are what its members agreed on, and each one's software has."""
BOUNDS: dict[str, Bounds] = {**_LIMITS, **_OWN, **_FEES}
"""All parameters by name."""


class Parameters(Value, frozen=True):
    """The parameters in force: limits, and the others by name."""

    limits: AgreedLimits
    values: dict[str, int]

    def __getitem__(self, name: str) -> int:
        return self.values[name]


def kind_of(name: str) -> str:
    """The kind of decision that changes a parameter; Refusal `governance.parameter` for one that does not exist."""
    if name not in BOUNDS:
        raise Refusal("governance.parameter", "there is no such parameter", name=name)
    return FEE_SCHEDULE if name in _FEES else PARAMETERS


def check_settings(settings: dict[str, int]) -> None:
    """Refuse (`governance.bounds`) settings of which one is out of bounds or does not go with another."""
    for name, value in settings.items():
        kind_of(name)
        bounds = BOUNDS[name]
        if not bounds.low <= value <= bounds.high:
            raise Refusal("governance.bounds", "the parameter cannot have this value", name=name, value=value,
                          low=bounds.low, high=bounds.high)  # fmt: skip
    found = _values(settings)
    if found["retry_ms_min"] > found["retry_ms_max"] or found["payload_depth_max"] > found["depth_max"]:
        raise Refusal("governance.bounds", "these parameters do not go together", names=sorted(settings))


def parameters_of(settings: dict[str, int]) -> Parameters:
    """The parameters with these settings, the others as the software has them."""
    return _parameters(tuple(sorted(settings.items())))


@lru_cache(maxsize=64)
def _parameters(settings: tuple[tuple[str, int], ...]) -> Parameters:
    values: dict[str, Any] = _values(dict(settings))
    limits = AgreedLimits(**{name: values[name] for name in _LIMITS})
    return Parameters(limits=LIMITS if limits == _AGREED else limits, values=values)


def _values(settings: dict[str, int]) -> dict[str, int]:
    return {name: settings.get(name, bounds.default) for name, bounds in BOUNDS.items()}
