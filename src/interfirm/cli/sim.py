"""`sim`: whole worlds from a seed, on the production code, with faults and checkers."""

from __future__ import annotations

from typing import Annotated

import typer

from interfirm.cli import session


def sim(
    seed: Annotated[int, typer.Option(help="The world's seed.")] = 1,
    firms: Annotated[int, typer.Option(min=2, max=20)] = 4,
    notaries: Annotated[int, typer.Option(min=1, max=4)] = 1,
    faults: Annotated[str, typer.Option(help="none, calm or storm")] = "storm",
    transactions: Annotated[int, typer.Option(min=1, max=100_000)] = 50,
    seeds: Annotated[int | None, typer.Option(min=1, help="Run this many worlds, from --seed on.")] = None,
) -> None:
    """Run a simulated world; exit 1 if a checker fails or too little was committed."""
    from interfirm.sim.run import Report, run_many, run_world  # a large room that other commands do not wait for

    if seeds is None:
        report = run_world(seed, firms=firms, notaries=notaries, faults=faults, transactions=transactions)
        session.show(report.as_plain())
        if not report.passed:
            raise typer.Exit(session.FAILED)
        return
    failed: list[Report] = []
    count = 0
    worlds = run_many(
        range(seed, seed + seeds), firms=firms, notaries=notaries, faults=faults, transactions=transactions
    )
    with session.errors.status("worlds") as status:
        for report in worlds:
            count += 1
            failed += [] if report.passed else [report]
            status.update(f"{count} of {seeds} worlds, {len(failed)} failed")
    session.show({"worlds": count, "failed": [r.as_plain() for r in failed]})
    if failed:
        raise typer.Exit(session.FAILED)
