"""Commitments of private fields: a hash of a value and a random salt of its own (02-ledger, Private fields)."""

from __future__ import annotations

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.contracts.types import Plain


def commit_private(salt: bytes, value: Plain) -> bytes:
    """The commitment to a plain value under 32 fresh random bytes, never derived from a transaction's seeds."""
    return digest("private", salt, value)


def check_private(commitment: bytes, salt: bytes, value: Plain) -> None:
    """Refuse (`private.mismatch`) a value and salt that are not what was committed to."""
    if len(salt) != 32 or commit_private(salt, value) != commitment:
        raise Refusal("private.mismatch", "the value is not what the private field committed to", commitment=commitment)
