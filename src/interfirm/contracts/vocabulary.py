"""The words of the deterministic subset: its rules, its built-in names, and the attributes it guards or refuses."""

from __future__ import annotations

import ast
from typing import NoReturn

from interfirm.base.errors import Refusal


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RULES = {
    "text": "source is printable text of bounded size, with characters beyond ASCII only in strings and comments",
    "syntax": "source is valid Python of one version",
    "size": "a module has a bounded number of parts and a bounded depth",
    "future": "a module begins with: from __future__ import annotations",
    "import": "a module imports names, one by one, from the language and its declared dependencies",
    "name": "names are ASCII, have no leading underscore, and are defined here, imported or built in",
    "attribute": "this attribute is kept from contract code; choose another name",
    "float": "there are no floats; use integers, // and the language's rounding",
    "constant": "a constant is a text, bytes, bool, None or an integer within the limit",
    "static": "defaults, decorators and class values are literals, names and tuples of them",
    "class": "a class has bases by name, fields, constants and methods, and nothing else",
    "function": "a function has plain parameters and stands in a module or a class",
    "decorator": "the only decorators are choice(...) and property",
    "annotation": "a type is a name, a name with types in brackets, or types joined with |",
    "statement": "this statement is not part of the language",
    "expression": "this expression is not part of the language",
    "target": "values are assigned to names, tuples of names, or one item",
    "builtin": "a built-in function is called where it is named, and a built-in type is also a type for isinstance",
    "iterator": "a lazy iterator is used up where it is made",
    "lambda": "a lambda stands only as the key of sorted, min or max",
    "call": "a call has at most one starred argument and no ** arguments",
    "comparison": "identity is compared with None only",
    "f-string": "a replacement field holds no text literal, format or conversion",
    "pattern": "a case is a constant, an attribute, a class without parts, alternatives of these, or a name",
}

TYPES = frozenset({"bool", "bytes", "dict", "int", "list", "str", "tuple"})
"""Built-in names that are types: called, and named in annotations, isinstance and class patterns."""
ITERATORS = frozenset({"enumerate", "reversed", "zip"})
CONSUMERS = frozenset({"all", "any", "dict", "enumerate", "list", "max", "min", "sorted", "sum", "tuple", "zip"})
KEYED = frozenset({"max", "min", "sorted"})
BUILTINS = TYPES | ITERATORS | CONSUMERS | {"abs", "divmod", "isinstance", "len", "range"}

BUILTIN_ATTRIBUTES = _words(
    "append as_integer_ratio bit_count bit_length capitalize casefold center clear conjugate copy count "
    "decode denominator encode endswith expandtabs extend find from_bytes fromhex fromkeys get hex imag index "
    "insert is_integer isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable "
    "isspace istitle isupper items join keys ljust lower lstrip maketrans numerator partition pop popitem "
    "real remove removeprefix removesuffix replace reverse rfind rindex rjust rpartition rsplit rstrip "
    "setdefault sort split splitlines startswith strip swapcase title to_bytes translate update upper values "
    "zfill"
)
"""Attributes of built-in values: contract code reaches them through a guard, which lets through those that are safe."""
REFUSED_ATTRIBUTES = _words(
    "add_note ag_await ag_code ag_frame ag_running ag_suspended choices co_argcount co_branches co_cellvars co_code "
    "co_consts co_exceptiontable co_filename co_firstlineno co_flags co_freevars co_kwonlyargcount co_lines "
    "co_linetable co_lnotab co_name co_names co_nlocals co_positions co_posonlyargcount co_qualname co_stacksize "
    "co_varnames cr_await cr_code cr_frame cr_origin cr_running cr_suspended deleter f_back f_builtins f_code "
    "f_generator f_globals f_lasti f_lineno f_locals f_trace f_trace_lines f_trace_opcodes fdel fget format "
    "format_map fset getter gi_code gi_frame gi_running gi_suspended gi_yieldfrom mro setter tb_frame "
    "tb_lasti tb_lineno tb_next with_traceback"
)
"""Attributes that lead out of the language (text templates, classes, frames, code) or to its bookkeeping."""


def refuse(rule: str, module: str, *, line: int = 1, column: int = 1, found: str) -> NoReturn:
    """Raise Refusal `contract.subset` for a broken rule at a place."""
    raise Refusal("contract.subset", RULES[rule], rule=rule, module=module, line=line, column=column, found=found[:80])


def is_docstring(node: ast.stmt) -> bool:
    """Whether a statement is a text standing alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_simple(node: ast.expr) -> bool:
    """Whether an expression is a name, constant or path of attributes, which may be written down twice."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, (ast.Name, ast.Constant))


def is_text(node: ast.AST) -> bool:
    """Whether a node is a literal text or literal bytes."""
    return isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
