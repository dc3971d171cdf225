"""Planted faults: a rule switched off in the running library, so that a test can show that somebody would notice.

A rule is where a module raises a Refusal of a code. Switching it off leaves everything else of the function in place.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import CodeType, FunctionType, ModuleType


@contextmanager
def switched_off(module: ModuleType, *codes: str) -> Iterator[None]:
    """Within, `module` never raises the Refusal of any of these codes."""
    replaced = _without(module, codes)
    functions = [(f, replaced[f.__qualname__]) for f in _functions(module) if f.__qualname__ in replaced]
    changed = [(f, f.__code__, new) for f, new in functions if f.__code__.co_code != new.co_code or _differ(f, new)]
    assert changed, f"{module.__name__} never raises {codes}"
    for function, _, new in changed:
        function.__code__ = new
    try:
        yield
    finally:
        for function, old, _ in changed:
            function.__code__ = old


def codes_of(module: ModuleType) -> list[str]:
    """The codes that a module refuses with, each once."""
    found: dict[str, None] = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Raise) and (code := _refused(node)) is not None:
            found[code] = None
    return list(found)


def _refused(node: ast.Raise) -> str | None:
    match node.exc:
        case ast.Call(func=ast.Name(id="Refusal"), args=[ast.Constant(value=str(code)), *_]):
            return code
    return None


class _Switch(ast.NodeTransformer):
    def __init__(self, codes: tuple[str, ...]) -> None:
        self.codes = codes

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.copy_location(ast.Pass(), node) if _refused(node) in self.codes else node


@cache
def _without(module: ModuleType, codes: tuple[str, ...]) -> dict[str, CodeType]:
    tree = ast.fix_missing_locations(_Switch(codes).visit(ast.parse(inspect.getsource(module))))
    found: dict[str, CodeType] = {}
    waiting = [compile(tree, module.__file__ or module.__name__, "exec", dont_inherit=True)]
    while waiting:
        inner = [constant for constant in waiting.pop().co_consts if isinstance(constant, CodeType)]
        found.update({each.co_qualname: each for each in inner})
        waiting.extend(inner)
    return found


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in vars(module).values():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        members = vars(value).values() if isinstance(value, type) else (value,)
        for member in members:
            function = member.fget if isinstance(member, property) else member
            if isinstance(function, FunctionType):
                yield function


def _differ(function: FunctionType, new: CodeType) -> bool:
    """Whether a function inside this one differs."""
    old = [c.co_code for c in function.__code__.co_consts if isinstance(c, CodeType)]
    return old != [c.co_code for c in new.co_consts if isinstance(c, CodeType)]
