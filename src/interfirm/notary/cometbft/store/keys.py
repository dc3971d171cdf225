"""Keys as the tries read them: bit by bit, so that no key is the beginning of another.

Each byte is coded as a bit 1 and its eight bits, the end of a key as a bit 0. A position is `byte << 4 | place`, where
place 0 is that leading bit and 1 to 8 are the byte's bits from the highest: positions grow from the first bit to the
last, and the order of coded keys is the order of bytes.
"""

from __future__ import annotations

from array import array

KEY_BYTES_MAX = 1024
ALIKE = 1 << 16
"""Beyond every position: where two equal keys differ."""


def critical(one: bytes, other: bytes) -> int:
    """The first position at which two keys differ, or `ALIKE`."""
    if one == other:
        return ALIKE
    size = min(len(one), len(other))
    unlike = int.from_bytes(one[:size], "big") ^ int.from_bytes(other[:size], "big")
    if not unlike:
        return size << 4
    bit = 8 * size - unlike.bit_length()
    return (bit >> 3) << 4 | (bit & 7) + 1


def bit_at(key: bytes, position: int) -> int:
    """The bit of a key at a position; 0 beyond its end."""
    byte = position >> 4
    return (256 | key[byte]) >> 8 - (position & 15) & 1 if byte < len(key) else 0


class Keys:
    """The keys of a trie's leaves by number: those of the usual width side by side, any other on its own."""

    __slots__ = ("_free", "_odd", "_slots", "_width")

    def __init__(self, width: int) -> None:
        """`width` is the usual length in bytes, or 0 where there is none."""
        self._width = width
        self._slots = bytearray()
        self._odd: dict[int, bytes | None] = {}
        self._free = array("i")

    def __len__(self) -> int:
        """How many numbers are in use."""
        return (len(self._slots) // self._width if self._width else len(self._odd)) - len(self._free)

    @property
    def bytes_held(self) -> int:
        """What the keys take in memory, in bytes; those of another width than the usual one by their own length."""
        return len(self._slots) + sum(len(key or b"") for key in self._odd.values())

    def __getitem__(self, number: int) -> bytes:
        if number in self._odd:
            return self._odd[number] or b""
        width = self._width
        return bytes(self._slots[width * number : width * number + width])

    def add(self, key: bytes) -> int:
        """Keep a key; returns its number."""
        width = self._width
        number = self._free.pop() if self._free else self._grow()
        if len(key) == width:
            self._slots[width * number : width * number + width] = key
        else:
            self._odd[number] = key
        return number

    def _grow(self) -> int:
        if not self._width:
            return len(self._odd)
        self._slots.extend(bytes(self._width))
        return len(self._slots) // self._width - 1

    def drop(self, number: int) -> None:
        """Forget a key; its number is used again."""
        if self._width:
            self._odd.pop(number, None)
        else:
            self._odd[number] = None
        self._free.append(number)
