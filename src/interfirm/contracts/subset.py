"""The deterministic subset of Python that contract code is written in: what is not listed here is refused.

The grammar is an allow-list, read top down: text, module, class, function, statement (here), expression, type
(`expressions.py`). It leaves X or that could reach beyond the language (underscore names, imports, reflection). What
depends on values is judged at run time by `guards.py`. Clauses: docs/spec/contract-language.md, section 1.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Collection, Iterable

from interfirm.base.limits import LIMITS
from interfirm.contracts.expressions import Expressions
from interfirm.contracts.parsing import compile_tree, parse
from interfirm.contracts.vocabulary import is_docstring, is_simple, refuse

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_TEXT_TOKENS = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def check_source(source: str, *, module: str, imports_allowed: Collection[str]) -> ast.Module:
    """The syntax tree of contract source that keeps to the subset.

    `imports_allowed` are the modules it may import from. Raises Refusal `contract.subset` with `rule` (a key of RULES),
    `module`, `line`, `column` (from 1; the column counts UTF-8 bytes) and `found`.
    """
    _check_text(source, module)
    tree = _parsed(source, module)
    _check_size(tree, module)
    _Modules(module, imports_allowed, tree).check(tree)
    _check_compiles(tree, module)
    return tree


def _check_text(source: str, module: str) -> None:
    try:
        size = len(source.encode())
    except UnicodeEncodeError:
        refuse("text", module, found="a lone surrogate")
    if size > LIMITS.source_bytes_max:
        refuse("text", module, found=f"{size} bytes")
    control = _CONTROL.search(source)
    if control:
        line = source.count("\n", 0, control.start()) + 1
        refuse("text", module, line=line, found=f"U+{ord(control.group()):04X}")


def _parsed(source: str, module: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            # what one Python warns of (invalid escapes), another refuses
            warnings.simplefilter("error")
            tree = parse(source)
        if not source.isascii():
            _check_tokens(source, module)
    except (SyntaxError, ValueError, MemoryError, RecursionError, tokenize.TokenError) as error:
        # a parser that runs out of stack says so with MemoryError or RecursionError
        line = getattr(error, "lineno", None) or 1
        refuse("syntax", module, line=line, column=getattr(error, "offset", None) or 1, found=type(error).__name__)
    return tree


def _check_tokens(source: str, module: str) -> None:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _TEXT_TOKENS and not token.string.isascii():
            refuse("text", module, line=token.start[0], column=token.start[1] + 1, found=token.string)


def _check_size(tree: ast.Module, module: str) -> None:
    """Bound count and depth of nodes without recursion, so that every later pass may recurse."""
    count, depth, level = 0, 0, [tree] if tree.body else []
    while level:
        count, depth = count + len(level), depth + 1
        if count > LIMITS.source_nodes_count_max or depth > LIMITS.source_depth_max:
            refuse("size", module, line=getattr(level[0], "lineno", 1), found=f"{count} parts, {depth} deep")
        level = [child for node in level for child in ast.iter_child_nodes(node)]  # type: ignore[misc]  # any nodes


def _check_compiles(tree: ast.Module, module: str) -> None:
    try:
        with warnings.catch_warnings():
            # what compilers warn of differs between versions and changes no meaning
            warnings.simplefilter("ignore")
            compile_tree(tree, "<contract>")
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        refuse("syntax", module, line=getattr(error, "lineno", None) or 1, found=str(error))


def _bound_names(tree: ast.Module) -> set[str]:
    """Every name that is bound anywhere in the module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.MatchAs(name=str(name)):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=alias):
                found.add(alias or name)
    return found


class _Modules(Expressions):
    """The upper half of the grammar: one pass over one module."""

    def __init__(self, module: str, imports_allowed: Collection[str], tree: ast.Module) -> None:
        super().__init__(module, _bound_names(tree))
        self.imports_allowed = imports_allowed

    # module, class, function ----------------------------------------------------------------------------------------

    def check(self, tree: ast.Module) -> None:
        """A module: docstring, imports, constants, classes, functions."""
        body = [node for node in tree.body if not is_docstring(node)]
        if not body or not self.is_future(body[0]):
            self.refuse("future", body[0] if body else tree)
        for node in body[1:]:
            match node:
                case ast.ImportFrom():
                    self.imported(node)
                case ast.ClassDef():
                    self.class_definition(node)
                case ast.FunctionDef():
                    self.function(node)
                    if node.decorator_list:
                        self.refuse("decorator", node.decorator_list[0])
                case ast.Assign(targets=[ast.Name() as target]):
                    self.constant_definition(target, node.value)
                case ast.AnnAssign(target=ast.Name() as target, value=ast.expr()):
                    self.annotation(node.annotation)
                    self.constant_definition(target, node.value)
                case _:
                    self.refuse("statement", node)

    def is_future(self, node: ast.stmt) -> bool:
        """Whether this is the one import that postpones the evaluation of annotations."""
        return (
            isinstance(node, ast.ImportFrom)
            and node.module == "__future__"
            and [(a.name, a.asname) for a in node.names] == [("annotations", None)]
        )

    def constant_definition(self, target: ast.Name, value: ast.expr | None) -> None:
        """A constant of the module; what it holds is frozen when it is bound."""
        self.new_name(target.id, target)
        if value is not None:
            self.expression(value)

    def imported(self, node: ast.ImportFrom) -> None:
        """`from X import a, b` with X the language or a declared dependency."""
        if node.level or node.module not in self.imports_allowed:
            self.refuse("import", node, "." * node.level + (node.module or ""))
        for alias in node.names:
            if alias.name == "*":
                self.refuse("import", alias, "*")
            self.public_name(alias.name, alias)
            self.new_name(alias.asname or alias.name, alias)

    def class_definition(self, node: ast.ClassDef) -> None:
        """A class by its bases' names, with fields, constants and methods."""
        self.new_name(node.name, node)
        if node.decorator_list:
            self.refuse("decorator", node.decorator_list[0])
        if not node.bases or node.keywords or getattr(node, "type_params", None):
            self.refuse("class", node, node.name)
        for base in node.bases:
            if not isinstance(base, ast.Name):
                self.refuse("class", base)
            self.loaded_name(base)
        for part in node.body:
            self.class_part(part)

    def class_part(self, node: ast.stmt) -> None:
        """A field, a class constant, a method, a docstring or pass."""
        match node:
            case ast.AnnAssign(target=ast.Name() as target):
                self.member_name(target.id, target)
                self.annotation(node.annotation)
                if node.value is not None:
                    self.static(node.value)
            case ast.Assign(targets=[ast.Name() as target]):
                self.member_name(target.id, target)
                self.static(node.value)
            case ast.FunctionDef():
                self.member_name(node.name, node)
                self.decorators(node.decorator_list)
                self.function(node)
            case ast.Pass():
                pass
            case _ if is_docstring(node):
                pass
            case _:
                self.refuse("class", node)

    def decorators(self, nodes: list[ast.expr]) -> None:
        """At most one: choice(...) with static arguments, or property."""
        for node in nodes:
            match node:
                case ast.Name(id="property"):
                    pass
                case ast.Call(func=ast.Name(id="choice"), args=[]):
                    self.keywords(node.keywords)
                    for keyword in node.keywords:
                        self.static(keyword.value)
                case _:
                    self.refuse("decorator", node)
        if len(nodes) > 1:
            self.refuse("decorator", nodes[1])

    def function(self, node: ast.FunctionDef) -> None:
        """A function or method: plain and keyword-only parameters with static defaults, and a body."""
        self.new_name(node.name, node)
        arguments = node.args
        if arguments.posonlyargs or arguments.vararg or arguments.kwarg or getattr(node, "type_params", None):
            self.refuse("function", node, node.name)
        for argument in (*arguments.args, *arguments.kwonlyargs):
            self.new_name(argument.arg, argument)
            if argument.annotation is not None:
                self.annotation(argument.annotation)
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.static(default)
        if node.returns is not None:
            self.annotation(node.returns)
        self.suite(node.body)

    # statements -----------------------------------------------------------------------------------------------------

    def suite(self, nodes: Iterable[ast.stmt]) -> None:
        """The statements of a function."""
        for node in nodes:
            self.statement(node)

    def statement(self, node: ast.stmt) -> None:
        """One statement of a function."""
        match node:
            case ast.Pass() | ast.Break() | ast.Continue() | ast.Return(value=None):
                pass
            case ast.Expr(value=value):
                if not is_docstring(node):
                    self.expression(value)
            case ast.Return(value=ast.expr() as value):
                self.expression(value)
            case ast.Assign() | ast.AugAssign() | ast.AnnAssign():
                self.assignment(node)
            case ast.If():
                self.expression(node.test)
                self.suite((*node.body, *node.orelse))
            case ast.For():
                self.target(node.target)
                self.expression(node.iter, consumed=True)
                self.suite((*node.body, *node.orelse))
            case ast.Match():
                self.matched(node)
            case ast.FunctionDef():
                self.refuse("function", node, node.name)
            case _:
                self.refuse("statement", node)

    def assignment(self, node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> None:
        """To a name, a tuple of names, or one item; an item that is read and written is named simply."""
        if isinstance(node, ast.AnnAssign):
            self.annotation(node.annotation)
            if not isinstance(node.target, ast.Name):
                self.refuse("target", node.target)
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Subscript) and len(targets) == 1:
                self.item(target, simple=isinstance(node, ast.AugAssign))
            else:
                self.target(target)
        if isinstance(node, ast.AugAssign):
            self.operator(node.op, node)
        if node.value is not None:
            self.expression(node.value)

    def item(self, node: ast.Subscript, *, simple: bool) -> None:
        """An item as a target."""
        if isinstance(node.slice, ast.Slice) or (simple and not (is_simple(node.value) and is_simple(node.slice))):
            self.refuse("target", node)
        self.expression(node.value)
        self.expression(node.slice)

    def matched(self, node: ast.Match) -> None:
        """A match statement of simple cases."""
        self.expression(node.subject)
        for case in node.cases:
            pattern = case.pattern
            for part in pattern.patterns if isinstance(pattern, ast.MatchOr) else [pattern]:
                self.pattern(part)
            if case.guard is not None:
                self.expression(case.guard)
            self.suite(case.body)

    def pattern(self, node: ast.pattern) -> None:
        """One alternative of a case."""
        match node:
            case ast.MatchSingleton() | ast.MatchAs(pattern=None, name=None):
                pass
            case ast.MatchAs(pattern=None, name=str(name)):
                self.new_name(name, node)
            case ast.MatchValue(value=ast.Constant() | ast.UnaryOp(operand=ast.Constant()) as value):
                self.static(value)
            case ast.MatchValue(value=ast.Attribute() as value):
                self.static(value)
            case ast.MatchClass(cls=ast.Name() as cls, patterns=[], kwd_patterns=[]):
                self.class_reference(cls)
            case _:
                self.refuse("pattern", node)
