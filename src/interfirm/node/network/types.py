"""State, events and effects of sessions with peers; times in milliseconds, peers as 32-byte identity ids."""

from __future__ import annotations

from typing import TypeAlias

from interfirm.base.limits import LIMITS, Limits
from interfirm.base.values import Value
from interfirm.node.network.frames import Message, SessionFrame


class Session(Value):
    """What one node knows of its talk with one peer."""

    peer: bytes
    # sending; kept on disk: epoch, acknowledged, outbox
    epoch: int = 0
    """Generation of the outbox, 0 before the first message."""
    acknowledged: int = 0
    """The peer has committed everything up to this sequence number."""
    outbox: tuple[Message, ...] = ()
    """What the peer has not acknowledged; the first one has sequence number `acknowledged + 1`."""
    outbox_bytes: int = 0
    sent: int = 0
    """The last sequence number on its way."""
    allowance: int = 1
    """How many messages may be on their way; halts at one after silence and doubles with each acknowledgement."""
    connected: bool = False
    greeted: bool = False
    """The peer has told where the session stands, on this connection."""
    retries: int = 0
    due_at_ms: int | None = None
    """When silence means a repetition."""
    # receiving; kept on disk: heard_epoch, committed
    heard_epoch: int = 0
    committed: int = 0
    """The layer above has committed everything up to this sequence number of the peer's."""
    delivered: int = 0
    """Handed to the layer above up to here."""
    taking: tuple[int, ...] = ()
    """Body sizes of what is delivered and not committed."""
    held: dict[int, Message] = {}
    """What came before its turn."""
    useless: int = 0
    useless_since_ms: int = 0
    shunned_until_ms: int = 0
    """The peer broke the rules and is not heard until then."""

    @property
    def last(self) -> int:
        """The sequence number of the newest message asked for."""
        return self.acknowledged + len(self.outbox)


class Sessions(Value):
    """The talks of one node with all its peers."""

    peers: dict[bytes, Session] = {}
    limits: Limits = LIMITS


class Kept(Value):
    """What the owner's database holds of one session: one row, and one row for each message not acknowledged."""

    peer: bytes
    epoch: int = 0
    acknowledged: int = 0
    outbox: tuple[Message, ...] = ()
    heard_epoch: int = 0
    committed: int = 0


class AskedSend(Value):
    """The layer above wants `message` to reach `peer`; asking twice with the same id is asking once."""

    peer: bytes
    message: Message
    at_ms: int


class HeardFrame(Value):
    """The peer itself, as its certificate proved, said this."""

    peer: bytes
    frame: SessionFrame
    at_ms: int


class SawConnected(Value):
    """A connection with the peer, dialled by either, has been verified on both sides."""

    peer: bytes
    at_ms: int


class SawDisconnected(Value):
    """The last connection with the peer is gone."""

    peer: bytes
    at_ms: int


class SawCommitted(Value):
    """The layer above has committed all deliveries up to `sequence`, and (epoch, sequence) with them."""

    peer: bytes
    epoch: int
    sequence: int
    at_ms: int


class Ticked(Value):
    """Time went on."""

    at_ms: int


Event: TypeAlias = AskedSend | HeardFrame | SawConnected | SawDisconnected | SawCommitted | Ticked


class StoreMessage(Value):
    """Part of this turn's commit: keep this outbox row."""

    peer: bytes
    epoch: int
    sequence: int
    message: Message


class DropMessages(Value):
    """Part of this turn's commit: forget the outbox rows up to `through`, remember it as acknowledged."""

    peer: bytes
    epoch: int
    through: int


class StoreOutbox(Value):
    """Part of this turn's commit: these rows, numbered from 1 in a new epoch, replace the whole outbox."""

    peer: bytes
    epoch: int
    messages: tuple[Message, ...]


class SendFrame(Value):
    """After the commit: let the transport carry this, if it can."""

    peer: bytes
    frame: SessionFrame


class Connect(Value):
    """After the commit: see to it that there is a connection; nothing to do where there is one."""

    peer: bytes


class Close(Value):
    """After the commit: say why and close the peer's connections."""

    peer: bytes
    code: str
    reason: str


class DeliverMessage(Value):
    """For the layer above: handle this, write (epoch, sequence) in the same commit, then report `SawCommitted`."""

    peer: bytes
    epoch: int
    sequence: int
    message: Message


class Wake(Value):
    """Send `Ticked` at this time or later."""

    at_ms: int


class Tell(Value):
    """Something the operator should know of, with the evidence."""

    peer: bytes
    code: str
    reason: str
    values: dict[str, int]
    evidence: bytes = b""
    """Head of the frame that shows it, where one does."""


Effect: TypeAlias = (
    StoreMessage | DropMessages | StoreOutbox | SendFrame | Connect | Close | DeliverMessage | Wake | Tell
)
