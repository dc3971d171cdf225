"""What roles allow adds up; what none allows is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from interfirm.base.errors import Refusal
from interfirm.node.access.machine import ALLOWED, Permission
from interfirm.node.access.types import Caller, Role, Rule
from interfirm.node.vault.where import EVERYTHING, AnyOf, Compare, Where

INVOICE = "invoices.Invoice"
CLERK = Caller(name="anna", roles=("clerk",), door="token")


def rows(template: str, text: str, variables: Mapping[str, str]) -> Where:
    """Filters of the form {"field": "value or $name"}."""
    [(field, value)] = json.loads(text).items()
    return Compare(field, "eq", variables[value[1:]] if value.startswith("$") else value)


def permission(*rules: Rule, caller: Caller = CLERK, operations: tuple[str, ...] = ("contracts.*",)) -> Permission:
    return Permission(caller, [Role(name="clerk", about="", operations=operations, rules=rules)], rows)


def unknown(ref: Any) -> None:
    return None


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=rf"^{code}: ")


def test_the_owner_may_everything() -> None:
    assert ALLOWED.may("anything.at-all")
    assert ALLOWED.readable(INVOICE) == EVERYTHING
    ALLOWED.check_choice(INVOICE, "accept", {}, unknown)
    ALLOWED.check_create(INVOICE, {}, unknown)


def test_without_a_rule_nothing_is_allowed() -> None:
    nobody = permission()
    assert nobody.readable(INVOICE) is None
    assert not nobody.is_readable(INVOICE, {}, unknown)
    assert not nobody.may_create(INVOICE)
    with refused("access.create"):
        nobody.check_create(INVOICE, {}, unknown)
    with refused("access.choice"):
        nobody.check_choice(INVOICE, "accept", {}, unknown)


def test_reading_does_not_let_make_or_choose() -> None:
    reader = permission(Rule(template=INVOICE, read=True))
    assert reader.readable(INVOICE) == EVERYTHING
    with refused("access.create"):
        reader.check_create(INVOICE, {}, unknown)
    with refused("access.choice"):
        reader.check_choice(INVOICE, "accept", {}, unknown)


def test_a_rule_for_one_template_says_nothing_of_another() -> None:
    assert permission(Rule(template=INVOICE, read=True)).readable("cash.Cash") is None


def test_a_rule_for_all_templates_is_for_each() -> None:
    assert permission(Rule(template="*", read=True)).readable("cash.Cash") == EVERYTHING


def test_only_the_choices_that_are_named_may_be_made() -> None:
    one = permission(Rule(template=INVOICE, choices=("accept",)))
    one.check_choice(INVOICE, "accept", {}, unknown)
    with refused("access.choice"):
        one.check_choice(INVOICE, "reject", {}, unknown)


def test_a_choice_may_be_made_on_those_contracts_alone_that_the_rule_is_about() -> None:
    own = permission(Rule(template=INVOICE, choices=("*",), rows='{"owner": "$caller"}'))
    own.check_choice(INVOICE, "accept", {"owner": "anna"}, unknown)
    with refused("access.choice"):
        own.check_choice(INVOICE, "accept", {"owner": "bert"}, unknown)


def test_a_contract_may_be_made_that_the_rule_is_about() -> None:
    own = permission(Rule(template=INVOICE, create=True, rows='{"owner": "$caller"}'))
    own.check_create(INVOICE, {"owner": "anna"}, unknown)
    with refused("access.create"):
        own.check_create(INVOICE, {"owner": "bert"}, unknown)


def test_rules_about_rows_add_up() -> None:
    both = permission(
        Rule(template=INVOICE, read=True, rows='{"region": "north"}'),
        Rule(template=INVOICE, read=True, rows='{"region": "south"}'),
    )
    assert both.readable(INVOICE) == AnyOf((Compare("region", "eq", "north"), Compare("region", "eq", "south")))
    assert both.is_readable(INVOICE, {"region": "south"}, unknown)
    assert not both.is_readable(INVOICE, {"region": "east"}, unknown)


def test_a_rule_about_rows_knows_the_variables_of_the_caller() -> None:
    caller = Caller(name="anna", roles=("clerk",), door="token", variables=(("region", "north"),))
    own = permission(Rule(template=INVOICE, read=True, rows='{"region": "$region"}'), caller=caller)
    assert own.is_readable(INVOICE, {"region": "north"}, unknown)
    assert not own.is_readable(INVOICE, {"region": "south"}, unknown)


def test_a_rule_for_all_templates_shows_none_of_those_that_have_not_what_it_asks() -> None:
    def only_invoices(template: str, text: str, variables: Mapping[str, str]) -> Where:
        if template != INVOICE:
            raise Refusal("access.rule", "a rule about rows does not fit the template")
        return rows(template, text, variables)

    role = Role(name="r", about="", operations=(), rules=(Rule(template="*", read=True, rows='{"region": "north"}'),))
    some = Permission(CLERK, [role], only_invoices)
    assert some.readable(INVOICE) is not None
    assert some.readable("cash.Cash") is None
    named = Role(name="n", about="", operations=(), rules=(Rule(template="cash.Cash", read=True, rows='{"a": "b"}'),))
    with refused("access.rule"):
        Permission(CLERK, [named], only_invoices).readable("cash.Cash")


def test_a_hidden_field_is_not_shown_nor_filtered_by() -> None:
    hiding = permission(Rule(template=INVOICE, read=True, hidden=("account",)))
    assert hiding.hidden(INVOICE) == {"account"}
    hiding.check_fields(INVOICE, ["number", "-due"])
    for name in ("account", "-account"):
        with refused("access.field"):
            hiding.check_fields(INVOICE, [name])


def test_a_field_hidden_for_some_contracts_stays_hidden_beside_a_rule_for_others() -> None:
    mixed = permission(
        Rule(template=INVOICE, read=True, rows='{"region": "north"}'),
        Rule(template=INVOICE, read=True, rows='{"region": "south"}', hidden=("account",)),
    )
    assert mixed.hidden(INVOICE) == {"account"}


def test_a_rule_that_shows_every_contract_whole_hides_nothing() -> None:
    mixed = permission(
        Rule(template=INVOICE, read=True),
        Rule(template=INVOICE, read=True, rows='{"region": "south"}', hidden=("account",)),
    )
    assert mixed.hidden(INVOICE) == frozenset()


def test_an_operation_is_allowed_by_its_name_or_by_how_it_begins() -> None:
    some = permission(operations=("whoami", "contracts.*"))
    some.check_operation("whoami")
    some.check_operation("contracts.list")
    for other in ("whoami.else", "contract", "flows.kill"):
        with refused("access.operation"):
            some.check_operation(other)


@pytest.mark.parametrize("roles", [("clerk",), ("owner",)])
def test_a_token_allows_what_its_scopes_name_and_no_more(roles: tuple[str, ...]) -> None:
    narrow = permission(caller=Caller(name="erp", roles=roles, door="token", scopes=("contracts.list",)))
    narrow.check_operation("contracts.list")
    assert not narrow.is_owner
    with refused("access.operation"):
        narrow.check_operation("contracts.show")
