"""What every command shares: which network, which firm, how to answer, and how to fail."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from interfirm.base.errors import Refusal
from interfirm.runtime.asking import Asker
from interfirm.runtime.layout import NetworkLayout

DONE, FAILED, USAGE, REFUSED, WAITING = 0, 1, 2, 3, 4
"""Exit codes of every command."""

console = Console()
errors = Console(stderr=True)


class Options(msgspec.Struct):
    """The options before the command's name."""

    network: Path = Path("network")
    firm: str = ""
    json: bool = False
    wait_s: int = 60


options = Options()


def network_folder() -> Path:
    """The folder of the network: --network, INTERFIRM_NETWORK, or ./network."""
    return options.network


def layout() -> NetworkLayout:
    """The network's layout; Refusal `network.missing` with what to type."""
    return NetworkLayout.open(network_folder())


def client() -> Asker:
    """The control socket of the firm that --as names; of the only firm where there is one."""
    found = layout()
    return Asker(found.firm(options.firm).control_path, timeout_s=options.wait_s + 30.0)


def ask(operation: str, **arguments: Any) -> dict[str, Any]:
    """One operation of the node's desk, answered."""
    return client().call(operation, {k: v for k, v in arguments.items() if v is not None})


def ask_stream(operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    """One operation with its progress, the last item being the result."""
    return client().stream(operation, {k: v for k, v in arguments.items() if v is not None})


def json_file(path: Path) -> Any:
    """What a file says in JSON (`-` is standard input); Refusal `file.read`."""
    try:
        return json.loads(sys.stdin.read() if str(path) == "-" else path.read_text())
    except (OSError, ValueError) as error:
        reason = str(error)[:200]
        raise Refusal("file.read", "the file cannot be read as JSON", path=str(path), reason=reason) from error


def show(data: Any, table: Callable[[Any], Any] | None = None) -> None:
    """Print data: JSON for programs, a table for people."""
    if options.json or table is None:
        print(json.dumps(data, indent=None if options.json else 2, ensure_ascii=False))
    else:
        console.print(table(data))


def table_of(title: str, columns: list[str], rows: list[list[Any]], *, empty: str) -> Table | str:
    """A table, or what to do next where there is nothing to show."""
    if not rows:
        return empty
    found = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for column in columns:
        right = column.lower() in ("amount", "payable", "outstanding", "total", "value", "gross")
        found.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        found.add_row(*[escape(str(cell)) for cell in row])
    return found


def text_of(value: Any) -> str:
    """A field's value on one line: an amount with its currency, a list of parts, or as it is."""
    if isinstance(value, dict):
        return " ".join(text_of(part) for part in value.values())
    if isinstance(value, list):
        return ", ".join(text_of(part) for part in value)
    return "" if value is None else str(value)


def refuse(refusal: Refusal) -> int:
    """Tell a refusal and return its exit code."""
    plain = refusal.as_plain()
    if options.json:
        print(json.dumps({"refused": plain}, ensure_ascii=False))
    errors.print(f"[bold red]refused[/] {escape(refusal.code)}: {escape(refusal.message)}")
    for name, value in plain["values"].items():
        errors.print(f"  [dim]{escape(name)}[/] {escape(str(value))}")
    return REFUSED


def default_network() -> Path:
    """Where the network is when no option says so."""
    return Path(os.environ.get("INTERFIRM_NETWORK", "network"))


def progress_allowed() -> bool:
    """Whether a person watches."""
    return not options.json and sys.stderr.isatty()
