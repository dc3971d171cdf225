"""How the columns of a table fill the fields of a contract or the arguments of a choice: pure."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from typing import Any

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.node.jobs.columns import FieldReader, kind_at, listed, put_at, reader_of

ABOUT = frozenset({"contract.ref", "contract.template", "contract.status", "contract.notary"})
"""Columns that an export has beside the fields; a table without a mapping may have them, too."""


class Mapping(Value, frozen=True, forbid_unknown_fields=True):
    """Columns by their names -> paths of fields; and what no column says."""

    columns: dict[str, str] = {}
    """Column -> path. Empty: every column is named by the path that it fills."""
    constants: dict[str, Any] = {}
    """Path -> value as JSON, the same for every row."""
    defaults: dict[str, Any] = {}
    """Path -> value as JSON, where the cell is empty."""


class CellError(Exception):
    """A cell is not a value of its field."""

    def __init__(self, column: str, value: str, expected: str) -> None:
        super().__init__(column, value, expected)
        self.column, self.value, self.expected = column, value, expected


def read_mapping(given: Any) -> Mapping:
    """The mapping that JSON describes; Refusal `bulk.mapping`."""
    try:
        return msgspec.convert(given or {}, Mapping)
    except msgspec.ValidationError as error:
        raise Refusal("bulk.mapping", "this is no mapping of columns", reason=str(error)) from error


class RowReader:
    """Reads rows of one table: cells -> fields as JSON."""

    def __init__(self, header: Sequence[str], mapping: Mapping, kinds: AnyMapping[str, Any], *,
                 beside: frozenset[str] = frozenset()) -> None:  # fmt: skip
        """`beside` are columns that are read for something else. Refusal `bulk.column`, `bulk.path`."""
        self.header = list(header)
        self._kinds = kinds
        paths = mapping.columns or {name: name for name in header if name not in ABOUT | beside}
        missing = [name for name in paths if name not in header]
        check(not missing, "bulk.column", "the table has no such columns", missing=missing, columns=self.header)
        filled = [*paths.values(), *mapping.constants]
        twice = [path for path in filled if filled.count(path) > 1 or any(o.startswith(f"{path}.") for o in filled)]
        check(not twice, "bulk.path", "two columns fill one place", paths=sorted(set(twice)))
        self._cells: list[tuple[int, str, FieldReader, str]] = []
        for name, path in paths.items():
            kind = kind_at(kinds, path)
            expected = getattr(kind, "__name__", str(kind))
            self._cells.append((self.header.index(name), path, reader_of(kind), expected))
        self._constants = {**mapping.constants}
        self._defaults = {**mapping.defaults}
        for path in (*self._constants, *self._defaults):
            kind_at(kinds, path)

    def fields(self, cells: Sequence[str]) -> dict[str, Any]:
        """The fields of a row as JSON; CellError."""
        found: dict[str, Any] = {}
        for path, value in self._constants.items():
            put_at(found, path, value)
        given = set()
        for place, path, reader, expected in self._cells:
            text = cells[place].strip()
            if not text:
                continue
            given.add(path)
            try:
                put_at(found, path, reader(text))
            except (ValueError, KeyError) as error:
                raise CellError(self.header[place], text, expected) from error
        for path, value in self._defaults.items():
            if not any(each == path or each.startswith(f"{path}.") for each in given):
                put_at(found, path, value)
        return {name: listed(value, self._kinds[name]) for name, value in found.items()}

    def column_of(self, field: str) -> int | None:
        """The place of the column that fills a field, which a refusal names (`gross`, `lines[0].quantity`)."""
        wanted = field.replace("[", ".").replace("]", "")
        for place, path, _, _ in self._cells:
            if path == wanted or path.startswith(wanted + ".") or wanted.startswith(path + "."):
                return place
        return None
