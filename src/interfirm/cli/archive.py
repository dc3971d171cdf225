"""`archive`: old history out of the vault into sealed files, and proofs from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.time import Instant
from interfirm.cli import jobs, session
from interfirm.cli.proof import write_proof
from interfirm.node.forms import ref_of
from interfirm.node.retention.types import ArchivedTransaction
from interfirm.runtime.proofs import write_anchor

app = typer.Typer(help="Old history out of the vault, with every proof kept.", no_args_is_help=True)
File = Annotated[Path, typer.Argument(help="The archive, archive-NUMBER-....sealed.", exists=True, dir_okay=False)]


@app.command()
def create(
    before: Annotated[str | None, typer.Option(help="Only what ended before this day or time.")] = None,
    to: Annotated[
        Path | None, typer.Option(help="The folder for archives; else what node.toml says, or `archives` of the node.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go, and what stays.")] = False,
    later: Annotated[
        bool, typer.Option("--later", help="Do not wait for it: `interfirm jobs show` says how far it is.")
    ] = False,
) -> None:
    """Move what retention rules let go into archives, and forget old papers that they let go."""
    from interfirm.runtime.archives import archives_folder  # all of a node, which other commands do not wait for

    folder = to or archives_folder(session.layout().firm(session.options.firm))
    started = session.ask("archive.create", before=_time(before), folder=str(folder.resolve()), dry_run=dry_run)["job"]
    if later:
        session.show(started, jobs.told)
        return
    job = jobs.follow(started)
    session.show(job["result"] or job, lambda found: _counted(found, dry_run=dry_run))


def _time(given: str | None) -> str | None:
    """A day means its beginning, UTC."""
    return f"{given}T00:00:00Z" if given is not None and len(given) == len("2026-01-31") else given


def _counted(found: dict[str, Any], *, dry_run: bool) -> str:
    what = f"{found['transactions']} transactions with {found['contracts']} contracts"
    lines = [f"{what} would go"] if dry_run else [f"{what} moved into {len(found['archives'])} archives"]
    lines += [f"  {count} {name}" for name, count in found.get("templates", {}).items()]
    lines += [f"  {count} stay: {_WHY[why]}" for why, count in found["stays"].items()]
    lines += [f"  {count} {name} forgotten" for name, count in found.get("forgotten", {}).items() if count]
    return "\n".join(lines)


_WHY = {
    "rule": "no rule lets them go yet", "hold": "a legal hold", "active": "they made what is in use",
    "moved": "what they made moved to another notary", "pending": "no receipt", "newest": "the newest",
    "package": "their package is not loaded", "needed": "what stays rests on them",
}  # fmt: skip


@app.command("list")
def list_archives(limit: Annotated[int, typer.Option(min=1, max=1000)] = 50) -> None:
    """List this node's archives."""
    session.show(
        session.ask("archive.list", limit=limit),
        lambda data: session.table_of(
            "Archives", ["Archive", "File", "Transactions", "Contracts", "From", "Until", "Put back"],
            [[a["archive"], a["file"], a["transactions"], a["contracts"], a["from"], a["until"], _put_back(a)]
             for a in data["archives"]],
            empty="no archives; `interfirm archive create --dry-run` says what would go",
        ),
    )  # fmt: skip


def _put_back(archive: dict[str, Any]) -> str:
    return "" if archive["restored_ms"] is None else str(Instant(archive["restored_ms"]))


@app.command()
def show(
    archive: Annotated[str, typer.Argument(help="An archive's number, or a transaction that it holds.")],
) -> None:
    """Show one archive: what it holds of which times, its root and the hash of the one before."""
    given = {"archive": int(archive)} if archive.isdecimal() and len(archive) < 20 else {"transaction": archive}
    session.show(session.ask("archive.show", **given))


@app.command()
def restore(file: File) -> None:
    """Put what an archive holds back into the vault."""
    job = jobs.follow(session.ask("archive.restore", file=str(file.resolve()))["job"])
    session.show(job["result"] or job, lambda d: f"put back {d['transactions']} transactions of archive {d['archive']}")


@app.command()
def verify(file: File) -> None:
    """Check an archive without its node: every byte, every transaction run again, every receipt."""
    from interfirm.node.retention.checking import checked  # loads the packages, which other commands do without

    with _opened(file) as (archive, reader):
        contracts = sum(len(found.created) for found in checked(archive.transactions(), reader))
        manifest = archive.manifest
    found = {"archive": manifest.head.number, "transactions": manifest.end.transactions, "contracts": contracts,
             "root": manifest.end.root.hex(), "before": manifest.head.before.hex(),
             "hash": manifest.hash.hex()}  # fmt: skip
    session.show(found, lambda d: f"archive {d['archive']} holds: {d['transactions']} transactions, hash {d['hash']}")


@app.command()
def proof(
    file: File,
    transaction: Annotated[str, typer.Argument(help="A contract's ref, or the transaction that made one alone.")],
    to: Annotated[Path, typer.Option("--to", "-o", help="The file to write.")],
    anchor: Annotated[Path | None, typer.Option(help="Also write the trust anchor that checks it.")] = None,
) -> None:
    """Write the proof of an archived contract, which `interfirm proof verify` checks like any other."""
    ref = ref_of(transaction if ":" in transaction else f"{transaction}:0")
    named = ref.index if ":" in transaction else None
    with _opened(file) as (archive, reader):
        held = next((each for each in archive.transactions() if each.id == ref.transaction), None)
        if held is None:
            raise Refusal("archive.unknown", "the archive does not hold this transaction", transaction=ref.transaction)
        bundle = codec.encode(reader.proof(held, _only(held) if named is None else named))
    write_proof(to, bundle)
    if anchor is not None:
        write_anchor(anchor, session.layout())
    session.show({"file": str(to), "bytes": len(bundle)}, lambda d: f"wrote {d['file']} ({d['bytes']} bytes)")


def _only(held: ArchivedTransaction) -> int:
    """The place of the one contract that a transaction made; Refusal `archive.ref` where it made none, or several."""
    refs = [f"{held.id.hex()}:{each.index}" for each in held.contracts]
    check(len(refs) == 1, "archive.ref", "name the contract by its ref", refs=refs)
    return held.contracts[0].index


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """An archive opened with the key of the firm whose it is, and what checks its transactions."""
    from interfirm.node.retention.sealed_file import ArchiveReader  # all of a node
    from interfirm.runtime.archives import archive_key, archive_reader

    layout = session.layout()
    home = layout.firm(session.options.firm)
    with ArchiveReader(file, archive_key(home)) as archive:
        yield archive, archive_reader(layout)
