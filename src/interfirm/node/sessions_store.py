"""Sessions kept in the vault's database: outbox rows and numbers, written in the turn's own commit."""

from __future__ import annotations

import msgspec

from interfirm.node.network import types as net
from interfirm.node.network.frames import Message
from interfirm.node.vault.turn import Turn

_SENDING, _HEARD, _OUTBOX = "session-sending", "session-heard", "session-outbox-"
_pack = msgspec.msgpack.encode


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
            turn.blob_put(_SENDING, peer, _pack((effect.epoch, effect.through)))
            for key, _ in turn.blobs(space, limit=100_000):
                if int.from_bytes(key, "big") > effect.through:
                    break
                turn.blob_delete(space, key)
        case net.StoreOutbox():
            for key, _ in turn.blobs(space, limit=100_000):
                turn.blob_delete(space, key)
            turn.blob_put(_SENDING, peer, _pack((effect.epoch, 0)))
            for number, message in enumerate(effect.messages, start=1):
                turn.blob_put(space, _key(number), _pack(message))
        case net.DeliverMessage():
            turn.blob_put(_HEARD, peer, _pack((effect.epoch, effect.sequence)))


def kept_sessions(turn: Turn) -> list[net.Kept]:
    """All sessions as the database holds them."""
    sending = {k: msgspec.msgpack.decode(v, type=tuple[int, int]) for k, v in turn.blobs(_SENDING, limit=100_000)}
    heard = {k: msgspec.msgpack.decode(v, type=tuple[int, int]) for k, v in turn.blobs(_HEARD, limit=100_000)}
    found = []
    for peer in sorted({*sending, *heard}):
        epoch, acknowledged = sending.get(peer, (0, 0))
        heard_epoch, committed = heard.get(peer, (0, 0))
        rows = turn.blobs(_OUTBOX + peer.hex(), limit=100_000)
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
