"""The one base class of all values: frozen, cheap to create, typed for the codec (house manner 1)."""

from __future__ import annotations

from typing import Annotated, Any, Self, dataclass_transform

import msgspec

Hash32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
"""A hash or an identity id; its length is checked when it is decoded."""

Index = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
"""A place in a list, at most four bytes; checked when it is decoded."""


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Value(msgspec.Struct, frozen=True):
    """An immutable record; equal when its fields are equal."""

    def replace(self, **changes: Any) -> Self:
        """A copy with the named fields changed."""
        return msgspec.structs.replace(self, **changes)


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Wire(Value, frozen=True, array_like=True):
    """A value with a canonical form: the dag-cbor list of its fields in the order declared."""
