"""A firm of a simulated world whose history can be archived, and time that passes for its desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from tests.unit.node.jobs.harness import Bench, SimNames

from interfirm.base.time import DAY_MS
from interfirm.contracts.types import ContractRef
from interfirm.formats.tables import TableFormats
from interfirm.node.access.types import OWNER, Caller
from interfirm.node.asking import Start
from interfirm.node.desk import Desk
from interfirm.node.desk_retention import ARCHIVE, RESTORE
from interfirm.node.flows.types import AskedFlow
from interfirm.node.forms import ref_of
from interfirm.node.jobs.catalogue import JOBS
from interfirm.node.jobs.runner import Runner
from interfirm.node.operations import OPERATIONS
from interfirm.node.retention.archiving import archiving
from interfirm.node.retention.checking import Reader
from interfirm.node.retention.restoring import restoring
from interfirm.node.retention.sealed_file import ArchiveReader
from interfirm.node.retention.types import ArchivedTransaction
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import SIGN_ALL, World

KEY = b"k" * 32
DAYS = 400
"""How much later the desk lives than what it keeps."""


class Keeper(Bench):
    """One firm: drafts and cash that come and go, and a folder for archives."""

    def __init__(self, world: World, folder: Path, *, number: int = 0) -> None:
        super().__init__(world, folder, number=number)
        self.archives = folder.parent / f"archives-{number}"
        self.later_ms = DAYS * DAY_MS
        self.desk = Desk(
            self.firm.vault, self.firm.services, SimNames(world.population),
            now_ms=lambda: world.agenda.now_ms + self.later_ms, operations=OPERATIONS,
        )  # fmt: skip
        self.runner = self.new_runner()
        self._asked = 0

    def new_runner(self) -> Runner:
        kinds = {**JOBS, ARCHIVE: archiving(KEY), RESTORE: restoring(KEY)}
        return Runner(self.desk, kinds, tables=TableFormats(), folder=self.folder)

    def does(self, operation: str, **arguments: Any) -> ContractRef:
        """Something done by a flow, and the first contract that it made."""
        self._asked += 1
        name = f"{self.firm.name}-{self._asked}"
        later_ms, self.later_ms = self.later_ms, 0
        answer = self.desk.handle(operation, {"request": name, **arguments})
        self.later_ms = later_ms
        assert isinstance(answer, Start)
        assert isinstance(answer.event, AskedFlow)
        self.firm.ask(answer.event, answer.privates)
        self.world.run(60_000)
        with self.desk.vault.read() as turn:
            record = turn.flow(name)
        assert record is not None
        result = msgspec.msgpack.decode(record.result)
        assert record.state == "done", result
        return ContractRef(result["transaction"], 0)

    def draft(self, number: int = 1, **more: Any) -> str:
        """A draft of this firm for the other one."""
        fields = {"supplier": "firm0", "debtor": "firm1", "amount": "10.00 EUR", "number": str(number), "mark": "m"}
        return _text(self.does("create", template="trade.Draft", fields={**fields, **more}))

    def chooses(self, ref: str, choice: str, **arguments: Any) -> str:
        return _text(self.does("exercise", ref=ref, choice=choice, arguments=arguments))

    def lets_go(self, days: int | None = 30, about: str = "*") -> None:
        self.ask("retention.set", about=about, days=days, ground="the law")

    def archived(self, *, caller: Caller = OWNER, **more: Any) -> dict[str, Any]:
        """A run of archiving, from its beginning to its end."""
        asked = {"folder": str(self.archives), **more}
        return self.until_done(self.ask("archive.create", caller=caller, **asked)["job"]["id"])

    def restored(self, file: Path) -> dict[str, Any]:
        return self.until_done(self.ask("archive.restore", file=str(file))["job"]["id"])

    def files(self) -> list[Path]:
        return sorted(self.archives.glob("*.sealed"))

    def held_in(self, file: Path) -> list[ArchivedTransaction]:
        with ArchiveReader(file, KEY) as reader:
            return list(reader.transactions())

    def reader(self) -> Reader:
        books = self.desk.books
        return Reader(books.engine, books.directory, books.network)

    def every_ref(self, template: str = "trade.Draft") -> list[str]:
        answer = self.desk.handle("contracts.list", {"template": template, "status": "all", "limit": 1000})
        assert isinstance(answer, dict)
        return [each["ref"] for each in answer["contracts"]]

    def transactions(self) -> set[bytes]:
        with self.desk.vault.read() as turn:
            return {each.id for each in turn.transactions(limit=10_000)}


def _text(ref: ContractRef) -> str:
    assert ref.transaction is not None
    return f"{ref.transaction.hex()}:{ref.index}"


def transaction_of(ref: str) -> bytes:
    found = ref_of(ref).transaction
    assert found is not None
    return found


@contextmanager
def keepers(folder: Path, *, firms: int = 2) -> Iterator[list[Keeper]]:
    """The firms of a world that sign what holds."""
    with World(1, trade_engine(), firms=firms, policies=(SIGN_ALL,)) as world:
        yield [_keeper(world, folder / f"jobs-{number}", number) for number in range(firms)]


def _keeper(world: World, folder: Path, number: int) -> Keeper:
    folder.mkdir(parents=True)
    return Keeper(world, folder, number=number)
