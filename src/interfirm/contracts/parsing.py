"""Reading and compiling source whatever else the process holds: the one place that calls Python's parser.

CPython 3.11 counts how deep it is in a tree in one counter for the whole interpreter. A finalizer that runs meanwhile
and reads source itself, as writing a traceback does, leaves the counter wrong and a sound source fails with
`SystemError`. What becomes of a source must not depend on what is collected meanwhile, so nothing is.
"""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType


def parse(source: str) -> ast.Module:
    """The tree of a source. Raises what `ast.parse` raises."""
    with _nothing_collected():
        return ast.parse(source)


def compile_tree(tree: ast.Module, name: str, *, flags: int = 0) -> CodeType:
    """The code of a tree, with every statement in it and no flags of the caller's. Raises what `compile` raises."""
    with _nothing_collected():
        code: CodeType = compile(tree, name, "exec", flags=flags, dont_inherit=True, optimize=0)
    return code


@contextmanager
def _nothing_collected() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
