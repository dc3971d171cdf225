"""Expressions, types and names of the deterministic subset."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from typing import NoReturn

from interfirm.base.limits import LIMITS
from interfirm.contracts.vocabulary import (
    BUILTINS,
    CONSUMERS,
    ITERATORS,
    KEYED,
    REFUSED_ATTRIBUTES,
    TYPES,
    is_simple,
    is_text,
    refuse,
)

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.Pow, ast.LShift, ast.RShift, ast.BitOr, ast.BitAnd,
    ast.BitXor,
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z|_\Z")


class Expressions:
    """The lower half of the grammar; every method returns when its part is in the subset and raises otherwise."""

    def __init__(self, module: str, names: Collection[str]) -> None:
        self.module = module
        self.names = names

    def refuse(self, rule: str, node: ast.AST, found: str | None = None) -> NoReturn:
        """Refuse `node` by `rule`; patterns, aliases and arguments have positions as statements have."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        refuse(rule, self.module, line=line, column=column, found=found or type(node).__name__)

    def expression(self, node: ast.expr, *, consumed: bool = False) -> None:
        """One expression; `consumed` where a lazy iterator is used up on the spot."""
        match node:
            case ast.Constant():
                self.constant(node)
            case ast.Name():
                self.loaded_name(node)
            case ast.Attribute():
                self.attribute(node.attr, node)
                self.expression(node.value)
            case ast.Call():
                self.call(node, consumed=consumed)
            case ast.BinOp():
                self.operator(node.op, node)
                self.expressions(node.left, node.right)
            case ast.UnaryOp():
                self.expression(node.operand)
            case ast.BoolOp():
                self.expressions(*node.values)
            case ast.IfExp():
                self.expressions(node.test, node.body, node.orelse)
            case ast.Compare():
                self.comparison(node)
            case ast.Subscript():
                self.subscript(node)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                self.expressions(*(part.value if isinstance(part, ast.Starred) else part for part in parts))
            case ast.Dict():
                self.expressions(*(key for key in node.keys if key is not None), *node.values)
            case ast.ListComp():
                self.comprehension(node.generators, node.elt)
            case ast.DictComp():
                self.comprehension(node.generators, node.key, node.value)
            case ast.GeneratorExp() if consumed:
                self.comprehension(node.generators, node.elt)
            case ast.JoinedStr():
                self.text(node)
            case ast.GeneratorExp():
                self.refuse("iterator", node)
            case ast.Lambda():
                self.refuse("lambda", node)
            case _:
                self.refuse("expression", node)

    def expressions(self, *nodes: ast.expr) -> None:
        """Several expressions."""
        for node in nodes:
            self.expression(node)

    def constant(self, node: ast.Constant) -> None:
        """A text, bytes, bool, None, or an integer within the limit."""
        value = node.value
        if isinstance(value, (float, complex)):
            self.refuse("float", node, type(value).__name__)
        if value is Ellipsis or (isinstance(value, int) and value.bit_length() > LIMITS.integer_bits_max):
            self.refuse("constant", node)

    def operator(self, operator: ast.operator, node: ast.AST) -> None:
        """An arithmetic operator that keeps to integers."""
        if isinstance(operator, ast.Div):
            self.refuse("float", node, "/")
        if not isinstance(operator, _OPERATORS):
            self.refuse("expression", node, type(operator).__name__)

    def comparison(self, node: ast.Compare) -> None:
        """Comparisons by value; identity only with None."""
        for operator, right in zip(node.ops, node.comparators, strict=True):
            none = isinstance(right, ast.Constant) and right.value is None
            if isinstance(operator, (ast.Is, ast.IsNot)) and not none:
                self.refuse("comparison", node, type(operator).__name__)
        self.expressions(node.left, *node.comparators)

    def subscript(self, node: ast.Subscript) -> None:
        """An item or a slice."""
        self.expression(node.value)
        if isinstance(node.slice, ast.Slice):
            parts = (node.slice.lower, node.slice.upper, node.slice.step)
            self.expressions(*(part for part in parts if part is not None))
        else:
            self.expression(node.slice)

    def comprehension(self, generators: list[ast.comprehension], *elements: ast.expr) -> None:
        """Clauses and elements of a comprehension."""
        for generator in generators:
            if generator.is_async:
                self.refuse("expression", generator.iter, "async")
            self.target(generator.target)
            self.expression(generator.iter, consumed=True)
            self.expressions(*generator.ifs)
        self.expressions(*elements)

    def target(self, node: ast.expr) -> None:
        """A name or a tuple of names."""
        match node:
            case ast.Name():
                self.new_name(node.id, node)
            case ast.Tuple(elts=parts):
                for part in parts:
                    self.target(part)
            case _:
                self.refuse("target", node)

    def text(self, node: ast.JoinedStr) -> None:
        """An f-string whose fields read the same in every version of Python."""
        for part in node.values:
            match part:
                case ast.Constant():
                    pass
                case ast.FormattedValue(conversion=-1, format_spec=None, value=value):
                    for inner in ast.walk(value):
                        if isinstance(inner, (ast.JoinedStr, ast.Lambda)) or is_text(inner):
                            self.refuse("f-string", node)
                    self.expression(value)
                case _:
                    self.refuse("f-string", node)

    def call(self, node: ast.Call, *, consumed: bool) -> None:
        """A call; which arguments may be lazy iterators depends on what is called."""
        builtin = node.func.id if isinstance(node.func, ast.Name) and node.func.id in BUILTINS else None
        if builtin is None:
            self.expression(node.func)
        elif builtin in ITERATORS and not consumed:
            self.refuse("iterator", node, builtin)
        if sum(isinstance(argument, ast.Starred) for argument in node.args) > 1:
            self.refuse("call", node, "*")
        for position, argument in enumerate(node.args):
            if isinstance(argument, ast.Starred):
                self.expression(argument.value)
            elif builtin == "isinstance" and position == 1:
                self.class_reference(argument)
            else:
                self.expression(argument, consumed=_consumes(node, builtin, position))
        self.keywords(node.keywords)
        for keyword in node.keywords:
            if builtin in KEYED and keyword.arg == "key" and isinstance(keyword.value, ast.Lambda):
                self.key_function(keyword.value)
            else:
                self.expression(keyword.value)

    def keywords(self, nodes: list[ast.keyword]) -> None:
        """Arguments by public name."""
        for keyword in nodes:
            if keyword.arg is None:
                self.refuse("call", keyword.value, "**")
            self.public_name(keyword.arg, keyword.value)

    def key_function(self, node: ast.Lambda) -> None:
        """A lambda with plain parameters."""
        arguments = node.args
        if arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg or arguments.kwarg or arguments.defaults:
            self.refuse("lambda", node)
        for argument in arguments.args:
            self.new_name(argument.arg, argument)
        self.expression(node.body)

    def static(self, node: ast.expr) -> None:
        """A literal, a name, an attribute path, or a tuple of these: nothing that runs or that can change."""
        match node:
            case ast.Constant():
                self.constant(node)
            case ast.Name():
                self.loaded_name(node)
            case ast.Attribute() if is_simple(node):
                self.expression(node)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as operand):
                self.constant(operand)
            case ast.Tuple(elts=parts):
                for part in parts:
                    self.static(part)
            case _:
                self.refuse("static", node)

    # types and names ------------------------------------------------------------------------------------------------

    def annotation(self, node: ast.expr) -> None:
        """A type: it is evaluated outside the meter, so nothing in it may run contract code."""
        match node:
            case ast.Name():
                if node.id not in TYPES:
                    self.loaded_name(node)
            case ast.Constant(value=None):
                pass
            case ast.Constant(value=str(name)) if _NAME.match(name):
                if name not in self.names:
                    self.refuse("annotation", node, name)
            case ast.BinOp(op=ast.BitOr()):
                self.annotation(node.left)
                self.annotation(node.right)
            case ast.Subscript(value=ast.Name() as generic):
                self.annotation(generic)
                parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                for part in parts:
                    if not (isinstance(part, ast.Constant) and part.value is Ellipsis):
                        self.annotation(part)
            case _:
                self.refuse("annotation", node)

    def class_reference(self, node: ast.expr) -> None:
        """A class or several, for isinstance or a pattern; that the names mean classes is checked at run time."""
        match node:
            case ast.Name():
                if node.id not in TYPES:
                    self.loaded_name(node)
            case ast.Constant(value=None):
                pass
            case ast.Tuple(elts=parts):
                for part in parts:
                    self.class_reference(part)
            case ast.BinOp(op=ast.BitOr()):
                self.class_reference(node.left)
                self.class_reference(node.right)
            case _:
                self.refuse("builtin", node, "isinstance")

    def loaded_name(self, node: ast.Name) -> None:
        """A name that is read: defined or imported in this module."""
        self.public_name(node.id, node)
        if node.id in BUILTINS:
            self.refuse("builtin", node, node.id)
        if node.id not in self.names:
            self.refuse("name", node, node.id)

    def new_name(self, name: str, node: ast.AST) -> None:
        """A name that is bound: public, and not one of the built-in names."""
        self.public_name(name, node)
        if name in BUILTINS or name == "property":
            self.refuse("builtin", node, name)

    def member_name(self, name: str, node: ast.AST) -> None:
        """A name of a field, class constant or method."""
        self.new_name(name, node)
        self.attribute(name, node)

    def attribute(self, name: str, node: ast.AST) -> None:
        """An attribute that does not lead out of the language."""
        self.public_name(name, node)
        if name in REFUSED_ATTRIBUTES:
            self.refuse("attribute", node, name)

    def public_name(self, name: str, node: ast.AST) -> None:
        """A name in ASCII without leading underscore, or the single underscore for what is not used."""
        if not _NAME.match(name):
            self.refuse("name", node, name)


def _consumes(node: ast.Call, builtin: str | None, position: int) -> bool:
    """Whether the called function surely uses up a lazy iterator in this position and never hands it on."""
    if builtin is None:
        # a text literal has no `join` but its own; on a name it could be a method of the author's
        return isinstance(node.func, ast.Attribute) and node.func.attr == "join" and is_text(node.func.value)
    if builtin in {"max", "min"}:
        return len(node.args) == 1
    return builtin in CONSUMERS and (position == 0 or builtin == "zip")
