"""A notary with five voters and four validators, and what the voters sign."""

from __future__ import annotations

from typing import Any

from interfirm.base import codec
from interfirm.base.hashing import digest
from interfirm.base.signatures import Ed25519Signer
from interfirm.base.time import Instant
from interfirm.ledger.receipts.types import NotaryAnchor
from interfirm.notary import machine
from interfirm.notary.cometbft.types import ClusterGenesis, Neighbour, Validator, chain_id
from interfirm.notary.evidence.types import Misconduct
from interfirm.notary.governance import metadata
from interfirm.notary.governance.epochs import SOFTWARE, Software
from interfirm.notary.governance.machine import (
    BALLOT,
    PROPOSAL,
    RETRACTION,
    ballot_id,
    proposal_id,
    retraction_id,
)
from interfirm.notary.governance.types import Action, Constitution, Proposal, Propose, Retract, Vote
from interfirm.notary.types import Asked, Block, Judged, Request

from .notaries import HOUR_MS, NETWORK, REGISTRAR, A, B, C, Notary, Org, Words

D, E = Org("d"), Org("e")
VOTERS = (A, B, C, D, E)
MACHINES = tuple(Ed25519Signer(digest("machine", n)) for n in range(4))
KEYS = tuple(each.public.key for each in MACHINES)
STRANGER_ORG = Org("stranger")
_count = iter(range(10**9))


def founding(**changes: Any) -> Constitution:
    """Five voters, of whom the first four operate a validator each."""
    options: dict[str, Any] = {
        "voters": tuple(each.signer.public for each in VOTERS), "operators": tuple(each.id for each in VOTERS[:4]),
    }  # fmt: skip
    return Constitution(**(options | changes))


class Council(Notary):
    """The pure machine with such a founding."""

    def __init__(
        self, label: str = "council", *, words: Words | None = None, neighbours: tuple[NotaryAnchor, ...] = (),
        scenario: Instant | None = None, **changes: Any,
    ) -> None:  # fmt: skip
        super().__init__(label, words=words)
        self.origin = ClusterGenesis(
            network=NETWORK, registrar=REGISTRAR.public, label=label, constitution=founding(**changes),
            validators=tuple(Validator(key=key, power=10) for key in KEYS),
            neighbours=tuple(Neighbour(notary=n.notary, network=n.network, key=n.key) for n in neighbours),
            scenario=scenario,
        )  # fmt: skip
        self.id = machine.notary_id(self.origin)
        self.words.notaries[self.id] = self
        self.chain = chain_id(self.id)
        self.software: Software = SOFTWARE
        self.misconduct: tuple[Misconduct, ...] = ()
        self.last: Judged | None = None

    def judge(self, *requests: Request, requester: bytes = A.id) -> Judged:
        asked = tuple(Asked(requester=requester, request=request) for request in requests)
        block = Block(height=self.height + 1, time=self.now, requests=asked, misconduct=self.misconduct)
        self.last = machine.judge(self, block, genesis=self.origin, abroad=self.words, software=self.software)
        return self.last

    def pass_to(self, height: int) -> Council:
        """Empty blocks up to a height."""
        while self.height < height:
            self.block()
        return self

    # what voters do

    def proposal(
        self, *actions: Action, by: Org = A, expires: Instant | None = None, nonce: bytes | None = None
    ) -> Propose:
        expires, nonce = expires or self.now.plus_ms(HOUR_MS), nonce or digest("nonce", next(_count))
        name = proposal_id(self.id, actions, expires, nonce, by.id)
        return Propose(actions=actions, expires=expires, nonce=nonce, signature=by.sign(name, PROPOSAL))

    def ballot(self, proposal: bytes, by: Org, *, accepts: bool = True, number: int = 1) -> Vote:
        name = ballot_id(self.id, proposal, accepts, number)
        return Vote(proposal=proposal, accepts=accepts, number=number, signature=by.sign(name, BALLOT))

    def retraction(self, proposal: bytes, by: Org = A) -> Retract:
        return Retract(proposal=proposal, signature=by.sign(retraction_id(self.id, proposal), RETRACTION))

    def proposed(self, *actions: Action, **options: Any) -> bytes:
        """A proposal that is taken; its id."""
        return self.done(self.proposal(*actions, **options)).id

    def found(self, proposal: bytes) -> Proposal:
        return codec.from_plain(self.says("proposal", proposal).answer, Proposal)

    def decided(self, *actions: Action) -> Proposal:
        """What became of a proposal that all voters accept, one after the other, while they can."""
        name = self.proposed(*actions)
        for voter in VOTERS[1:]:
            if self.found(name).status == "open":
                self.done(self.ballot(name, voter))
        return self.found(name)

    def applied(self, *actions: Action) -> Council:
        found = self.decided(*actions)
        assert found.status == "applied", found
        return self

    def parameter(self, name: str) -> metadata.Parameter:
        shown = codec.from_plain(self.says("parameters", b"").answer, list[metadata.Parameter])
        return next(each for each in shown if each.name == name)

    def governed(self) -> metadata.Governed:
        return codec.from_plain(self.says("governance", b"").answer, metadata.Governed)

    def balance(self, org: Org) -> int:
        return int(self.says("account", org.id).answer)
