"""The job that moves what may go out of the vault into archives, and forgets old papers of the node's own work.

It marks what stays and all that this needs; then it makes archives of a bounded size, one after the other: the file is
written, read back and given its name, and only then one commit takes its transactions out of the vault. Whatever is
interrupted before that commit changed nothing, and is begun again; a file that it left behind holds copies alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from interfirm.base.errors import check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node.desk import Desk
from interfirm.node.jobs.ports import JobCode, Slow, Work
from interfirm.node.jobs.types import Step
from interfirm.node.retention import store
from interfirm.node.retention.forgetting import forget_papers
from interfirm.node.retention.marks_sqlite import Marks
from interfirm.node.retention.policy import Policy, inputs_of
from interfirm.node.retention.sealed_file import ArchiveWriter
from interfirm.node.retention.types import ArchiveHead, Manifest, Why, packed
from interfirm.node.vault.archived import ArchivedRow
from interfirm.node.vault.turn import Turn

PAGE_ROWS = 25
"""Transactions of one slice: each is decoded."""
_FIRST = bytes(32)
_Code = Generator[Step | Slow, Any, None]


class ArchivingArguments(Value, frozen=True, forbid_unknown_fields=True):
    """What a run is to do."""

    folder: str = ""
    """Where archives are put, on the node's machine; empty where only counted."""
    before_ms: int | None = None
    """Only what ended before then."""
    dry_run: bool = False
    """Only count what would go, and what stays by why."""


def archiving(key: bytes) -> JobCode:
    """The job's code for a node whose archives are sealed with this key; see the module, and ports.JobCode."""
    return partial(_archiving, key)


def _archiving(key: bytes, work: Work) -> _Code:
    asked = msgspec.json.decode(work.arguments, type=ArchivingArguments)
    marks = Marks(work.folder / f"{work.id}.marks")
    try:
        yield from _marked(work, marks, asked)
        yield Slow(marks.settle)
        if asked.dry_run:
            yield from _counted(work, marks)
            return
        made = list[Manifest]()
        while marks.free(after=0, limit=1):
            found = yield from _archive(work, marks, asked, key)
            made += found
        forgotten = yield from forget_papers(work.desk)
        result = {
            "archives": [each.head.number for each in made], "folder": asked.folder,
            "transactions": sum(each.end.transactions for each in made),
            "contracts": sum(each.end.contracts for each in made), "stays": _stays(marks), "forgotten": forgotten,
        }  # fmt: skip
        yield Step(result=result)
    finally:
        marks.close()


def _stays(marks: Marks) -> dict[str, int]:
    return {why: count for why, count in marks.counts().items() if why}


def _counted(work: Work, marks: Marks) -> _Code:
    """What would go, by template."""
    templates, after, count = Counter[str](), 0, 0
    while page := marks.free(after=after, limit=PAGE_ROWS):
        with work.desk.vault.read() as turn:
            for _, name in page:
                made = turn.contracts_created_by(name)
                templates.update(work.desk.engine.path_of(each.template) for each in made)
        after, count = page[-1][0], count + len(page)
        yield Step()
    yield Step(result={"transactions": count, "contracts": templates.total(), "templates": dict(templates),
                       "stays": _stays(marks), "archives": []})  # fmt: skip


# what stays -------------------------------------------------------------------------------------------------------


def _marked(work: Work, marks: Marks, asked: ArchivingArguments) -> _Code:
    """Mark every transaction, and what others gave of histories and contracts."""
    for kind in (_mark_transactions, _mark_histories, _mark_disclosed):
        after: Any = None
        while True:
            with work.desk.vault.read() as turn:
                count, after = kind(work.desk, turn, marks, asked, after)
            yield Step(done=count)
            if after is None:
                break


def _mark_transactions(
    desk: Desk, turn: Turn, marks: Marks, asked: ArchivingArguments, after: int | None
) -> tuple[int, int | None]:
    rows = turn.numbered_transactions(after=after or 0, limit=PAGE_ROWS)
    policy = Policy(desk, turn, before_ms=asked.before_ms)
    for number, stored in rows:
        marks.add(stored.id, number, policy.why_stays(number, stored), policy.uses(stored))
    return len(rows), rows[-1][0] if len(rows) == PAGE_ROWS else None


def _mark_histories(
    desk: Desk, turn: Turn, marks: Marks, _: ArchivingArguments, after: bytes | None
) -> tuple[int, bytes | None]:
    """Ancestors that others gave lead back to transactions of this vault."""
    refs, rows = desk.books.histories.given(turn, after=after, limit=PAGE_ROWS)
    for transaction, item in refs:
        marks.add_given(transaction, inputs_of(item.view))
    return 0, rows


def _mark_disclosed(desk: Desk, turn: Turn, marks: Marks, _: ArchivingArguments, after: None) -> tuple[int, None]:
    """What others disclosed may be used at any time, and needs its history then."""
    for each in desk.books.disclosed(turn):
        marks.add_given(each.origin.transaction or b"", (), stays=True)
    return 0, None


# one archive after the other --------------------------------------------------------------------------------------


def _archive(
    work: Work, marks: Marks, asked: ArchivingArguments, key: bytes
) -> Generator[Step | Slow, Any, list[Manifest]]:
    """Make the next archive; none where something that was to go has to stay after all, which is marked then."""
    with work.desk.vault.read() as turn:
        head = _head(work.desk, turn)
    writer = ArchiveWriter(Path(asked.folder), work.id, key, head)
    try:
        taken = yield from _written(work, marks, writer)
        if not taken:
            return []
        manifest: Manifest = yield Slow(partial(writer.finish, key))
    finally:
        writer.close()
    yield Step()  # whoever cancelled the job meanwhile ends it here
    changed = take_out(work.desk, manifest, taken, before_ms=asked.before_ms)
    for name, why in changed.items():
        marks.keep(name, why)
    if changed:
        yield Slow(marks.settle)
    else:
        marks.gone(taken)
    return [] if changed else [manifest]


def _head(desk: Desk, turn: Turn) -> ArchiveHead:
    last = store.last_archive(turn)
    return ArchiveHead(
        number=1 if last is None else last.head.number + 1, network=desk.books.network, identity=desk.me,
        made_ms=desk.now_ms(), before=_FIRST if last is None else last.hash,
    )  # fmt: skip


def _written(work: Work, marks: Marks, writer: ArchiveWriter) -> Generator[Step | Slow, Any, list[bytes]]:
    taken, after, most = list[bytes](), 0, LIMITS.archive_transactions_count_max
    while page := marks.free(after=after, limit=min(PAGE_ROWS, most - len(taken))):
        with work.desk.vault.read() as turn:
            for number, name in page:
                found = turn.transaction(name)
                assert found is not None, "nothing else takes transactions out of a vault"
                writer.add(packed(number, found, turn.numbered_contracts(name)))
                taken.append(name)
        after = page[-1][0]
        yield Step()
        if len(taken) >= most:
            break
    return taken


def take_out(
    desk: Desk, manifest: Manifest, transactions: list[bytes], *, before_ms: int | None = None
) -> dict[bytes, Why]:
    """In one commit, take what an archive holds out of the vault and keep its manifest.

    Nothing of it where a transaction has to stay by now, as a hold was placed meanwhile: those are returned, with why.
    Refusal `archive.running` where another archive was made meanwhile.
    """
    with desk.vault.turn() as turn:
        fits = _head(desk, turn).replace(made_ms=manifest.head.made_ms) == manifest.head
        check(fits, "archive.running", "another archive was made meanwhile", archive=manifest.head.number)
        policy = Policy(desk, turn, before_ms=before_ms)
        found = [turn.numbered_transaction(name) for name in transactions]
        whys = {stored.id: policy.why_stays(number, stored) for number, stored in filter(None, found)}
        changed = {name: why for name, why in whys.items() if why is not None}
        if changed:
            return changed
        for _, stored in filter(None, found):
            ends = [turn.accepted_ms(each.consumer or b"") or 0 for each in turn.contracts_created_by(stored.id)]
            store.note_ended(turn, max(ends, default=0))
        for _, stored in filter(None, found):
            turn.archive(stored.id, ArchivedRow(archive=manifest.head.number, time_ms=stored.time_ms))
        store.put_archive(turn, manifest)
    desk.books.forget()
    return {}
