"""The schema of what one set of roles may do: types, lists, figures, streams and changes of each template. Pure.

`invoices.Invoice` is `invoices_Invoice`; what is known of a contract beside its fields begins with `_`. A field of type
Ref shows the contract that it names, and its text as `<field>_ref`; the contract named has the list
`<template>_by_<field>` of those that name it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
)

from interfirm.api.graphql.changes import NAME, changes_field
from interfirm.api.graphql.changing import change
from interfirm.api.graphql.documents import DEFAULT_LIMIT
from interfirm.api.graphql.kinds import DIRECTION, HEX, ID, INSTANT, INTEGER, JSON, REF, SEARCH_ABOUT, STATUS, Kinds
from interfirm.api.graphql.leaves import shown_field
from interfirm.api.graphql.reading import ABOUT, Row, View
from interfirm.api.ports import ShownTemplate
from interfirm.node.vault.columns import Field, plan_of, template_of_ref
from interfirm.node.vault.listing import TIME

_BESIDE: dict[str, Any] = {
    "_ref": GraphQLNonNull(REF), "_status": GraphQLNonNull(STATUS), "_notary": GraphQLString, "_accepted": INSTANT,
    "_consumer": HEX, "_signatories": GraphQLList(GraphQLString), "_observers": GraphQLList(GraphQLString),
}  # fmt: skip
_FLOW = GraphQLObjectType("Flow", {
    "id": GraphQLField(GraphQLString), "state": GraphQLField(GraphQLString),
    "transaction": GraphQLField(HEX), "created": GraphQLField(GraphQLList(GraphQLNonNull(REF))),
    "result": GraphQLField(JSON), "steps": GraphQLField(JSON), "preview": GraphQLField(JSON),
    "approval": GraphQLField(JSON), "code": GraphQLField(GraphQLString), "reason": GraphQLField(GraphQLString),
}, description="What came of a change, or waits for approval; for a dry run what would come of it.")  # fmt: skip
_TOTAL = GraphQLObjectType("Total", {
    "count": GraphQLField(GraphQLNonNull(INTEGER)), "exact": GraphQLField(GraphQLNonNull(GraphQLBoolean)),
}, description="How many rows a list has; an estimate where it is not exact.")  # fmt: skip
_CHANGE = {
    "request": GraphQLArgument(GraphQLString, description="Asked twice under one id, it is done once."),
    "dry_run": GraphQLArgument(GraphQLBoolean, description="Say what would come of it, and do nothing."),
    "notary": GraphQLArgument(GraphQLString), "note": GraphQLArgument(GraphQLString),
    "not_before": GraphQLArgument(INSTANT), "until": GraphQLArgument(INSTANT),
    "wait_ms": GraphQLArgument(GraphQLInt, description="How long to wait for what comes of it."),
}  # fmt: skip


def schema_of(shown: Sequence[ShownTemplate]) -> GraphQLSchema:
    """The schema of what a caller may read and do."""
    templates = {each.path: Shown(each) for each in shown}
    maker = _Maker(templates)
    changes = {name: field for each in templates.values() for name, field in maker.changes(each).items()}
    streams = {f"{each.name}_stream": maker.stream(each) for each in templates.values()}
    if streams:
        streams[NAME] = changes_field()
    fields = {name: field for each in templates.values() for name, field in maker.queries(each).items()}
    caller = GraphQLField(GraphQLNonNull(GraphQLString), resolve=lambda _, info: info.context.caller.name)
    return GraphQLSchema(
        query=GraphQLObjectType("Query", {"_caller": caller, **fields}),
        mutation=GraphQLObjectType("Mutation", changes) if changes else None,
        subscription=GraphQLObjectType("Subscription", streams) if streams else None,
    )


class Shown:
    """A template as a schema shows it: its name there, and the fields that are not hidden."""

    def __init__(self, shown: ShownTemplate) -> None:
        self.shown = shown
        self.path = shown.path
        self.name = shown.path.replace(".", "_")
        plan = plan_of(shown.code.fields)
        self.fields: dict[str, Field] = {name: field for name, field in plan.fields.items() if name not in shown.hidden}
        self.orders = [name for name in plan.orders if name not in shown.hidden]
        """The fields that lists can be ordered by."""
        self.searched = [name for name in plan.texts if name not in shown.hidden]
        """The fields in which words are searched for."""

    @property
    def about(self) -> str:
        """The first line of what its author says of it."""
        return (self.shown.code.cls.__doc__ or "").strip().partition("\n")[0]


class _Maker:
    """Makes the types of one schema."""

    def __init__(self, templates: dict[str, Shown]) -> None:
        self._templates = templates
        self._kinds = Kinds()
        self._types = {path: self._type(each) for path, each in templates.items()}
        self._wheres = {path: self._where(each) for path, each in templates.items()}
        self._orders = {path: self._order(each) for path, each in templates.items()}

    def queries(self, of: Shown) -> dict[str, GraphQLField]:
        """List, one, and figures."""
        one = GraphQLField(
            self._types[of.path], {"ref": GraphQLArgument(ID)},
            resolve=lambda _, info, ref: info.context.one(of.path, ref),
        )  # fmt: skip
        return {of.name: self._list(of), f"{of.name}_by_pk": one, f"{of.name}_aggregate": self._aggregate(of)}

    def stream(self, of: Shown) -> GraphQLField:
        """What comes, from a place on or from now on."""
        batch = GraphQLObjectType(
            f"{of.name}_batch", {"rows": GraphQLField(self._rows(of)), "cursor": GraphQLField(GraphQLString)}
        )
        arguments = {
            "where": GraphQLArgument(self._wheres[of.path]), "after": GraphQLArgument(GraphQLString),
            "batch_size": GraphQLArgument(GraphQLInt, DEFAULT_LIMIT),
        }  # fmt: skip
        return GraphQLField(
            GraphQLNonNull(batch), arguments, description="Contracts as this node comes to know them.",
            resolve=lambda _, info, **given: info.context.arrivals(of.path, **given), extensions={"template": of.path},
        )  # fmt: skip

    def changes(self, of: Shown) -> dict[str, GraphQLField]:
        """Making contracts and choosing on them, as far as it is allowed."""
        found: dict[str, GraphQLField] = {}
        code = of.shown.code
        if of.shown.create:
            fields = GraphQLInputObjectType(f"{of.name}_fields", self._kinds.given(code.fields, code.required))
            arguments = {"fields": GraphQLArgument(GraphQLNonNull(fields)), **_CHANGE}
            found[f"{of.name}_create"] = _changing(arguments, of.about, "create", template=of.path)
        for name in sorted(of.shown.choices):
            found[f"{of.name}_{name}"] = self._choice(of, name)
        return found

    def _choice(self, of: Shown, name: str) -> GraphQLField:
        choice = of.shown.code.choices[name]
        arguments = {"ref": GraphQLArgument(ID), **_CHANGE}
        if choice.parameters:
            # a day of choosing that is left out is today
            declared = msgspec.structs.fields(choice.arguments_type)
            required = [each.name for each in declared if each.required and each.name != "on"]
            given = GraphQLInputObjectType(
                f"{of.name}_{name}_arguments", self._kinds.given(choice.parameters, required)
            )
            arguments["arguments"] = GraphQLArgument(GraphQLNonNull(given))
        return _changing(arguments, (choice.function.__doc__ or "").strip(), "exercise", choice=name)

    def _list(self, of: Shown) -> GraphQLField:
        page = GraphQLObjectType(f"{of.name}_page", {
            "rows": GraphQLField(self._rows(of)), "next": GraphQLField(GraphQLString),
            "total": GraphQLField(GraphQLNonNull(_TOTAL)),
        })  # fmt: skip
        names = of.orders
        differing = {"distinct_on": GraphQLArgument(GraphQLList(GraphQLNonNull(
            GraphQLEnumType(f"{of.name}_field", {name: name for name in names})
        )))} if names else {}  # fmt: skip
        return GraphQLField(
            GraphQLNonNull(page), {**self._listed_by(of), **differing, "after": GraphQLArgument(GraphQLString)},
            description=of.about, resolve=lambda _, info, **given: info.context.page(of.path, **given),
        )  # fmt: skip

    def _listed_by(self, of: Shown) -> dict[str, GraphQLArgument]:
        return {
            "where": GraphQLArgument(self._wheres[of.path]),
            "order_by": GraphQLArgument(GraphQLList(GraphQLNonNull(self._orders[of.path]))),
            "status": GraphQLArgument(STATUS, "active"),
            "limit": GraphQLArgument(GraphQLInt, DEFAULT_LIMIT),
        }

    def _aggregate(self, of: Shown) -> GraphQLField:
        fields: dict[str, Any] = {name: self._kinds.figures(field) for name, field in of.fields.items()}
        figures = {
            name: GraphQLField(kind, resolve=partial(_figures, name=name))
            for name, kind in fields.items() if kind is not None
        }  # fmt: skip
        counted = GraphQLField(GraphQLNonNull(INTEGER), resolve=lambda asked, _: asked(()).count)
        arguments = self._listed_by(of)
        return GraphQLField(
            GraphQLNonNull(GraphQLObjectType(f"{of.name}_aggregates", {"_count": counted, **figures})),
            {name: arguments[name] for name in ("where", "status")}, resolve=partial(_aggregate, path=of.path),
        )  # fmt: skip

    def _rows(self, of: Shown) -> Any:
        return GraphQLNonNull(GraphQLList(GraphQLNonNull(self._types[of.path])))

    def _type(self, of: Shown) -> GraphQLObjectType:
        return GraphQLObjectType(of.name, lambda: self._shown_fields(of), description=of.about)

    def _shown_fields(self, of: Shown) -> dict[str, GraphQLField]:
        found = {name: shown_field(kind, ABOUT[name]) for name, kind in _BESIDE.items()}
        for name, field in of.fields.items():
            target = self._target(field)
            if field.kind == "ref":
                found[self._ref_name(of, name)] = shown_field(REF, _field(name))
            if target is not None:
                found[name] = GraphQLField(self._types[target.path], resolve=_referred(name, target.path))
            elif field.kind != "ref":
                found[name] = shown_field(self._kinds.output(of.shown.code.fields[name]), _field(name))
        for other in self._templates.values():
            for name, field in other.fields.items():
                if self._target(field) is of:
                    found[f"{other.name}_by_{name}"] = GraphQLField(
                        self._rows(other), self._listed_by(other), resolve=_naming(other.path, name)
                    )
        return found

    def _target(self, field: Field) -> Shown | None:
        """The template, if it is shown, whose contracts a field names."""
        named = template_of_ref(field.type) if field.kind == "ref" else None
        return None if named is None else self._templates.get(".".join(named.split(".")[-2:]))

    def _ref_name(self, of: Shown, name: str) -> str:
        wanted = f"{name}_ref"
        return f"_{wanted}" if wanted in of.fields else wanted

    def _where(self, of: Shown) -> GraphQLInputObjectType:
        return GraphQLInputObjectType(f"{of.name}_where", lambda: self._where_fields(of), out_type=_joined)

    def _where_fields(self, of: Shown) -> dict[str, GraphQLInputField]:
        itself = self._wheres[of.path]
        several = GraphQLInputField(GraphQLList(GraphQLNonNull(itself)))
        found = {"_and": several, "_or": several, "_not": GraphQLInputField(itself)}
        if of.searched:
            found["_search"] = GraphQLInputField(GraphQLString, description=SEARCH_ABOUT)
        for name, field in of.fields.items():
            target = self._target(field)
            if target is not None:
                found[name] = GraphQLInputField(self._wheres[target.path])
            written = self._ref_name(of, name) if field.kind == "ref" else name
            found[written] = GraphQLInputField(self._kinds.comparison(field), out_name=_written(name, written))
        return found

    def _order(self, of: Shown) -> GraphQLInputObjectType:
        names = [f"_{TIME}", *of.orders]
        return GraphQLInputObjectType(
            f"{of.name}_order_by", {name: GraphQLInputField(DIRECTION) for name in names}, is_one_of=True,
            description="One field; those that follow in the list order what is alike in it.",
        )  # fmt: skip


def _written(name: str, written: str) -> str | None:
    """Under which name a comparison arrives: of a field of type Ref beside the filter of what it names."""
    return None if name == written else f"{name}@"


def _joined(given: dict[str, Any]) -> dict[str, Any]:
    """A filter as `filters.py` reads it: comparisons of fields of type Ref under their own names, too."""
    plain = {name: value for name, value in given.items() if not name.endswith("@")}
    refs = [{name[:-1]: value} for name, value in given.items() if name.endswith("@")]
    return {"_and": [plain, *refs]} if refs else plain


def _field(name: str) -> Callable[[Row], Any]:
    return lambda row: row.write(getattr(row.contract, name, None))


def _referred(name: str, path: str) -> Callable[..., Any]:
    return lambda row, info: info.context.referred(row, name, path)


def _naming(path: str, field: str) -> Callable[..., Any]:
    def resolve(row: Row, info: Any, **given: Any) -> list[Row]:
        found: list[Row] = info.context.naming(row, path, field, **given)
        return found

    return resolve


def _aggregate(_: Any, info: Any, *, path: str, where: Any = None, status: str = "active") -> Callable[..., Any]:
    view: View = info.context
    wanted = view.where(path, where)
    return lambda fields: view.aggregate(path, wanted, None if status == "all" else status, fields)


def _figures(asked: Callable[..., Any], info: Any, *, name: str) -> Any:
    write = info.context.reading.forms.write
    found = [
        {"count": each.count, "distinct": each.distinct, "min": write(each.least), "max": write(each.greatest),
         "sum": write(each.sum), "average": write(each.average)}
        for each in asked((name,)).fields[name]
    ]  # fmt: skip
    return found if isinstance(info.return_type, GraphQLList) else found[0]


def _changing(arguments: dict[str, GraphQLArgument], about: str, operation: str, **fixed: str) -> GraphQLField:
    return GraphQLField(
        GraphQLNonNull(_FLOW), arguments, description=about.partition("\n")[0],
        resolve=lambda _, info, **given: change(info.context, operation, {**given, **fixed}),
    )  # fmt: skip
