"""Messages that came in a talk before its flow waited for them, in the vault until it does."""

from __future__ import annotations

from collections import Counter

from interfirm.base.errors import Refusal, check
from interfirm.node.vault.turn import Turn

SESSION_BYTES = 16
COUNT_MAX = 64
"""Messages of one talk that wait for their flow."""
_SPACE = "flow-mail"
_ALL = 2**31 - 1


class Mail:
    """See the module."""

    def __init__(self) -> None:
        self._counts: Counter[bytes] = Counter()

    def load(self, turn: Turn) -> None:
        """Count what waits in the vault."""
        self._counts = Counter(key[:SESSION_BYTES] for key, _ in turn.blobs(_SPACE, limit=_ALL))

    def waits(self, session: bytes) -> bool:
        """Whether a message of this talk waits."""
        return session in self._counts

    def put(self, turn: Turn, session: bytes, number: int, body: bytes) -> None:
        """Let the message of this number wait; Refusal `flow.mail` where too many do."""
        check(self._counts[session] < COUNT_MAX, "flow.mail", "too much mail for a flow that does not read it",
              count_max=COUNT_MAX)  # fmt: skip
        self._counts[session] += 1
        turn.blob_put(_SPACE, session + number.to_bytes(8, "big"), body)

    def take(self, turn: Turn, session: bytes) -> bytes:
        """The oldest message that waits in a talk; it waits no more."""
        ((key, body),) = turn.blobs(_SPACE, after=session, limit=1)
        turn.blob_delete(_SPACE, key)
        self._counts -= Counter((session,))
        return body

    def drop(self, turn: Turn, session: bytes) -> None:
        """Take all that waits in a talk, for a flow that has ended."""
        while self.waits(session):
            self.take(turn, session)


def check_session(session: bytes) -> None:
    """Refuse (`flow.session`) a talk that is not named by 16 bytes."""
    if len(session) != SESSION_BYTES:
        raise Refusal("flow.session", "a talk is named by 16 bytes", bytes=len(session))
