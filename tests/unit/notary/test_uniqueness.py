"""A contract is consumed once, by those who confirm it: each attack on one valid transaction, and what refuses it."""

from __future__ import annotations

import pytest
from tests.unit.notary.notaries import (
    HOUR_MS,
    NETWORK,
    NOW,
    A,
    B,
    C,
    Ledger,
    Notary,
    claim,
    confirmers,
    create,
    exercise,
    fetch,
    lock_request,
    made,
    window,
)

from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.contracts.types import Action, ContractRef
from interfirm.ledger.types import Component, ConsumeEntry, FetchEntry, Line, LineOpening
from interfirm.notary.machine import SEALS
from interfirm.notary.types import Done, Notarise, ref_key
from interfirm.notary.uniqueness.machine import consumer_hash, transaction_of


class Case:
    """A notary where a contract of A and B exists, and a valid transaction that consumes it."""

    def __init__(self) -> None:
        self.notary = Notary().with_orgs()
        self.ledger = Ledger(self.notary.id)
        self.ref = made(self.notary, self.ledger, A, B)
        self.draft = self.ledger.draft(exercise(0, self.ref, A, B, children=[create(1, A)]))
        self.request = self.ledger.signed(self.draft)

    def code(self, request: Notarise) -> str:
        return self.notary.refused(request).code

    def resigned(self, request: Notarise) -> Notarise:
        """The request as its parts now are, signed again by A and B."""
        name = transaction_of(request)
        return request.replace(signatures=(A.sign(name), B.sign(name)))


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_valid_transaction_is_accepted_under_its_id(case: Case) -> None:
    done = case.notary.done(case.request)
    assert done.id == case.draft.id
    assert case.notary.says("unspent", ref_key(case.ref)).answer is False
    assert case.notary.says("unspent", done.id + bytes(3) + b"\x01").answer is True


def test_an_unknown_ref_is_refused(case: Case) -> None:
    ref = ContractRef(digest("never"), 0)
    case.ledger.salts[ref.transaction, 0] = digest("salt")
    assert case.code(case.ledger.request(exercise(0, ref, A, B))) == "notary.unknown"


def test_a_consumed_ref_is_refused_naming_only_the_hash_of_the_consumers_id(case: Case) -> None:
    case.notary.done(case.request)
    refused = case.notary.refused(case.ledger.request(exercise(0, case.ref, A, B)))
    assert refused.code == "notary.consumed"
    assert refused.values["consumer_hash"] == consumer_hash(case.draft.id).hex()
    assert case.draft.id.hex() not in str(refused)


@pytest.mark.parametrize("consuming", [True, False])
def test_a_consumed_ref_cannot_be_used_and_a_used_ref_can_be_used_again(case: Case, consuming: bool) -> None:
    case.notary.done(case.ledger.request(exercise(0, case.ref, A, B, consuming=consuming)))
    answer = case.notary.ask(case.ledger.request(exercise(0, case.ref, A, B, consuming=False)))
    assert isinstance(answer, Done) is not consuming


def test_a_consumed_ref_cannot_be_fetched(case: Case) -> None:
    case.notary.done(case.request)
    assert case.code(case.ledger.request(fetch(0, case.ref, A, B))) == "notary.consumed"


def test_an_active_ref_is_fetched_without_its_confirmers(case: Case) -> None:
    request = case.ledger.request(fetch(0, case.ref, A, B, by=[A]))
    assert [line.line.identity for line in request.lines] == [A.id]
    case.notary.done(request)


@pytest.mark.parametrize("kind", ["consume", "use", "fetch"])
def test_a_locked_ref_is_refused_in_every_kind_of_entry(case: Case, kind: str) -> None:
    other = Notary("other", words=case.notary.words)
    case.notary.done(
        lock_request(case.notary, case.ledger, case.ref, A, B, to=other.id, until=NOW.plus_ms(HOUR_MS))
    )  # fmt: skip
    actions: dict[str, Action] = {
        "consume": exercise(0, case.ref, A, B), "use": exercise(0, case.ref, A, B, consuming=False),
        "fetch": fetch(0, case.ref, A, B),
    }  # fmt: skip
    assert case.code(case.ledger.request(actions[kind])) == "notary.locked"


def test_a_missing_signature_is_refused(case: Case) -> None:
    request = case.request.replace(signatures=case.request.signatures[:1])
    refused = case.notary.refused(request)
    assert refused.code == "notary.signature"
    assert refused.values["missing"] == [case.draft.signers[1].hex()[:16]]


def test_a_doubled_signature_is_refused(case: Case) -> None:
    first = case.request.signatures[0]
    assert case.code(case.request.replace(signatures=(first, first))) == "notary.signature"
    assert case.code(case.request.replace(signatures=(*case.request.signatures, first))) == "notary.signature"


def test_an_unlisted_signature_is_refused(case: Case) -> None:
    request = case.request.replace(signatures=(*case.request.signatures, C.sign(case.draft.id)))
    assert case.code(request) == "notary.signature"


def test_a_signature_of_another_transaction_is_refused(case: Case) -> None:
    wrong = tuple(org.sign(digest("another")) for org in (A, B))
    assert case.code(case.request.replace(signatures=wrong)) == "signature.invalid"


def test_a_signature_for_another_purpose_is_refused(case: Case) -> None:
    wrong = tuple(org.sign(case.draft.id, "withdrawal") for org in (A, B))
    assert case.code(case.request.replace(signatures=wrong)) == "signature.purpose"


def test_a_signature_with_a_strangers_key_is_refused(case: Case) -> None:
    stolen = C.sign(case.draft.id).replace(identity=A.id)
    assert case.code(case.request.replace(signatures=(stolen, B.sign(case.draft.id)))) == "notary.key"


def test_a_line_left_out_leaves_its_confirmer_unsigned(case: Case) -> None:
    request = case.request.replace(lines=tuple(line for line in case.request.lines if line.line.identity == A.id))
    name = transaction_of(request)
    assert case.code(request.replace(signatures=(A.sign(name),))) == "notary.confirmers"


def test_an_entry_outside_a_confirmers_scope_is_refused(case: Case) -> None:
    lines = tuple(
        line.replace(line=line.line.replace(scope=(1,))) if line.line.identity == B.id else line
        for line in case.request.lines
    )
    refused = case.notary.refused(case.resigned(case.request.replace(lines=lines)))
    assert (refused.code, refused.values["missing"]) == ("notary.confirmers", [B.id.hex()[:16]])


def test_a_use_needs_its_confirmers_as_a_consumption_does(case: Case) -> None:
    request = case.ledger.request(exercise(0, case.ref, A, B, consuming=False))
    alone = request.replace(lines=request.lines[:1])
    signer = A if alone.lines[0].line.identity == A.id else B
    assert case.code(alone.replace(signatures=(signer.sign(transaction_of(alone)),))) == "notary.confirmers"


@pytest.mark.parametrize("scope", [(), (0, 0), (1, 0), (0, 2), (0, 2**32 - 1)])
def test_a_scope_that_is_no_sorted_set_of_entries_is_refused(case: Case, scope: tuple[int, ...]) -> None:
    first, *rest = case.request.lines
    lines = (first.replace(line=first.line.replace(scope=scope)), *rest)
    assert case.code(case.resigned(case.request.replace(lines=lines))) == "notary.scope"


def test_an_identity_listed_twice_is_refused(case: Case) -> None:
    again = LineOpening(salt=digest("again"), line=Line(identity=A.id, scope=(0,)))
    assert case.code(case.resigned(case.request.replace(lines=(*case.request.lines, again)))) == "notary.line-twice"


def test_other_confirmers_than_the_output_committed_to_are_refused(case: Case) -> None:
    opening = case.request.confirmers[0].replace(confirmers=confirmers(A))
    assert case.code(case.request.replace(confirmers=(opening,))) == "notary.opening"


def test_confirmers_that_are_not_opened_are_refused(case: Case) -> None:
    assert case.code(case.request.replace(confirmers=())) == "notary.opening"


def test_confirmers_opened_twice_or_for_nothing_are_refused(case: Case) -> None:
    opening = case.request.confirmers[0]
    assert case.code(case.request.replace(confirmers=(opening, opening))) == "notary.opening"
    assert case.code(case.request.replace(confirmers=(opening, opening.replace(entry=1)))) == "notary.opening"


def test_one_ref_cannot_be_consumed_twice_in_one_transaction(case: Case) -> None:
    request = case.ledger.request(exercise(0, case.ref, A, B), exercise(1, case.ref, A, B))
    assert case.code(request) == "notary.consumed-twice"


def test_a_ref_cannot_be_named_after_it_was_consumed(case: Case) -> None:
    request = case.ledger.request(exercise(0, case.ref, A, B), fetch(1, case.ref, A, B))
    assert case.code(request) == "notary.consumed-twice"


def test_a_ref_may_be_read_before_it_is_consumed(case: Case) -> None:
    case.notary.done(case.ledger.request(fetch(0, case.ref, A, B), exercise(1, case.ref, A, B)))


def test_a_contract_made_in_the_transaction_can_be_consumed_in_it_and_is_gone_then(case: Case) -> None:
    done = case.notary.done(case.ledger.request(create(0, A), exercise(1, ContractRef(None, 0), A)))
    assert case.notary.says("unspent", done.id + bytes(4)).answer is False


@pytest.mark.parametrize("index", [0, 1, 2, 9])
def test_a_local_ref_that_names_no_earlier_create_is_refused(case: Case, index: int) -> None:
    entries = case.request.entries
    moved = ConsumeEntry(action=entries[0].action, ref=ContractRef(None, index))
    assert case.code(case.resigned(case.request.replace(entries=(moved, *entries[1:])))) == "notary.local-ref"


def test_entries_in_another_order_are_another_transaction(case: Case) -> None:
    request = case.ledger.request(create(0, A), exercise(1, ContractRef(None, 0), A))
    swapped = request.replace(entries=request.entries[::-1])
    name = transaction_of(swapped)
    assert name != transaction_of(request)
    assert case.code(swapped.replace(signatures=(A.sign(name),))) == "notary.local-ref"


def test_a_fetch_passed_off_as_a_consumption_leads_to_another_id(case: Case) -> None:
    entry = case.request.entries[0]
    assert isinstance(entry, ConsumeEntry)
    read = FetchEntry(action=entry.action, ref=entry.ref)
    request = case.request.replace(entries=(read, *case.request.entries[1:]), confirmers=())
    assert case.code(request) == "signature.invalid"


def test_the_window_binds_the_notarys_time(case: Case) -> None:
    early = case.ledger.request(exercise(0, case.ref, A, B), at=window(NOW.plus_ms(1)))
    late = case.ledger.request(exercise(0, case.ref, A, B), at=window(None, NOW))
    assert case.code(early) == "notary.too-early"
    assert case.code(late) == "notary.too-late"
    case.notary.done(case.ledger.request(exercise(0, case.ref, A, B), at=window(NOW, NOW.plus_ms(1))))


def test_a_window_that_ends_too_far_ahead_is_refused(case: Case) -> None:
    last = NOW.plus_ms(LIMITS.window_ms_max)
    far = case.ledger.request(exercise(0, case.ref, A, B), at=window(None, last.plus_ms(1)))
    assert case.code(far) == "notary.window"
    case.notary.done(case.ledger.request(exercise(0, case.ref, A, B), at=window(None, last)))


def test_a_transaction_of_another_notary_network_or_format_is_refused(case: Case) -> None:
    for change, code in (
        ({"notary": digest("other")}, "notary.other-notary"),
        ({"network": digest("other")}, "notary.network"),
        ({"version": 2}, "notary.version"),
    ):
        header = case.request.header.replace(**change)
        assert case.code(case.resigned(case.request.replace(header=header))) == code


def test_a_fallback_suffices_only_from_its_deadline_on() -> None:
    notary = Notary().with_orgs()
    ledger = Ledger(notary.id)
    since = NOW.plus_ms(HOUR_MS)
    by = confirmers(A, B, fallback=[A], since=since)
    ref = made(notary, ledger, A, B, by=by)
    expiry = exercise(0, ref, A, B, by=by, controllers=[A])

    def request(lower_ms: int) -> Notarise:
        lower = NOW.plus_ms(lower_ms)
        at = window(lower, lower.plus_ms(HOUR_MS))
        listed = ledger.draft(expiry, at=at)
        lines = tuple(line for line in listed.lines if line.line.identity == A.id)
        bare = ledger.signed(listed).replace(lines=lines)
        return bare.replace(signatures=(A.sign(transaction_of(bare)),))

    notary.now = NOW.plus_ms(HOUR_MS + 1)
    assert notary.refused(request(HOUR_MS - 1)).code == "notary.confirmers"
    notary.done(request(HOUR_MS))


def test_a_fallback_without_a_lower_bound_does_not_suffice() -> None:
    notary = Notary().with_orgs()
    ledger = Ledger(notary.id)
    by = confirmers(A, B, fallback=[A], since=NOW)
    ref = made(notary, ledger, A, B, by=by)
    request = ledger.request(exercise(0, ref, A, B, by=by, controllers=[A]))
    alone = request.replace(lines=tuple(line for line in request.lines if line.line.identity == A.id))
    refused = notary.refused(alone.replace(signatures=(A.sign(transaction_of(alone)),)))
    assert refused.code == "notary.confirmers"


def test_a_transaction_that_does_nothing_or_that_nobody_signs_is_refused(case: Case) -> None:
    assert case.code(case.request.replace(entries=())) == "notary.empty"
    assert case.code(case.request.replace(lines=(), signatures=())) == "notary.empty"


def test_what_is_over_a_limit_is_refused_before_it_is_judged(case: Case) -> None:
    made_entry = case.request.entries[1]
    many = {
        "entries": (made_entry,) * (LIMITS.entries_count_max + 1),
        "lines": (case.request.lines[0],) * (LIMITS.lines_count_max + 1),
        "roots": (digest("root"),) * (LIMITS.entries_count_max + 1),
        "components": (Component(name="x", hash=digest("x")),) * (LIMITS.components_count_max + 1),
        "reservations": (b"",) * (LIMITS.claims_count_max + 1),
        "seals": bytes(LIMITS.sealed_bytes_max + 1),
    }
    for name, value in many.items():
        refused = case.notary.refused(case.request.replace(**{name: value}))
        assert (refused.code, refused.values["part"]) == ("notary.limit", name)
    claims = made_entry.replace(claims=(digest("c"),) * (LIMITS.claims_count_max + 1))
    refused = case.notary.refused(case.request.replace(entries=(case.request.entries[0], claims)))
    assert (refused.code, refused.values["part"]) == ("notary.limit", "claims")


def test_sealed_views_must_be_those_that_the_transaction_committed_to(case: Case) -> None:
    seals = b"sealed views"
    good = Component(name=SEALS, hash=digest("seals", seals))

    def with_components(*components: Component) -> Notarise:
        return case.resigned(case.request.replace(components=components, seals=seals))

    assert case.code(with_components()) == "notary.seals"
    assert case.code(with_components(good.replace(hash=digest("other")))) == "notary.seals"
    assert case.code(with_components(good, good)) == "notary.seals"
    assert case.code(with_components(good).replace(seals=b"")) == "notary.seals"
    case.notary.done(with_components(Component(name="later", hash=NETWORK), good))


def test_nothing_of_a_refused_transaction_is_kept_where_its_last_part_fails(case: Case) -> None:
    free = made(case.notary, case.ledger, A, B)
    case.notary.done(case.request)
    both = case.ledger.request(exercise(0, free, A, B, children=[create(1, A, claims=[claim(A, "1")])]),
                               exercise(2, case.ref, A, B))  # fmt: skip
    assert case.code(both) == "notary.consumed"
    assert case.notary.says("unspent", ref_key(free)).answer is True
    case.notary.done(case.ledger.request(exercise(0, free, A, B, children=[create(1, A, claims=[claim(A, "1")])])))


def test_two_consumers_in_one_block_are_decided_by_their_order(case: Case) -> None:
    rival = case.ledger.request(exercise(0, case.ref, A, B))
    first, second = case.notary.block(rival, case.request)
    assert isinstance(first, Done)
    assert not isinstance(second, Done)
    assert second.code == "notary.consumed"  # type: ignore[union-attr] # a Refused
