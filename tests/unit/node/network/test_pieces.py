from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import sha256
from interfirm.base.limits import LIMITS
from interfirm.node.network.pieces import Fetch, HasPiece, WantPiece, begin, serve, take

STEP = LIMITS.attachment_piece_bytes
FILE = bytes(range(256)) * (STEP // 128) + b"the rest"
CONTENT = sha256(FILE)


def served(want: WantPiece, file: bytes = FILE) -> HasPiece:
    return serve(want, size=len(file), read=lambda offset, length: file[offset : offset + length])


@given(st.sampled_from([0, 1, STEP - 1, STEP, STEP + 1, 3 * STEP]))
def test_a_file_arrives_piece_by_piece(size: int) -> None:
    file = (b"interfirm" * (size // 9 + 1))[:size]
    fetch, begun = begin(sha256(file))
    want: WantPiece | None = begun
    written = bytearray()
    while want is not None:
        piece = codec.decode(codec.encode(served(want, file)), HasPiece)
        fetch, want = take(fetch, piece)
        written[piece.offset :] = piece.data
    assert fetch.finished
    assert bytes(written) == file


def test_fetching_goes_on_after_a_restart_where_it_was() -> None:
    first, want = take(begin(CONTENT)[0], served(begin(CONTENT)[1]))
    assert want == WantPiece(content=CONTENT, offset=STEP)
    kept = Fetch(content=first.content, offset=first.offset, size=first.size)
    assert take(kept, served(want)) == take(first, served(want))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"content": bytes(32)}, "attachment.piece"),
        ({"offset": 0}, "attachment.piece"),
        ({"offset": 2 * STEP}, "attachment.piece"),
        ({"size": len(FILE) + 1}, "attachment.piece"),
        ({"data": b""}, "attachment.piece"),
        ({"data": bytes(STEP + 1)}, "attachment.piece"),
        ({"size": LIMITS.attachment_bytes_max + 1}, "attachment.size"),
    ],
)
def test_a_piece_that_is_not_the_next_one_is_refused(changes: dict[str, Any], code: str) -> None:
    fetch, want = take(begin(CONTENT)[0], served(begin(CONTENT)[1]))
    assert want is not None
    with pytest.raises(Refusal) as caught:
        take(fetch, served(want).replace(**changes))
    assert caught.value.code == code


@pytest.mark.parametrize("offset", [-STEP, 1, STEP + 1, 10 * STEP])
def test_no_piece_is_served_from_where_none_begins(offset: int) -> None:
    with pytest.raises(Refusal, match=r"attachment\.piece"):
        served(WantPiece(content=CONTENT, offset=offset))
