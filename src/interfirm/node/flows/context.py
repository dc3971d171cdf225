"""What a flow's author writes against: `ctx`. Only these may be awaited, so that a flow can be replayed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from interfirm.base import codec
from interfirm.base.hashing import digest
from interfirm.node.flows.types import AskNotary, AskPerson, Awaited, Decision, Once, Receive, Send, Sleep, Step

if TYPE_CHECKING:
    from interfirm.node.vault.turn import Turn

R = TypeVar("R")


class Await(Generic[R]):
    """One request to the engine; awaiting it gives the result, now or after a restart."""

    __slots__ = ("request",)

    def __init__(self, request: Awaited) -> None:
        self.request = request

    def __await__(self) -> Generator[Awaited, Any, R]:
        result: R = yield self.request
        return result


class Cancelled(Exception):  # noqa: N818 - a signal, not an error
    """Raised at a waiting point that said it may be cancelled there."""


class Session:
    """A talk with one peer's flow."""

    def __init__(self, context: Context, session: bytes, peer: bytes) -> None:
        self._context = context
        self.id = session
        self.peer = peer
        self._opening = ""

    def send(self, body: Any) -> Await[None]:
        """Send a wire value."""
        flow, self._opening = self._opening, ""
        return Await(Send(peer=self.peer, session=self.id, flow=flow, body=codec.encode(body)))

    async def receive(self, kind: Any, *, until_ms: int | None = None, who: str = "", transaction: bytes = b"") -> Any:
        """The next body as a wire value of `kind` (a union is one too); None when `until_ms` passed first.

        With a transaction's id, the notary's receipt for it comes as an `Outcome` in the place of the peer's word.
        """
        self._context.waiting_on = who
        body: bytes | None = await Await(
            Receive(session=self.id, peer=self.peer, until_ms=until_ms, transaction=transaction)
        )
        self._context.waiting_on = ""
        return None if body is None else codec.decode(body, kind)


class Context:
    """One run of a flow: its id, its requests, its progress. `turn` is the vault's transaction of the current step.

    `version` is that of its journal, by which talks are named.
    """

    def __init__(self, flow: str, services: Any, version: int) -> None:
        self.flow = flow
        self.services = services
        self._version = version
        self.turn: Turn  # set by the engine before every step
        self.now_ms = 0
        self.steps: list[_OpenStep] = []
        self.top: list[_OpenStep] = []
        self.waiting_on = ""
        self.cancellable = False
        self.transaction = b""
        """The id of the transaction that the flow is about, as soon as it is known."""
        self._sessions = 0

    def once(self, name: str, function: Callable[[], R], kind: Any) -> Await[R]:
        """Run `function` once and keep its result (a value of `kind` that msgpack carries); refusals are kept too."""
        return Await(Once(name=name, function=function, kind=kind))

    def open(self, peer: bytes, flow: str) -> Session:
        """Begin a talk with a peer's flow of the given kind; it starts with the first send."""
        self._sessions += 1
        # two organisations may choose one name for a flow, and talk with each other in both
        by = () if self._version == 1 else (self.services.books.keys.identity,)
        session = Session(self, digest("session", *by, self.flow, self._sessions)[:16], peer)
        session._opening = flow
        return session

    def answering(self, session: bytes, peer: bytes) -> Session:
        """The talk that started this flow."""
        return Session(self, session, peer)

    def notary(self, notary: bytes, request: Any) -> Await[bytes]:
        """Ask a notary; the encoded answer."""
        return Await(AskNotary(notary=notary, request=codec.encode(request)))

    def sleep_until(self, ms: int) -> Await[None]:
        """Wait until a time."""
        return Await(Sleep(until_ms=ms))

    def ask_person(self, kind: str, summary: dict[str, Any]) -> Await[Decision]:
        """Ask a person through the inbox."""
        return Await(AskPerson(kind=kind, summary=summary))

    async def now(self) -> int:
        """The node's time in ms, the same again on replay."""
        return await self.once("now", lambda: self.now_ms, int)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A named step of the progress, nested in the one around it."""
        opened = _OpenStep(name, self.now_ms)
        (self.steps[-1].steps if self.steps else self.top).append(opened)
        self.steps.append(opened)
        try:
            yield
            opened.close("done", self.now_ms)
        except BaseException:
            opened.close("failed", self.now_ms)
            raise
        finally:
            self.steps.pop()

    @contextmanager
    def may_cancel(self) -> Iterator[None]:
        """Waiting points inside may be cancelled (raises Cancelled there)."""
        self.cancellable = True
        try:
            yield
        finally:
            self.cancellable = False

    def progress(self) -> tuple[Step, ...]:
        """The steps as they are now; the innermost running one says who is waited for."""
        return tuple(step.shown(self.steps[-1] if self.steps else None, self.waiting_on) for step in self.top)


class _OpenStep:
    __slots__ = ("ended_ms", "name", "started_ms", "state", "steps")

    def __init__(self, name: str, now_ms: int) -> None:
        self.name, self.state, self.started_ms, self.ended_ms = name, "running", now_ms, 0
        self.steps: list[_OpenStep] = []

    def close(self, state: str, now_ms: int) -> None:
        self.state, self.ended_ms = state, now_ms

    def shown(self, innermost: _OpenStep | None, waiting_on: str) -> Step:
        return Step(
            name=self.name, state=self.state, waiting_on=waiting_on if self is innermost else "",
            started_ms=self.started_ms, ended_ms=self.ended_ms,
            steps=tuple(step.shown(innermost, waiting_on) for step in self.steps),
        )  # fmt: skip
