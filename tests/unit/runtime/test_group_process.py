"""A host's process: its nodes begin and end in their order, together, whatever one of them comes to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from interfirm.base.errors import Refusal
from interfirm.runtime import group_process
from interfirm.runtime.configuration import Configuration
from interfirm.runtime.group_process import GroupProcess
from interfirm.runtime.layout import Home, Member, NetworkLayout

FULL = Refusal("vault.storage", "the disk is full")


class Node:
    """A node that does nothing; what happens to it is written down."""

    told: list[str]

    def __init__(self, assembly: Any, clock: object, *, host: Node | None = None) -> None:
        self.assembly = assembly
        self.name: str = assembly.home.member.slug
        self.fails: dict[str, Exception] = {}
        self.over = asyncio.Event()

    async def serve(self, ready: Callable[[], None]) -> None:
        try:
            if "start" in self.fails:
                raise self.fails["start"]
            self.told.append(f"{self.name} begins")
            ready()
            await self.over.wait()
        finally:
            self.told.append(f"{self.name} ends")
            if "stop" in self.fails:
                raise self.fails["stop"]


def home(folder: Path, slug: str) -> Home:
    (folder / slug).mkdir(exist_ok=True)
    return Home(folder=folder / slug, member=cast("Member", SimpleNamespace(slug=slug)))


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], GroupProcess]:
    def assembled(_: object, at: Home, *__: object, **___: object) -> Any:
        return SimpleNamespace(home=at, configuration=Configuration())

    monkeypatch.setattr(Node, "told", [], raising=False)
    monkeypatch.setattr(group_process, "NodeProcess", Node)
    monkeypatch.setattr(group_process, "Assembly", assembled)
    monkeypatch.setattr(group_process, "entities_of", lambda *_: [home(tmp_path, "one"), home(tmp_path, "two")])
    layout, clock = cast("NetworkLayout", None), cast("Any", SimpleNamespace(now_ms=lambda: 0))
    return lambda: GroupProcess(layout, home(tmp_path, "host"), lambda: clock)


def of(node: Any) -> Node:
    return cast("Node", node)


def test_the_host_begins_last_and_ends_first(process: Callable[[], GroupProcess], tmp_path: Path) -> None:
    async def play() -> None:
        ready = asyncio.Event()
        task = asyncio.ensure_future(process().serve(ready.set))
        await ready.wait()
        assert (tmp_path / "one" / "pid").read_text() == f"{os.getpid()} host"
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(play())
    begun = ["one begins", "two begins", "host begins"]
    assert [*begun, "host ends", "two ends", "one ends"] == Node.told
    assert not (tmp_path / "one" / "pid").exists()


def test_where_one_does_not_start_none_runs_and_it_is_said_why(process: Callable[[], GroupProcess]) -> None:
    async def play() -> None:
        made = process()
        of(made.entities[1]).fails["start"] = FULL
        await made.serve(lambda: pytest.fail("it is not ready"))

    with pytest.raises(Refusal, match=r"^vault\.storage: "):
        asyncio.run(play())
    assert Node.told == ["one begins", "two ends", "one ends"]


@pytest.mark.parametrize("which", [0, 1])
def test_the_end_of_one_is_the_end_of_all(process: Callable[[], GroupProcess], which: int) -> None:
    async def play() -> None:
        made = process()
        ended = of(made.entities[which])
        ended.fails["stop"] = FULL
        await made.serve(ended.over.set)

    with pytest.raises(Refusal, match=r"^vault\.storage: "):
        asyncio.run(play())
    assert sorted(each for each in Node.told if "ends" in each) == ["host ends", "one ends", "two ends"]


def test_one_that_fails_while_it_stops_does_not_keep_the_others_up(process: Callable[[], GroupProcess]) -> None:
    async def play() -> None:
        made = process()
        of(made.host).fails["stop"] = FULL
        of(made.entities[0]).over.set()
        await made.serve(lambda: None)

    asyncio.run(play())
    assert Node.told[-1] in ("one ends", "two ends")
    assert len([each for each in Node.told if "ends" in each]) == 3
