"""Attempts to sign in: after some that failed each next one has to wait longer, by name and by address.

An attempt counts as failed until it succeeds, so that many at one time are no way around. Names that nobody has are
counted alike; what is kept is a hash, because people type passwords into the wrong field.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Literal

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node import kept
from interfirm.node.vault.turn import Turn

SPACE = "sign-in-attempts"
Of = Literal["name", "address"]
FREE: dict[Of, int] = {"name": 5, "address": 30}
"""Failures that cost nothing; many people may sit behind one address."""
FIRST_MS = 1_000
FORGOTTEN_MS = 24 * 3600 * 1000
_SWEPT = 4


class Attempts(Value, frozen=True):
    """What failed of late."""

    failed: int
    last_ms: int
    next_ms: int
    """Before this time no attempt is heard."""


def take(turn: Turn, of: Of, what: str, *, now_ms: int) -> None:
    """Count an attempt; Refusal `access.too-many` with `retry_s` where it comes too early, which is not counted."""
    key = _key(of, what)
    found = kept.get(turn, SPACE, key, Attempts)
    if found is not None and now_ms < found.next_ms:
        retry_s = -((now_ms - found.next_ms) // 1000)
        raise Refusal("access.too-many", "too many attempts failed; try again later", retry_s=retry_s)
    recent = found is not None and now_ms - found.last_ms < FORGOTTEN_MS
    failed = (found.failed if found is not None and recent else 0) + 1
    made = Attempts(failed=failed, last_ms=now_ms, next_ms=now_ms + _delay_ms(failed - FREE[of]))
    kept.put(turn, SPACE, key, made)
    _sweep(turn, key, now_ms)


def succeeded(turn: Turn, of: Of, what: str) -> None:
    """Take the last attempt back: all that failed before it of a name, itself alone of an address.

    Otherwise whoever has an account could try the passwords of others between two visits to it.
    """
    key = _key(of, what)
    found = kept.get(turn, SPACE, key, Attempts)
    if of == "name" or found is None or found.failed <= 1:
        turn.blob_delete(SPACE, key)
    else:
        kept.put(turn, SPACE, key, found.replace(failed=found.failed - 1, next_ms=0))


def _delay_ms(beyond: int) -> int:
    longest = LIMITS.sign_in_delay_ms_max
    return 0 if beyond < 0 else min(FIRST_MS << min(beyond, 30), longest)


def _sweep(turn: Turn, after: bytes, now_ms: int) -> None:
    """Forget some of the old ones: keys are hashes, so over time everywhere."""
    for key, _ in turn.blobs(SPACE, after=after, limit=_SWEPT):
        old = kept.get(turn, SPACE, key, Attempts)
        if old is not None and now_ms - old.last_ms >= FORGOTTEN_MS:
            turn.blob_delete(SPACE, key)


def _key(of: Of, what: str) -> bytes:
    return hashlib.sha256(f"{of}:{_network(what) if of == 'address' else what}".encode(errors="replace")).digest()


def _network(address: str) -> str:
    """One household or office: an address of IPv4, the 64 bits of a subnet of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
