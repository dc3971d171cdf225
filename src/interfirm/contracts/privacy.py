"""Private fields must not decide who is bound, who sees, who confirms, what is claimed or what always holds.

A party that is not entitled to a private value must still come to the same answer, and an erased value must not change
one. So these methods, and every method of the class they call, may not touch a private field (02-ledger): refused when
the package is loaded. Whatever that check could miss, they run on a contract whose private fields are blank.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.hashing import HASH_BYTES
from interfirm.contracts.language import Private
from interfirm.contracts.parsing import parse

_DECIDING = ("signatories", "observers", "confirmers", "fallback", "claims", "ensure")
_BLANK: Private[Any] = Private(bytes(HASH_BYTES))


def blank(value: Any) -> Any:
    """A copy of a value in which every private field holds the same empty commitment."""
    if isinstance(value, Private):
        return _BLANK
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        return msgspec.structs.replace(value, **{name: blank(getattr(value, name)) for name in names})
    if isinstance(value, (tuple, list)):
        return type(value)(blank(item) for item in value)
    if isinstance(value, dict):
        return {name: blank(item) for name, item in value.items()}
    return value


def check_private_fields(source: str, private: Mapping[str, Collection[str]]) -> None:
    """Raise Refusal `contract.private` where a class lets a private field decide (template, method, field, line).

    `private` names the private fields of each class of the source, inherited ones included.
    """
    for node in parse(source).body:
        if isinstance(node, ast.ClassDef) and private.get(node.name):
            _check_class(node, set(private[node.name]))


def _check_class(cls: ast.ClassDef, private: set[str]) -> None:
    methods = {item.name: item for item in cls.body if isinstance(item, ast.FunctionDef)}
    waiting = [name for name in _DECIDING if name in methods]
    for method in methods.values():
        for name in _controllers_of(method):
            if name in private:
                raise _refusal(cls, method.name, name, method.lineno)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting.extend(_check_method(cls, methods[name], private, set(methods)))


def _check_method(cls: ast.ClassDef, method: ast.FunctionDef, private: set[str], methods: set[str]) -> list[str]:
    """Refuse a touch of a private field; return the methods of the same class that this one names."""
    own = method.args.args[0].arg if method.args.args else "self"
    named = []
    whole = {id(n) for n in ast.walk(method) if isinstance(n, ast.Name) and n.id == own}
    for node in ast.walk(method):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == own:
            whole.discard(id(node.value))
            if node.attr in private:
                raise _refusal(cls, method.name, node.attr, node.lineno)
            if node.attr in methods:
                named.append(node.attr)
    if whole:
        # handing `self` on would let the private field be read out of sight of this check
        raise _refusal(cls, method.name, own, method.lineno)
    return named


def _controllers_of(method: ast.FunctionDef) -> list[str]:
    found: list[str] = []
    for decorator in method.decorator_list:
        if isinstance(decorator, ast.Call):
            for keyword in decorator.keywords:
                if keyword.arg == "by":
                    found.extend(str(n.value) for n in ast.walk(keyword.value) if isinstance(n, ast.Constant))
    return found


def _refusal(cls: ast.ClassDef, method: str, field: str, line: int) -> Refusal:
    return Refusal(
        "contract.private",
        "a private field may not decide this",
        template=cls.name,
        method=method,
        field=field,
        line=line,
    )
