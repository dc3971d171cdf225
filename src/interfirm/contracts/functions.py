"""What the instrumented source of a module calls: the guards, the built-in functions, constants and imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import FunctionType, GeneratorType, ModuleType, UnionType
from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.contracts.guards import Frozen, Guards, bounded, kind_of, refused_operation

_MISSING = object()
_TEXT = (str, bytes)
_TEXTUAL = (str, int, type(None))


class Functions(Guards):
    """The guards and built-in functions of one engine, paying into one meter."""

    __slots__ = ()

    def names(self, imports: Mapping[str, Any]) -> dict[str, Any]:
        """The names that the instrumented source of one module uses: `_fuel`, `_import`, `_type` and `_<guard>`."""
        found: dict[str, Any] = {
            "_" + name.rstrip("_"): getattr(self, name) for name in dir(self) if not name.startswith("_")
        }
        del found["_names"]
        return found | {"_fuel": self._fuel, "_import": _importer(imports), "_type": type}

    def text(self, *parts: Any) -> str:
        """The text of an f-string of many parts."""
        texts = [part if type(part) is str else self.str_(part) for part in parts]
        self.pay(str, sum(map(len, texts)))
        return "".join(texts)

    def part(self, value: Any) -> Any:
        """A field of an f-string."""
        return value if type(value) is str or type(value) is int else self.str_(value)

    def made(self, text: str) -> str:
        """The text of an f-string of few parts."""
        if len(text) > 15:
            self.pay(str, len(text))
        return text

    def str_(self, value: Any = "") -> str:
        """str(value) of texts, integers, None and values of the language that have a text of their own."""
        if isinstance(value, _TEXTUAL):
            return str(value)
        if not isinstance(value, msgspec.Struct) or type(value).__str__ is object.__str__:
            raise refused_operation("this value has no text", kind=kind_of(value))
        self.weigh(value)
        text = str(value)
        self.pay(str, len(text))
        return text

    def int_(self, value: Any = 0) -> int:
        """int(value) of integers, and of texts of ASCII digits with an optional sign in front."""
        if isinstance(value, int):
            return int(value)
        if not isinstance(value, str):
            raise refused_operation("this value is no integer", kind=kind_of(value))
        digits = value[1:] if value[:1] == "-" else value
        if not (digits.isascii() and digits.isdigit()) or len(digits) > LIMITS.integer_bits_max:
            raise ValueError("no integer")
        integer: int = bounded(int(value))
        return integer

    def bytes_(self, value: Any = b"") -> bytes:
        """bytes(value) of bytes, of sequences of integers, and so many zeros of an integer."""
        if isinstance(value, int):
            self.pay(bytes, value)
            return bytes(value)
        if not isinstance(value, (bytes, list, tuple, range)):
            raise refused_operation("this value is no bytes", kind=kind_of(value))
        return bytes(self.drain(value))

    def list_(self, source: Any = ()) -> list[Any]:
        """list(source)."""
        return self.drain(source)

    def tuple_(self, source: Any = ()) -> tuple[Any, ...]:
        """tuple(source)."""
        return tuple(self.drain(source))

    def star(self, source: Any) -> list[Any]:
        """The arguments that *source stands for."""
        return self.drain(source)

    def sum_(self, source: Any, /, start: Any = 0) -> Any:
        """sum(source, start)."""
        items = self.drain(source)
        self.burn(len(items))
        if isinstance(start, _TEXT):
            raise TypeError("texts are joined")
        if type(start) is int and all(type(item) is int for item in items):
            return bounded(sum(items, start))
        for item in items:
            start = self.add(start, item)
        return start

    def min_(self, *values: Any, key: Any = None, default: Any = _MISSING) -> Any:
        """min(values) or min(iterable), with key and default."""
        if key is None and len(values) == 2 and type(values[0]) is int and type(values[1]) is int:
            return min(values)
        return self._extreme(min, values, key, default)

    def max_(self, *values: Any, key: Any = None, default: Any = _MISSING) -> Any:
        """max(values) or max(iterable), with key and default."""
        if key is None and len(values) == 2 and type(values[0]) is int and type(values[1]) is int:
            return max(values)
        return self._extreme(max, values, key, default)

    def _extreme(self, choose: Callable[..., int], values: Sequence[Any], key: Any, default: Any) -> Any:
        if len(values) != 1 and default is not _MISSING:
            raise TypeError("a default goes with one iterable")
        items = self.drain(values[0]) if len(values) == 1 else values
        if not items and default is not _MISSING:
            return default
        keys = self._keys(items, key)
        return items[choose(range(len(items)), key=keys.__getitem__)]

    def sorted_(self, source: Any, /, *, key: Any = None, reverse: bool = False) -> list[Any]:
        """sorted(source) with key and reverse; stable."""
        items = self.drain(source)
        before = self._fuel.steps_left
        keys = self._keys(items, key)
        self.burn((len(items) + before - self._fuel.steps_left) * len(items).bit_length())
        if key is None:
            items.sort(reverse=reverse)
            return items
        order = sorted(range(len(items)), key=keys.__getitem__, reverse=reverse)
        return [items[place] for place in order]

    def _keys(self, items: Sequence[Any], key: Any) -> Sequence[Any]:
        """What items are compared by, each paid for."""
        keys = items if key is None else [key(item) for item in items]
        self.burn(len(keys))
        for one in keys:
            self.weigh(one)
        return keys

    def any_(self, source: Any) -> bool:
        """any(source); what a generator runs over is paid for by itself."""
        return any(source if type(source) is GeneratorType else self.drain(source))

    def all_(self, source: Any) -> bool:
        """all(source); what a generator runs over is paid for by itself."""
        return all(source if type(source) is GeneratorType else self.drain(source))

    def isinstance_(self, value: Any, classes: Any) -> bool:
        """isinstance(value, classes) with a class, a union, or a tuple of classes."""
        for one in classes if isinstance(classes, tuple) else (classes,):
            if not isinstance(one, (type, UnionType)):
                raise refused_operation("isinstance takes classes", kind=kind_of(one))
        return isinstance(value, classes)

    # constants --------------------------------------------------------------------------------------------------------

    def const(self, value: Any) -> Any:
        """A constant of a module: its value made unchangeable; Refusal `contract.mutable` for what would keep state."""
        self.weigh(value)
        return self._frozen(value)

    def _frozen(self, value: Any, *, held: bool = False) -> Any:
        """`value` with maps frozen; what a record holds cannot be replaced, so that nothing in it may change."""
        if isinstance(value, dict) and not held:
            self.burn(len(value))
            return Frozen({key: self._frozen(item) for key, item in value.items()})
        if type(value) is tuple:
            return tuple([self._frozen(item, held=held) for item in value])
        if isinstance(value, msgspec.Struct):
            for item in msgspec.structs.astuple(value):
                self._frozen(item, held=True)
            return value
        if isinstance(value, (str, bytes, int, Enum, range, type, FunctionType)) or value is None:
            return value
        raise _mutable(value)


def _importer(imports: Mapping[str, Any]) -> Callable[[str, str], Any]:
    def imported(module: str, name: str) -> Any:
        """The public name of an allowed module; never a module, and of a Python module only what it exports."""
        source = imports[module]
        if isinstance(source, ModuleType):
            source = {public: getattr(source, public) for public in getattr(source, "__all__", ())}
        if name not in source or isinstance(source[name], ModuleType):
            raise Refusal("contract.import", "the module has no such public name", module=module, name=name)
        return source[name]

    return imported


def _mutable(value: Any) -> Refusal:
    return Refusal("contract.mutable", "a constant of a module cannot change", kind=kind_of(value))
