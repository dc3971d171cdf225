"""The one base class of all values: frozen, cheap to create, typed for the codec (house manner 1)."""

from __future__ import annotations

from typing import Any, Self, dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Value(msgspec.Struct, frozen=True):
    """An immutable record; equal when its fields are equal."""

    def replace(self, **changes: Any) -> Self:
        """A copy with the named fields changed."""
        return msgspec.structs.replace(self, **changes)


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Wire(Value, frozen=True, array_like=True):
    """A value with a canonical form: the dag-cbor list of its fields in the order declared."""
