"""What comes back from a notary over the wire: an answer, and the receipt or statement that proves it."""

from __future__ import annotations

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Wire
from interfirm.notary.types import Done, Refused, Said


class NotaryAnswer(Wire, frozen=True):
    """An answer with its proof: a receipt for an acceptance, a signed statement for what was said, else empty."""

    answer: Done | Said | Refused
    receipt: bytes = b""
    statement: bytes = b""


def read_answer(data: bytes) -> NotaryAnswer:
    """The decoded answer; raises the notary's own refusal where it refused."""
    found = codec.decode(data, NotaryAnswer)
    if isinstance(found.answer, Refused):
        raise Refusal(found.answer.code, found.answer.message, **found.answer.values)
    return found
