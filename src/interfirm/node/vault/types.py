"""What a vault keeps, as plain values. Bytes are canonical blocks unless said otherwise; times are ms since 1970."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef, Plain, TemplateId

TransactionStatus = Literal["proposed", "signed", "notarised", "dropped"]
ContractStatus = Literal["active", "consumed", "locked"]
FlowState = Literal["running", "waiting", "done", "refused", "failed", "cancelled", "killed"]
InboxState = Literal["open", "approved", "declined"]
MoveStatus = Literal["locked", "moved", "undone"]
T = TypeVar("T")


class StoredTransaction(Value, frozen=True):
    """A transaction as this node sees it: its view, the skeleton of its id, and the notary's receipt once there."""

    id: bytes
    view: bytes
    skeleton: bytes
    receipt: bytes
    """Empty until notarised."""
    status: TransactionStatus
    notary: bytes
    flow: str
    height: int
    """Where in the notary's order it was accepted; 0 until notarised."""
    time_ms: int


class StoredContract(Value, frozen=True):
    """A contract with all that a later disclosure of it needs."""

    ref: ContractRef
    template: TemplateId
    payload: Plain
    """The list of its fields in declared order."""
    payload_seed: bytes
    confirmers_salt: bytes
    entry: bytes
    """The canonical CreateEntry."""
    notary: bytes
    status: ContractStatus
    consumer: bytes | None
    """Id of the transaction that consumed it."""
    signatories: tuple[bytes, ...]
    observers: tuple[bytes, ...]
    known_valid: bool
    """This node has itself verified the history that it needs."""
    time_ms: int
    """When the transaction that created it was accepted."""
    origin: ContractRef | None = None
    """The ref under which it was created, where that is another since it moved."""

    @property
    def created_as(self) -> ContractRef:
        """The ref under which it was created."""
        return self.origin or self.ref


class StoredMove(Value, frozen=True):
    """A contract's way from one notary to another: locked here, then moved there or the lock undone."""

    lock: bytes
    """The lock id; the contract lives at `target` as (lock id, 0)."""
    ref: ContractRef
    """The contract at `origin`."""
    origin: bytes
    target: bytes
    until_ms: int
    nonce: bytes
    lock_receipt: bytes
    import_receipt: bytes
    """Empty until moved."""
    status: MoveStatus
    time_ms: int
    """When this node learned of it."""


class FlowRecord(Value, frozen=True):
    """A durable flow as lists and the engine need it; its journal is kept beside it."""

    id: str
    kind: str
    arguments: bytes
    state: FlowState
    progress: bytes
    result: bytes
    started_ms: int
    changed_ms: int
    parent: str
    """Id of the flow that started it, or empty."""


class InboxItem(Value, frozen=True):
    """A question to a person that a flow waits on."""

    id: str
    flow: str
    kind: str
    summary: dict[str, Plain]
    created_ms: int
    state: InboxState
    reason: str


class Timer(Value, frozen=True):
    """A flow wants to be woken at an instant; `key` tells its timers apart."""

    flow: str
    at_ms: int
    key: str


class NotaryRequest(Value, frozen=True):
    """A request that is repeated until its notary answers."""

    id: bytes
    flow: str
    notary: bytes
    request: bytes
    attempts: int
    next_ms: int


class PrivateValue(Value, frozen=True):
    """What a commitment hides: the value's canonical bytes, its salt, and the data subject it can be erased for."""

    commitment: bytes
    subject: str
    value: bytes
    salt: bytes


class Lock(Value, frozen=True):
    """A soft lock: a contract this node means to use in the flow `holder`, until a lease ends."""

    ref: ContractRef
    holder: str
    until_ms: int


class Page(Value, Generic[T], frozen=True):
    """A part of a list; `next_cursor` is None at its end."""

    rows: tuple[T, ...]
    next_cursor: str | None
