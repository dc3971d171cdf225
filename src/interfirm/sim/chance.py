"""Where all randomness of a world comes from: named streams of its seed, each undisturbed by the others."""

from __future__ import annotations

from random import Random


def chance(seed: int, name: str) -> Random:
    """The stream of this name; the same in every process, whatever PYTHONHASHSEED says."""
    return Random(f"{seed}/{name}")  # noqa: S311 - a world must happen again from its seed; nothing here is secret
