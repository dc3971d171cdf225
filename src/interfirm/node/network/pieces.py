"""Large files between nodes: the receiver asks for one piece after the other, so neither side holds a whole file.

The messages travel like all others, in order and once. The receiver writes each piece at its offset of a file on disk
and keeps the `Fetch` in the commit that handles the message; a piece written twice after a crash is the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from interfirm.base.errors import check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value, Wire


class WantPiece(Wire):
    """Send me the piece of this file that starts here."""

    content: bytes
    """SHA-256 of the whole file."""
    offset: int


class HasPiece(Wire):
    """A piece of a file; all but the last have `attachment_piece_bytes`."""

    content: bytes
    offset: int
    size: int
    """Bytes of the whole file."""
    data: bytes


class Fetch(Value):
    """How far the receiver is."""

    content: bytes
    offset: int = 0
    size: int | None = None
    """Unknown until the first piece."""

    @property
    def finished(self) -> bool:
        """All pieces are here; whether they are the file is for its hash to say."""
        return self.offset == self.size


def begin(content: bytes) -> tuple[Fetch, WantPiece]:
    """Start fetching the file with this hash."""
    return Fetch(content=content), WantPiece(content=content, offset=0)


def take(fetch: Fetch, piece: HasPiece) -> tuple[Fetch, WantPiece | None]:
    """The next state once `piece` is written at its offset, and what to ask for next (nothing when finished).

    Raises Refusal `attachment.piece` for a piece that is not the next one of this file, `attachment.size` for a file
    beyond the limit.
    """
    check(piece.size <= LIMITS.attachment_bytes_max, "attachment.size", "the file is too large", bytes=piece.size)
    fits = (
        piece.content == fetch.content
        and piece.offset == fetch.offset
        and fetch.size in (None, piece.size)
        and len(piece.data) == _length(piece.offset, piece.size)
    )
    check(
        fits,
        "attachment.piece",
        "this is not the next piece of the file",
        content=fetch.content,
        expected=fetch.offset,
        offset=piece.offset,
        bytes=len(piece.data),
    )
    after = fetch.replace(offset=fetch.offset + len(piece.data), size=piece.size)
    return after, None if after.finished else WantPiece(content=fetch.content, offset=after.offset)


def serve(want: WantPiece, *, size: int, read: Callable[[int, int], bytes]) -> HasPiece:
    """The piece that is wanted, from `read(offset, length)` of a file with `size` bytes.

    Raises Refusal `attachment.piece` for an offset where no piece begins.
    """
    begins = 0 <= want.offset <= size and want.offset % LIMITS.attachment_piece_bytes == 0
    check(begins, "attachment.piece", "no piece of the file begins here", offset=want.offset, size=size)
    data = read(want.offset, _length(want.offset, size))
    return HasPiece(content=want.content, offset=want.offset, size=size, data=data)


def _length(offset: int, size: int) -> int:
    return min(LIMITS.attachment_piece_bytes, size - offset)
