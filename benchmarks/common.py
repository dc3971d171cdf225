"""What the benchmarks share: timing in the same run, and the form of a result."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import nacl.bindings

from interfirm.base.signatures import Ed25519Signer


def microseconds(work: Callable[[], Any], *, count: int, rounds: int = 5) -> float:
    """The best round's time of one call, in microseconds (the machine is shared: the best is the least disturbed)."""
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter_ns()
        for _ in range(count):
            work()
        best = min(best, (time.perf_counter_ns() - started) / count / 1000)
    return best


def two_signatures_microseconds(*, count: int) -> float:
    """What it takes to verify two Ed25519 signatures over a short message, and nothing else: the limit."""
    signers = [Ed25519Signer(bytes([i]) * 32) for i in (1, 2)]
    message = b"m" * 120
    signed = [(s.sign(message) + message, s.public.key) for s in signers]

    def verify() -> None:
        for data, key in signed:
            nacl.bindings.crypto_sign_open(data, key)

    return microseconds(verify, count=count)


def result(
    name: str, *, figures: dict[str, Any], peers: dict[str, Any], ratios: dict[str, Any], met: bool, limited_by: str
) -> dict[str, Any]:
    """A benchmark's result as `interfirm bench` prints it."""
    return {
        "name": name,
        "figures": {k: round(v, 1) if isinstance(v, float) else v for k, v in figures.items()},
        "peers": {k: round(v, 1) if isinstance(v, float) else v for k, v in peers.items()},
        "ratios": {k: round(v, 2) for k, v in ratios.items()},
        "target_met": met,
        "limited_by": limited_by,
    }
