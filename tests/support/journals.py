"""Recorded journals of flows: how they are kept in files, and what a flow asks for while it runs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from interfirm.base import codec
from interfirm.contracts.packages import Engine, Package
from interfirm.node.books import Books
from interfirm.node.flows.context import Context
from interfirm.node.flows.running import FlowCode
from interfirm.node.flows.types import AskNotary, AskPerson, Awaited, Once, Receive, Send, Sleep
from interfirm.node.services import Services
from interfirm.sim.parties import Population
from interfirm.sim.world import ASK_ALL, SIGN_ALL

FOLDER = Path(__file__).parents[1] / "vectors" / "journals"
FORMAT = 1
"""Of these files; the journals have a version of their own."""


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """One flow as it was recorded. Bytes are hex; its firm's vault, after everything, lies in `<firm>.vault.gz`.

    `world` names the folder of the world that it was recorded in: flows that came later have worlds of their own, so
    that what was recorded before stays as it is.
    """

    format: int = FORMAT
    journal_version: int
    kind: str
    flow: str
    firm: str
    started_ms: int
    ended_ms: int
    arguments: str
    requests: list[str]
    """What the code must ask for, in this order."""
    journal: list[str]
    state: str
    result: str
    world: str = ""

    def entries(self) -> list[bytes]:
        """The entries of the journal."""
        return [bytes.fromhex(entry) for entry in self.journal]


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """The world that the journals were recorded in: what its keys follow from, and the packages of its contracts."""

    seed: int
    firms: list[str]
    notaries: int
    packages: list[str]
    asking: list[str]
    """Firms whose people are asked before anything is signed."""


def save(path: Path, value: Journal | Recording) -> None:
    """Write one file, readable and the same for the same value."""
    path.write_text(json.dumps(msgspec.to_builtins(value), indent=1) + "\n")


def journals() -> list[Journal]:
    """Every recorded journal, of all worlds."""
    files = sorted(FOLDER.rglob("*.json"))
    return [msgspec.json.decode(p.read_bytes(), type=Journal) for p in files if p.name != "recording.json"]


def recording(world: str = "") -> Recording:
    """The world of this name that journals were recorded in."""
    return msgspec.json.decode((FOLDER / world / "recording.json").read_bytes(), type=Recording)


def unpack_vault(journal: Journal, path: Path) -> None:
    """Put the recorded vault of a journal's firm at a path."""
    path.write_bytes(gzip.decompress((FOLDER / journal.world / f"{journal.firm}.vault.gz").read_bytes()))


@cache
def recorded_engine(world: str = "") -> Engine:
    """An engine with the packages of a world as they were then."""
    return Engine([codec.decode(bytes.fromhex(data), Package) for data in recording(world).packages])


def recorded_services(world: Recording, engine: Engine, firm: str) -> Services:
    """What the flows of a recorded firm use."""
    population = Population(world.seed, firms=len(world.firms), notaries=world.notaries)
    (keys,) = [each.keys for each in population.firms if each.name == firm]
    return Services(
        Books(keys, engine, population, population.network), policy=ASK_ALL if firm in world.asking else SIGN_ALL,
        random=_no_randomness, names=population.name_of, default_notary=population.notaries[0].id,
    )  # fmt: skip


def _no_randomness(size: int) -> bytes:
    raise AssertionError("a flow that is replayed draws nothing")


def described(request: Awaited) -> str:
    """A request in one line: all of it that must be the same whenever the flow is run again."""
    match request:
        case Once():
            return f"once {request.name}"
        case Send():
            return f"send {request.session.hex()} to {request.peer.hex()[:16]} {request.flow}".rstrip()
        case Receive():
            return f"receive {request.session.hex()} from {request.peer.hex()[:16]}"
        case AskNotary():
            return f"ask notary {request.notary.hex()[:16]}"
        case Sleep():
            return f"sleep until {request.until_ms}"
        case AskPerson():
            return f"ask person {request.kind}"


class Watched:
    """A flow's code, showing each request before the engine gets it; `forbidden` are not to be carried out."""

    def __init__(
        self, flow: Coroutine[Any, Any, Any], shown: Callable[[Awaited], None], *, replayed: bool = False
    ) -> None:
        self._flow, self._shown, self._replayed = flow, shown, replayed

    def send(self, value: Any) -> Awaited:
        """As a coroutine's."""
        return self._seen(self._flow.send(value))

    def throw(self, error: BaseException) -> Awaited:
        """As a coroutine's."""
        return self._seen(self._flow.throw(error))

    def close(self) -> None:
        """As a coroutine's."""
        self._flow.close()

    def _seen(self, request: Awaited) -> Awaited:
        self._shown(request)
        if self._replayed and isinstance(request, Once):
            return request.replace(function=_done_again)
        return request


def _done_again() -> None:
    raise AssertionError("a flow that is replayed does nothing again")


def watched(code: FlowCode, shown: Callable[[str, Awaited], None], *, replayed: bool = False) -> FlowCode:
    """A flow's code that shows (flow, request) for all it asks."""

    def run(context: Context, arguments: bytes) -> Any:
        flow = code(context, arguments)
        return Watched(flow, lambda request: shown(context.flow, request), replayed=replayed)

    return run
