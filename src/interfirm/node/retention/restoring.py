"""The job that puts what an archive holds back into the vault: after a rule that let go too much, or into a copy.

The whole file is checked first. What is there already stays as it is, so a restart begins again from the last commit.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from interfirm.base.errors import check
from interfirm.base.values import Value
from interfirm.node.desk import Desk
from interfirm.node.jobs.ports import JobCode, Slow, Work
from interfirm.node.jobs.types import Step
from interfirm.node.retention import store
from interfirm.node.retention.sealed_file import ArchiveReader, read_manifest
from interfirm.node.retention.types import ArchivedTransaction, Manifest, unpacked

PAGE_ROWS = 50


class RestoringArguments(Value, frozen=True, forbid_unknown_fields=True):
    """Which file, on the node's machine."""

    file: str


def restoring(key: bytes) -> JobCode:
    """The job's code for a node whose archives are sealed with this key; see the module, and ports.JobCode."""
    return partial(_restoring, key)


def _restoring(key: bytes, work: Work) -> Generator[Step | Slow, Any, None]:
    path = Path(msgspec.json.decode(work.arguments, type=RestoringArguments).file)
    manifest: Manifest = yield Slow(partial(read_manifest, path, key))
    _check_ours(work.desk, manifest)
    done = work.cursor.get("done", 0)
    yield Step(total=manifest.end.transactions)
    with ArchiveReader(path, key) as reader:
        held = reader.transactions()
        for _ in islice(held, done):
            pass
        while page := list(islice(held, PAGE_ROWS)):
            put_back(work.desk, page)
            done += len(page)
            yield Step(done=len(page), cursor={"done": done})
    with work.desk.vault.turn() as turn:
        known = store.find_archive(turn, manifest.head.number)
        if known is not None:
            store.put_archive(turn, known.replace(restored_ms=work.desk.now_ms()))
    work.desk.books.forget()
    yield Step(result={"archive": manifest.head.number, "transactions": manifest.end.transactions,
                       "contracts": manifest.end.contracts})  # fmt: skip


def _check_ours(desk: Desk, manifest: Manifest) -> None:
    """Refuse (`archive.foreign`) what another node archived, or this one in another life of its vault."""
    with desk.vault.read() as turn:
        known = store.find_archive(turn, manifest.head.number)
    ours = (manifest.head.identity, manifest.head.network) == (desk.me, desk.books.network)
    check(ours and (known is None or known.hash == manifest.hash), "archive.foreign",
          "this is the archive of another node, or another one than this node made under its number",
          archive=manifest.head.number, hash=manifest.hash)  # fmt: skip


def put_back(desk: Desk, page: list[ArchivedTransaction]) -> None:
    """Put transactions back in one commit; those that are in the vault stay as they are there."""
    with desk.vault.turn() as turn:
        for held in page:
            if turn.accepted_ms(held.id) is None or turn.archived(held.id) is not None:
                stored, made = unpacked(held)
                turn.unarchive(held.number, stored, made)
