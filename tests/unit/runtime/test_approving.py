"""What waits for approvals is told to who may decide it, once a day, and ends when nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.api.rest.nodes import business_engine

from interfirm.base.time import DAY_MS
from interfirm.node.access import approvals, people
from interfirm.node.access.approvals import Line, Pending
from interfirm.node.access.people import Person
from interfirm.node.access.types import Role
from interfirm.node.vault.vault import Vault
from interfirm.runtime.approving import Approving
from interfirm.runtime.notify import Notice, Notifier

BOARD = Role("board", "Decides.", ("approvals.decide",), ())
LINE = Line(name="large", approvals=1, roles=("board",))
WAITING = Pending(
    id="p-1", asked_by="anna", asked_ms=0, operation="exercise", event=b"", kind="flow", demands=(), lines=(LINE,),
    shown={}, expires_ms=3 * DAY_MS,
)  # fmt: skip


class Letters:
    """A way to tell that keeps what it is given."""

    name = "letters"

    def __init__(self) -> None:
        self.told: list[Notice] = []

    def tell(self, notice: Notice) -> None:
        self.told.append(notice)


class Office:
    """A vault with people, and what follows its approvals; `wait` lets the clock be looked at again."""

    def __init__(self, vault: Vault) -> None:
        self.vault, self.now_ms, self.letters = vault, 0, Letters()
        ways = [self.letters]
        self.notifier = Notifier(vault, ways, firm="nordmark", events=["approval"], now_ms=lambda: self.now_ms)
        self._looked = asyncio.Event()
        self._go = asyncio.Event()
        self.approving = Approving(vault, self.notifier.approval, now_ms=lambda: self.now_ms, sleep=self._sleep)
        with vault.turn() as turn:
            people.put_role(turn, BOARD)
            for name, roles, mail in (
                ("anna", ("board",), "anna@nordmark.example"), ("bert", ("board",), "bert@nordmark.example"),
                ("carl", ("clerk",), "carl@nordmark.example"), ("dora", ("board",), "x@y.example\r\nBcc: z@y.example"),
            ):  # fmt: skip
                people.put_person(turn, Person(name=name, roles=roles, created_ms=0, variables=(("mail", mail),)))

    async def _sleep(self, _: float) -> None:
        self._looked.set()
        await self._go.wait()
        self._go.clear()

    async def looked(self, now_ms: int) -> None:
        """The clock has been looked at when it said so."""
        self.now_ms = now_ms
        self._looked.clear()
        self._go.set()
        await self._looked.wait()
        await self.settled()

    async def settled(self) -> None:
        """Everything is told that is to be."""
        await asyncio.sleep(0)
        await asyncio.gather(*self.notifier._under_way.values())

    def put(self, pending: Pending) -> None:
        with self.vault.turn() as turn:
            approvals.put(turn, pending)

    def state(self) -> str:
        with self.vault.read() as turn:
            return approvals.get(turn, WAITING.id).state


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = Vault.open(tmp_path / "vault.sqlite", contracts_engine=business_engine(), durable=False)
    yield made
    made.close()


def run(vault: Vault, course: Callable[[Office], Awaitable[None]]) -> None:
    async def whole() -> None:
        office = Office(vault)
        task = asyncio.ensure_future(office.approving.run())
        await office._looked.wait()
        await course(office)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(whole(), 60))


def test_who_may_decide_is_told_when_something_begins_to_wait_and_nobody_else(vault: Vault) -> None:
    async def course(office: Office) -> None:
        office.put(WAITING)
        await office.settled()
        (notice,) = office.letters.told
        assert notice.to == ("bert@nordmark.example",)
        assert (notice.event, notice.about, notice.subject) == ("approval", "exercise", "p-1")
        assert "approvals list" in notice.text

    run(vault, course)


def test_they_are_reminded_each_day_until_it_is_decided(vault: Vault) -> None:
    async def course(office: Office) -> None:
        office.put(WAITING)
        for now_ms in (1_000, DAY_MS - 1, DAY_MS, DAY_MS + 1):
            await office.looked(now_ms)
        assert [notice.id for notice in office.letters.told] == ["approval-p-1-0", "approval-p-1-1"]
        assert (office.approving.count, office.approving.age_s) == (1, (DAY_MS + 1) / 1000)
        office.put(WAITING.replace(state="declined"))
        await office.looked(2 * DAY_MS)
        assert len(office.letters.told) == 2
        assert (office.approving.count, office.approving.age_s) == (0, 0)

    run(vault, course)


def test_what_nobody_decides_in_time_ends(vault: Vault) -> None:
    async def course(office: Office) -> None:
        office.put(WAITING)
        await office.looked(WAITING.expires_ms - 1)
        assert office.state() == "open"
        await office.looked(WAITING.expires_ms)
        assert (office.state(), office.approving.count) == ("expired", 0)

    run(vault, course)


def test_what_waited_before_the_start_is_known_after_it(vault: Vault) -> None:
    with vault.turn() as turn:
        approvals.put(turn, WAITING)

    async def course(office: Office) -> None:
        await office.settled()
        assert office.approving.count == 1
        assert len(office.letters.told) == 1

    run(vault, course)
