"""Fields that have no parts are shown as they are, which is most of what a list costs.

graphql-core makes for each field of each row what a resolver may want to know and checks what it gave; a field marked
here wants nothing and gives what its type shows. Whatever is out of the ordinary (nothing there, a fault) goes the long
way, so that answers and errors are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import GraphQLField, is_leaf_type
from graphql.execution import Executor
from graphql.type import get_nullable_type

LEAF = "leaf"


def shown_field(kind: Any, read: Callable[[Any], Any]) -> GraphQLField:
    """A field without arguments whose value `read` gives as JSON."""
    marked = {LEAF: read} if is_leaf_type(get_nullable_type(kind)) else {}
    return GraphQLField(kind, resolve=lambda source, _: read(source), extensions=marked)


class LeafExecutor(Executor[Any]):
    """graphql-core's executor with a short way for fields of `shown_field`."""

    def execute_field(
        self, parent_type: Any, source: Any, field_details_list: Any, path: Any, position_context: Any
    ) -> Any:
        """See graphql-core."""
        field = parent_type.fields.get(field_details_list[0].node.name.value)
        read = None if field is None else field.extensions.get(LEAF)
        if read is not None:
            try:
                value = read(source)
            except Exception:
                value = None  # asked again below, where what went wrong is told
            if value is not None:
                return value
        return super().execute_field(parent_type, source, field_details_list, path, position_context)
