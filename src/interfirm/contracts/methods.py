"""Methods of built-in values that contract code may call, each paid for by the size of its work.

Left out is what depends on a version of Unicode or on a locale, and what formats text by template. Each function takes
the guards, the value, and the method's own arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from interfirm.base.errors import Refusal

if TYPE_CHECKING:
    from interfirm.contracts.guards import Guards

_BUILTIN = (str, bytes, int, list, tuple, dict, range)
_Method = Callable[..., Any]


def is_builtin(value: Any) -> bool:
    """Whether a value, or a class itself, has the attributes of a built-in type (an enum of texts has them too)."""
    return isinstance(value, _BUILTIN) or (isinstance(value, type) and issubclass(value, _BUILTIN))


def found(value: Any, name: str) -> _Method | None:
    """The allowed method of a built-in value, or None."""
    known = METHODS.get(type(value))
    if known is None:
        known = next((methods for kind, methods in METHODS.items() if isinstance(value, kind)), {})
    return known.get(name)


def _plain(name: str) -> _Method:
    """A method without arguments (so UTF-8, no other codec) whose work is bounded by the size of its value."""

    def method(guards: Guards, value: Any, /) -> Any:
        guards.pay(str, len(value))
        return getattr(value, name)()

    return method


def _short(name: str) -> _Method:
    """A method that takes no time to speak of."""

    def method(guards: Guards, value: Any, /, *arguments: Any, **named: Any) -> Any:
        return getattr(value, name)(*arguments, **named)

    return method


def _ascii(name: str) -> _Method:
    """A method that asks Unicode's tables; it is answered for ASCII texts only."""

    def method(guards: Guards, value: str, /) -> Any:
        if not value.isascii():
            raise Refusal("contract.text", "letters beyond ASCII differ between versions of Unicode", method=name)
        guards.pay(str, len(value))
        return getattr(value, name)()

    return method


def _seeking(name: str) -> _Method:
    """A method that finds one text in another."""

    def method(guards: Guards, value: Any, part: Any, /) -> Any:
        if isinstance(part, (str, bytes)):
            guards.sought(value, part)
        return getattr(value, name)(part)

    return method


def _searching(name: str) -> _Method:
    """A method that compares the items of a sequence with one."""

    def method(guards: Guards, value: Any, item: Any, /) -> Any:
        guards.searched(value, item)
        return getattr(value, name)(item)

    return method


def _trimming(name: str) -> _Method:
    """A method that takes given characters off the ends; which characters are blank depends on Unicode."""

    def method(guards: Guards, value: str, characters: str, /) -> str:
        guards.burn((len(value) * (1 + len(characters))) >> 6)
        trimmed: str = getattr(value, name)(characters)
        return trimmed

    return method


def _prefixed(name: str) -> _Method:
    """A method that compares one end of a text with a text, or with each of a tuple of texts."""

    def method(guards: Guards, value: Any, parts: Any, /) -> Any:
        guards.pay(str, len(value))
        if isinstance(parts, tuple):
            guards.burn(len(parts))
        return getattr(value, name)(parts)

    return method


def _divided(name: str) -> _Method:
    """split, rsplit, partition, rpartition, each at a separator that is given."""

    def method(guards: Guards, value: str, separator: str, /, *times: int) -> Any:
        guards.sought(value, separator)
        pieces = getattr(value, name)(separator, *times)
        guards.pay(str, len(value))
        guards.burn(len(pieces))
        return guards.fit(pieces)

    return method


def _joined(guards: Guards, value: Any, source: Any, /) -> Any:
    items = guards.drain(source)
    guards.pay(type(value), sum(map(len, items)) + len(value) * max(0, len(items) - 1))
    return value.join(items)


def _replaced(guards: Guards, value: str, old: str, new: str, count: int = -1, /) -> str:
    guards.sought(value, old)
    found_count = value.count(old)
    times = found_count if count < 0 else min(count, found_count)
    guards.pay(str, len(value) + max(0, len(new) - len(old)) * times)
    return value.replace(old, new, count)


def _filled(guards: Guards, value: str, width: int, /) -> str:
    guards.pay(str, max(len(value), width))
    return value.zfill(width)


def _to_bytes(guards: Guards, value: int, length: int, byteorder: Any, /, *, signed: bool = False) -> bytes:
    guards.pay(bytes, length)
    return value.to_bytes(length, byteorder, signed=signed)


def _extended(guards: Guards, value: list[Any], source: Any, /) -> None:
    guards.iadd(value, source)


def _appended(guards: Guards, value: list[Any], item: Any, /) -> None:
    guards.append(value, item)


def _inserted(guards: Guards, value: list[Any], place: int, item: Any, /) -> None:
    guards.burn(len(value) >> 6)
    value.insert(place, item)
    guards.fit(value)


def _popped(guards: Guards, value: list[Any], /, *place: int) -> Any:
    guards.burn(len(value) >> 6)
    return value.pop(*place)


def _copied(guards: Guards, value: Any, /) -> Any:
    return dict(guards.bitor(value, {})) if isinstance(value, dict) else guards.drain(value)


def _reversed(guards: Guards, value: list[Any], /) -> None:
    guards.pay(list, len(value))
    value.reverse()


def _got(guards: Guards, value: dict[Any, Any], key: Any, default: Any = None, /) -> Any:
    return value.get(guards.key(key, value), default)


def _taken(guards: Guards, value: dict[Any, Any], key: Any, /, *default: Any) -> Any:
    return _own(value).pop(guards.key(key, value), *default)


def _set_default(guards: Guards, value: dict[Any, Any], key: Any, default: Any = None, /) -> Any:
    if guards.key(key, _own(value)) not in value:
        guards.put(default, value, key)
    return value[key]


def _updated(guards: Guards, value: dict[Any, Any], source: Any = (), /, **named: Any) -> None:
    guards.ibitor(_own(value), guards.dict_(source, **named))


def _listed(name: str) -> _Method:
    """keys, values and items, as a tuple: a view would be a set to combine, whose order is not fixed."""

    def method(guards: Guards, value: dict[Any, Any], /) -> tuple[Any, ...]:
        guards.pay(dict if name == "items" else list, len(value))
        return tuple(getattr(value, name)())

    return method


def _own(value: dict[Any, Any]) -> dict[Any, Any]:
    if type(value) is not dict:
        raise Refusal("contract.mutable", "a constant of a module cannot change", kind="dict")
    return value


def _named(make: Callable[[str], _Method], *names: str) -> dict[str, _Method]:
    return {name: make(name) for name in names}


METHODS: Mapping[type, Mapping[str, _Method]] = {
    str: {
        **_named(_ascii, "isalnum", "isalpha", "isdigit", "islower", "isspace", "isupper", "lower", "upper"),
        **_named(_seeking, "count", "find", "index", "rfind", "rindex"),
        **_named(_divided, "partition", "rpartition", "rsplit", "split"),
        **_named(_trimming, "lstrip", "rstrip", "strip"),
        **_named(_prefixed, "endswith", "removeprefix", "removesuffix", "startswith"),
        **_named(_plain, "encode", "isascii"),
        "join": _joined,
        "replace": _replaced,
        "zfill": _filled,
    },
    bytes: {
        **_named(_seeking, "count", "find", "index"),
        **_named(_prefixed, "endswith", "removeprefix", "removesuffix", "startswith"),
        **_named(_plain, "decode", "hex"),
        "join": _joined,
    },
    int: {**_named(_short, "bit_length"), "to_bytes": _to_bytes},
    list: {
        **_named(_searching, "count", "index", "remove"),
        **_named(_short, "clear"),
        "append": _appended,
        "copy": _copied,
        "extend": _extended,
        "insert": _inserted,
        "pop": _popped,
        "reverse": _reversed,
    },
    tuple: _named(_searching, "count", "index"),
    dict: {
        **_named(_listed, "items", "keys", "values"),
        "copy": _copied,
        "get": _got,
        "pop": _taken,
        "setdefault": _set_default,
        "update": _updated,
    },
}
"""Kind of value -> name -> method; every name is among vocabulary.BUILTIN_ATTRIBUTES."""
