"""What the demo shows: live progress, the table of figures, and the outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from interfirm.base.errors import Refusal
from interfirm.cli.demo.doors import OpenDoor

T = TypeVar("T")
WAIT_S = 30.0

WORDS = {
    "payable": "invoice, payable",
    "credit": "credit note",
    "receivable": "receivable",
    "advance": "advance",
    "reserve": "reserve",
    "fee": "fee",
    "interest": "interest",
    "rebate": "rebate",
    "supplier_cash": "cash of the supplier",
    "cost": "cost of the sale",
}


class Progress:
    """Lines as things happen, with how long they took."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def title(self, text: str) -> None:
        """A new part of the story."""
        self._console.print(f"\n[bold]{escape(text)}[/]")

    def day(self, day: str) -> None:
        """The scenario's clock moved."""
        self._console.print(f"  [dim]{day}[/]")

    def started(self, name: str) -> None:
        """A process answers."""
        self._console.print(f"  [green]✓[/] {escape(name)}")

    def note(self, who: str, what: str) -> None:
        """Something that happened to a firm."""
        self._console.print(f"  [yellow]![/] [cyan]{escape(who)}[/] {escape(what)}")

    def refused(self, refusal: Refusal) -> None:
        """A refusal that belongs to the story."""
        self._console.print(f"    [red]refused[/] {escape(refusal.code)}: {escape(refusal.message)}")

    @contextmanager
    def doing(self, who: str, what: str, *, may_refuse: bool = False) -> Iterator[None]:
        """One thing that a firm does."""
        started = time.monotonic()
        try:
            with self._console.status(f"{who}: {what}"):
                yield
        except Refusal:
            mark = "[red]✗[/]" if not may_refuse else "[yellow]✗[/]"
            self._console.print(f"  {mark} [cyan]{escape(who)}[/] {escape(what)}")
            raise
        took = (time.monotonic() - started) * 1000
        self._console.print(f"  [green]✓[/] [cyan]{escape(who)}[/] {escape(what)} [dim]{took:.0f} ms[/]")

    def until(self, look: Callable[[], T | None], what: str) -> T:
        """Look until something is there; Refusal `demo.waiting` when it does not come."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            found = look()
            if found is not None:
                return found
            time.sleep(0.02)
        raise Refusal("demo.waiting", "something that had to come did not", what=what)


def vaults(result: dict[str, Any]) -> Table:
    """Every amount as each vault entitled to it holds it."""
    table = Table(title="\nEvery amount, as each vault holds it", title_justify="left", title_style="bold")
    table.add_column("")
    for role in result["vaults"]:
        table.add_column(role.replace("_", " "), justify="right")
    for name, words in WORDS.items():
        cells = [held[name] for held in result["vaults"].values()]
        table.add_row(words, *[f"[dim]{cell}[/]" if cell == "not visible" else cell for cell in cells])
    return table


def outcome(result: dict[str, Any]) -> str:
    """What it comes to, in a few lines."""
    count = len(result["steps"])
    verified = sum(step["receipt_verified"] for step in result["steps"])
    lines = [f"{verified} of {count} receipts verified offline; {len(result['refusals'])} attempts refused:"]
    lines += [f"  {r['code']}: {r['reason']}" for r in result["refusals"]]
    lines += [f"  [red]{escape(text)}[/]" for text in result["differences"]]
    agree = "agree" if result["vaults_agree"] else "[red]DO NOT agree[/]"
    lines.append(
        f"The vaults {agree}. "
        + ("[green]Every figure is right.[/]" if result["ok"] else "[red]Not everything is right.[/]")
    )
    return "\n".join(lines)


def kept(place: Path, doors: Sequence[OpenDoor]) -> str:
    """How to talk to a network that was left running, by command and by HTTP, and how to stop it."""
    firms = [door.firm for door in doors]
    command = f".venv/bin/interfirm --network {place}"
    return "\n".join(
        [
            "\n[bold]The network is running.[/] Talk to it:",
            f"  {command} network status",
            f"  {command} --as {firms[0]} invoice list",
            f"  {command} --as {firms[0]} contracts list",
            f"  {command} --as {firms[2]} report ageing",
            *(
                f"{door.firm}: {door.url}/v1 and {door.url}/graphql\n  Authorization: Bearer {door.token}"
                for door in doors
            ),
            f"  curl {doors[0].url}/v1/contracts/invoices.Invoice -H 'Authorization: Bearer {doors[0].token}'",
            f"Stop it and delete everything: {command} network reset --yes",
        ]
    )
