"""How many requests a notary takes from one identity: a bucket that refills evenly (generic cell rate algorithm).

The state of an identity is one number, the time until which its requests so far have used up its share, in units of a
millisecond divided by the limit, so that all is exact. Limits count on who sent a request, never on whom it names.
"""

from __future__ import annotations

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.time import Instant

MINUTE_MS = 60_000


def admit(used: int, now: Instant, *, per_minute: int = LIMITS.requests_per_minute_max) -> int:
    """The identity's number after one more request; 0 before its first. Refusal `notary.rate` beyond a minute's share.

    A silent identity may send a minute's share at once, then one request every minute / `per_minute`.
    """
    start, share = now.ms * per_minute, MINUTE_MS * per_minute
    after = max(used, start) + MINUTE_MS
    if after > start + share:
        wait_ms = -(-(after - start - share) // per_minute)
        raise Refusal("notary.rate", "too many requests", per_minute_max=per_minute, wait_ms=wait_ms)
    return after


def is_idle(used: int, now: Instant, *, per_minute: int = LIMITS.requests_per_minute_max) -> bool:
    """Whether an identity's number says no more than that of a newcomer, so that a host may forget it."""
    return used <= now.ms * per_minute
