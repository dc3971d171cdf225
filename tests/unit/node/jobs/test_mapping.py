"""Rows of a table as fields of contracts: every type, and what is said about a cell that does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from interfirm.base.errors import Refusal
from interfirm.base.money import Money, Quantity
from interfirm.base.time import Day
from interfirm.contracts.language import Party, Private, Record
from interfirm.node.jobs.columns import cell_of, columns_of
from interfirm.node.jobs.mapping import CellError, Mapping, RowReader, read_mapping


class Line(Record):
    """A record within a list."""

    item: str
    quantity: Quantity


KINDS: dict[str, Any] = {
    "seller": Party, "gross": Money, "due": Day | None, "days": int, "paid": bool, "tags": tuple[str, ...],
    "lines": tuple[Line, ...], "line": Line, "remark": Private[str] | None, "more": dict[str, int],
}  # fmt: skip


def fields(table: dict[str, str], mapping: Mapping | None = None) -> dict[str, Any]:
    return RowReader(list(table), mapping or Mapping(), KINDS).fields(list(table.values()))


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"seller": "Nordmark"}, {"seller": "Nordmark"}),
        ({"gross": "12.50 EUR"}, {"gross": "12.50 EUR"}),
        ({"gross.amount": "12.50", "gross.currency": "EUR"}, {"gross": {"amount": "12.50", "currency": "EUR"}}),
        ({"days": "-30"}, {"days": -30}),
        ({"paid": "Yes"}, {"paid": True}),
        ({"paid": "0"}, {"paid": False}),
        ({"due": ""}, {}),
        ({"due": " 2026-10-05 "}, {"due": "2026-10-05"}),
        ({"tags": '["a", "b"]'}, {"tags": ["a", "b"]}),
        ({"tags.1": "b", "tags.0": "a"}, {"tags": ["a", "b"]}),
        (
            {"lines.0.item": "Bolt", "lines.0.quantity.value": "3", "lines.0.quantity.unit": "C62"},
            {"lines": [{"item": "Bolt", "quantity": {"value": "3", "unit": "C62"}}]},
        ),
        ({"line.item": "Bolt", "line.quantity": "3 C62"}, {"line": {"item": "Bolt", "quantity": "3 C62"}}),
        ({"remark.value": "why", "remark.subject": "p-1"}, {"remark": {"value": "why", "subject": "p-1"}}),
        ({"more": '{"a": 1}'}, {"more": {"a": 1}}),
    ],
)
def test_a_row_is_read_by_the_types_of_its_fields(table: dict[str, str], expected: dict[str, Any]) -> None:
    assert fields(table) == expected


@pytest.mark.parametrize(
    ("column", "text"), [("days", "3.0"), ("days", "1e3"), ("days", "٣"), ("paid", "maybe"), ("tags", "[1")]
)
def test_a_cell_that_does_not_fit_is_named(column: str, text: str) -> None:
    with pytest.raises(CellError) as error:
        fields({column: text})
    assert (error.value.column, error.value.value) == (column, text)


@pytest.mark.parametrize("path", ["nothing", "gross.nothing", "seller.name", "lines.x.item", "days.0"])
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises(Refusal, match=r"^bulk\.path: "):
        fields({path: "1"})


def test_one_cell_does_not_fill_what_another_fills_in_part() -> None:
    with pytest.raises(Refusal, match=r"^bulk\.path: "):
        fields({"gross.currency": "EUR", "gross": "1.00 EUR"})
    with pytest.raises(Refusal, match=r"^bulk\.path: "):
        fields({"gross": "1.00 EUR"}, Mapping(columns={"gross": "gross"}, constants={"gross.currency": "EUR"}))


def test_columns_of_an_export_beside_the_fields_are_left_out() -> None:
    assert fields({"contract.ref": "x", "contract.status": "active", "days": "1"}) == {"days": 1}


def test_a_refused_field_leads_to_its_column() -> None:
    reader = RowReader(["a", "b"], Mapping(columns={"a": "gross.amount", "b": "lines.0.item"}), KINDS)
    assert [reader.column_of(name) for name in ("gross", "lines[0].item", "seller", "")] == [0, 1, None, None]


@pytest.mark.parametrize("given", [[], "x", {"column": {}}, {"columns": {"a": 1}}])
def test_what_is_no_mapping_is_refused(given: Any) -> None:
    if not given:
        assert read_mapping(given) == Mapping()
        return
    with pytest.raises(Refusal, match=r"^bulk\.mapping: "):
        read_mapping(given)


def test_parts_of_fields_are_columns_and_lists_are_one_cell() -> None:
    assert columns_of(KINDS) == [
        "seller", "gross.amount", "gross.currency", "due", "days", "paid", "tags", "lines", "line.item",
        "line.quantity.value", "line.quantity.unit", "remark", "more",
    ]  # fmt: skip
    shown = {"gross": {"amount": "1.00", "currency": "EUR"}, "tags": ["a"], "paid": False, "due": None, "lines": []}
    cells = {name: cell_of(shown, name) for name in ("gross.amount", "tags", "paid", "due", "lines", "days")}
    assert cells == {"gross.amount": "1.00", "tags": '["a"]', "paid": "false", "due": "", "lines": "", "days": ""}
