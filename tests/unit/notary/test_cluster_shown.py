"""What validators show over RPC: read into values, verified from an anchor, and never believed of one alone."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import pytest
from tests.support.chains import (
    KEYS,
    PERIOD_MS,
    RULES,
    START_NS,
    Kept,
    MadeChain,
    Notarised,
    done_at,
    hashed,
    in_json,
    members,
    outcome,
    result_leaf,
    shown,
    sign,
)

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.ledger.receipts.chain import LightBlock, result_bytes
from interfirm.ledger.receipts.cometbft import (
    ClusterReceipt,
    InResult,
    InState,
    carry,
    verify_cluster_receipt,
    verify_state,
)
from interfirm.ledger.receipts.light import EQUIVOCATION, Conflict, judge_conflict
from interfirm.ledger.receipts.types import ClusterAnchor
from interfirm.notary.cometbft import receipts
from interfirm.notary.cometbft.anchors import cluster_anchor, said_of
from interfirm.notary.cometbft.receipts import RESULT_BYTES_MAX, Chain, light_block, receipt_of
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.cometbft.shown import light_block_of, nanoseconds, result_at, result_with
from interfirm.notary.cometbft.store.layout import NOTARY as LAYOUT
from interfirm.notary.cometbft.types import Outcome, chain_id
from interfirm.notary.governance import constitution
from interfirm.notary.governance.metadata import Franchise
from interfirm.notary.governance.types import Voter
from interfirm.notary.types import Ask, Done

from .clusters import GENESIS, NOTARY

NOW_MS = START_NS // 1_000_000 + 10_000
CLAIM = hashed("claim")


def code(call: Callable[..., object], *arguments: object, **named: object) -> str:
    with pytest.raises(Refusal) as refusal:
        call(*arguments, **named)
    return refusal.value.code


# read -----------------------------------------------------------------------------------------------------------------


def read(block: LightBlock, **changes: Any) -> LightBlock:
    """A block read from its JSON, some parts of which may be others (`part__part`)."""
    plain = in_json(block)
    for path, value in changes.items():
        *way, last = path.split("__")
        holder = plain["signed_header"]
        for step in way:
            holder = holder[step]
        holder[last] = value
    return light_block_of(plain["signed_header"], plain["validators"])


def test_a_block_is_read_as_it_was_made() -> None:
    chain = MadeChain(members(range(5))).grown(2)
    for block in (*chain.blocks, sign(chain.at(2).header, chain.validators, signers=KEYS[:4])):
        assert read(block) == block


def test_a_vote_for_no_block_is_none() -> None:
    block = MadeChain(members(range(4))).grow()
    plain = in_json(block)["signed_header"]["commit"]["signatures"]
    plain[1]["block_id_flag"] = 3
    assert read(block, commit__signatures=plain).commit.votes[1] is None


@pytest.mark.parametrize("changes", [
    {"commit": None}, {"commit__round": "x"}, {"commit__round": -1}, {"commit__signatures": [{}]},
    {"commit__block_id__parts": {}}, {"commit__block_id__hash": "zz"}, {"header__height": "one"}, {"header": []},
    {"header__time": "2023-11-14"}, {"header__validators_hash": "00"}, {"header__chain_id": 7},
    {"commit__height": "2"}, {"commit__block_id__hash": "00" * 32}, {"header__app_hash": "00"},
])  # fmt: skip
def test_a_block_of_another_shape_is_refused(changes: dict[str, Any]) -> None:
    assert code(read, MadeChain(members(range(4))).grow(), **changes) in ("rpc.answer", "codec.shape")


@pytest.mark.parametrize(("text", "expected"), [
    ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:01.5Z", 1_500_000_000),
    ("2023-11-14T22:13:20.000000001Z", START_NS),
    ("2023-11-14T22:13:20.123456789Z", START_NS + 123_456_788),
])  # fmt: skip
def test_a_time_is_read_to_the_nanosecond(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


@pytest.mark.parametrize("text", ["now", "2023-11-14T22:13:20", "2023-11-14T22:13:20+00:00", "2023-11-14T22:13:20.Z",
                                  "2023-13-14T22:13:20Z", "2023-11-14T22:13:20.0000000001Z"])  # fmt: skip
def test_a_time_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        nanoseconds(text)


def test_a_result_is_found_by_place_and_by_transaction() -> None:
    made = Notarised()
    results = [shown(each) for each in made.data]
    assert result_at(2, results) == result_with(made.transaction, results) == made.result
    assert code(result_at, 5, results) == code(result_at, -1, results) == "rpc.answer"
    assert code(result_with, hashed("other"), results) == "receipt.outcome"
    failed = [shown(each, code=1) for each in made.data]
    assert code(result_with, made.transaction, failed) == "receipt.outcome"


@pytest.mark.parametrize("changes", [{"code": "x"}, {"data": 7}, {"gas_used": None}])
def test_results_of_another_shape_are_refused(changes: dict[str, Any]) -> None:
    assert code(result_at, 0, [shown(b"") | changes]) == "rpc.answer"
    assert code(result_with, hashed("t"), [{}]) == "rpc.answer"


def test_results_that_are_no_outcomes_accept_nothing() -> None:
    results = [shown(b"\xff"), shown(b""), shown(outcome(hashed("t"), height=2))]
    assert result_with(hashed("t"), results).index == 2


# anchors and answers --------------------------------------------------------------------------------------------------


def test_the_anchor_of_a_genesis_is_its_first_validators() -> None:
    anchor = cluster_anchor(GENESIS, time_ns=START_NS)
    assert (anchor.notary, anchor.network, anchor.chain_id) == (NOTARY, GENESIS.network, chain_id(NOTARY))
    assert (anchor.trusted.height, anchor.trusted.validators) == (0, GENESIS.validators)
    assert anchor.trusted.time_ns == START_NS


def test_a_proof_answers_as_the_notary_does() -> None:
    ref, done = hashed("ref") + bytes(4), done_at(hashed("t"), 2)
    kept = Kept({
        ("refs", ref): b"\x01", ("claims", CLAIM): codec.encode(["taken", hashed("t")]),
        ("accepted", hashed("t")): codec.encode(done),
    })  # fmt: skip
    for kind, space, subject, answer in (
        ("claim", "claims", CLAIM, ["taken", hashed("t")]), ("claim", "claims", hashed("free"), None),
        ("accepted", "accepted", hashed("t"), [2, 2000]), ("unspent", "refs", hashed("no") + bytes(4), None),
        ("imported", "imports", hashed("no"), None), ("key", "registry", hashed("no"), None),
    ):  # fmt: skip
        said = said_of(codec.encode(kept.proof(kind, space, subject)), anchor=kept.anchor)
        assert (said.kind, said.subject, said.answer) == (kind, subject, answer)
        assert (said.height, said.time) == (kept.height, Instant(kept.time_ms))


# asked ----------------------------------------------------------------------------------------------------------------


class Shower:
    """A validator that shows a chain, and what it is told to show of results and state."""

    def __init__(self, chain: MadeChain, name: str = "one", *, kept: Kept | None = None) -> None:
        self.chain, self.address, self.kept = chain, name, kept
        self.results: dict[int, list[dict[str, Any]]] = {}
        self.asked: list[tuple[str, int]] = []
        self.hidden = 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        height = int(params.get("height", 0))
        self.asked.append((method, height))
        found: dict[str, Any] = getattr(self, f"_{method}")(height, params)
        return found

    def _block(self, height: int) -> LightBlock:
        if height > len(self.chain.blocks):
            raise Refusal("rpc.refused", "no such block yet", height=height)
        return self.chain.at(height)

    def _status(self, height: int, params: dict[str, Any]) -> dict[str, Any]:
        return {"sync_info": {"latest_block_height": str(len(self.chain.blocks))}}

    def _commit(self, height: int, params: dict[str, Any]) -> dict[str, Any]:
        return {"signed_header": in_json(self._block(height))["signed_header"]}

    def _validators(self, height: int, params: dict[str, Any]) -> dict[str, Any]:
        everyone, page = in_json(self._block(height))["validators"], params["page"] - 1
        start, end = page * params["per_page"], (page + 1) * params["per_page"]
        return {"validators": everyone[: len(everyone) - self.hidden][start:end], "total": str(len(everyone))}

    def _block_results(self, height: int, params: dict[str, Any]) -> dict[str, Any]:
        return {"txs_results": self.results.get(height)}

    def _abci_query(self, height: int, params: dict[str, Any]) -> dict[str, Any]:
        if self.kept is None:
            return {"response": {"code": 1, "log": "there is nothing"}}
        assert params["prove"]
        found = self.kept.shown(params["path"].split("/")[2], bytes.fromhex(params["data"]))
        value = None if found.value is None else base64.b64encode(found.value).decode()
        operations = [{"data": base64.b64encode(each).decode()} for each in found.proofs]
        return {"response": {"code": 0, "value": value, "proofOps": {"ops": operations}}}


def chain_of(anchor: ClusterAnchor, *showers: Shower, now_ms: int = NOW_MS) -> Chain:
    return Chain(anchor, cast("list[Rpc]", list(showers)), now_ms=lambda: now_ms)


@pytest.fixture
def made() -> Notarised:
    return Notarised()


@pytest.fixture
def shower(made: Notarised) -> Shower:
    found = Shower(made.chain)
    found.results[made.height] = [shown(each) for each in made.data]
    return found


def test_a_receipt_is_made_of_what_a_validator_shows(made: Notarised, shower: Shower) -> None:
    chain = chain_of(made.anchor, shower)
    receipt = chain.receipt_of(made.transaction, height=made.height)
    assert verify_cluster_receipt(receipt, anchor=made.anchor).transaction == made.transaction
    votes = codec.decode(receipt, ClusterReceipt).walk[-1].commit.votes
    assert sum(vote is not None for vote in votes) == 5
    assert chain.receipt_of(made.transaction, height=made.height) == receipt


def test_an_outcome_is_as_the_chain_commits_to_it(made: Notarised, shower: Shower) -> None:
    found = chain_of(made.anchor, shower).outcome_at(made.height, 2)
    assert isinstance(found, Outcome)
    assert [each.id for each in found.answers if isinstance(each, Done)] == [hashed("beside"), made.transaction]
    shower.results[made.height][2] = shown(outcome(hashed("lie"), height=made.height))
    assert code(chain_of(made.anchor, shower).outcome_at, made.height, 2) == "cluster.no-proof"


def test_who_shows_nothing_that_verifies_is_passed_over(made: Notarised, shower: Shower) -> None:
    liar = Shower(made.chain, "liar")
    liar.results[made.height] = [shown(outcome(made.transaction, height=made.height))]
    chain = chain_of(made.anchor, liar, shower)
    chain.receipt_of(made.transaction, height=made.height)
    liar.asked.clear()
    chain.receipt_of(made.transaction, height=made.height)
    assert not liar.asked
    assert code(chain_of(made.anchor, liar).receipt_of, made.transaction, height=made.height) == "cluster.no-proof"


def test_a_block_without_results_gives_no_receipt(made: Notarised, shower: Shower) -> None:
    assert code(chain_of(made.anchor, shower).receipt_of, made.transaction, height=1) == "cluster.no-proof"


def test_two_signed_headers_of_one_height_are_evidence(made: Notarised, shower: Shower) -> None:
    fork = MadeChain(made.chain.first)
    fork.blocks = [*made.chain.blocks[:-1], sign(
        made.chain.blocks[-1].header.replace(data=hashed("other")), made.chain.validators, signers=KEYS[1:6]
    )]  # fmt: skip
    with pytest.raises(Refusal) as caught:
        chain_of(made.anchor, shower, Shower(fork, "two")).receipt_of(made.transaction, height=made.height)
    assert caught.value.code == "receipt.conflict"
    conflict = codec.decode(caught.value.values["evidence"], Conflict)
    guilt = judge_conflict(conflict, made.anchor.trusted, rules=RULES)
    assert (guilt.kind, set(guilt.validators)) == (EQUIVOCATION, set(KEYS[1:6]))


def test_a_header_that_does_not_hold_says_nothing_against_one_that_does(made: Notarised, shower: Shower) -> None:
    weak = MadeChain(made.chain.first)
    weak.blocks = [*made.chain.blocks[:-1], sign(
        made.chain.blocks[-1].header.replace(data=hashed("other")), made.chain.validators, signers=KEYS[:4]
    )]  # fmt: skip
    short = MadeChain(made.chain.first)
    showers = (shower, Shower(short, "behind"), Shower(weak, "weak"), Shower(made.chain, "agrees"))
    chain_of(made.anchor, *showers).receipt_of(made.transaction, height=made.height)
    assert any(method == "commit" for method, _ in showers[-1].asked)


def test_an_expired_anchor_asks_nobody(made: Notarised, shower: Shower) -> None:
    late = START_NS // 1_000_000 + PERIOD_MS
    found = code(chain_of(made.anchor, shower, now_ms=late).receipt_of, made.transaction, height=made.height)
    assert (found, shower.asked) == ("receipt.expired", [])


def test_a_header_of_a_time_to_come_is_not_believed(made: Notarised, shower: Shower) -> None:
    early = chain_of(made.anchor, shower, now_ms=START_NS // 1_000_000 - 60_000)
    assert code(early.receipt_of, made.transaction, height=made.height) == "cluster.no-proof"


def test_a_chain_goes_on_from_what_it_verified_before() -> None:
    sets = [members(range(n, n + 4)) for n in range(8)]
    chain = MadeChain(sets[0])
    for each in sets[1:]:
        chain.grow(then=each)
    chain.grown(3)
    shower = Shower(chain)
    reader = chain_of(chain.anchor, shower)
    renewed = reader.renewed()
    assert (renewed.trusted.height, renewed.notary) == (len(chain.blocks) - 1, chain.anchor.notary)
    assert renewed.trusted.hash == chain.at(len(chain.blocks) - 1).header.hash
    before = len(shower.asked)
    reader.renewed()
    assert len(shower.asked) - before < before
    chain.grow()
    assert reader.renewed().trusted.height == len(chain.blocks) - 1


def test_the_way_to_the_last_header_is_shown_to_others() -> None:
    sets = [members(range(n, n + 4)) for n in range(8)]
    chain = MadeChain(sets[0])
    for each in sets[1:]:
        chain.grow(then=each)
    chain.grown(3)
    reader = chain_of(chain.anchor, Shower(chain))
    assert carry(reader.walk(), anchor=chain.anchor) == reader.renewed().trusted


def test_validators_are_shown_in_pages(made: Notarised, shower: Shower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "PAGE", 3)
    assert light_block(cast(Rpc, shower), 1) == made.chain.at(1)
    assert [method for method, _ in shower.asked] == ["commit", "validators", "validators", "validators"]
    shower.hidden = 1
    assert code(light_block, cast(Rpc, shower), 1) == "rpc.answer"


def test_a_long_outcome_is_shown_by_the_state_instead() -> None:
    transaction = hashed("t")
    many = outcome(*(hashed("other", n) for n in range(60)), transaction, height=2)
    assert len(many) > RESULT_BYTES_MAX
    kept = Kept({("accepted", transaction): codec.encode(done_at(transaction, 2))})
    shower = Shower(kept.chain, kept=kept)
    shower.results[2] = [shown(many)]
    receipt = chain_of(kept.anchor, shower).receipt_of(transaction, height=2)
    found = codec.decode(receipt, ClusterReceipt)
    assert isinstance(found.shown, InState)
    assert verify_cluster_receipt(receipt, anchor=kept.anchor).height == 2


VOTERS = (Voter(id=GENESIS.registrar.identity, key=GENESIS.registrar),)


def governed() -> Kept:
    """The state of a notary with one voter, and nothing else decided."""
    return Kept({("governance", constitution.VOTERS): codec.encode(constitution.Voters(voters=VOTERS))}, layout=LAYOUT)


def test_what_a_notary_says_of_itself_is_worked_out_from_proven_values() -> None:
    kept = governed()
    said = chain_of(kept.anchor, Shower(kept.chain, kept=kept)).said(Ask(kind="voters", subject=b""))
    assert codec.from_plain(said.answer, Franchise).voters == VOTERS
    assert (said.height, said.time) == (kept.height, Instant(kept.time_ms))


def test_one_validator_that_lies_about_the_notary_is_passed_over_and_named() -> None:
    kept = governed()
    lying = Shower(kept.chain, "liar", kept=Lying(kept, b"\x80"))
    chain = chain_of(kept.anchor, lying, Shower(kept.chain, kept=kept))
    said = chain.said(Ask(kind="voters", subject=b""))
    assert codec.from_plain(said.answer, Franchise).voters == VOTERS
    assert list(chain.doubted) == ["liar"]
    assert code(chain_of(kept.anchor, lying).said, Ask(kind="voters", subject=b"")) == "cluster.no-proof"


def test_a_state_that_is_not_shown_yet_is_waited_for_by_who_asks() -> None:
    kept = governed()
    chain = chain_of(kept.anchor, Shower(kept.chain, kept=kept))
    assert code(chain.said, Ask(kind="fees", subject=b""), height_min=kept.height + 1) == "cluster.behind"
    assert chain.doubted == {}


class Lying(Kept):
    """Shows another value, with the proof of the right one."""

    def __init__(self, kept: Kept, value: bytes) -> None:
        self._kept, self._value = kept, value

    def shown(self, space: str, key: bytes) -> InState:
        found = self._kept.shown(space, key)
        return found.replace(value=self._value) if space == "governance" else found


def test_questions_are_answered_with_proofs() -> None:
    kept = Kept({("claims", CLAIM): codec.encode(["taken", hashed("t")])})
    chain = chain_of(kept.anchor, Shower(kept.chain, kept=kept))
    for subject in (CLAIM, hashed("free")):
        proof = chain.proof_of("claim", subject)
        assert (verify_state(proof, anchor=kept.anchor).value is None) == (subject != CLAIM)
    assert code(chain.proof_of, "weather", CLAIM) == "receipt.question"
    assert code(chain.receipt_from_state, hashed("t")) == "cluster.no-proof"


def test_a_state_that_a_validator_will_not_show_is_no_proof(made: Notarised, shower: Shower) -> None:
    assert code(chain_of(made.anchor, shower).proof_of, "claim", CLAIM) == "cluster.no-proof"
    kept = Kept({})
    lying = Shower(kept.chain, kept=Kept({("claims", CLAIM): b"\x01"}))
    assert code(chain_of(kept.anchor, lying).proof_of, "claim", CLAIM) == "cluster.no-proof"


class Babbler(Shower):
    """Answers some method with whatever it is told to."""

    def __init__(self, chain: MadeChain, method: str, answer: dict[str, Any]) -> None:
        super().__init__(chain)
        self.method, self.answer = method, answer

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.answer if method == self.method else super().call(method, **params)


_QUERY = {"code": 0, "value": "AQ==", "proofOps": {"ops": [{"data": ""}, {"data": ""}]}}


@pytest.mark.parametrize(("method", "answer"), [
    ("status", {}), ("status", {"sync_info": {"latest_block_height": "many"}}), ("commit", {}),
    ("commit", {"signed_header": []}), ("validators", {}), ("validators", {"validators": 7, "total": "1"}),
    ("validators", {"validators": [{}], "total": "1"}), ("validators", {"validators": ["v"], "total": "1000000000"}),
    ("abci_query", {}), ("abci_query", {"response": []}), ("abci_query", {"response": {"code": 0}}),
    ("abci_query", {"response": _QUERY | {"proofOps": {"ops": [{}]}}}), ("abci_query", {"response": _QUERY}),
])  # fmt: skip
def test_a_validator_that_answers_in_another_shape_proves_nothing(method: str, answer: dict[str, Any]) -> None:
    kept = Kept({("claims", CLAIM): b"\x01"})
    good = Shower(kept.chain, kept=kept)
    babbler = Babbler(kept.chain, method, answer)
    babbler.kept = kept
    assert code(chain_of(kept.anchor, babbler).proof_of, "claim", CLAIM) == "cluster.no-proof"
    chain_of(kept.anchor, babbler, good).proof_of("claim", CLAIM)


@pytest.mark.parametrize("answer", [{}, {"txs_results": 7}, {"txs_results": [[]]}, {"txs_results": {"code": 0}}])
def test_results_in_another_shape_prove_nothing(made: Notarised, answer: dict[str, Any]) -> None:
    chain = chain_of(made.anchor, Babbler(made.chain, "block_results", answer))
    assert code(chain.receipt_of, made.transaction, height=made.height) == "cluster.no-proof"
    assert code(chain.outcome_at, made.height, 0) == "cluster.no-proof"


def test_a_receipt_waits_for_the_block_that_commits_to_it(made: Notarised, shower: Shower) -> None:
    last = made.chain.blocks.pop()

    async def wait() -> bytes:
        waiting = asyncio.ensure_future(
            receipt_of(chain_of(made.anchor, shower), made.transaction, height=made.height)
        )  # fmt: skip
        while not shower.asked:
            await asyncio.sleep(0)
        made.chain.blocks.append(last)
        return await waiting

    verify_cluster_receipt(asyncio.run(wait()), anchor=made.anchor)


def test_who_waits_for_what_does_not_come_gives_up(made: Notarised, shower: Shower) -> None:
    waiting = receipt_of(chain_of(made.anchor, shower), hashed("never"), height=made.height, timeout_s=0)
    assert code(lambda: asyncio.run(waiting)) == "cluster.no-proof"


def test_every_result_of_a_block_has_its_path() -> None:
    for count in (1, 2, 3, 7):
        data = [outcome(hashed("t", n), height=2) for n in range(count)]
        chain = MadeChain(members(range(4))).grown(1)
        chain.grow(results=[result_leaf(each) for each in data])
        chain.grow()
        found = [result_at(n, [shown(each) for each in data]) for n in range(count)]
        assert all(isinstance(each, InResult) for each in found)
        walk = (chain.at(3).replace(validators=()),)
        for n, result in enumerate(found):
            receipt = ClusterReceipt(transaction=hashed("t", n), shown=result, walk=walk)
            verify_cluster_receipt(codec.encode(receipt), anchor=chain.anchor)
        assert all(one != other for one, other in pairwise(found))
    assert result_bytes(code=0, data=b"", gas_wanted=0, gas_used=0) == b""
