"""The few pieces of CBOR that COSE needs and dag-cbor has not: integer map keys, tags, nil (RFC 8949).

The writers give the deterministic form. The reader takes any form of these pieces: whoever reads writes the result
again and compares, as for all canonical bytes.
"""

from __future__ import annotations

from interfirm.base.errors import Refusal

UNSIGNED, NEGATIVE, BYTES, TEXT, LIST = 0, 1, 2, 3, 4


def head(major: int, argument: int) -> bytes:
    """The shortest head of a major type with its argument (RFC 8949, 3 and 4.2.1)."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    size = 1 if argument < 2**8 else 2 if argument < 2**16 else 4 if argument < 2**32 else 8
    return bytes((major << 5 | 23 + size.bit_length(),)) + argument.to_bytes(size, "big")


def byte_string(data: bytes) -> bytes:
    """A byte string."""
    return head(BYTES, len(data)) + data


def text(value: str) -> bytes:
    """A text string."""
    data = value.encode()
    return head(TEXT, len(data)) + data


def integer(value: int) -> bytes:
    """An integer of either sign."""
    return head(UNSIGNED, value) if value >= 0 else head(NEGATIVE, -1 - value)


class Reader:
    """Reads pieces one after the other; each method raises Refusal `receipt.malformed` where another piece stands."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def head(self, major: int) -> int:
        """The argument of the next head, which must be of this major type."""
        first = self._take(1)[0]
        if first >> 5 != major or first & 31 > 27:
            raise self._malformed()
        argument = first & 31
        return argument if argument < 24 else int.from_bytes(self._take(1 << argument - 24), "big")

    def string(self, major: int) -> bytes:
        """The content of the next byte or text string."""
        return self._take(self.head(major))

    def exactly(self, expected: bytes) -> None:
        """Step over bytes that can stand here in one form only."""
        if self._take(len(expected)) != expected:
            raise self._malformed()

    def rest(self) -> bytes:
        """All that is left."""
        return self._data[self._at :]

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise self._malformed()
        self._at += count
        return taken

    def _malformed(self) -> Refusal:
        return Refusal("receipt.malformed", "these bytes are not a receipt of this profile", at=self._at)
