"""Which lines of a firm's matrix apply, who may approve, and when enough have."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.base.values import Value
from interfirm.node.access import approvals
from interfirm.node.access.approvals import Approval, Demand, Line, Pending, approved, lines_for, missing
from interfirm.node.access.types import OWNER, Caller

INVOICE = "invoices.Invoice"
LARGE = Line(name="large", approvals=1, template=INVOICE, choice="accept", field="payable", above=Money(10_000, "EUR"))
ANY = Line(name="any", approvals=1)
NOW_MS = 1_000


class Price(Value, frozen=True):
    advance: Money


def demand(minor: int = 10_001, currency: str = "EUR", **changes: Any) -> Demand:
    given = {"template": INVOICE, "choice": "accept", "fields": {"payable": Money(minor, currency)}}
    return Demand(**{**given, **changes})


def pending(*lines: Line, **changes: Any) -> Pending:
    made = Pending(
        id="p", asked_by="anna", asked_ms=0, operation="exercise", event=b"", kind="flow", demands=(), lines=lines,
        shown={}, expires_ms=NOW_MS + 1,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def caller(name: str, *roles: str) -> Caller:
    return Caller(name=name, roles=roles, door="session")


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=rf"^{code}: ")


def test_amounts_above_the_threshold_need_approval_and_others_do_not() -> None:
    assert lines_for([LARGE], [demand(10_001)]) == (LARGE,)
    assert lines_for([LARGE], [demand(10_000)]) == ()


def test_an_amount_that_cannot_be_compared_needs_approval() -> None:
    assert lines_for([LARGE], [demand(1, "USD")]) == (LARGE,)
    assert lines_for([LARGE], [demand(fields={})]) == (LARGE,)
    assert lines_for([LARGE], [demand(fields={"payable": 1})]) == (LARGE,)


def test_a_line_is_about_its_template_and_choice_alone() -> None:
    assert lines_for([LARGE], [demand(choice="reject")]) == ()
    assert lines_for([LARGE], [demand(template="cash.Cash")]) == ()
    assert lines_for([ANY], [demand(template="cash.Cash", choice="create")]) == (ANY,)


def test_one_of_several_things_is_enough() -> None:
    assert lines_for([LARGE], [demand(1), demand(20_000)]) == (LARGE,)


def test_the_amount_of_an_argument_comes_before_that_of_a_field() -> None:
    small = demand(20_000, arguments={"payable": Money(1, "EUR")})
    assert lines_for([LARGE], [small]) == ()


def test_an_amount_within_a_field_is_found() -> None:
    inner = msgspec.structs.replace(LARGE, field="price.advance")
    assert lines_for([inner], [demand(fields={"price": Price(Money(10_000, "EUR"))})]) == ()
    assert lines_for([inner], [demand(fields={"price": Price(Money(10_001, "EUR"))})]) == (inner,)


def test_who_asked_does_not_approve() -> None:
    with refused("access.four-eyes"):
        approved(pending(ANY), caller("anna", "approver"), at_ms=NOW_MS)
    with refused("access.four-eyes"):
        approved(pending(ANY, asked_by="owner"), OWNER, at_ms=NOW_MS)


def test_somebody_without_the_role_does_not_approve() -> None:
    treasury = msgspec.structs.replace(ANY, roles=("treasurer",))
    with refused("access.approver"):
        approved(pending(treasury), caller("bert", "clerk"), at_ms=NOW_MS)
    assert approved(pending(treasury), caller("bert", "treasurer"), at_ms=NOW_MS).approvals


@pytest.mark.parametrize("state", ["approved", "declined", "withdrawn"])
def test_what_has_ended_is_not_approved(state: str) -> None:
    with refused("access.approval"):
        approved(pending(ANY, state=state), caller("bert"), at_ms=NOW_MS)


def test_what_waited_too_long_is_not_approved() -> None:
    with refused("access.approval"):
        approved(pending(ANY), caller("bert"), at_ms=NOW_MS + 1)


def test_one_person_counts_once() -> None:
    two = msgspec.structs.replace(ANY, approvals=2)
    once = approved(pending(two), caller("bert"), at_ms=1)
    again = approved(once, caller("bert"), at_ms=2)
    assert missing(again, {"bert": frozenset()}) == ["any"]
    both = approved(again, caller("carl"), at_ms=3)
    assert missing(both, {"bert": frozenset(), "carl": frozenset()}) == []


def test_a_role_lost_since_does_not_count() -> None:
    treasury = msgspec.structs.replace(ANY, roles=("treasurer",))
    said = pending(treasury, approvals=(Approval(person="bert", at_ms=1),))
    assert missing(said, {"bert": frozenset({"treasurer"})}) == []
    assert missing(said, {"bert": frozenset({"clerk"})}) == ["any"]
    assert missing(said, {}) == ["any"]


def test_each_line_wants_its_own_approvals() -> None:
    lines = (msgspec.structs.replace(ANY, name="legal", roles=("legal",)), msgspec.structs.replace(ANY, roles=("cfo",)))
    said = pending(*lines, approvals=(Approval(person="bert", at_ms=1),))
    assert missing(said, {"bert": frozenset({"legal"})}) == ["any"]
    assert missing(said, {"bert": frozenset({"legal", "cfo"})}) == []


@pytest.mark.parametrize("change", [{"approvals": 0}, {"approvals": 11}, {"field": ""}, {"above": None}], ids=str)
def test_a_line_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with refused("access.matrix"):
        approvals.put_matrix(None, [msgspec.structs.replace(LARGE, **change)])  # type: ignore[arg-type]  # not reached
