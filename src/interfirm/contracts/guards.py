"""Guards: the operations of contract code whose cost or result depends on their values.

The instrumented source calls a guard instead of an operator or a built-in function wherever the result could be large,
the work could be long, or the meaning could differ between machines. A guard bounds the result by LIMITS, pays fuel by
its size (clauses 3.*), keeps the short case fast, and otherwise means what plain Python means.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, EnumMeta
from itertools import islice
from typing import Any, Protocol

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.contracts import methods

_INTEGER_END = 1 << LIMITS.integer_bits_max
_INTEGER_BEFORE = -_INTEGER_END
_KEY_END = 1 << 60
"""Integers below hash to themselves; larger ones could be chosen to collide."""
_MISSING = object()
_SMALL = frozenset({int, bool, type(None)})
_TEXT = (str, bytes)
_SEQUENCES = (str, bytes, list, tuple)
_PLACED = frozenset({str, bytes, list, tuple})
_COLLECTIONS = (str, bytes, list, tuple, dict, range)


class Fuel(Protocol):
    """What guards need of the meter."""

    steps_left: int

    def burn(self, steps: int) -> None:
        """Pay, or raise Refusal `contract.fuel`."""


class Frozen(dict[Any, Any]):
    """A map that is a constant of a module: no guard changes it."""


def refused_operation(message: str, **values: Any) -> Refusal:
    """The refusal of an operation that plain Python has and contract code does not."""
    return Refusal("contract.operation", message, **values)


class Guards:
    """Operators, comparisons, items and methods, paying into one meter."""

    __slots__ = ("_fuel", "burn")

    def __init__(self, fuel: Fuel) -> None:
        self._fuel = fuel
        self.burn = fuel.burn

    # paying -----------------------------------------------------------------------------------------------------------

    def pay(self, kind: type, size: int) -> None:
        """Pay for a new text, sequence or map of `size`; Refusal `contract.size` beyond its limit."""
        if issubclass(kind, _TEXT):
            if size > 15:
                _check_size("text", size, LIMITS.text_chars_max)
                self.burn(size >> 4)
        elif size > 3 or issubclass(kind, dict):
            _check_size("items", size, LIMITS.items_count_max)
            self.burn(size if issubclass(kind, dict) else size >> 2)

    def weigh(self, value: Any, depth: int = 0) -> None:
        """Pay for every part of a value, however often it is shared; Refusal `contract.depth` if too deep."""
        kind = type(value)
        if kind in _SMALL:
            return
        if isinstance(value, _TEXT):
            if len(value) > 255:
                self.burn(len(value) >> 8)
            return
        parts: Sequence[Any]
        if isinstance(value, (tuple, list)):
            parts = value
        elif isinstance(value, msgspec.Struct):
            parts = msgspec.structs.astuple(value)
        elif isinstance(value, dict):
            parts = (*value.keys(), *value.values())
        else:
            return
        if depth >= LIMITS.depth_max:
            raise Refusal("contract.depth", "a value is nested too deeply", depth_max=LIMITS.depth_max)
        self.burn(4 + len(parts))
        for part in parts:
            if type(part) not in _SMALL and not (isinstance(part, _TEXT) and len(part) < 256):
                self.weigh(part, depth + 1)

    def tick(self, steps: int) -> bool:
        """Pay for one call of a key function."""
        self.burn(steps)
        return True

    def fit(self, made: Any) -> Any:
        """What a comprehension made, if it is not too large."""
        _check_size("items", len(made), LIMITS.items_count_max)
        return made

    def drain(self, source: Any) -> list[Any]:
        """The items of an iterable as a new list; those of a list or tuple are there already and cost less."""
        if isinstance(source, _COLLECTIONS):
            self.pay(list if isinstance(source, (list, tuple)) else dict, _length(source))
            return list(source)
        items = list(islice(source, LIMITS.items_count_max + 1))
        self.pay(dict, len(items))
        return items

    def each(self, source: Any, steps: int) -> Any:
        """What a comprehension runs over, paid for in advance; a list as it is now, for the clause may change it."""
        if not isinstance(source, _COLLECTIONS):
            source = self.drain(source)
        self.burn(_length(source) * steps)
        return source[:] if type(source) is list else source

    # arithmetic -------------------------------------------------------------------------------------------------------

    def add(self, one: Any, other: Any) -> Any:
        """one + other."""
        if type(one) is int and type(other) is int:
            result = one + other
            return result if _INTEGER_BEFORE < result < _INTEGER_END else bounded(result)
        if isinstance(one, _SEQUENCES) and isinstance(other, _SEQUENCES):
            self.pay(type(one), len(one) + len(other))
        return bounded(one + other)

    def sub(self, one: Any, other: Any) -> Any:
        """one - other."""
        result = one - other
        return result if type(result) is int and _INTEGER_BEFORE < result < _INTEGER_END else bounded(result)

    def mul(self, one: Any, other: Any) -> Any:
        """one * other."""
        if type(one) is int and type(other) is int:
            result = one * other
            return result if _INTEGER_BEFORE < result < _INTEGER_END else bounded(result)
        for sequence, times in ((one, other), (other, one)):
            if isinstance(sequence, _SEQUENCES) and isinstance(times, int):
                self.pay(type(sequence), len(sequence) * max(times, 0))
        return bounded(one * other)

    def pow(self, one: Any, other: Any) -> Any:
        """one ** other, of integers."""
        _check_integers("**", one, other)
        if other < 0:
            raise refused_operation("a negative exponent gives a float", exponent=other)
        if (one.bit_length() - 1) * other > LIMITS.integer_bits_max:
            raise _too_large()
        return bounded(one**other)

    def lshift(self, one: Any, other: Any) -> Any:
        """one << other, of integers."""
        _check_integers("<<", one, other)
        if one and other > LIMITS.integer_bits_max:
            raise _too_large()
        return bounded(one << other) if one else 0

    def mod(self, one: Any, other: Any) -> Any:
        """one % other, which formats no text."""
        if isinstance(one, _TEXT):
            raise refused_operation("a text is not formatted with %")
        return one % other

    def bitor(self, one: Any, other: Any) -> Any:
        """one | other, of integers, maps or types."""
        if isinstance(one, dict) and isinstance(other, dict):
            made = dict(one)
            return self.ibitor(made, other)
        return one | other

    def iadd(self, one: Any, other: Any) -> Any:
        """one += other: a list is extended in place."""
        if type(one) is not list:
            return self.add(one, other)
        items = self.drain(other)
        _check_size("items", len(one) + len(items), LIMITS.items_count_max)
        one.extend(items)
        return one

    def imul(self, one: Any, other: Any) -> Any:
        """one *= other: a list is repeated in place."""
        if type(one) is not list:
            return self.mul(one, other)
        _check_integers("*", other)
        self.pay(list, len(one) * max(other, 0))
        one *= other
        return one

    def ibitor(self, one: Any, other: Any) -> Any:
        """one |= other: a map is extended in place."""
        if type(one) is dict and isinstance(other, dict):
            self.pay(dict, len(one) + len(other))
            one.update(other)
            return self.fit(one)
        if isinstance(one, dict):
            raise refused_operation("only a map of its own is extended in place, by a map", kind=type(other).__name__)
        return self.bitor(one, other)

    # comparison -------------------------------------------------------------------------------------------------------

    def compared(self, one: Any, other: Any) -> None:
        """Pay for comparing two values; the smaller one bounds the work."""
        if isinstance(one, _TEXT):
            if isinstance(other, _TEXT):
                self.burn(min(len(one), len(other)) >> 8)
        elif type(other) not in _SMALL:
            self.weigh(one)

    def eq(self, one: Any, other: Any) -> Any:
        """one == other."""
        if type(one) not in _SMALL and not (isinstance(one, str) and len(one) < 256):
            self.compared(one, other)
        return one == other

    def ne(self, one: Any, other: Any) -> Any:
        """one != other."""
        if type(one) not in _SMALL and not (isinstance(one, str) and len(one) < 256):
            self.compared(one, other)
        return one != other

    def lt(self, one: Any, other: Any) -> Any:
        """one < other."""
        if type(one) not in _SMALL and not (isinstance(one, str) and len(one) < 256):
            self.compared(one, other)
        return one < other

    def le(self, one: Any, other: Any) -> Any:
        """one <= other."""
        if type(one) not in _SMALL and not (isinstance(one, str) and len(one) < 256):
            self.compared(one, other)
        return one <= other

    def gt(self, one: Any, other: Any) -> Any:
        """one > other."""
        if type(one) not in _SMALL and not (isinstance(one, str) and len(one) < 256):
            self.compared(one, other)
        return one > other

    def ge(self, one: Any, other: Any) -> Any:
        """one >= other."""
        if type(one) not in _SMALL and not (isinstance(one, str) and len(one) < 256):
            self.compared(one, other)
        return one >= other

    def contains(self, item: Any, collection: Any) -> bool:
        """item in collection."""
        if isinstance(collection, dict):
            return self.key(item, collection) in collection
        if isinstance(collection, (list, tuple)):
            self.searched(collection, item)
        elif isinstance(collection, _TEXT):
            self.sought(collection, item if isinstance(item, _TEXT) else b"")
        elif isinstance(collection, range):
            return isinstance(item, int) and item in collection
        else:
            raise refused_operation("`in` asks texts, sequences, maps and ranges", kind=type(collection).__name__)
        return item in collection

    def searched(self, sequence: Any, item: Any) -> None:
        """Pay for comparing every item of a sequence with one."""
        before = self._fuel.steps_left
        self.weigh(item)
        self.burn(len(sequence) * (1 + before - self._fuel.steps_left))

    def sought(self, text: Any, part: Any) -> None:
        """Pay for finding one text in another."""
        if len(text) > 15:
            self.burn((len(text) >> 4) * (1 + (len(part) >> 3)))

    # items ------------------------------------------------------------------------------------------------------------

    def key(self, key: Any, collection: Any = ()) -> Any:
        """A key that may be hashed: texts, integers, None, enums, and records and tuples of these.

        Where an author could choose keys whose hashes collide, each use pays for the collisions.
        """
        kind = type(key)
        if kind is bool or key is None or (kind is int and -_KEY_END < key < _KEY_END):
            return key
        if isinstance(key, (str, bytes, Enum)):
            self.weigh(key)
            return key
        if not isinstance(key, (int, tuple, msgspec.Struct)):
            raise refused_operation("this is no key of a map", kind=kind.__name__)
        self.weigh(key)
        self.burn(1 + (len(collection) >> 3))
        return key

    def item(self, collection: Any, key: Any) -> Any:
        """collection[key]."""
        if type(key) is int and type(collection) in _PLACED:
            return collection[key]
        if isinstance(collection, dict):
            return collection[key if type(key) is str and len(key) < 256 else self.key(key, collection)]
        if isinstance(collection, type) and not isinstance(collection, EnumMeta):
            raise refused_operation("a class has no items", kind=collection.__name__)
        return collection[key]

    def put(self, value: Any, collection: Any, key: Any) -> None:
        """collection[key] = value."""
        if type(collection) is dict:
            collection[key if type(key) is str and len(key) < 256 else self.key(key, collection)] = value
            if len(collection) > LIMITS.items_count_max:
                raise _too_many("items", len(collection), LIMITS.items_count_max)
        elif type(collection) is list and isinstance(key, int):
            collection[key] = value
        else:
            raise refused_operation("only a list or map of its own is changed", kind=type(collection).__name__)

    def slice(self, sequence: Any, lower: Any, upper: Any, step: Any) -> Any:
        """sequence[lower:upper:step]."""
        if not isinstance(sequence, (*_SEQUENCES, range)):
            raise refused_operation("only texts, sequences and ranges are sliced", kind=type(sequence).__name__)
        part = sequence[lower:upper:step]
        if not isinstance(part, range):
            self.pay(type(part), len(part))
        return part

    def pairs(self, pairs: Iterable[Any]) -> dict[Any, Any]:
        """The map of (key, value) pairs."""
        made: dict[Any, Any] = {}
        for key, value in pairs:
            self.put(value, made, key)
        return made

    def dict_(self, source: Any = (), /, **named: Any) -> dict[Any, Any]:
        """dict(source, name=value...)."""
        made = self.bitor(source, {}) if isinstance(source, dict) else self.pairs(self.drain(source))
        return {**made, **named}

    # attributes and methods -------------------------------------------------------------------------------------------

    def attr(self, value: Any, name: str) -> Any:
        """value.name where built-in values have an attribute of this name, which contract code does not see."""
        if methods.is_builtin(value):
            raise refused_operation("this attribute is not part of the language", name=name, kind=kind_of(value))
        return getattr(value, name)

    def call(self, value: Any, name: str, *arguments: Any, **named: Any) -> Any:
        """value.name(...) where built-in values have a method of this name."""
        if isinstance(value, msgspec.Struct) or not methods.is_builtin(value):
            return getattr(value, name)(*arguments, **named)
        method = methods.found(value, name)
        if method is None:
            raise refused_operation("this method is not part of the language", name=name, kind=kind_of(value))
        return method(self, value, *arguments, **named)

    def append(self, value: Any, item: Any) -> Any:
        """value.append(item), short for lists."""
        if type(value) is not list:
            return self.call(value, "append", item)
        if len(value) >= LIMITS.items_count_max:
            raise _too_many("items", len(value) + 1, LIMITS.items_count_max)
        return value.append(item)

    def get(self, value: Any, key: Any, default: Any = _MISSING) -> Any:
        """value.get(key, default), short for maps with text keys."""
        if type(value) is dict and type(key) is str and len(key) < 256:
            return value.get(key, None if default is _MISSING else default)
        return self.call(value, "get", key) if default is _MISSING else self.call(value, "get", key, default)


def bounded(value: Any) -> Any:
    """An integer within the limit; any other value as it is."""
    if isinstance(value, int) and not _INTEGER_BEFORE < value < _INTEGER_END:
        raise _too_large()
    return value


def _too_large() -> Refusal:
    return Refusal("contract.size", "an integer is too large", of="integer", bits_max=LIMITS.integer_bits_max)


def _too_many(of: str, size: int, size_max: int) -> Refusal:
    return Refusal("contract.size", "a value is too large", of=of, size=size, size_max=size_max)


def _check_size(of: str, size: int, size_max: int) -> None:
    if size > size_max:
        raise _too_many(of, size, size_max)


def _check_integers(operator: str, *values: Any) -> None:
    for value in values:
        if not isinstance(value, int):
            raise refused_operation("the operator takes integers", operator=operator, kind=kind_of(value))


def _length(source: Any) -> int:
    if isinstance(source, range):
        # len() fails beyond the machine's word
        return max(0, -((source.start - source.stop) // source.step))
    return len(source)


def kind_of(value: Any) -> str:
    """The name of a value's type, for refusals."""
    return type(value).__name__
