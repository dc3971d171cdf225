"""Governing a notary, of one machine or of several: what it says of itself, and voters' proposals and ballots."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.signatures import Signer
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.ledger.signing import sign
from interfirm.node.identity.keystore import KeyStore
from interfirm.node.identity.sealed import read_passphrase
from interfirm.notary.governance import metadata
from interfirm.notary.governance.machine import (
    BALLOT,
    PROPOSAL,
    RETRACTION,
    ballot_id,
    proposal_id,
    retraction_id,
)
from interfirm.notary.governance.types import Action, Proposal, Propose, Retract, Vote
from interfirm.notary.types import Done, Request, Said
from interfirm.notary.validators.machine import Member

T = TypeVar("T")


class Voice(Value, frozen=True):
    """Who signs: the key in force, and the identity it stands for."""

    signer: Signer
    identity: bytes


def voice_in(folder: Path) -> Voice:
    """The organisation whose key store is in a folder: `keys`, opened by `passphrase`; Refusal `keystore.*`."""
    store = KeyStore.open(folder / "keys", read_passphrase(folder / "passphrase"))
    return Voice(signer=store.signer, identity=store.identity)


class Government(ABC):
    """Talks to a notary about itself. What it says is proved or signed; every method raises the notary's refusals."""

    def __init__(self, notary: bytes) -> None:
        self.notary = notary

    @abstractmethod
    def said(self, kind: str, subject: bytes = b"") -> Said:
        """What the notary answers to a question, after all that was sent here."""

    @abstractmethod
    def send(self, request: Request, voice: Voice) -> Done:
        """Have a request judged; raises the notary's refusal."""

    @property
    def doubted(self) -> Mapping[str, str]:
        """Machines that were not believed, by their addresses, and why."""
        return {}

    def machine(self, key: bytes) -> str:
        """The name of the machine at hand that has a validator's key; empty where none has."""
        return ""

    # what is the case ------------------------------------------------------------------------------------------------

    def asked(self, kind: str, answer: type[T], subject: bytes = b"") -> T:
        """What `said` answers, as the type that the answer has."""
        return codec.from_plain(self.said(kind, subject).answer, answer)

    def pages(self, kind: str, item: type[T]) -> list[T]:
        """All items of a list that is shown in pages."""
        found = list[T]()
        while some := self.asked(kind, list[item], len(found).to_bytes(8, "big")):  # type: ignore[valid-type] # a type
            found += some
        return found

    def now(self) -> Instant:
        """The notary's time."""
        return self.said("governance").time

    def proposal(self, start: str) -> Proposal:
        """The proposal whose id begins so; Refusal `governance.unknown` where there is none, or more than one."""
        found = [each for each in self.pages("proposals", Proposal) if each.id.hex().startswith(start.lower())]
        if len(found) != 1 or not start:
            raise Refusal("governance.unknown", "no proposal's id begins so, or several do", proposal=start,
                          found=[each.id for each in found])  # fmt: skip
        return found[0]

    def parameters(self) -> list[metadata.Parameter]:
        """All parameters with their bounds."""
        return self.asked("parameters", list[metadata.Parameter])

    def members(self) -> list[Member]:
        """The validators, and those that left and whose bond is locked."""
        return self.asked("validators", list[Member])

    # what is to be ---------------------------------------------------------------------------------------------------

    def propose(self, actions: tuple[Action, ...], voice: Voice, *, life_ms: int) -> Proposal:
        """Put actions to the vote; what became of it when it was taken."""
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
