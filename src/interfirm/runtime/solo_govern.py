"""Governing a solo notary over its control socket; its word is believed by its signature, and nothing else of it."""

from __future__ import annotations

from interfirm.base.errors import Refusal, check
from interfirm.notary.abroad import Anchors, anchor_of
from interfirm.notary.governance import metadata
from interfirm.notary.neighbours.types import Renew
from interfirm.notary.types import GOVERNING, Ask, Done, Publish, Request, Said
from interfirm.notary.wire import Answered, Wanted, decode_answer, encode_request, expect
from interfirm.runtime.asking import Asker
from interfirm.runtime.governing import Government, Voice
from interfirm.runtime.layout import NetworkLayout

OPERATION = "govern"
"""What the notary's process is asked for: a `requester` and a `request`, in hex; it gives the `answer` so."""
LASTING = (*GOVERNING, Renew, Publish)
"""What is sent besides questions."""


class SoloGovernment(Government):
    """Talks to the process of a network's solo notary; Refusal `node.not-running`, and the notary's own."""

    def __init__(self, layout: NetworkLayout) -> None:
        super().__init__(layout.solo_id)
        self._word = Anchors([anchor_of(layout.file.genesis)])
        self._asker = Asker(layout.notary.control_path)

    def said(self, kind: str, subject: bytes = b"") -> Said:
        """See Government; by the notary's signature. Raises Refusal `signature.invalid`, `notary.answer`."""
        answered = self._asked(b"", Ask(kind=kind, subject=subject))
        expect(answered, Said)
        said = self._word.statement(self.notary, answered.statement)
        check((said.kind, said.subject) == (kind, subject), "notary.answer", "the notary answered something else",
              expected=kind)  # fmt: skip
        return said

    def send(self, request: Request, voice: Voice) -> Done:
        """See Government."""
        return expect(self._asked(voice.identity, request), Done)

    def _asked(self, requester: bytes, request: Request) -> Answered:
        arguments = {"requester": requester.hex(), "request": encode_request(request).hex()}
        return decode_answer(bytes.fromhex(self._asker.call(OPERATION, arguments)["answer"]))


def check_governing(request: Wanted) -> Request:
    """What may be asked for without a session, whose peer would be known: what proves itself, or is shown to all.

    Publishing is neither, and left to whoever may use the socket. Raises Refusal `notary.governing`.
    """
    if isinstance(request, LASTING) or (isinstance(request, Ask) and request.kind in metadata.KINDS):
        return request
    raise Refusal("notary.governing", "only what concerns the notary itself is asked for here",
                  request=type(request).__name__)  # fmt: skip
