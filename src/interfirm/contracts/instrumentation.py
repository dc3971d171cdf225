"""Writes fuel counters and guards into checked contract source.

The result is ordinary Python that any engine can run (`ast.unparse` gives its text; annotations are postponed by a flag
of the compiler): it depends on the source alone, so every engine counts the same steps. What it adds begins with an
underscore, which authors cannot write: `_fuel` (the meter), `_subject` (of a match), `_left`, `_middle` (of a chain)
and the guards of functions.py.

A *region* is what runs at most once when it is entered: a function's body, a loop's body, a comprehension's clause, a
key function, the module. Entering it pays one step for every part in it, branches not taken included (clause 3.2).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Sequence

from interfirm.contracts.parsing import parse
from interfirm.contracts.vocabulary import BUILTIN_ATTRIBUTES, TYPES, is_docstring, is_simple, is_text

_ARITHMETIC = {
    ast.Add: "_add", ast.Sub: "_sub", ast.Mult: "_mul", ast.Mod: "_mod", ast.Pow: "_pow", ast.LShift: "_lshift",
    ast.BitOr: "_bitor",
}  # fmt: skip
_IN_PLACE = {"_add": "_iadd", "_mul": "_imul", "_bitor": "_ibitor"}
_COMPARISONS = {
    ast.Eq: "_eq", ast.NotEq: "_ne", ast.Lt: "_lt", ast.LtE: "_le", ast.Gt: "_gt", ast.GtE: "_ge", ast.In: "_contains",
}  # fmt: skip
_FUNCTIONS = TYPES - {"bool"} | {"all", "any", "isinstance", "max", "min", "sorted", "sum"}
_LITERAL_END = 1 << 64
_PARTS_MAX = 16


def instrument(tree: ast.Module) -> ast.Module:
    """The module with fuel counters and guards; the tree is one that check_source returned, and is changed."""
    writer = _Writer()
    steps = cost(tree.body)
    docstrings = [node for node in tree.body if is_docstring(node)]
    # the first statement asks for postponed annotations; as it would run an import, the compiler is told instead
    _, *rest = [node for node in tree.body if not is_docstring(node)]
    written = [made for node in rest for made in writer.module_part(node)]
    tree.body = [*docstrings[:1], *_burn(steps), *written]
    return ast.fix_missing_locations(tree)


# the price of a region ------------------------------------------------------------------------------------------------


def cost(nodes: Iterable[ast.AST]) -> int:
    """One step for every statement, expression and pattern of a region; what is entered on its own is not in it.

    Nothing is paid for docstrings, annotations, decorators and the literal text of f-strings.
    """
    steps = 0
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt) and is_docstring(node):
            continue
        steps += isinstance(node, (ast.stmt, ast.expr, ast.pattern))
        waiting.extend(_inside(node))
    return steps


def _inside(node: ast.AST) -> Sequence[ast.AST]:
    """The children of a node that belong to its region."""
    match node:
        case ast.FunctionDef() | ast.ImportFrom() | ast.Lambda():
            return ()
        case ast.AnnAssign():
            return [node.target, node.value] if node.value is not None else [node.target]
        case ast.For():
            return (node.iter, *node.orelse)
        case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
            return (node.generators[0].iter,)
        case ast.JoinedStr():
            return [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
    return list(ast.iter_child_nodes(node))


# making source --------------------------------------------------------------------------------------------------------


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(_name(name), list(arguments), [])


def _assign(target: ast.expr, value: ast.expr, place: ast.AST) -> ast.Assign:
    return ast.copy_location(ast.Assign([target], value), place)


def _burn(steps: int) -> list[ast.stmt]:
    """Inline, because a call would cost as much as what it counts."""
    return parse(f"_fuel.steps_left -= {max(1, steps)}\nif _fuel.steps_left < 0: _fuel.out()").body


def _called(steps: int, body: list[ast.stmt]) -> list[ast.stmt]:
    """A function's body that counts its steps and how deeply it is called; refused calls are not entered."""
    entered = parse(
        f"_fuel.steps_left -= {max(1, steps)}\n"
        "if _fuel.steps_left < 0 or _fuel.calls_left < 1: _fuel.out()\n"
        "_fuel.calls_left -= 1\n"
        "try: pass\n"
        "finally: _fuel.calls_left += 1"
    ).body
    attempt = entered[-1]
    assert isinstance(attempt, ast.Try)
    attempt.body = body
    return entered


def _is_integer(node: ast.expr) -> bool:
    """Whether a literal integer is so small that adding it as often as fuel allows makes nothing large."""
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value < _LITERAL_END


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant)


def _guard_of(operator: ast.operator, left: ast.expr | None, right: ast.expr) -> str | None:
    """The guard of an arithmetic operation, or None where no value of its operands can do harm."""
    guard = _ARITHMETIC.get(type(operator))
    if guard in {"_add", "_sub", "_bitor"} and (_is_integer(right) or (left is not None and _is_integer(left))):
        return None
    if guard == "_mod" and left is not None and _is_number(left):
        return None
    return guard


def _is_number(node: ast.expr) -> bool:
    """Whether an expression surely gives no text, so that % formats nothing."""
    match node:
        case ast.Constant():
            return _is_integer(node)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Invert()):
            return True
        case ast.BinOp(op=ast.Sub() | ast.FloorDiv() | ast.Pow() | ast.LShift() | ast.RShift()):
            return True
        case ast.BinOp(op=ast.Add()):
            return _is_number(node.left) or _is_number(node.right)
        case ast.BinOp(op=ast.Mult() | ast.Mod()):
            return _is_number(node.left) and _is_number(node.right)
        case ast.Call(func=ast.Name(id="len" | "int")):
            return True
    return False


class _Writer(ast.NodeTransformer):
    """Rewrites expressions and statements; annotations, decorators and defaults stay as they are."""

    # module and class -------------------------------------------------------------------------------------------------

    def module_part(self, node: ast.stmt) -> list[ast.stmt]:
        """One statement of the module."""
        match node:
            case ast.ImportFrom(module=str(module)):
                names = [(alias.asname or alias.name, alias.name) for alias in node.names]
                return [
                    _assign(
                        ast.Name(own, ast.Store()), _call("_import", ast.Constant(module), ast.Constant(name)), node
                    )
                    for own, name in names
                ]
            case ast.Assign() | ast.AnnAssign(value=ast.expr()):
                assert node.value is not None
                node.value = _call("_const", self.visit(node.value))
            case ast.ClassDef():
                node.body = [self.visit(part) if isinstance(part, ast.FunctionDef) else part for part in node.body]
            case ast.FunctionDef():
                self.visit(node)
        return [node]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """A function counts at its entry."""
        docstring = node.body[:1] if is_docstring(node.body[0]) else []
        steps = cost(node.body)
        node.body = [*docstring, *_called(steps, self.suite(node.body))]
        return node

    def suite(self, nodes: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Statements, rewritten; never empty."""
        return [self.visit(node) for node in nodes if not is_docstring(node)] or [ast.Pass()]

    # statements -------------------------------------------------------------------------------------------------------

    def visit_If(self, node: ast.If) -> ast.If:
        """Both branches belong to the region around."""
        node.test = self.visit(node.test)
        node.body = self.suite(node.body)
        node.orelse = self.suite(node.orelse) if node.orelse else []
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        """A loop counts at each turn."""
        steps = cost([node.target, *node.body])
        node.iter = self.visit(node.iter)
        node.body = [*_burn(steps), *self.suite(node.body)]
        node.orelse = self.suite(node.orelse) if node.orelse else []
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        """To an item by a guard, value first as in plain Python."""
        target = node.targets[0]
        value = self.visit(node.value)
        if isinstance(target, ast.Subscript):
            return ast.Expr(_call("_put", value, self.visit(target.value), self.visit(target.slice)))
        node.value = value
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        """The annotation of a local name is not evaluated."""
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        """To a name or an item by a guard; a list or map is changed in place."""
        guard = _guard_of(node.op, None, node.value)
        value = self.visit(node.value)
        if isinstance(node.target, ast.Name):
            if guard is None:
                node.value = value
                return node
            result = _call(_IN_PLACE.get(guard, guard), _name(node.target.id), value)
            return _assign(node.target, result, node)
        assert isinstance(node.target, ast.Subscript)
        collection, key = self.visit(node.target.value), self.visit(node.target.slice)
        old = _call("_item", collection, key)
        result = _call(_IN_PLACE.get(guard, guard), old, value) if guard else ast.BinOp(old, node.op, value)  # type: ignore[assignment]  # either is an expression
        return ast.Expr(_call("_put", result, copy.deepcopy(collection), copy.deepcopy(key)))

    def visit_Match(self, node: ast.Match) -> ast.Match:
        """A case that compares with an attribute asks a guard, for what the attribute holds is not known here."""
        node.subject = self.visit(node.subject)
        for case in node.cases:
            condition = self.visit(case.guard) if case.guard is not None else None
            parts = case.pattern.patterns if isinstance(case.pattern, ast.MatchOr) else [case.pattern]
            if any(isinstance(part, ast.MatchValue) and isinstance(part.value, ast.Attribute) for part in parts):
                tests = [_tested(part) for part in parts]
                matched = ast.BoolOp(ast.Or(), tests) if len(tests) > 1 else tests[0]
                case.pattern = ast.MatchAs(None, "_subject")
                condition = matched if condition is None else ast.BoolOp(ast.And(), [matched, condition])
            case.guard = condition
            case.body = self.suite(case.body)
        return node

    # expressions ------------------------------------------------------------------------------------------------------

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Arithmetic that can grow, format or take long is a guard's."""
        guard = _guard_of(node.op, node.left, node.right)
        node.left, node.right = self.visit(node.left), self.visit(node.right)
        if guard == "_mod" and isinstance(node.left, ast.Name) and isinstance(node.right, (ast.Name, ast.Constant)):
            # worth its length: remainders are the heart of check digits
            test = ast.Compare(_call("_type", node.left), [ast.Is()], [_name("int")])
            return ast.IfExp(test, copy.deepcopy(node), _call(guard, node.left, node.right))
        return _call(guard, node.left, node.right) if guard else node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """Comparing with a constant stays; the rest is a guard's, a chain one link at a time."""
        operands = [node.left, *node.comparators]
        links = zip(node.ops, operands, operands[1:], strict=False)
        if all(_is_cheap(operator, left, right) for operator, left, right in links):
            return self.generic_visit(node)  # type: ignore[return-value]  # of an expression, an expression
        left, *rest = [self.visit(operand) for operand in operands]
        return _chain(left, node.ops, rest)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """An item by a literal stays; other items and slices are a guard's."""
        value = self.visit(node.value)
        if isinstance(node.slice, ast.Slice):
            parts = (node.slice.lower, node.slice.upper, node.slice.step)
            return _call("_slice", value, *(ast.Constant(None) if part is None else self.visit(part) for part in parts))
        if _is_constant(node.slice):
            node.value = value
            return node
        return _call("_item", value, self.visit(node.slice))

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Names that built-in values have too are a guard's."""
        node.value = self.visit(node.value)
        return _call("_attr", node.value, ast.Constant(node.attr)) if node.attr in BUILTIN_ATTRIBUTES else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Built-in functions and methods with the names of built-in methods are a guard's."""
        arguments = [self.argument(argument) for argument in node.args]
        node.args = arguments
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        match node.func:
            case ast.Name(id=name) if name in _FUNCTIONS:
                node.func = _name("_" + name)
            case ast.Attribute(attr="append" | "get" as name, value=value) if _is_short(node):
                return _call("_" + name, self.visit(value), *arguments)
            case ast.Attribute(attr=name, value=value) if name in BUILTIN_ATTRIBUTES:
                node.func = _name("_call")
                node.args = [self.visit(value), ast.Constant(name), *arguments]
            case ast.Name():
                pass
            case _:
                node.func = self.visit(node.func)
        return node

    def argument(self, node: ast.expr) -> ast.expr:
        """A positional argument."""
        if isinstance(node, ast.Starred):
            return ast.Starred(_call("_star", self.visit(node.value)), ast.Load())
        visited: ast.expr = self.visit(node)
        return visited

    def visit_List(self, node: ast.List) -> ast.expr:
        """A list is put together piece by piece where it takes over the items of another."""
        if not any(isinstance(part, ast.Starred) for part in node.elts):
            return self.generic_visit(node)  # type: ignore[return-value]  # of an expression, an expression
        made: ast.expr = ast.List([], ast.Load())
        for part in node.elts:
            starred = isinstance(part, ast.Starred)
            piece = self.visit(part.value) if isinstance(part, ast.Starred) else self.visit(part)
            made = _call("_iadd", made, piece if starred else ast.List([piece], ast.Load()))
        return made

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        """As a list."""
        if not any(isinstance(part, ast.Starred) for part in node.elts):
            return self.generic_visit(node)  # type: ignore[return-value]  # of an expression, an expression
        return _call("_tuple", self.visit(ast.List(node.elts, ast.Load())))

    def visit_Dict(self, node: ast.Dict) -> ast.expr:
        """A map's keys are a guard's; where it takes over the items of another it is put together piece by piece."""
        items = [(self.key(key), self.visit(value)) for key, value in zip(node.keys, node.values, strict=True)]
        if None not in node.keys:
            return ast.Dict([key for key, _ in items], [value for _, value in items])
        made: ast.expr = ast.Dict([], [])
        for key, value in items:
            made = _call("_ibitor", made, value if key is None else ast.Dict([key], [value]))
        return made

    def key(self, node: ast.expr | None) -> ast.expr | None:
        """The key of a map display."""
        if node is None or _is_constant(node):
            return node
        return _call("_key", self.visit(node))

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        """Paid for by clause, its size bounded."""
        self.clauses(node.generators, node.elt)
        node.elt = self.visit(node.elt)
        return _call("_fit", node)

    def visit_DictComp(self, node: ast.DictComp) -> ast.expr:
        """Made from pairs, so that each key is judged beside those that are there."""
        self.clauses(node.generators, node.key, node.value)
        pair = ast.Tuple([self.visit(node.key), self.visit(node.value)], ast.Load())
        return _call("_pairs", ast.ListComp(pair, node.generators))

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.expr:
        """Paid for by clause."""
        self.clauses(node.generators, node.elt)
        node.elt = self.visit(node.elt)
        return node

    def clauses(self, generators: list[ast.comprehension], *elements: ast.expr) -> None:
        """Each clause pays in advance for every item it runs over."""
        for place, clause in enumerate(generators):
            last = place + 1 == len(generators)
            inner = elements if last else (generators[place + 1].iter,)
            steps = cost([clause.target, *clause.ifs, *inner])
            clause.iter = _call("_each", self.visit(clause.iter), ast.Constant(steps))
            clause.ifs = [self.visit(condition) for condition in clause.ifs]

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """A key function counts at each call."""
        steps = max(1, cost([node.body]))
        node.body = ast.IfExp(_call("_tick", ast.Constant(steps)), self.visit(node.body), ast.Constant(None))
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        """Fields are judged one by one, then the whole; many parts, or parts with quotes, are joined by a guard."""
        parts = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
        written = [self.visit(part) for part in parts]
        fields = [made for made, part in zip(written, parts, strict=True) if not isinstance(part, ast.Constant)]
        if len(parts) > _PARTS_MAX or any(is_text(inner) for field in fields for inner in ast.walk(field)):
            return _call("_text", *written)
        for part, made in zip(node.values, written, strict=True):
            if isinstance(part, ast.FormattedValue):
                part.value = _call("_part", made)
        return _call("_made", node)


def _is_short(node: ast.Call) -> bool:
    """Whether append or get is called as on a list or map, so that the call need not be gathered up."""
    assert isinstance(node.func, ast.Attribute)
    plain = not node.keywords and not any(isinstance(argument, ast.Starred) for argument in node.args)
    return plain and len(node.args) in ((1,) if node.func.attr == "append" else (1, 2))


def _is_cheap(operator: ast.cmpop, left: ast.expr, right: ast.expr) -> bool:
    """Whether a comparison costs no more than its constant is long."""
    if isinstance(operator, (ast.Is, ast.IsNot)):
        return True
    if isinstance(operator, (ast.In, ast.NotIn)):
        return isinstance(right, (ast.Tuple, ast.List)) and all(_is_constant(part) for part in right.elts)
    return _is_constant(left) or _is_constant(right)


def _link(operator: ast.cmpop, left: ast.expr, right: ast.expr) -> ast.expr:
    if _is_cheap(operator, left, right):
        return ast.Compare(left, [operator], [right])
    if isinstance(operator, ast.NotIn):
        return ast.UnaryOp(ast.Not(), _call("_contains", left, right))
    return _call(_COMPARISONS[type(operator)], left, right)


def _chain(left: ast.expr, operators: Sequence[ast.cmpop], rest: Sequence[ast.expr]) -> ast.expr:
    """left op middle op ...: the middle is evaluated once, what follows only if the link before holds."""
    if len(rest) == 1:
        return _link(operators[0], left, rest[0])
    middle = rest[0]
    if is_simple(middle):
        follows = _chain(copy.deepcopy(middle), operators[1:], rest[1:])
        return ast.BoolOp(ast.And(), [_link(operators[0], left, middle), follows])
    follows = _chain(_name("_middle"), operators[1:], rest[1:])
    body = ast.BoolOp(ast.And(), [_link(operators[0], _name("_left"), _name("_middle")), follows])
    parameters = ast.arguments([], [ast.arg("_left"), ast.arg("_middle")], None, [], [], None, [])
    return ast.Call(ast.Lambda(parameters, body), [left, middle], [])


def _tested(pattern: ast.pattern) -> ast.expr:
    """The condition that `_subject` matches one alternative of a case."""
    subject = _name("_subject")
    match pattern:
        case ast.MatchValue(value=value):
            return _call("_eq", subject, value)
        case ast.MatchSingleton(value=value):
            return ast.Compare(subject, [ast.Is()], [ast.Constant(value)])
        case ast.MatchClass(cls=cls):
            return _call("_isinstance", subject, cls)
    return ast.Constant(True)
