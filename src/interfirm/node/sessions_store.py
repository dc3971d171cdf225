"""Sessions kept in the vault's database: outbox rows and numbers, written in the turn's own commit."""

from __future__ import annotations

import msgspec

from interfirm.node.network import types as net
from interfirm.node.network.frames import Message
from interfirm.node.vault.turn import Turn

_SENDING, _HEARD = "session-sending", "session-heard"
OUTBOX = "session-outbox-"
"""The space of the messages that wait for a peer: this, then its identity in hex."""
ALL = 2**31 - 1
_LAST = b"\xff" * 8
_pack = msgspec.msgpack.encode
_numbers = msgspec.msgpack.Decoder(tuple[int, int]).decode


class SessionRows:
    """What the session machine asks to keep, gathered over a turn: only the last numbers of each peer are of use."""

    def __init__(self) -> None:
        self._sending: dict[bytes, tuple[int, int]] = {}
        self._heard: dict[bytes, tuple[int, int]] = {}
        self._outbox: dict[bytes, list[tuple[int, Message]]] = {}
        self._dropped: dict[bytes, int] = {}

    def note(
        self, turn: Turn, effect: net.StoreMessage | net.DropMessages | net.StoreOutbox | net.DeliverMessage
    ) -> None:
        """Take in one effect; a new outbox is written at once, as it replaces everything before it."""
        peer = effect.peer
        match effect:
            case net.StoreMessage():
                self._outbox.setdefault(peer, []).append((effect.sequence, effect.message))
                if effect.sequence == 1:
                    self._sending[peer] = (effect.epoch, 0)
            case net.DropMessages():
                self._dropped[peer] = effect.through
                self._sending[peer] = (effect.epoch, effect.through)
            case net.StoreOutbox():
                self.flush(turn)
                turn.blobs_delete_through(OUTBOX + peer.hex(), _LAST)
                self._sending[peer] = (effect.epoch, 0)
                self._outbox[peer] = list(enumerate(effect.messages, start=1))
            case net.DeliverMessage():
                self._heard[peer] = (effect.epoch, effect.sequence)

    def flush(self, turn: Turn) -> None:
        """Write everything that changed."""
        for peer, messages in self._outbox.items():
            turn.blobs_put(OUTBOX + peer.hex(), ((_key(number), _pack(message)) for number, message in messages))
        for peer, through in self._dropped.items():
            turn.blobs_delete_through(OUTBOX + peer.hex(), _key(through))
        turn.blobs_put(_SENDING, ((peer, _pack(numbers)) for peer, numbers in self._sending.items()))
        turn.blobs_put(_HEARD, ((peer, _pack(numbers)) for peer, numbers in self._heard.items()))
        self.clear()

    def clear(self) -> None:
        """Forget what was not written."""
        for rows in (self._sending, self._heard, self._outbox, self._dropped):
            rows.clear()


def kept_sessions(turn: Turn) -> list[net.Kept]:
    """All sessions as the database holds them."""
    sending = {peer: _numbers(value) for peer, value in turn.blobs(_SENDING, limit=ALL)}
    heard = {peer: _numbers(value) for peer, value in turn.blobs(_HEARD, limit=ALL)}
    found = []
    for peer in sorted({*sending, *heard}):
        epoch, acknowledged = sending.get(peer, (0, 0))
        heard_epoch, committed = heard.get(peer, (0, 0))
        rows = turn.blobs(OUTBOX + peer.hex(), limit=ALL)
        outbox = tuple(msgspec.msgpack.decode(value, type=Message) for _, value in rows)
        found.append(
            net.Kept(
                peer=peer,
                epoch=epoch,
                acknowledged=acknowledged,
                outbox=outbox,
                heard_epoch=heard_epoch,
                committed=committed,
            )
        )
    return found


def _key(sequence: int) -> bytes:
    return sequence.to_bytes(8, "big")
