"""A notary's side of its sessions: letters in, batches for the host, letters out.

A notary keeps no session state on disk: its host remembers every acceptance by id, so an asker that heard nothing asks
again and gets the same answer. All requests of a turn are judged and committed in batches before any is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.base.time import Instant
from interfirm.node.network import machine as sessions_machine
from interfirm.node.network import types as net
from interfirm.node.network.frames import Message
from interfirm.node.node import NOTARY_ANSWER, NOTARY_RECEIPT, NOTARY_REQUEST, NOTARY_TELL, NotaryLetter
from interfirm.notary.wire import Handled


class Host(Protocol):
    """A notary host as the post uses it."""

    def handle_batch(self, requests: Sequence[tuple[bytes, bytes]], now: Instant) -> Handled:
        """Judge (requester, encoded request) pairs; what comes back is committed."""


Effect = net.SendFrame | net.Connect | net.Close | net.Tell | net.Wake


class NotaryPost:
    """Turns of a notary: session events in, frames out."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.sessions = net.Sessions()

    def turn(self, events: Sequence[net.Event], now_ms: int) -> list[Effect]:
        """Handle session events; the requests among them are judged together. Ends with when to be woken."""
        out: list[Effect] = []
        letters: list[tuple[bytes, NotaryLetter]] = []
        handled: dict[bytes, tuple[int, int]] = {}
        for event in (*events, net.Ticked(at_ms=now_ms)):
            for effect in self._step(event, out):
                handled[effect.peer] = (effect.epoch, effect.sequence)
                letter = self._letter(effect, out)
                if letter is not None:
                    letters.append((effect.peer, letter))
        for start in range(0, len(letters), LIMITS.notary_batch_count_max):
            self._answer(letters[start : start + LIMITS.notary_batch_count_max], now_ms, out)
        for peer, (epoch, sequence) in handled.items():
            self._step(net.SawCommitted(peer=peer, epoch=epoch, sequence=sequence, at_ms=now_ms), out)
        due = [session.due_at_ms for session in self.sessions.peers.values() if session.due_at_ms is not None]
        return [*out, net.Wake(at_ms=min(due))] if due else out

    def _step(self, event: net.Event, out: list[Effect]) -> list[net.DeliverMessage]:
        self.sessions, effects = sessions_machine.step(self.sessions, event)
        delivered = []
        for effect in effects:
            match effect:
                case net.DeliverMessage():
                    delivered.append(effect)
                case net.StoreMessage() | net.DropMessages() | net.StoreOutbox() | net.Wake():
                    pass
                case _:
                    out.append(effect)
        return delivered

    def _letter(self, delivered: net.DeliverMessage, out: list[Effect]) -> NotaryLetter | None:
        message, peer = delivered.message, delivered.peer
        try:
            if message.topic != NOTARY_REQUEST:
                raise Refusal("notary.topic", "a notary takes requests only", topic=message.topic[:40])
            return codec.decode(message.body, NotaryLetter)
        except Refusal as refusal:
            out.append(net.Tell(peer=peer, code=refusal.code, reason=refusal.message, values={}))
            return None

    def _answer(self, letters: list[tuple[bytes, NotaryLetter]], now_ms: int, out: list[Effect]) -> None:
        requests = [(peer, letter.body) for peer, letter in letters]
        handled = self._host.handle_batch(requests, Instant(now_ms))
        for (peer, letter), answer in zip(letters, handled.answers, strict=True):
            body = codec.encode_plain([letter.id, answer])
            self._send(peer, NOTARY_ANSWER, digest("answer", letter.id, answer), body, now_ms, out)
        for accepted in handled.accepted:
            body = codec.encode_plain([accepted.transaction, accepted.receipt])
            for signer in accepted.signers:
                name = digest("receipt", accepted.transaction, signer)
                self._send(signer, NOTARY_RECEIPT, name, body, now_ms, out)
        for tell, told in handled.tells:
            body = codec.encode(told)
            name = digest("tell", tell.identity, told.number)
            self._send(tell.identity, NOTARY_TELL, name, body, now_ms, out)

    def _send(self, peer: bytes, topic: str, name: bytes, body: bytes, now_ms: int, out: list[Effect]) -> None:
        message = Message(message_id=name, topic=topic, body=body)
        try:
            self._step(net.AskedSend(peer=peer, message=message, at_ms=now_ms), out)
        except Refusal as refusal:  # a peer that takes no answers: it will ask again
            out.append(net.Tell(peer=peer, code=refusal.code, reason=refusal.message, values={}))
