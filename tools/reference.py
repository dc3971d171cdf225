"""Writes docs/reference from the code: commands, operations, templates, refusals, limits, language.

Everything is read from docstrings, declarations and the sentences of refusals, so a page cannot say anything else than
the code does; a test compares what is committed with what this makes.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from interfirm.base import limits
from interfirm.cli.main import app, options
from interfirm.contracts import language
from interfirm.node.operations import OPERATIONS
from interfirm.runtime.modules import BusinessModule, find_modules

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "interfirm"
TARGET = ROOT / "docs" / "reference"
MADE = "<!-- made by tools/reference.py; do not edit -->\n"
ANYWHERE = "`--json`, `--as`, `--network` and `--wait` may stand anywhere."
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+\Z")
_ROLES = ("signatories", "observers", "confirmers", "fallback", "claims", "ensure")


def pages() -> dict[str, str]:
    """Every page of the reference by its path below docs/reference."""
    modules = find_modules()
    made = {
        "commands.md": commands(),
        "operations.md": operations(modules),
        "refusals.md": refusals(),
        "limits.md": limits_page(),
        "language.md": language_page(),
    }
    made |= {f"business/{short(module)}.md": business(module) for module in modules}
    made["README.md"] = index(modules)
    return {path: MADE + text.rstrip() + "\n" for path, text in made.items()}


def main() -> int:
    """Write the pages, and remove those that nothing makes any more."""
    made = pages()
    for path in TARGET.rglob("*.md"):
        if str(path.relative_to(TARGET)) not in made:
            path.unlink()
    for name, text in made.items():
        path = TARGET / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(f"{len(made)} pages in {TARGET.relative_to(ROOT)}")
    return 0


def index(modules: tuple[BusinessModule, ...]) -> str:
    """The first page."""
    lines = [
        "# Reference\n",
        "Generated from the code by `tools/reference.py`; a test sees that it is current.\n",
        "- [Commands](commands.md): what you type",
        "- [Operations](operations.md): what a node answers over its control socket",
        "- [Refusals](refusals.md): every code with its sentences",
        "- [Limits](limits.md): every bound, with its unit",
        "- [Contract language](language.md): what a contract module may import",
        "- Templates, by business:",
    ]
    lines += [f"  - [{short(m)}](business/{short(m)}.md): {_first(_text_of(m.name))}" for m in modules]
    return "\n".join(lines)


def short(module: BusinessModule) -> str:
    """The folder of a business module."""
    return module.name.rpartition(".")[2]


# commands ----------------------------------------------------------------------------------------------------------


def commands() -> str:
    """Every command with its arguments and options."""
    root = typer.main.get_command(app)
    lines = ["# Commands\n", f"{root.help}\n", _options(root), f"{ANYWHERE} {_first(options.__doc__)}\n"]
    for words, command in _walk(root, ("interfirm",)):
        usage = " ".join([*words, *(_usage(p) for p in command.params if p.param_type_name == "argument")])
        lines += [f"## `{usage}`\n", f"{command.help or ''}\n", _options(command)]
    return "\n".join(line for line in lines if line)


def _walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        if hasattr(inner, "commands"):
            yield from _walk(inner, (*words, name))
        else:
            yield (*words, name), inner


def _usage(parameter: Any) -> str:
    name = parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _options(command: Any) -> str:
    rows = []
    for parameter in command.params:
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
        if parameter.param_type_name == "argument":
            names = f"`{parameter.name.upper()}`"
        default = getattr(parameter, "default", None)
        shown = "" if default in (None, "", False, True, ()) or callable(default) else f" Default: `{default}`."
        about = getattr(parameter, "help", None) or ""
        rows.append(f"| {names} | {f'{about}{shown}'.strip()} |")
    return "\n".join(["| | |", "|---|---|", *rows, ""]) if rows else ""


# operations --------------------------------------------------------------------------------------------------------


def operations(modules: tuple[BusinessModule, ...]) -> str:
    """The operations of a node's desk and of the business modules."""
    lines = [
        "# Operations\n",
        "What `interfirm ask OPERATION ARGUMENTS` and programs may ask a node for. The arguments are those that the",
        "command of the same purpose takes.\n",
        "## Every node\n",
        _operations(OPERATIONS),
    ]
    for module in modules:
        if module.operations:
            lines += [f"## {short(module)}\n", _operations(module.operations)]
    return "\n".join(lines)


def _operations(found: dict[str, Any]) -> str:
    rows = [f"| `{name}` | {_first(function.__doc__)} |" for name, function in found.items()]
    return "\n".join(["| operation | what it does |", "|---|---|", *rows, ""])


# refusals ----------------------------------------------------------------------------------------------------------


def refusals() -> str:
    """Every refusal code with its sentences and where it comes from."""
    found: dict[str, dict[str, set[str]]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                for code, sentence in _refused(node):
                    found.setdefault(code, {}).setdefault(sentence, set()).add(_place(path))
    lines = [
        "# Refusals\n",
        "A refusal is a clear no: a stable code, one sentence, the values that broke the rule. Commands end with 3.",
        "Rules of business refuse as `contract.require` with the sentences of the [templates](README.md); rules of",
        "EN 16931 by their own ids (BR-CO-16) inside `invoice.en16931`; the contract language's by the rule names of",
        "[spec/contract-language.md](../spec/contract-language.md) inside `contract.subset`.\n",
    ]
    area = ""
    for code in sorted([*found, "contract.require", "contract.subset"]):
        if code.partition(".")[0] != area:
            area = code.partition(".")[0]
            lines += ["", f"## {area}\n", "| code | sentence | from |", "|---|---|---|"]
        for sentence, places in found.get(code, {"(see above)": {"contracts"}}).items():
            lines.append(f"| `{code}` | {sentence} | {', '.join(sorted(places))} |")
    return "\n".join(lines)


def _refused(call: ast.Call) -> Iterator[tuple[str, str]]:
    """The (code, sentence) pairs among neighbouring arguments of a call."""
    for code, sentence in zip(call.args, call.args[1:], strict=False):
        if isinstance(code, ast.Constant) and isinstance(sentence, ast.Constant):
            one, other = code.value, sentence.value
            if isinstance(one, str) and isinstance(other, str) and _CODE.match(one) and " " in other:
                yield one, other


def _place(path: Path) -> str:
    return str(path.relative_to(SOURCE).parent)


# templates ---------------------------------------------------------------------------------------------------------


def business(module: BusinessModule) -> str:
    """The templates, records and codes of one business."""
    package = module.packages[-1]
    lines = [f"# {short(module)}\n", f"{_text_of(module.name)}\n"]
    if module.operations:
        lines += ["Operations: " + ", ".join(f"`{name}`" for name in module.operations) + ".\n"]
    names = sorted(package.modules, key=lambda name: (not name.endswith(".contract"), name))
    for wanted, heading in (("Template", "Template"), ("Record", "Record"), ("Code", "Code")):
        for name in names:
            for node in ast.parse(package.modules[name]).body:
                if isinstance(node, ast.ClassDef) and wanted in [ast.unparse(base) for base in node.bases]:
                    lines += [f"## {heading} {node.name}\n", *_class(node)]
    shared = [sentence for name in names for sentence in _of_functions(package.modules[name])]
    if shared:
        lines += ["## Rules that several templates share\n", *dict.fromkeys(f"- {sentence}" for sentence in shared)]
    return "\n".join(lines)


def _of_functions(source: str) -> Iterator[str]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            yield from _sentences(node)


def _class(node: ast.ClassDef) -> list[str]:
    lines = [f"{ast.get_docstring(node) or ''}\n"]
    methods = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    roles = [f"- {name}: {_first(ast.get_docstring(methods[name]))}" for name in _ROLES if name in methods]
    lines += [*roles, ""] if roles else []
    fields = list(_fields(node))
    if fields:
        lines += ["| field | type | meaning |", "|---|---|---|", *fields, ""]
    for method in methods.values():
        lines += _choice(method)
    sentences = [sentence for item in methods.values() for sentence in _sentences(item)]
    if sentences:
        lines += ["Refuses unless:\n", *dict.fromkeys(f"- {sentence}" for sentence in sentences), ""]
    return lines


def _fields(node: ast.ClassDef) -> Iterator[str]:
    for item, after in zip(node.body, [*node.body[1:], None], strict=True):
        text = after.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
        about = " ".join(str(text.value).split()) if text is not None else ""
        if isinstance(item, ast.AnnAssign):
            default = "" if item.value is None else f" = {ast.unparse(item.value)}"
            kind = ast.unparse(item.annotation).replace("|", "\\|")
            yield f"| `{ast.unparse(item.target)}` | `{kind}{default}` | {about} |"
        elif isinstance(item, ast.Assign):
            yield f"| `{ast.unparse(item.targets[0])}` | `{ast.unparse(item.value)}` | {about} |"


def _choice(method: ast.FunctionDef) -> list[str]:
    for decorator in method.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "choice":
            options = {word.arg: ast.literal_eval(word.value) for word in decorator.keywords}
            by = options["by"] if isinstance(options["by"], tuple) else (options["by"],)
            taken = ", ".join(ast.unparse(argument) for argument in method.args.args[2:])
            gives = f" -> {ast.unparse(method.returns)}" if method.returns is not None else ""
            kept = "" if options.get("consuming", True) else " Does not end the contract."
            return [
                f"### {method.name}\n",
                f"`{method.name}({taken}){gives}`, made by {' and '.join(by)}.{kept}\n",
                f"{ast.get_docstring(method) or ''}\n",
            ]
    return []


def _sentences(method: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(method):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "require":
            yield from (str(text.value) for text in node.args[1:2] if isinstance(text, ast.Constant))


# the rest ----------------------------------------------------------------------------------------------------------


def limits_page() -> str:
    """Every limit with its value and meaning."""
    lines = ["# Limits\n", f"{limits.__doc__}\n"]
    for node in ast.parse(Path(limits.__file__).read_text()).body:
        if isinstance(node, ast.ClassDef):
            head = [f"{ast.get_docstring(node)}\n", "| limit | value | of what |", "|---|---|---|"]
            lines += [*head, *_limits(node), ""]
    return "\n".join(lines)


def _limits(node: ast.ClassDef) -> Iterator[str]:
    for item, after in zip(node.body, node.body[1:], strict=False):
        if isinstance(item, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            name = ast.unparse(item.target)
            yield f"| `{name}` | {getattr(limits.LIMITS, name):,} | {after.value.value!s} |"


def language_page() -> str:
    """What a contract module may import."""
    lines = ["# Contract language\n", f"{language.__doc__}\n", "| name | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {_first(getattr(language, name).__doc__)} |" for name in language.__all__]
    lines += ["", "## What a choice may ask of the transaction\n", "| call | meaning |", "|---|---|"]
    for name, function in vars(language.Transaction).items():
        if not name.startswith("_") and callable(function):
            lines.append(f"| `tx.{name}` | {_first(function.__doc__)} |")
    return "\n".join(lines)


def _text_of(module: str) -> str:
    return sys.modules[module].__doc__ or ""


def _first(text: str | None) -> str:
    """The first paragraph, on one line."""
    return " ".join((text or "").strip().partition("\n\n")[0].split())


if __name__ == "__main__":
    sys.exit(main())
