"""`report`: what the vault adds up to."""

from __future__ import annotations

from typing import Annotated

import typer

from interfirm.cli import session

app = typer.Typer(help="Reports.", no_args_is_help=True)
COLUMNS = ("not_due", "days_1_30", "days_31_60", "days_61_90", "days_over_90", "disputed", "outstanding")


@app.callback()
def report() -> None:
    """Reports."""


@app.command("near-hits")
def near_hits() -> None:
    """What looks as if it were financed twice, as far as this firm can see it."""
    session.show(
        session.ask("report.near-hits"),
        lambda d: session.table_of(
            "Near hits",
            ["How", "Invoice", "Like", "Alike in", "Seller", "Lender", "When"],
            [[r["how"], r["invoice"], r["like"], r["alike"], r["seller"], r["lender"], r["at"] or ""]
             for r in d["near_hits"]],
            empty="nothing here looks as if it were financed twice",
        ),
    )  # fmt: skip


@app.command()
def ageing(on: Annotated[str | None, typer.Option(help="The day, YYYY-MM-DD; today without it.")] = None) -> None:
    """What is outstanding by how long it is overdue."""
    found = session.ask("report.ageing", on=on)
    session.show(
        found,
        lambda d: session.table_of(
            f"Ageing on {d['on']}",
            ["Holder", "Debtor", "Currency", *[c.replace("_", " ") for c in COLUMNS]],
            [[r["holder"], r["debtor"], r["currency"], *[r[c] for c in COLUMNS]] for r in d["rows"]],
            empty="nothing is outstanding",
        ),
    )
