"""A firm of a simulated world with a desk and jobs, whose rows become real contracts."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.formats.tables import TableFormats
from interfirm.node.access.types import OWNER, Caller
from interfirm.node.asking import Start
from interfirm.node.desk import Desk
from interfirm.node.desk_approvals import OPERATIONS as APPROVALS
from interfirm.node.desk_bulk import OPERATIONS as BULK
from interfirm.node.desk_contracts import OPERATIONS as CONTRACTS
from interfirm.node.flows.types import AskedFlow
from interfirm.node.jobs.catalogue import JOBS
from interfirm.node.jobs.runner import Runner
from interfirm.sim.parties import Population
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import World

MINUTE_MS = 60_000


class SimNames:
    """See forms.Names."""

    def __init__(self, population: Population) -> None:
        self._population = population

    def identity_of(self, name: str) -> bytes:
        for firm in self._population.firms:
            if firm.name == name:
                return firm.identity
        raise Refusal("directory.unknown", "this organisation is not in the network", name=name)

    def name_of(self, identity: bytes) -> str:
        return self._population.name_of(identity)

    def registration_of(self, identity: bytes) -> str:
        raise Refusal("directory.unknown", "nobody has a number here", identity=identity)

    def organisations(self) -> list[bytes]:
        return [firm.identity for firm in self._population.firms]

    def notary_of(self, name: str) -> bytes:
        return self._population.notaries[0].id


class Bench:
    """One firm: its desk, its jobs, and the world around it."""

    def __init__(self, world: World, folder: Path, *, number: int = 0) -> None:
        self.world = world
        self.folder = folder
        self.firm = world.firms[number]
        self.desk = Desk(
            self.firm.vault, self.firm.services, SimNames(world.population), now_ms=lambda: world.agenda.now_ms,
            operations={**BULK, **CONTRACTS, **APPROVALS},
        )  # fmt: skip
        self.runner = self.new_runner()
        self.asked: list[str] = []

    def other(self) -> Bench:
        """The other firm of this world."""
        return Bench(self.world, self.folder, number=1)

    def new_runner(self) -> Runner:
        """What a node has after a restart."""
        return Runner(self.desk, JOBS, tables=TableFormats(), folder=self.folder)

    def restarted(self) -> None:
        """Forget all that jobs have in memory."""
        self.runner = self.new_runner()
        self.hand_out(self.runner.restart())

    def ask(self, operation: str, *, caller: Caller = OWNER, **arguments: Any) -> dict[str, Any]:
        answer = (self.desk if caller is OWNER else self.desk.of(caller)).handle(operation, arguments)
        assert isinstance(answer, dict)
        self.runner.look()
        return answer

    def decide(self, name: str, *, caller: Caller, approve: bool) -> None:
        """Somebody agrees to what waits for approval, or declines it."""
        answer = self.desk.of(caller).handle("approvals.decide", {"id": name, "approve": approve})
        if isinstance(answer, Start):
            assert isinstance(answer.event, AskedFlow)
            self.hand_out([answer.event])

    def document(self, text: str | bytes) -> str:
        data = text.encode() if isinstance(text, str) else text
        return self.desk.vault.attachment_put_stream([data]).hex()

    def hand_out(self, events: Sequence[AskedFlow]) -> None:
        for event in events:
            self.asked.append(event.id)
            self.firm.ask(event)

    def step(self) -> bool:
        """One slice of one job; False where none can go on."""
        running = self.runner.due()
        if running is None:
            return False
        done = self.runner.step(running)
        if done.slow is not None:
            try:
                running.answer = done.slow.work()
            except Refusal as refusal:
                running.failure = refusal
        self.hand_out(done.events)
        return True

    def until_done(self, job: str) -> dict[str, Any]:
        """The job as it ends, with the errors of its rows."""
        for _ in range(500):
            if not self.step():
                self.world.run(MINUTE_MS)
                self.runner.look()
            shown = self.show(job)
            if shown["state"] != "running":
                return shown
        raise AssertionError(shown)

    def show(self, job: str) -> dict[str, Any]:
        answer = self.desk.handle("jobs.show", {"id": job})
        assert isinstance(answer, dict)
        return answer

    def imported(self, table: str, *, template: str = "cash.Cash", **more: Any) -> dict[str, Any]:
        """An import from its beginning to its end."""
        job = self.ask("bulk.import", document=self.document(table), name="t.csv", template=template, **more)["job"]
        return self.until_done(job["id"])

    def exported(self, *, caller: Caller = OWNER, **more: Any) -> bytes:
        """What an export writes."""
        job = self.ask("bulk.export", caller=caller, **more)["job"]
        shown = self.until_done(job["id"])
        assert shown["state"] == "done", shown
        return self.written(shown)

    def written(self, job: dict[str, Any]) -> bytes:
        data, offset = b"", 0
        while offset is not None:
            piece = self.desk.handle("jobs.file", {"id": job["id"], "offset": offset})
            assert isinstance(piece, dict)
            data += bytes.fromhex(piece["data"])
            offset = piece["next"]
        return data

    def refs(self, template: str) -> list[str]:
        answer = self.desk.handle("contracts.list", {"template": template, "limit": 1000})
        assert isinstance(answer, dict)
        return [each["ref"] for each in answer["contracts"]]

    def contracts(self, template: str = "cash.Cash", status: str = "active") -> list[dict[str, Any]]:
        answer = self.desk.handle("contracts.list", {"template": template, "status": status, "limit": 1000})
        assert isinstance(answer, dict)
        return [each["fields"] for each in answer["contracts"]]


@contextmanager
def bench(folder: Path, *, firms: int = 2) -> Iterator[Bench]:
    """A world of firms that sign what holds."""
    with World(1, trade_engine(), firms=firms) as world:
        folder.mkdir(exist_ok=True)
        yield Bench(world, folder)


def rows_of(data: bytes) -> list[list[str]]:
    """The rows of a CSV, the header included."""
    return [cells for _, cells in TableFormats().read("csv", io.BytesIO(data))]


def lines_of(data: bytes) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in data.splitlines()]
