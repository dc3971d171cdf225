"""How fields become columns."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.node.vault.samples import ALICE, Invoice, bytes32

from interfirm.base import codec
from interfirm.base.money import Money
from interfirm.base.time import Day
from interfirm.contracts.language import Hash, Party, Record, Ref
from interfirm.node.vault.columns import NAME_CHARS_MAX, ORDERS_MAX, PARTY_INDEXES_MAX, Plan, plan_of, row_of


class Address(Record):
    town: str
    mark: bytes


def names(plan: Plan) -> list[str]:
    return [column.name for field in plan.fields.values() for column in field.columns]


def row(kind: Any, value: Any, *, transaction: bytes = b"") -> list[Any]:
    return row_of(plan_of({"field": kind}), [codec.plain(value)], transaction)


def test_money_has_a_column_for_the_amount_and_one_for_the_currency() -> None:
    assert names(plan_of({"price": Money})) == ["price_minor", "price_currency"]
    assert row(Money, Money(100, "EUR")) == [100, "EUR"]


def test_a_day_can_be_counted_and_read() -> None:
    assert names(plan_of({"due": Day})) == ["due", "due_date"]
    assert row(Day, Day.of(1969, 12, 31)) == [-1, "1969-12-31"]


def test_the_first_and_the_last_day_have_a_text() -> None:
    assert row(Day, Day.of(1, 1, 1))[1] == "0001-01-01"
    assert row(Day, Day.of(9999, 12, 31))[1] == "9999-12-31"


def test_a_local_ref_names_the_transaction_that_made_the_contract() -> None:
    assert row(Ref[Invoice], Ref(None, 3), transaction=b"maker") == [b"maker", 3]
    assert row(Ref[Invoice], Ref(bytes32("t"), 3), transaction=b"maker") == [bytes32("t"), 3]


def test_nested_values_are_json_with_bytes_in_hex() -> None:
    assert row(tuple[Address, ...], (Address("Zürich", b"\x01"),)) == ['[["Zürich","01"]]']


def test_an_empty_optional_is_null_in_all_its_columns() -> None:
    assert row(Money | None, None) == [None, None]
    assert all(column.nullable for column in plan_of({"field": Money | None}).fields["field"].columns)


def test_a_choice_of_types_is_json() -> None:
    assert row(int | str | None, "text") == ['"text"']
    assert row(int | str, 1) == ["1"]


@pytest.mark.parametrize(
    "fields",
    [
        {"price": Money, "price_minor": int},
        {"price_minor": int, "price": Money},
        {"Due": int, "due": int, "DUE": int},
        {"x" * 70 + "a": int, "x" * 70 + "b": int},
    ],
)
def test_columns_never_share_a_name_whatever_the_case(fields: dict[str, Any]) -> None:
    found = names(plan_of(fields))
    assert len({name.casefold() for name in found}) == len(found)
    assert all(len(name) <= NAME_CHARS_MAX for name in found)


def indexed(plan: Plan) -> set[tuple[str, ...]]:
    """The columns of each index, `~` after those of which it has the beginning."""
    return {tuple(each.column + "~" * each.cut for each in columns) for columns in plan.indexes}


def test_indexes_follow_time_orders_and_refs() -> None:
    fields = {"seller": Party, "number": str, "due": Day, "paid": Money | None, "order": Ref[Invoice], "note": str,
              "hash": Hash}  # fmt: skip
    assert indexed(plan_of(fields)) == {
        ("_status", "_time_ms", "_number"),
        ("_status", "seller", "_time_ms", "_number"),
        ("_status", "due", "_number"),
        ("_status", "seller", "due", "_number"),
        ("_status", "number", "_number"),
        ("_status", "paid_currency", "paid_minor", "_number"),
        ("_status", "order_transaction", "order_index", "_number"),
        ("_status", "note~", "_number"),
    }


def test_only_some_fields_have_orders_and_indexes() -> None:
    plan = plan_of({f"count{n}": int for n in range(ORDERS_MAX + 3)})
    assert len(plan.orders) == ORDERS_MAX
    assert len(plan.indexes) == ORDERS_MAX + 1


def test_only_some_parties_are_indexed_with_due() -> None:
    plan = plan_of({"due": Day, **{f"party{n}": Party for n in range(PARTY_INDEXES_MAX + 3)}})
    assert len([each for each in plan.indexes if len(each) == 4 and each[2].column == "due"]) == PARTY_INDEXES_MAX


def test_a_payload_with_another_number_of_fields_is_no_row() -> None:
    with pytest.raises(ValueError, match="zip"):
        row_of(plan_of({"a": Party, "b": Party}), [codec.plain(ALICE)], b"")
