"""The stream `_changes`: what contracts of every template do, as entries of the node's log of changes.

A template's own stream shows what comes; this one tells also what ends, by which choice, and what goes to another
notary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLString,
)

from interfirm.api.graphql.documents import DEFAULT_LIMIT
from interfirm.api.graphql.kinds import HEX, INSTANT, INTEGER, REF
from interfirm.api.graphql.reading import View, place_of
from interfirm.base.limits import LIMITS
from interfirm.node.changes import changes, last_number, shown_change

NAME = "_changes"
OPERATION = "changes.list"
"""The operation that somebody must be allowed to ask for."""
_NAMED = {"ref": GraphQLField(GraphQLNonNull(REF)), "template": GraphQLField(GraphQLNonNull(GraphQLString))}
_MADE = GraphQLObjectType("MadeContract", _NAMED)
_ENDED = GraphQLObjectType("EndedContract", {
    **_NAMED, "choice": GraphQLField(GraphQLNonNull(GraphQLString), description="The choice that ended it."),
})  # fmt: skip
_MOVED = GraphQLObjectType("MovedContract", {
    **_NAMED, "arrived": GraphQLField(GraphQLNonNull(REF), description="Its ref at the notary `to`."),
    "from": GraphQLField(GraphQLNonNull(GraphQLString)), "to": GraphQLField(GraphQLNonNull(GraphQLString)),
})  # fmt: skip


def _every(kind: GraphQLObjectType) -> GraphQLField:
    return GraphQLField(GraphQLNonNull(GraphQLList(GraphQLNonNull(kind))))


_CHANGE = GraphQLObjectType("Change", {
    "number": GraphQLField(GraphQLNonNull(INTEGER)), "at": GraphQLField(GraphQLNonNull(INSTANT)),
    "transaction": GraphQLField(GraphQLNonNull(HEX)), "made": _every(_MADE), "ended": _every(_ENDED),
    "moved": _every(_MOVED),
}, description="What a transaction made and ended, or a move moved, of what the caller may read.")  # fmt: skip
_BATCH = GraphQLObjectType("ChangeBatch", {
    "cursor": GraphQLField(GraphQLNonNull(GraphQLString), description="Where to go on with `after`."),
    "rows": _every(_CHANGE),
})  # fmt: skip


def changes_field() -> GraphQLField:
    """The field of the stream."""
    return GraphQLField(
        GraphQLNonNull(_BATCH), {
            "after": GraphQLArgument(GraphQLString, description="The cursor of the last batch; otherwise from now on."),
            "batch_size": GraphQLArgument(GraphQLInt, DEFAULT_LIMIT),
            "templates": GraphQLArgument(GraphQLList(GraphQLNonNull(GraphQLString)), description="`folder.Name`; all."),
        },
        description="What contracts do: made, ended by which choice, gone to another notary.",
        extensions={"template": ""}, resolve=lambda _, info, **given: _batch(info.context, **given),
    )  # fmt: skip


def _batch(
    view: View, *, after: str | None = None, batch_size: int = DEFAULT_LIMIT, templates: Sequence[str] | None = None
) -> dict[str, Any]:
    view.reading.permission.check_operation(OPERATION)
    size = max(1, min(batch_size, LIMITS.changes_page_count_max))
    if view.cursor is None:
        view.cursor = last_number(view.turn) if after is None else place_of(after)
    found = changes(view.turn, after=view.cursor, limit=size)
    shown = [each for change in found if (each := shown_change(view.reading, view.turn, change)) is not None]
    rows = [each for change in shown if (each := _about(change, templates)) is not None]
    view.cursor, view.arrived = (found[-1].number if found else view.cursor), len(rows)
    view.full = len(found) == size
    return {"cursor": str(view.cursor), "rows": rows}


def _about(change: dict[str, Any], templates: Sequence[str] | None) -> dict[str, Any] | None:
    """A change as far as it is about contracts of these templates; None where it is about none."""
    if templates is None:
        return change
    kept = {
        name: [each for each in change[name] if each["template"] in templates] for name in ("made", "ended", "moved")
    }
    return {**change, **kept} if any(kept.values()) else None
