"""Notaries with their state in a dictionary, organisations, and transactions made of hand-written actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import Ed25519Signer
from interfirm.base.time import Instant, Window
from interfirm.contracts.types import Action, ClaimKey, Confirmers, ContractRef, Create, Exercise, Fetch, TemplateId
from interfirm.ledger import builder, tree
from interfirm.ledger.builder import Draft
from interfirm.ledger.receipts.types import NotaryAnchor
from interfirm.ledger.signing import PARTY, sign
from interfirm.ledger.types import ConfirmersOpening, TransactionSignature
from interfirm.notary import machine
from interfirm.notary.questions import check_statement, state_it
from interfirm.notary.registry.machine import registration_bytes, revocation_bytes, rotation_bytes
from interfirm.notary.requests import request_of
from interfirm.notary.types import (
    Answer,
    Ask,
    Asked,
    Block,
    Done,
    Genesis,
    Judged,
    Lock,
    Notarise,
    Refused,
    Register,
    Request,
    Reserve,
    Revoke,
    Rotate,
    Said,
    Tell,
)

NETWORK = digest("test network")
NOW = Instant(1_700_000_000_000)
HOUR_MS = 3_600_000
TEMPLATE = TemplateId(package=digest("package"), name="Paper")
STRANGER = digest("a stranger")
REGISTRAR = Ed25519Signer(digest("registrar"))


class Org:
    """An organisation: its keys, first to last, and what it signs with the last one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.signer = Ed25519Signer(digest("org", name, 0))
        self.id = self.signer.public.identity
        self.vrf = digest("vrf key", name)
        self.rotations = 0

    def sign(self, name: bytes, purpose: str = PARTY) -> TransactionSignature:
        return sign(self.signer, self.id, name, purpose=purpose)

    def registration(self, home: bytes, network: bytes = NETWORK) -> Register:
        message = registration_bytes(network, self.signer.public, self.vrf, home)
        return Register(
            key=self.signer.public, vrf=self.vrf, home=home, registrar=REGISTRAR.sign(message),
            own=self.signer.sign(message),
        )  # fmt: skip

    def rotation(self, salt: str = "") -> tuple[Rotate, Ed25519Signer]:
        """The next rotation, and the signer it leads to."""
        after = Ed25519Signer(digest("org", self.name, self.rotations + 1, salt))
        message = rotation_bytes(NETWORK, self.id, after.public, self.rotations + 1)
        request = Rotate(
            identity=self.id, key=after.public, number=self.rotations + 1, old=self.signer.sign(message),
            new=after.sign(message),
        )  # fmt: skip
        return request, after

    def revocation(self) -> Revoke:
        return Revoke(identity=self.id, registrar=REGISTRAR.sign(revocation_bytes(NETWORK, self.id)))


A, B, C = Org("a"), Org("b"), Org("c")
ORGS = (A, B, C)


class Words:
    """Notaries that know each other: a receipt is the bare id that a notary has in fact accepted."""

    def __init__(self) -> None:
        self.notaries: dict[bytes, Notary] = {}

    def check_known(self, notary: bytes) -> None:
        self._of(notary)

    def receipt(self, notary: bytes, receipt: bytes) -> bytes:
        origin, name = receipt[:32], receipt[33:]
        if origin != notary or self._of(notary).get("accepted", name) is None:
            raise Refusal("receipt.notary", "not this notary's receipt", notary=notary)
        return name

    def statement(self, notary: bytes, statement: bytes) -> Said:
        return check_statement(statement, notary, self._of(notary).signer.public)

    def _of(self, notary: bytes) -> Notary:
        if notary not in self.notaries:
            raise Refusal("notary.stranger", "no such notary", notary=notary)
        return self.notaries[notary]


class Notary:
    """The pure machine over a dictionary, one request a block unless told otherwise, at `now`."""

    def __init__(self, label: str = "n", *, words: Words | None = None, registry: bytes | None = None) -> None:
        self.signer = Ed25519Signer(digest("notary", label))
        self.genesis = Genesis(
            network=NETWORK, registrar=REGISTRAR.public, key=self.signer.public, label=label, registry=registry
        )
        self.id = machine.notary_id(self.genesis)
        self.state: dict[tuple[str, bytes], bytes] = {}
        self.words = words or Words()
        self.words.notaries[self.id] = self
        self.now, self.height = NOW, 0
        self.tells: list[Tell] = []

    @property
    def anchor(self) -> NotaryAnchor:
        return NotaryAnchor(notary=self.id, network=NETWORK, key=self.signer.public)

    def get(self, space: str, key: bytes) -> bytes | None:
        return self.state.get((space, key))

    def judge(self, *requests: Request, requester: bytes = A.id) -> Judged:
        """What a block of these requests leads to; nothing is kept."""
        asked = tuple(Asked(requester=requester, request=request) for request in requests)
        block = Block(height=self.height + 1, time=self.now, requests=asked)
        return machine.judge(self, block, genesis=self.genesis, abroad=self.words)

    def block(self, *requests: Request, requester: bytes = A.id) -> tuple[Answer, ...]:
        judged = self.judge(*requests, requester=requester)
        for key, value in judged.changes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        self.height += 1
        self.now = judged.time
        self.tells = list(judged.tells)
        return judged.answers

    def ask(self, request: Request, requester: bytes = A.id) -> Answer:
        return self.block(request, requester=requester)[0]

    def done(self, request: Request, requester: bytes = A.id) -> Done:
        """The answer to a request that must be accepted."""
        answer = self.ask(request, requester)
        assert isinstance(answer, Done), answer
        return answer

    def refused(self, request: Request, requester: bytes = A.id) -> Refused:
        """The answer to a request that must be refused, and must leave nothing behind."""
        if not self.height:
            self.block()  # the first block writes down how the notary is governed
        before = {k: v for k, v in self.state.items() if k[0] != "meta"}
        answer = self.ask(request, requester)
        assert isinstance(answer, Refused), answer
        assert {k: v for k, v in self.state.items() if k[0] != "meta"} == before
        return answer

    def says(self, kind: str, subject: bytes, requester: bytes = STRANGER) -> Said:
        answer = self.ask(Ask(kind=kind, subject=subject), requester)
        assert isinstance(answer, Said), answer
        return answer

    def statement(self, kind: str, subject: bytes) -> bytes:
        return state_it(self.signer, self.id, self.says(kind, subject))

    def receipt(self, done: Done) -> bytes:
        return self.id + b":" + done.id

    def with_orgs(self, *orgs: Org, home: bytes | None = None) -> Notary:
        for org in orgs or ORGS:
            self.done(org.registration(home or self.id))
        return self


def window(lower: Instant | None = None, upper: Instant | None = None) -> Window:
    return Window(lower=lower, upper=upper or NOW.plus_ms(HOUR_MS))


def confirmers(*orgs: Org, fallback: Sequence[Org] = (), since: Instant | None = None) -> Confirmers:
    return Confirmers(
        parties=tuple(sorted(org.id for org in orgs)), fallback=tuple(sorted(org.id for org in fallback)), since=since
    )


def claim(owner: Org, key: str) -> ClaimKey:
    return ClaimKey(family="number", owner=owner.id, alpha=key.encode())


def claim_proof(owner: bytes, alpha: bytes) -> tuple[bytes, bytes]:
    """A stand-in for the owner's verifiable random function, which the notary never sees."""
    return b"proof", digest("beta", owner, alpha)


def claim_hash(owner: Org, key: str) -> bytes:
    return tree.claim_hash(owner.id, claim_proof(owner.id, key.encode())[1])


def create(index: int, *signatories: Org, by: Confirmers | None = None, claims: Sequence[ClaimKey] = ()) -> Create:
    return Create(
        index=index, template=TEMPLATE, payload=[index], signatories=tuple(sorted(org.id for org in signatories)),
        observers=(), confirmers=by or confirmers(*signatories), claims=tuple(claims),
    )  # fmt: skip


def exercise(
    index: int,
    ref: ContractRef,
    *signatories: Org,
    by: Confirmers | None = None,
    consuming: bool = True,
    children: Sequence[Action] = (),
    controllers: Sequence[Org] = (),
) -> Exercise:
    ids = tuple(sorted(org.id for org in signatories))
    return Exercise(
        index=index, ref=ref, template=TEMPLATE, choice="go", consuming=consuming, arguments=[], result=None,
        controllers=tuple(sorted(org.id for org in controllers)) or ids[:1], signatories=ids, observers=(),
        confirmers=by or confirmers(*signatories), children=tuple(children),
    )  # fmt: skip


def fetch(index: int, ref: ContractRef, *signatories: Org, by: Sequence[Org] = ()) -> Fetch:
    ids = tuple(sorted(org.id for org in signatories))
    controllers = tuple(sorted(org.id for org in by)) or ids
    return Fetch(index=index, ref=ref, template=TEMPLATE, controllers=controllers, signatories=ids, observers=())


class Ledger:
    """Builds transactions for one notary and remembers what opens their contracts."""

    def __init__(self, notary: bytes) -> None:
        self.notary = notary
        self.salts: dict[tuple[bytes | None, int], bytes] = {}
        self._count = 0

    def draft(
        self, *actions: Action, at: Window | None = None, notary: bytes | None = None, unreachable: Sequence[Org] = ()
    ) -> Draft:
        self._count += 1
        draft = builder.build(
            actions, seed=digest("seed", self.notary, self._count), network=NETWORK, notary=notary or self.notary,
            window=at or window(), names=lambda _: ["number"], claim_proof=claim_proof,
            unreachable=tuple(org.id for org in unreachable),
        )  # fmt: skip
        for node in draft.nodes:
            if isinstance(node.action, Create):
                self.salts[draft.id, node.action.index] = tree.confirmers_salt(node.seed)
        return draft

    def request(self, *actions: Action, **options: Any) -> Notarise:
        """A complete request: the draft, signed by everyone listed."""
        return self.signed(self.draft(*actions, **options))

    def signed(self, draft: Draft, *, reservations: Sequence[bytes] = ()) -> Notarise:
        by_id = {org.id: org for org in ORGS}
        return request_of(
            draft, [by_id[identity].sign(draft.id) for identity in draft.signers], salts=self.salt,
            reservations=reservations,
        )  # fmt: skip

    def salt(self, transaction: bytes | None, index: int) -> bytes:
        return self.salts[transaction, index]

    def opening(self, ref: ContractRef, by: Confirmers, entry: int = 0) -> ConfirmersOpening:
        return ConfirmersOpening(entry=entry, salt=self.salt(ref.transaction, ref.index), confirmers=by)


def made(notary: Notary, ledger: Ledger, *signatories: Org, **options: Any) -> ContractRef:
    """A contract that exists at the notary."""
    done = notary.done(ledger.request(create(0, *signatories, **options)))
    return ContractRef(done.id, 0)


def lock_request(
    notary: Notary, ledger: Ledger, ref: ContractRef, *orgs: Org, to: bytes, until: Instant, nonce: str = "1"
) -> Lock:
    """A lock of a contract confirmed by these, signed by all of them."""
    from interfirm.notary.moves.machine import LOCK, id_of

    bare = Lock(
        ref=ref, to=to, until=until, nonce=digest("nonce", nonce), opening=ledger.opening(ref, confirmers(*orgs)),
        signatures=(),
    )  # fmt: skip
    name = id_of(bare, notary.id)
    return bare.replace(signatures=tuple(org.sign(name, LOCK) for org in orgs))


def reserve_request(owner: Org, key: str, *, notary: bytes, transaction: bytes, until: Instant) -> Reserve:
    """A reservation of the owner's claim for a transaction elsewhere, signed."""
    from interfirm.notary.claims.machine import RESERVATION, reservation_id

    bare = Reserve(
        claim=claim_hash(owner, key), notary=notary, transaction=transaction, until=until,
        signature=owner.sign(digest("nothing")),
    )  # fmt: skip
    return bare.replace(signature=owner.sign(reservation_id(bare), RESERVATION))
