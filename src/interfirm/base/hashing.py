"""Hashes of the ledger: SHA-256 of one dag-cbor block that starts with its tag (spec clause 2).

The tag is the domain separation: no two kinds of pre-image can collide, because no two begin with the same text. Lists
carry their length as every block does, so that a list and a longer one cannot collide either.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from interfirm.base.codec import encode_plain

_sha256 = hashlib.sha256
HASH_BYTES = 32


def digest(tag: str, *parts: Any) -> bytes:
    """The 32-byte SHA-256 of the block `[tag, *parts]`; parts are builtins (bytes, int, str, lists, None)."""
    return _sha256(encode_plain([tag, *parts])).digest()


def sha256(data: bytes) -> bytes:
    """The 32-byte SHA-256 of bytes, for files and standards that hash without a tag."""
    return _sha256(data).digest()


def cid(block_hash: bytes) -> str:
    """CIDv1 (dag-cbor, sha2-256, base32) of a block with this hash, as text."""
    return _multibase(b"\x01\x71\x12\x20" + block_hash)


def cid_raw(content_hash: bytes) -> str:
    """CIDv1 (raw, sha2-256, base32) of a file with this hash, as text."""
    return _multibase(b"\x01\x55\x12\x20" + content_hash)


def _multibase(data: bytes) -> str:
    return "b" + base64.b32encode(data).decode().rstrip("=").lower()
