"""A validating notary: what does not re-execute is refused, however many signed it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.contracts.iou import contract
from tests.support.ledger import ENGINE, NOW, REGISTRAR, Network, create, exercise, who
from tests.support.parties import Party, party

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.contracts.language import Money
from interfirm.contracts.packages import Engine, Package
from interfirm.contracts.types import ContractRef, Create, CreateCommand, Exercise
from interfirm.ledger.builder import Draft
from interfirm.ledger.history import HistoryItem
from interfirm.ledger.signing import sign
from interfirm.notary.governance.machine import PROPOSAL, proposal_id
from interfirm.notary.governance.types import Action, ApprovePackage, Propose, RevokePackage, SetParameter
from interfirm.notary.requests import request_of
from interfirm.notary.types import Done, NotariseWhole, Publish, Said
from interfirm.notary.validating import machine as validating

BANK, ALICE, BOB = party("bank"), party("alice"), party("bob")
PACKAGES = tuple(ENGINE.packages.values())
TEMPLATES, ALL = 1, 2
_count = iter(range(10**9))


def euros(cents: int) -> Money:
    return Money(cents, "EUR")


def decided(net: Network, *actions: Action) -> None:
    """The registrar, who governs this notary alone, decides."""
    expires, nonce = NOW.plus_ms(1000), digest("nonce", next(_count))
    name = proposal_id(net.notary.id, actions, expires, nonce, REGISTRAR.public.identity)
    signature = sign(REGISTRAR, REGISTRAR.public.identity, name, purpose=PROPOSAL)
    net.notary.done(Propose(actions=actions, expires=expires, nonce=nonce, signature=signature))


def approval(package: Package, *validated: str) -> ApprovePackage:
    return ApprovePackage(package=package.id, name=package.name, version="1", validated=validated)


def set_mode(net: Network, mode: int, **more: int) -> None:
    """The mode is in force from the next request on."""
    values = {"validating": mode, "epoch_heights": 1, **more}
    decided(net, *(SetParameter(name=name, value=value) for name, value in values.items()))
    while net.notary.height % 256:
        net.notary.say("unspent", bytes(36))


@pytest.fixture
def net() -> Network:
    """A notary that has the sample packages."""
    net = Network("bank alice bob")
    decided(net, *map(approval, PACKAGES))
    for package in PACKAGES:
        net.notary.done(Publish(package=package))
    return net


def plain(net: Network, draft: Draft) -> Any:
    return request_of(draft, net.signatures(draft), salts=net.salts)


def whole(net: Network, draft: Draft) -> NotariseWhole:
    return NotariseWhole(notarise=plain(net, draft), view=net.whole_view(draft))


def brought(net: Network, draft: Draft) -> Done:
    """Accepted after it was re-executed."""
    done = net.notary.done(whole(net, draft))
    net.remember(draft)
    return done


def refused(net: Network, request: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        net.notary.done(request)
    return refusal.value.code


def cash(net: Network, owner: Party = ALICE, cents: int = 100) -> Draft:
    return net.draft(cash_command(owner, cents))


def cash_command(owner: Party = ALICE, cents: int = 100) -> CreateCommand:
    return create(contract.Cash(issuer=who(BANK), owner=who(owner), amount=euros(cents)))


def split(net: Network, ref: ContractRef) -> Draft:
    return net.draft(exercise(ref, contract.Cash.split, amount=euros(40)))


def multiplied(net: Network, draft: Draft) -> Draft:
    """The same commands, with effects to which they do not lead: a million out of a hundred."""
    top = draft.roots[0].action
    assert isinstance(top, Exercise)
    first, *rest = top.children
    assert isinstance(first, Create)
    issuer, owner, _ = first.payload
    million = first.replace(payload=[issuer, owner, [100_000_000, "EUR"]])
    return net.draft(actions=[top.replace(children=(million, *rest))])


def is_validated(net: Network, name: bytes) -> bool:
    from interfirm.notary.types import Ask

    said = net.notary.ask(Ask(kind="validated", subject=name))
    assert isinstance(said, Said)
    return bool(said.answer)


def test_what_re_executes_is_accepted_and_vouched_for(net: Network) -> None:
    done = brought(net, cash(net))
    assert is_validated(net, done.id)
    later = brought(net, split(net, ContractRef(done.id, 0)))
    assert is_validated(net, later.id)
    assert not is_validated(net, digest("another"))


def test_valid_effects_with_a_wrong_re_execution_are_refused(net: Network) -> None:
    done = brought(net, cash(net))
    forged = multiplied(net, split(net, ContractRef(done.id, 0)))
    assert refused(net, whole(net, forged)) == "ledger.id"
    assert isinstance(net.notary.done(plain(net, forged)), Done), "a notary that does not re-execute cannot know"
    assert not is_validated(net, forged.id)


def test_of_another_transaction_a_view_shows_nothing(net: Network) -> None:
    done = brought(net, cash(net))
    honest = split(net, ContractRef(done.id, 0))
    forged = multiplied(net, honest)
    assert refused(net, NotariseWhole(notarise=plain(net, forged), view=net.whole_view(honest))) == "ledger.id"


def test_what_rests_on_something_unproved_is_refused(net: Network) -> None:
    done = net.notary.done(plain(net, draft := cash(net)))
    net.remember(draft)
    assert refused(net, whole(net, split(net, ContractRef(done.id, 0)))) == "ledger.history"


def test_what_was_not_re_executed_here_is_believed_by_its_history(net: Network) -> None:
    done = net.notary.done(plain(net, draft := cash(net)))
    net.remember(draft)
    request = whole(net, split(net, ContractRef(done.id, 0)))
    later = net.notary.done(request.replace(history=net.history(request.view, net.members[BOB.id])))
    assert is_validated(net, later.id)
    assert not is_validated(net, done.id), "its history showed a part of it, and what it rests on was not asked"


def test_a_history_that_leads_elsewhere_is_refused(net: Network) -> None:
    done = net.notary.done(plain(net, draft := cash(net)))
    net.remember(draft)
    request = whole(net, split(net, ContractRef(done.id, 0)))
    (item,) = net.history(request.view, net.members[BOB.id])
    never = net.whole_view(cash(net, cents=1_000_000))
    assert refused(net, request.replace(history=(item.replace(view=never),))) == "receipt.none"
    assert refused(net, request.replace(history=(item,) * 600)) == "notary.limit"


def test_what_moved_here_is_believed_by_its_history_at_the_notary_where_it_was_made() -> None:
    net = Network("bank alice bob", notaries="one two")
    decided(net, *map(approval, PACKAGES))
    for package in PACKAGES:
        net.notary.done(Publish(package=package))
    two = net.named("two")
    done = two.done(plain(net, draft := net.draft(cash_command(), notary=two)))
    net.remember(draft)
    there = net.move(ContractRef(done.id, 0), net.notary)
    request = whole(net, split(net, there))
    assert refused(net, request) == "ledger.history"
    history = (HistoryItem(view=net.whole_view(draft), receipt=two.receipt(draft.id)),)
    assert is_validated(net, net.notary.done(request.replace(history=history)).id)


def test_a_view_that_hides_a_part_is_refused(net: Network) -> None:
    debt = create(contract.Iou(debtor=who(BANK), creditor=who(ALICE), amount=euros(5)))
    note = create(contract.Note(author=who(BOB), readers=(), text="private"))
    draft = net.draft(debt, note)
    request = NotariseWhole(notarise=plain(net, draft), view=net.view(draft, ALICE))
    assert refused(net, request) == "ledger.partial"


def test_where_everything_is_re_executed_nothing_else_is_taken(net: Network) -> None:
    set_mode(net, ALL)
    draft = cash(net)
    assert refused(net, plain(net, draft)) == "notary.validating"
    brought(net, draft)


def test_contracts_of_named_templates_are_used_in_re_executed_transactions_only(net: Network) -> None:
    (package,) = [each for each in PACKAGES if each.id == ENGINE.named("Cash").id.package]
    decided(net, RevokePackage(package=package.id), approval(package, "Cash"))
    set_mode(net, TEMPLATES)
    guarded = brought(net, cash(net))
    assert refused(net, plain(net, split(net, ContractRef(guarded.id, 0)))) == "notary.validating"
    pieces = brought(net, split(net, ContractRef(guarded.id, 0)))
    assert refused(net, plain(net, split(net, ContractRef(pieces.id, 2)))) == "notary.validating"
    debt = create(contract.Iou(debtor=who(BANK), creditor=who(ALICE), amount=euros(5)))
    free = brought(net, net.draft(debt))
    forgiven = net.draft(exercise(ContractRef(free.id, 0), contract.Iou.forgive))
    assert isinstance(net.notary.done(plain(net, forgiven)), Done)


def test_code_comes_from_packages_that_are_approved_and_published() -> None:
    net = Network("bank alice bob")
    assert refused(net, whole(net, cash(net))) == "package.unknown"
    assert refused(net, Publish(package=PACKAGES[-1])) == "package.unknown"
    decided(net, *map(approval, PACKAGES))
    assert refused(net, whole(net, cash(net))) == "package.source"
    for package in PACKAGES:
        net.notary.done(Publish(package=package))
        net.notary.done(Publish(package=package))
    brought(net, draft := cash(net))
    decided(net, RevokePackage(package=ENGINE.named("Cash").id.package))
    assert refused(net, whole(net, split(net, ContractRef(draft.id, 0)))) == "package.unknown"


def test_a_dependency_is_published_before_what_needs_it() -> None:
    net = Network("bank")
    lacking = Package(name="x", language=PACKAGES[0].language, modules={}, dependencies={"y": PACKAGES[0].id})
    decided(net, approval(lacking), approval(PACKAGES[0]))
    assert refused(net, Publish(package=lacking)) == "package.source"
    net.notary.done(Publish(package=PACKAGES[0]))
    assert refused(net, Publish(package=lacking)) == "contract.package"  # it calls the dependency by another name


def test_source_outside_the_deterministic_subset_is_not_kept() -> None:
    net = Network("bank")
    bad = Package(name="x", language=PACKAGES[0].language, modules={"x.a": "import os\n"}, dependencies={})
    decided(net, approval(bad))
    assert refused(net, Publish(package=bad)).startswith("contract.")


def test_a_validator_that_has_just_started_judges_alike(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    done = brought(net, cash(net))
    draft = split(net, ContractRef(done.id, 0))
    monkeypatch.setattr(validating, "_LOADED", Engine())
    brought(net, draft)


def test_not_too_much_is_re_executed_in_a_block(net: Network) -> None:
    from interfirm.notary import machine
    from interfirm.notary.types import Asked, Block, Refused

    set_mode(net, 0, validated_count_max=2)
    asked = tuple(Asked(requester=ALICE.id, request=whole(net, cash(net))) for _ in range(3))
    block = Block(height=net.notary.height + 1, time=net.notary.now, requests=asked)
    answers = machine.judge(net.notary, block, genesis=net.notary.genesis, abroad=net).answers
    assert [type(each) for each in answers] == [Done, Done, Refused]
    assert isinstance(answers[2], Refused)
    assert answers[2].code == "notary.busy"
