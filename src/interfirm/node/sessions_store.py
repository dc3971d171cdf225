"""Sessions kept in the vault's database: outbox rows and numbers, written in the turn's own commit."""

from __future__ import annotations

import msgspec

from interfirm.node.network import types as net
from interfirm.node.network.frames import Message
from interfirm.node.vault.turn import Turn

_SENDING, _HEARD, _OUTBOX = "session-sending", "session-heard", "session-outbox-"
ALL = 2**31 - 1
_pack = msgspec.msgpack.encode
_numbers = msgspec.msgpack.Decoder(tuple[int, int]).decode


def store(turn: Turn, effect: net.StoreMessage | net.DropMessages | net.StoreOutbox | net.DeliverMessage) -> None:
    """Write what one effect of the session machine asks to keep."""
    peer = effect.peer
    space = _OUTBOX + peer.hex()
    match effect:
        case net.StoreMessage():
            turn.blob_put(space, _key(effect.sequence), _pack(effect.message))
            if effect.sequence == 1:
                turn.blob_put(_SENDING, peer, _pack((effect.epoch, 0)))
        case net.DropMessages():
            known = turn.blob_get(_SENDING, peer)
            epoch, acknowledged = _numbers(known) if known else (effect.epoch, 0)
            first = acknowledged if epoch == effect.epoch else 0
            for sequence in range(first + 1, effect.through + 1):
                turn.blob_delete(space, _key(sequence))
            turn.blob_put(_SENDING, peer, _pack((effect.epoch, effect.through)))
        case net.StoreOutbox():
            for key, _ in turn.blobs(space, limit=ALL):
                turn.blob_delete(space, key)
            turn.blob_put(_SENDING, peer, _pack((effect.epoch, 0)))
            for number, message in enumerate(effect.messages, start=1):
                turn.blob_put(space, _key(number), _pack(message))
        case net.DeliverMessage():
            turn.blob_put(_HEARD, peer, _pack((effect.epoch, effect.sequence)))


def kept_sessions(turn: Turn) -> list[net.Kept]:
    """All sessions as the database holds them."""
    sending = {peer: _numbers(value) for peer, value in turn.blobs(_SENDING, limit=ALL)}
    heard = {peer: _numbers(value) for peer, value in turn.blobs(_HEARD, limit=ALL)}
    found = []
    for peer in sorted({*sending, *heard}):
        epoch, acknowledged = sending.get(peer, (0, 0))
        heard_epoch, committed = heard.get(peer, (0, 0))
        rows = turn.blobs(_OUTBOX + peer.hex(), limit=ALL)
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
