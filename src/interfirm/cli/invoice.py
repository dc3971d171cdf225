"""`invoice`: documents in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from interfirm.base.errors import Refusal
from interfirm.cli import session
from interfirm.cli.waiting import watch
from interfirm.formats.en16931 import judge
from interfirm.formats.ubl import read_ubl
from interfirm.node.files import read_limited

app = typer.Typer(help="Invoices: import, list, show, export.", no_args_is_help=True)
File = Annotated[Path, typer.Argument(help="A UBL 2.1 invoice or credit note.", exists=True, dir_okay=False)]


@app.command("import")
def import_invoice(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only judge the file; needs no network.")] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="The file was made here: hold it to exact arithmetic.")
    ] = False,
) -> None:
    """Judge a UBL file by EN 16931 and issue it to its buyer (a credit note is given on the invoice that it names)."""
    judged = judge_file(file)
    if dry_run:
        session.show(judged, verdict)
        if judged["fatal"]:
            raise typer.Exit(session.REFUSED)
        return
    operation = "invoice.credit" if judged["kind"] == "CreditNote" else "invoice.import"
    flow = watch(operation, path=str(file.resolve()), exact=exact)
    session.show(flow, lambda f: f"{judged['number']} is on the ledger, transaction {f['result']['transaction']}")


def judge_file(file: Path) -> dict[str, Any]:
    """What EN 16931 says of a file; Refusal `xml.*`, `ubl.*`, `file.*` for one that cannot be read."""
    document = read_ubl(read_limited(file))
    findings = judge(document)
    invoice = document.invoice
    fatal = [f for f in findings if f.severity == "fatal"]
    return {
        "file": str(file),
        "kind": invoice.kind,
        "number": invoice.number,
        "valid": not fatal,
        "fatal": [{"rule": f.rule, "message": f.message, "location": f.location} for f in fatal],
        "warnings": [
            {"rule": f.rule, "message": f.message, "location": f.location} for f in findings if f.severity != "fatal"
        ],
    }


def verdict(judged: dict[str, Any]) -> Any:
    """A verdict for people."""
    if judged["valid"]:
        return f"{judged['kind']} {judged['number']} obeys EN 16931 ({len(judged['warnings'])} warnings)"
    rows = [[f["rule"], f["message"], f["location"]] for f in judged["fatal"]]
    return session.table_of(
        f"{judged['kind']} {judged['number']} breaks EN 16931", ["Rule", "What", "Where"], rows, empty=""
    )


@app.command("list")
def list_invoices() -> None:
    """List invoices with status, settlement and holder."""
    found = session.ask("invoice.list")
    session.show(
        found,
        lambda d: session.table_of(
            "Invoices",
            ["Number", "Seller", "Buyer", "Due", "Status", "Settlement", "Payable", "Outstanding", "Holder"],
            [
                [
                    i["number"],
                    i["seller"],
                    i["buyer"],
                    i["due"],
                    i["status"],
                    i["settlement"],
                    f"{i['payable']} {i['currency']}",
                    i["outstanding"],
                    i["holder"] or "",
                ]
                for i in d["invoices"]
            ],
            empty="no invoices; `interfirm invoice import FILE` issues the first",
        ),
    )


@app.command()
def show(number: Annotated[str, typer.Argument(help="The invoice's number.")]) -> None:
    """Show one invoice."""
    session.show(session.ask("invoice.show", number=number))


@app.command()
def export(
    number: Annotated[str, typer.Argument(help="The invoice's number.")],
    to: Annotated[
        Path | None, typer.Option("--to", "-o", help="The file to write; standard output without it.")
    ] = None,
) -> None:
    """Write an invoice as UBL 2.1; the payee is the right's present holder."""
    xml = session.ask("invoice.export", number=number)["xml"]
    if to is None:
        print(xml, end="")
        return
    try:
        to.write_text(xml)
    except OSError as error:
        raise Refusal("file.write", "the file cannot be written", path=str(to), reason=error.strerror or "") from error
    session.show({"file": str(to)}, lambda d: f"wrote {d['file']}")
