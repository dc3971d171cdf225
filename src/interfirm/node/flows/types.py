"""What happens to flows (events), what they make happen (effects), and what they say to each other (messages).

All of it is data. The engine (machine.py) is the only code that runs flows; the node's turn loop feeds it events and
carries its effects out after the commit.
"""

from __future__ import annotations

from typing import Any

from interfirm.base.values import Hash32, Value, Wire
from interfirm.node.vault.types import FlowRecord

JOURNAL_VERSION = 2
"""Written as the first entry of every journal. Since 2 the name of a talk says which organisation began it."""
JOURNAL_VERSIONS = (1, 2)
"""Journals of these are replayed; one of another version is reported."""


class FlowMessage(Wire, frozen=True):
    """One message of a talk between two flows. `flow` names the responder's flow in the opening message only."""

    session: bytes
    number: int
    flow: str
    body: bytes


class Step(Value, frozen=True):
    """One step of a flow's progress as shown to people; nested."""

    name: str
    state: str
    waiting_on: str = ""
    started_ms: int = 0
    ended_ms: int = 0
    steps: tuple[Step, ...] = ()


# events ---------------------------------------------------------------------------------------------------------------


class AskedFlow(Value, frozen=True):
    """A user (or another flow) asks for a flow; the id is the client's request id, so asking twice is harmless."""

    id: str
    kind: str
    arguments: bytes
    parent: str = ""


class AskedCancel(Value, frozen=True):
    """A user asks to cancel a flow where that is safe."""

    id: str


class AskedKill(Value, frozen=True):
    """An operator ends a flow that will not end; an audit record keeps who and why."""

    id: str
    who: str
    reason: str


class AskedRetry(Value, frozen=True):
    """An operator asks to run a failed flow again from its journal."""

    id: str


class AskedSkip(Value, frozen=True):
    """An operator asks a flow to go on as if the time had come until which it waits."""

    id: str


class AskedPause(Value, frozen=True):
    """An operator asks the node to begin nothing new."""

    who: str
    reason: str


class AskedResume(Value, frozen=True):
    """An operator asks the node to go on."""


class AnsweredPerson(Value, frozen=True):
    """A person decided an item of the inbox."""

    item: str
    approved: bool
    reason: str


class HeardMessage(Value, frozen=True):
    """A message of a talk, delivered once and in order by the session layer."""

    peer: bytes
    message: FlowMessage


class HeardNotary(Value, frozen=True):
    """A notary's answer to the request with this id."""

    request: bytes
    answer: bytes


class HeardReceipt(Value, frozen=True):
    """A notary says to a listed signer that a transaction was accepted, whoever brought it."""

    transaction: bytes
    receipt: bytes


class Ticked(Value, frozen=True):
    """Time has come to a moment for which something waits."""


Event = (
    AskedFlow
    | AskedCancel
    | AskedKill
    | AskedRetry
    | AskedSkip
    | AskedPause
    | AskedResume
    | AnsweredPerson
    | HeardMessage
    | HeardNotary
    | HeardReceipt
    | Ticked
)


# effects --------------------------------------------------------------------------------------------------------------


class SendMessage(Value, frozen=True):
    """Hand a message to the session layer, which delivers it once and in order."""

    peer: bytes
    message: FlowMessage


class SubmitNotary(Value, frozen=True):
    """Send a request to a notary; sent again until it is answered."""

    id: bytes
    notary: bytes
    request: bytes


class TellProgress(Value, frozen=True):
    """A flow's progress or state changed, or it was asked for again; whoever watches it is told."""

    record: FlowRecord
    steps: tuple[Step, ...]
    again: bool = False
    """It was asked for again, and nothing changed."""
    transaction: bytes = b""
    """The id of the transaction that the flow is about; empty where it is about none, or knows it not yet."""

    @property
    def flow(self) -> str:
        """The flow's id."""
        return self.record.id

    @property
    def state(self) -> str:
        """The flow's state."""
        return self.record.state


class StartFlow(Value, frozen=True):
    """Start another flow in the same turn."""

    event: AskedFlow


Effect = SendMessage | SubmitNotary | TellProgress | StartFlow


# what a flow awaits ---------------------------------------------------------------------------------------------------


class Once(Value, frozen=True):
    """Run a function once; its result is kept in the journal and not computed again. `kind` types it on replay."""

    name: str
    function: Any
    kind: Any


class Send(Value, frozen=True):
    """Send a body in a talk."""

    peer: bytes
    session: bytes
    flow: str
    body: bytes


class Receive(Value, frozen=True):
    """Wait for the next body of a talk, until a time where one is given (result None when it passed).

    With a transaction's id, a receipt that the notary sends for it is as good as the peer's word: an `Outcome`.
    """

    session: bytes
    peer: bytes
    until_ms: int | None
    transaction: bytes = b""


class Outcome(Wire, frozen=True, tag="outcome"):
    """The transaction was accepted: here is the receipt."""

    transaction: Hash32
    receipt: bytes


class AskNotary(Value, frozen=True):
    """Send a request to a notary and wait for its answer."""

    notary: bytes
    request: bytes


class Sleep(Value, frozen=True):
    """Wait until a time."""

    until_ms: int


class AskPerson(Value, frozen=True):
    """Put an item into a person's inbox and wait for the decision."""

    kind: str
    summary: dict[str, Any]


Awaited = Once | Send | Receive | AskNotary | Sleep | AskPerson


class Decision(Value, frozen=True):
    """What a person decided."""

    approved: bool
    reason: str


class Signal(Wire, frozen=True, tag="refused"):
    """A refusal as it travels and as a journal keeps it."""

    code: str
    message: str
    values: dict[str, Any]


NotaryRequestId = Hash32
