"""`bulk`: tables in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from interfirm.cli import jobs, session
from interfirm.cli.contracts import json_object

app = typer.Typer(help="Many contracts at once: import and export tables.", no_args_is_help=True)
Template = Annotated[str, typer.Option("--template", "-t", help="The template, such as cash.Cash.")]
Later = Annotated[bool, typer.Option("--later", help="Do not wait for it: `interfirm jobs show` says how far it is.")]


@app.command("import")
def import_table(
    file: Annotated[Path, typer.Argument(help="A table in CSV or XLSX.", exists=True, dir_okay=False)],
    template: Template,
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="COLUMN=PATH, such as 'Total=gross.amount'; once for each.")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="PATH=VALUE for every row; once for each.")] = None,
    default: Annotated[
        list[str] | None, typer.Option("--default", help="PATH=VALUE where the cell is empty; once for each.")
    ] = None,
    mapping: Annotated[str | None, typer.Option(help="A mapping that is kept under this name.")] = None,
    keep: Annotated[str | None, typer.Option("--keep", help="Keep the mapping under this name.")] = None,
    choice: Annotated[str | None, typer.Option(help="Make this choice instead of new contracts.")] = None,
    key: Annotated[
        str | None, typer.Option(help="COLUMN=FIELD that names the contract of a choice; COLUMN alone for refs.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Rows in one transaction.")] = 25,
    note: Annotated[str, typer.Option(help="Told to those who must sign.")] = "",
    notary: Annotated[str | None, typer.Option(help="The notary where new contracts are to live.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which rows could not be done.")] = False,
    later: Later = False,
) -> None:
    """Import a table: every row a new contract, or a choice on one. Exit code 3 where rows could not be done."""
    given: Any = mapping
    if map_ or set_ or default:
        given = {"columns": _pairs(map_), "constants": _pairs(set_), "defaults": _pairs(default)}
        if keep is not None:
            session.ask("bulk.mapping-put", name=keep, mapping=given)
    column, _, field = (key or "").partition("=")
    started = session.ask(
        "bulk.import", path=str(file.resolve()), template=template, mapping=given, choice=choice, batch=batch,
        key={"column": column, "field": field or "ref"} if key else None, note=note, notary=notary, dry_run=dry_run,
    )["job"]  # fmt: skip
    if later:
        session.show(started, jobs.told)
        return
    job = jobs.follow(started)
    session.show(job, jobs.told)
    if job["errors"]:
        raise typer.Exit(session.REFUSED)


def _pairs(given: list[str] | None) -> dict[str, str]:
    found = {}
    for text in given or []:
        left, sign, right = text.partition("=")
        if not sign:
            raise typer.BadParameter("this is written LEFT=RIGHT")
        found[left] = right
    return found


@app.command("export")
def export_table(
    template: Template,
    to: Annotated[Path, typer.Option("--to", "-o", help="The file to write: its ending says csv, xlsx or jsonl.")],
    where: Annotated[str, typer.Option(help='A filter in JSON, such as {"due": {"_lt": "2026-12-01"}}.')] = "{}",
    search: Annotated[str | None, typer.Option(help="Words that stand in its texts; bolt* for what begins so.")] = None,
    field: Annotated[list[str] | None, typer.Option("--field", help="Only this column; once for each.")] = None,
    order_by: Annotated[
        str | None, typer.Option(help="Fields with commas between them; -field for the other way round.")
    ] = None,
    status: Annotated[str, typer.Option(help="active, consumed, locked or all")] = "active",
) -> None:
    """Export contracts of a template into a file."""
    started = session.ask(
        "bulk.export", template=template, format=to.suffix[1:].lower() or "csv", where=json_object(where), fields=field,
        search=search, order_by=order_by, status=status,
    )["job"]  # fmt: skip
    job = jobs.follow(started)
    size = jobs.save(job["id"], to)
    session.show({"file": str(to), "rows": job["done"], "bytes": size},
                 lambda d: f"wrote {d['rows']} rows to {d['file']} ({d['bytes']} bytes)")  # fmt: skip


@app.command()
def mappings() -> None:
    """List the mappings of columns that are kept."""
    session.show(
        session.ask("bulk.mappings"),
        lambda data: session.table_of(
            "Mappings", ["Name", "Columns", "For every row", "Where empty"],
            [[name, *(", ".join(f"{a}={b}" for a, b in kept[part].items())
                      for part in ("columns", "constants", "defaults"))] for name, kept in data["mappings"].items()],
            empty="none; `bulk import --map ... --keep NAME` keeps one",
        ),
    )  # fmt: skip
