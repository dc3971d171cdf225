"""Governing a running cluster from its folder: what it says of itself, and voters' proposals and ballots sent to it."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.signatures import Signer
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.ledger.signing import sign
from interfirm.node.identity.keystore import KeyStore
from interfirm.node.identity.sealed import read_passphrase
from interfirm.notary.cometbft.client import ClusterClient
from interfirm.notary.cometbft.envelope import seal_envelope
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.governance import metadata
from interfirm.notary.governance.machine import (
    BALLOT,
    PROPOSAL,
    RETRACTION,
    ballot_id,
    proposal_id,
    retraction_id,
)
from interfirm.notary.governance.types import Action, Proposal, Propose, RemoveValidator, Retract, SetValidator, Vote
from interfirm.notary.types import Ask, Done, Refused, Request, Said
from interfirm.notary.validators.machine import Member
from interfirm.runtime.cluster import ClusterLayout, Place, key_of

T = TypeVar("T")
LIFE_MS = 60_000
"""How long an envelope may wait for a block."""
FIRST = bytes(8)
"""Where a list's first page begins."""


class Voice(Value, frozen=True):
    """Who signs: the key in force, and the identity it stands for."""

    signer: Signer
    identity: bytes


def voice_in(folder: Path) -> Voice:
    """The organisation whose key store is in a folder: `keys`, opened by `passphrase`; Refusal `keystore.*`."""
    store = KeyStore.open(folder / "keys", read_passphrase(folder / "passphrase"))
    return Voice(signer=store.signer, identity=store.identity)


class Government:
    """Talks to the validators of a cluster. What they say here is one validator's word, to be believed by its operator.

    Raises Refusal `cluster.unreachable` where none answers, and the notary's own.
    """

    def __init__(self, layout: ClusterLayout, client: ClusterClient) -> None:
        self.layout = layout
        self.notary = layout.notary_id
        self._client = client

    # what is the case ------------------------------------------------------------------------------------------------

    def said(self, kind: str, subject: bytes = b"") -> Said:
        """What a validator answers to a question, from the state of its last block."""
        found = self._client.query("/ask", codec.encode(Ask(kind=kind, subject=subject)))
        return codec.decode(base64.b64decode(found["value"]), Said)

    def rpc(self, method: str, **params: Any) -> dict[str, Any]:
        """What the first engine that answers says; Refusal `rpc.refused` where it does not want to."""
        for place in self.layout.places:
            rpc = Rpc(place.rpc)
            try:
                return rpc.call(method, **params)
            except Refusal as refusal:
                if refusal.code == "rpc.refused":
                    raise
            finally:
                rpc.close()
        raise Refusal("cluster.unreachable", "no validator answers", validators=[p.rpc for p in self.layout.places])

    def asked(self, kind: str, answer: type[T], subject: bytes = b"") -> T:
        """The same, as the type that the answer has."""
        return codec.from_plain(self.said(kind, subject).answer, answer)

    def pages(self, kind: str, item: type[T]) -> list[T]:
        """All items of a list that is shown in pages."""
        found = list[T]()
        while some := self.asked(kind, list[item], len(found).to_bytes(8, "big")):  # type: ignore[valid-type] # a type
            found += some
        return found

    def now(self) -> Instant:
        """The time of the last block."""
        return self.said("governance").time

    def proposal(self, start: str) -> Proposal:
        """The proposal whose id begins so; Refusal `governance.unknown` where there is none, or more than one."""
        found = [each for each in self.pages("proposals", Proposal) if each.id.hex().startswith(start.lower())]
        if len(found) != 1 or not start:
            raise Refusal("governance.unknown", "no proposal's id begins so, or several do", proposal=start,
                          found=[each.id for each in found])  # fmt: skip
        return found[0]

    def members(self) -> list[Member]:
        """The validators, and those that left and whose bond is locked."""
        return self.asked("validators", list[Member])

    # what is to be ---------------------------------------------------------------------------------------------------

    def propose(self, actions: tuple[Action, ...], voice: Voice, *, life_ms: int) -> Proposal:
        """Put actions to the vote; what became of it in the block that took it."""
        expires, nonce = self.now().plus_ms(life_ms), os.urandom(32)
        name = proposal_id(self.notary, actions, expires, nonce, voice.identity)
        signature = sign(voice.signer, voice.identity, name, purpose=PROPOSAL)
        self.send(Propose(actions=actions, expires=expires, nonce=nonce, signature=signature), voice)
        return self.asked("proposal", Proposal, name)

    def vote(self, proposal: Proposal, voice: Voice, *, accepts: bool) -> Proposal:
        """Cast a ballot, in the place of an earlier one; what became of the proposal."""
        cast = [each.number for each in proposal.ballots if each.voter == voice.identity]
        number = max(cast, default=0) + 1
        name = ballot_id(self.notary, proposal.id, accepts, number)
        signature = sign(voice.signer, voice.identity, name, purpose=BALLOT)
        self.send(Vote(proposal=proposal.id, accepts=accepts, number=number, signature=signature), voice)
        return self.asked("proposal", Proposal, proposal.id)

    def retract(self, proposal: Proposal, voice: Voice) -> Proposal:
        """Take one's own proposal back."""
        signature = sign(voice.signer, voice.identity, retraction_id(self.notary, proposal.id), purpose=RETRACTION)
        self.send(Retract(proposal=proposal.id, signature=signature), voice)
        return self.asked("proposal", Proposal, proposal.id)

    def send(self, request: Request, voice: Voice) -> Done:
        """Have a request judged in a block; raises the notary's refusal."""
        envelope = seal_envelope(
            [request], notary=self.notary, signer=voice.signer, identity=voice.identity,
            expires=self.now().plus_ms(LIFE_MS), nonce=os.urandom(32),
        )  # fmt: skip
        (answer,) = self._client.ask(envelope)
        if isinstance(answer, Refused):
            raise Refusal(answer.code, answer.message, **answer.values)
        assert isinstance(answer, Done), "what is no question is done or refused"
        return answer


@contextmanager
def government(layout: ClusterLayout) -> Iterator[Government]:
    """A connection to whichever validators of a cluster answer."""
    client = ClusterClient([place.rpc for place in layout.places])
    try:
        yield Government(layout, client)
    finally:
        client.close()


# keys of validators --------------------------------------------------------------------------------------------------


def key_named(layout: ClusterLayout, name: str) -> bytes:
    """The key of a machine of this folder by its name, or a key in hex; Refusal `cluster.validator`."""
    if name in {place.name for place in layout.places}:
        return key_of(layout.home(layout.named(name)))
    try:
        found = bytes.fromhex(name)
    except ValueError:
        found = b""
    if len(found) != 32:
        layout.named(name)
    return found


def place_of(layout: ClusterLayout, key: bytes) -> Place | None:
    """The machine of this folder that has a key."""
    return next((place for place in layout.places if _has(layout.home(place), key)), None)


def _has(home: Path, key: bytes) -> bool:
    try:
        return key_of(home) == key
    except Refusal:
        return False


def entering(governing: Government, key: bytes, operator: bytes, power: int | None) -> SetValidator:
    """The action that adds a validator; without a power, with that of the median of the others."""
    powers = sorted(each.power for each in governing.members() if each.power)
    return SetValidator(key=key, power=power or powers[len(powers) // 2], operator=operator)


def replacing(governing: Government, old: bytes, new: bytes) -> tuple[Action, ...]:
    """The actions that put a new key in the place of an old one; Refusal `cluster.validator` for one without power."""
    for each in governing.members():
        if each.key == old and each.power:
            return (SetValidator(key=new, power=each.power, operator=each.operator), RemoveValidator(key=old))
    raise Refusal("cluster.validator", "the machine's key is no validator's", key=old)


def parameters(governing: Government) -> list[metadata.Parameter]:
    """All parameters with their bounds."""
    return governing.asked("parameters", list[metadata.Parameter])
