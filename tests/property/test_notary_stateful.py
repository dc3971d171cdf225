"""Two notaries against a model: each contract is consumed once and usable in one place, each claim is taken once."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from tests.unit.notary.notaries import (
    NOW,
    ORGS,
    A,
    B,
    Ledger,
    Notary,
    Org,
    Words,
    claim,
    claim_hash,
    create,
    exercise,
    lock_request,
    window,
)

from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef
from interfirm.ledger import tree
from interfirm.ledger.moves import import_id
from interfirm.ledger.signing import WITHDRAWAL
from interfirm.notary.claims.machine import RESERVATION, reservation_id
from interfirm.notary.types import (
    Done,
    Finish,
    Free,
    Import,
    Lock,
    Notarise,
    Refused,
    Request,
    Reserve,
    Said,
    Settle,
    Unlock,
    Withdraw,
    claim_key,
    ref_key,
)
from interfirm.notary.uniqueness.machine import transaction_of

MINUTE_MS = 60_000
KEYS = st.sampled_from(["1", "2", "3"])
PLACES = st.integers(0, 1)


def asked(notary: Notary, request: Request) -> Done | Refused:
    """The answer to what is no question."""
    answer = notary.ask(request)
    assert not isinstance(answer, Said)
    return answer


class Paper(Value, frozen=True):
    """A contract under one of its names: where it was made or brought to, its number in the model, who confirms it."""

    lineage: int
    place: int
    ref: ContractRef
    orgs: tuple[Org, ...]


class Moving(Value, frozen=True):
    """A lock, asked for or in force."""

    paper: Paper
    request: Lock
    name: bytes


class Notaries(RuleBasedStateMachine):
    """Requests in any order, honest and not, at two notaries whose clocks run apart."""

    papers: Bundle[Paper] = Bundle("papers")
    sent: Bundle[tuple[int, Notarise]] = Bundle("sent")
    moving: Bundle[Moving] = Bundle("moving")
    reserved: Bundle[tuple[str, Notarise, Any]] = Bundle("reserved")

    def __init__(self) -> None:
        super().__init__()
        words = Words()
        self.notaries = [Notary(label, words=words) for label in ("home", "away")]
        for notary in self.notaries:
            notary.with_orgs(*ORGS, home=self.notaries[0].id)
        self.ledgers = [Ledger(notary.id) for notary in self.notaries]
        self.names: dict[int, list[Paper]] = {}
        self.consumed: dict[int, bytes] = {}
        self.claimed: dict[str, bytes] = {}
        self.answers: dict[bytes, Done] = {}
        self.withdrawn: set[bytes] = set()
        self.withdrawals: set[tuple[bytes, bytes]] = set()

    # ways to ask --------------------------------------------------------------------------------------------------

    def transaction(self, place: int, request: Notarise, papers: list[Paper], key: str | None = None) -> Done | Refused:
        """Ask for a transaction that consumes these papers and takes this claim; compare with the model."""
        notary = self.notaries[place]
        usable = [self.is_usable(paper, place) for paper in papers]
        answer = asked(notary, request)
        if isinstance(answer, Refused):
            return answer
        if answer.id in self.answers:
            assert answer == self.answers[answer.id]
            return answer
        self.answers[answer.id] = answer
        assert all(usable)
        assert answer.id not in self.withdrawn
        for paper in papers:
            assert paper.lineage not in self.consumed, "a contract is consumed once"
            self.consumed[paper.lineage] = answer.id
        if key is not None:
            assert key not in self.claimed, "a claim is taken once"
            self.claimed[key] = answer.id
        return answer

    def is_usable(self, paper: Paper, place: int) -> bool:
        return self.notaries[place].says("unspent", ref_key(paper.ref)).answer is True

    def draft(self, place: int, *actions: Any) -> Any:
        now = self.notaries[place].now
        return self.ledgers[place].draft(*actions, at=window(None, now.plus_ms(10 * MINUTE_MS)))

    # what happens -------------------------------------------------------------------------------------------------

    @initialize(target=papers)
    def begin(self) -> Any:
        return multiple(*(self.made(place, (A, B)) for place in (0, 1)))

    @rule(target=papers, place=PLACES, orgs=st.sampled_from([(A,), (A, B), ORGS]))
    def made(self, place: int, orgs: tuple[Org, ...]) -> Paper:
        draft = self.draft(place, create(0, *orgs))
        answer = self.transaction(place, self.ledgers[place].signed(draft), [])
        assert isinstance(answer, Done)
        paper = Paper(lineage=len(self.names), place=place, ref=ContractRef(answer.id, 0), orgs=orgs)
        self.names[paper.lineage] = [paper]
        return paper

    @rule(target=sent, chosen=st.lists(papers, min_size=1, max_size=3), at_its_place=st.booleans())
    def consume(self, chosen: list[Paper], at_its_place: bool) -> tuple[int, Notarise]:
        place = chosen[0].place if at_its_place else 1 - chosen[0].place
        actions = [exercise(i, paper.ref, *paper.orgs) for i, paper in enumerate(chosen)]
        salts = self.ledgers[place].salts
        for paper in chosen:
            salts.setdefault((paper.ref.transaction, 0), self.salt(paper))
        request = self.ledgers[place].signed(self.draft(place, *actions))
        expected = len({p.ref for p in chosen}) == len(chosen) and all(
            paper.place == place and self.is_usable(paper, place) for paper in chosen
        )
        assert isinstance(self.transaction(place, request, chosen), Done) is expected
        return place, request

    @rule(target=sent, paper=papers, drop=st.integers(0, 1))
    def consume_without_a_signature(self, paper: Paper, drop: int) -> tuple[int, Notarise]:
        place = paper.place
        self.ledgers[place].salts.setdefault((paper.ref.transaction, 0), self.salt(paper))
        request = self.ledgers[place].signed(self.draft(place, exercise(0, paper.ref, *paper.orgs)))
        kept = tuple(s for i, s in enumerate(request.signatures) if i != drop % len(request.signatures))
        assert isinstance(self.transaction(place, request.replace(signatures=kept), [paper]), Refused)
        return place, request

    @rule(again=sent)
    def send_again(self, again: tuple[int, Notarise]) -> None:
        place, request = again
        name = transaction_of(request)
        answer = asked(self.notaries[place], request)
        if name in self.answers:
            assert answer == self.answers[name], "the same request gets the same answer for ever"
        elif isinstance(answer, Done):
            assert name not in self.withdrawn
            self.answers[name] = answer
            for entry in request.entries:
                lineage = self.lineage_of(entry.ref)  # type: ignore[union-attr] # only exercises are sent
                assert lineage not in self.consumed
                self.consumed[lineage] = name

    @rule(again=sent, org=st.sampled_from(ORGS))
    def withdraw(self, again: tuple[int, Notarise], org: Org) -> None:
        place, request = again
        name = transaction_of(request)
        answer = asked(self.notaries[place], Withdraw(transaction=name, signature=org.sign(name, WITHDRAWAL)))
        assert isinstance(answer, Done) is (name not in self.answers or (name, org.id) in self.withdrawals)
        if name not in self.answers:
            self.withdrawals.add((name, org.id))
        if name not in self.answers and org.id in {line.line.identity for line in request.lines}:
            self.withdrawn.add(name)

    @rule(place=PLACES, minutes=st.integers(-3, 8))
    def time_passes(self, place: int, minutes: int) -> None:
        before = self.notaries[place].now
        self.notaries[place].now = before.plus_ms(minutes * MINUTE_MS)
        assert self.notaries[place].says("unspent", bytes(36)).time >= before

    # claims -------------------------------------------------------------------------------------------------------

    @rule(target=papers, key=KEYS)
    def claim_at_home(self, key: str) -> Any:
        draft = self.draft(0, create(0, A, claims=[claim(A, key)]))
        free = self.notaries[0].says("claim", claim_key(A.id, claim_hash(A, key))).answer is None
        answer = self.transaction(0, self.ledgers[0].signed(draft), [], key)
        assert isinstance(answer, Done) is free
        if isinstance(answer, Refused):
            return multiple()
        paper = Paper(lineage=len(self.names), place=0, ref=ContractRef(answer.id, 0), orgs=(A,))
        self.names[paper.lineage] = [paper]
        return paper

    @rule(target=reserved, key=KEYS, shorter_ms=st.sampled_from([0, 0, MINUTE_MS]))
    def reserve(self, key: str, shorter_ms: int) -> Any:
        draft = self.draft(1, create(0, A, claims=[claim(A, key)]))
        until = draft.header.window.upper.plus_ms(-shorter_ms)
        bare = Reserve(
            claim=claim_hash(A, key), notary=self.notaries[1].id, transaction=draft.id, until=until,
            signature=A.sign(draft.id),
        )  # fmt: skip
        answer = asked(self.notaries[0], bare.replace(signature=A.sign(reservation_id(bare), RESERVATION)))
        if isinstance(answer, Refused):
            return multiple()
        word = self.notaries[0].statement("claim", claim_key(A.id, claim_hash(A, key)))
        return key, self.ledgers[1].signed(draft, reservations=[word]), until

    @rule(held=reserved)
    def claim_away(self, held: tuple[str, Notarise, Any]) -> None:
        key, request, until = held
        answer = self.transaction(1, request, [], key)
        if isinstance(answer, Done):
            assert until >= request.header.window.upper

    @rule(held=reserved)
    def settle(self, held: tuple[str, Notarise, Any]) -> None:
        key, request, _ = held
        name = transaction_of(request)
        receipt = self.notaries[1].id + b":" + name
        answer = asked(self.notaries[0], Settle(owner=A.id, claim=claim_hash(A, key), receipt=receipt))
        if isinstance(answer, Done):
            assert self.claimed[key] == name

    @rule(held=reserved)
    def free(self, held: tuple[str, Notarise, Any]) -> None:
        key, request, until = held
        word = self.notaries[1].statement("accepted", transaction_of(request))
        answer = asked(self.notaries[0], Free(owner=A.id, claim=claim_hash(A, key), statement=word))
        if isinstance(answer, Done):
            assert self.notaries[1].now >= until
            assert self.claimed.get(key) != transaction_of(request)

    # moves --------------------------------------------------------------------------------------------------------

    @rule(target=moving, paper=papers, minutes=st.integers(-1, 6), nonce=st.sampled_from(["1", "2"]))
    def lock(self, paper: Paper, minutes: int, nonce: str) -> Any:
        origin, to = self.notaries[paper.place], self.notaries[1 - paper.place]
        self.ledgers[paper.place].salts.setdefault((paper.ref.transaction, 0), self.salt(paper))
        request = lock_request(
            origin, self.ledgers[paper.place], paper.ref, *paper.orgs, to=to.id,
            until=NOW.plus_ms(minutes * MINUTE_MS), nonce=nonce,
        )  # fmt: skip
        usable = self.is_usable(paper, paper.place)
        answer = asked(origin, request)
        if isinstance(answer, Refused):
            assert not usable
            return multiple()
        return Moving(paper=paper, request=request, name=answer.id)

    @rule(target=papers, move=moving)
    def bring_in(self, move: Moving) -> Any:
        place = 1 - move.paper.place
        answer = asked(self.notaries[place], self.import_of(move))
        if isinstance(answer, Refused):
            assert answer.code == "move.too-late"
            return multiple()
        moved = Paper(
            lineage=move.paper.lineage, place=place, ref=ContractRef(move.name, 0), orgs=move.paper.orgs
        )  # fmt: skip
        if moved not in self.names[moved.lineage]:
            self.names[moved.lineage].append(moved)
        return moved

    def import_of(self, move: Moving) -> Import:
        origin = self.notaries[move.paper.place]
        opening = move.request.opening
        return Import(
            origin=origin.id, ref=move.paper.ref, until=move.request.until, nonce=move.request.nonce,
            commitment=tree.confirmers_commitment(opening.salt, opening.confirmers),
            receipt=origin.id + b":" + move.name,
        )  # fmt: skip

    @rule(move=moving)
    def finish(self, move: Moving) -> None:
        to = self.notaries[1 - move.paper.place]
        receipt = to.id + b":" + import_id(move.name)
        answer = asked(self.notaries[move.paper.place], Finish(lock=move.name, receipt=receipt))
        if isinstance(answer, Done):
            assert to.get("imports", move.name) is not None

    @rule(move=moving)
    def unlock(self, move: Moving) -> None:
        to = self.notaries[1 - move.paper.place]
        word = to.statement("imported", move.name)
        answer = asked(self.notaries[move.paper.place], Unlock(lock=move.name, statement=word))
        if isinstance(answer, Done):
            assert to.get("imports", move.name) is None
            assert to.now >= move.request.until

    @rule(move=consumes(moving))
    def lock_again(self, move: Moving) -> None:
        before = self.is_usable(move.paper, move.paper.place)
        answer = asked(self.notaries[move.paper.place], move.request)
        assert isinstance(answer, Done)
        assert self.is_usable(move.paper, move.paper.place) is before, "an old request locks nothing"

    # keys ---------------------------------------------------------------------------------------------------------

    def salt(self, paper: Paper) -> bytes:
        """The confirmers' salt of a contract under any of its names."""
        first = self.names[paper.lineage][0]
        return self.ledgers[first.place].salts[first.ref.transaction, first.ref.index]

    def lineage_of(self, ref: ContractRef) -> int:
        return next(number for number, papers in self.names.items() if any(p.ref == ref for p in papers))

    # what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def a_contract_is_usable_in_one_place_at_most(self) -> None:
        for lineage, papers in self.names.items():
            usable = [
                paper
                for paper in papers
                if (self.notaries[paper.place].get("refs", ref_key(paper.ref)) or b"")[:1] == b"A"
            ]
            assert len(usable) <= (0 if lineage in self.consumed else 1)

    @invariant()
    def every_acceptance_is_remembered(self) -> None:
        kept = [{key for space, key in notary.state if space == "accepted"} for notary in self.notaries]
        assert self.answers.keys() <= kept[0] | kept[1]


TestNotaries = Notaries.TestCase
TestNotaries.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
