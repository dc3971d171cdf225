"""A running node: turns driven by TLS sessions, the control socket and time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.turn import TurnLoop
from interfirm.node.access.types import OWNER, Caller
from interfirm.node.asking import Start
from interfirm.node.control.server import ControlServer
from interfirm.node.desk_operate import at_work, reason_of
from interfirm.node.flows.machine import ENDED
from interfirm.node.flows.types import AnsweredPerson, AskedFlow, HeardNotary, HeardReceipt, SubmitNotary, TellProgress
from interfirm.node.network.tls import Surroundings
from interfirm.node.node import HeardTell, Refused, WakeAt
from interfirm.node.notices import notice_id
from interfirm.node.reading import shown_flow
from interfirm.node.vault.types import FlowRecord, InboxItem
from interfirm.runtime.approving import Approving
from interfirm.runtime.archives import DailyArchive
from interfirm.runtime.bootstrap import Assembly
from interfirm.runtime.changing import Changing
from interfirm.runtime.clock import Clock, ScenarioClock, SystemClock
from interfirm.runtime.daily import Daily
from interfirm.runtime.hearing import Hearing
from interfirm.runtime.http import HttpServer
from interfirm.runtime.jobs import JobDriver, job_driver
from interfirm.runtime.logs import log, speak_for
from interfirm.runtime.metrics import Metrics
from interfirm.runtime.notify import Notifier
from interfirm.runtime.notify_ways import ways_of
from interfirm.runtime.serving import Driver
from interfirm.runtime.storage import StorageGuard
from interfirm.runtime.telemetry import otlp_telemetry
from interfirm.runtime.tending import Tending
from interfirm.runtime.tls import Revocations, certificate_until_s, tls_identity
from interfirm.runtime.web import WebApplication

if TYPE_CHECKING:
    from interfirm.runtime.cluster import ClusterLayout
    from interfirm.runtime.cluster_gate import ClusterGate

DRAIN = "node.drain"
WAIT_MS_MAX = 60_000
"""How long a caller is kept before it is told that its flow waits for somebody."""


class NodeProcess:
    """One organisation's node as a process, or within its host's. `serve` runs until it is cancelled."""

    def __init__(self, assembly: Assembly, clock: Clock, *, host: NodeProcess | None = None) -> None:
        self.hosted: list[NodeProcess] = []
        """The nodes of other firms of the group that run beside this one."""
        self.assembly = assembly
        self.clock = clock
        self.node = assembly.node
        self._watchers: dict[str, list[asyncio.Queue[TellProgress | Refusal]]] = {}
        self._refusals: dict[int, asyncio.Future[None]] = {}
        layout, home = assembly.layout, assembly.home
        identity = tls_identity(layout, home, assembly.store)
        revoked = Revocations(layout, identity, clock)
        self.hearing = Hearing(
            identity, Surroundings(endpoints=assembly.parties.endpoints, now_ms=clock.now_ms, revoked=revoked)
        )
        self.network = self.hearing.network
        self.storage = StorageGuard(self.node, self.network.peers)
        self.metrics = Metrics()
        self.tending = Tending()
        self.node.watch(self.metrics.at)
        self.changing = Changing(assembly.engine)
        assembly.services.watchers.append(self.changing.note)
        assembly.books.moves.watchers.append(self.changing.note_move)
        self.node.watch(self._told_when_committed)
        turns = TurnLoop(self.metrics.timed(self.storage.turn), self._release)
        self.driver = self.hearing.driver = Driver(turns, clock)
        watched, firm = assembly.configuration, home.member.slug
        self.telemetry = otlp_telemetry(watched.telemetry, identity=assembly.store.identity, firm=firm)
        ways = ways_of(watched.notify, now_ms=SystemClock().now_ms)
        self.notifier = Notifier(assembly.vault, ways, firm=firm, events=watched.notify.events,
                                 now_ms=self.clock.now_ms, staff=assembly.desk.staff)  # fmt: skip
        self.approving = Approving(assembly.vault, self.notifier.approval, now_ms=self.clock.now_ms)
        self.metrics.watch(self, certificate_until_s=certificate_until_s(home))
        self.jobs: JobDriver = job_driver(assembly, self.driver.put)
        self.control = ControlServer(home.control_path, self.handle)
        self.gates = self._gates()
        self.web: WebApplication = WebApplication(self, host=None if host is None else host.web)
        self.http = HttpServer(self.web, assembly.configuration.api)
        if host is not None:
            host.hosted.append(self)

    async def serve(self, ready: Callable[[], None]) -> None:
        """Listen, recover what was under way, and run turns until cancelled."""
        member = self.assembly.home.member
        speak_for(member.slug)
        await self.network.start(member.host, member.port)
        await self.control.start()
        await self.http.start()
        for gate in self.gates.values():
            gate.start()
        try:
            for effect in self.node.start(self.clock.now_ms()):
                self._release(effect)
            self._look_at_inbox()
            self.notifier.start()
            log.info("node.started", port=member.port)
            ready()
            daily = Daily(self.driver.put, self._traders)
            self.tending.start("daily", lambda: daily.run(self.clock.now_ms))
            self._archive_daily()
            self.tending.start("webhooks", self.web.pushing.run)
            self.tending.start("approvals", self.approving.run)
            async with self.jobs:
                await self.driver.run()
        finally:
            await self.tending.stop()
            await self.http.stop()
            await self.control.stop()
            await self.network.stop()
            for gate in self.gates.values():
                gate.stop()
            await self.notifier.stop()
            if self.telemetry is not None:
                await asyncio.to_thread(self.telemetry.close)
            self.assembly.vault.close()
            log.info("node.stopped")

    def _archive_daily(self) -> None:
        """Move what rules let go into archives every day, where the firm says so."""
        folder = self.assembly.configuration.retention.archive_to
        if folder:
            archive = DailyArchive(self.assembly.desk, folder, begun=lambda: self.jobs.look_after("archive.create"))
            self.tending.start("archive", lambda: archive.run(self.clock.now_ms))

    def _told_when_committed(self, point: str) -> None:
        if point == "committed":
            self.changing.tell()

    def _traders(self) -> list[bytes]:
        """The organisations that this node ever talked with."""
        notaries = set(self.node.notary_peers.values())
        return [peer for peer in self.node.sessions.peers if peer not in notaries]

    def _gates(self) -> dict[bytes, ClusterGate]:
        """The ways to the network's clusters, by their ids."""
        return {cluster.notary_id: self._gate(cluster) for cluster in self.assembly.clusters}

    def _gate(self, cluster: ClusterLayout) -> ClusterGate:
        """The way to a cluster; what comes back enters the loop as events."""
        assembly = self.assembly
        from interfirm.notary.cometbft.anchors import cluster_anchor  # other networks do without
        from interfirm.runtime.cluster_gate import ClusterGate, Gatekeeper

        loop = asyncio.get_running_loop()

        def enter(event: object) -> None:
            with suppress(RuntimeError):  # the loop has ended, and this process with it
                loop.call_soon_threadsafe(self.driver.put, event)

        member = assembly.home.member
        keeper = Gatekeeper(
            identity=assembly.store.identity, signer=assembly.store.signer,
            introduction=member.registration_request(assembly.layout.notary_id), random=os.urandom,
            now_ms=self.clock.now_ms,
            answered=lambda name, answer: enter(HeardNotary(request=name, answer=answer)),
            accepted=lambda name, receipt: enter(HeardReceipt(transaction=name, receipt=receipt)),
            told=lambda told: enter(HeardTell(notary=cluster.notary_id, told=told)),
        )  # fmt: skip
        addresses = [place.rpc for place in cluster.places]
        return ClusterGate(cluster_anchor(cluster.genesis), addresses, keeper, clock_ms=SystemClock().now_ms)

    # what a turn hands out ------------------------------------------------------------------------------------------

    def _release(self, effect: Any) -> None:
        match effect:
            case SubmitNotary() if effect.notary in self.gates:
                self.gates[effect.notary].put(effect.id, effect.request)
            case WakeAt():
                self.driver.wake_at(effect.at_ms)
            case TellProgress():
                self.jobs.told(effect)
                self._progressed(effect)
                for queue in self._watchers.get(effect.flow, ()):
                    queue.put_nowait(effect)
            case Refused():
                self._refused(effect)
            case HeardTell():
                self._look_at_item(notice_id(effect.notary, effect.told))
                log.info("notary.told", kind=effect.told.kind, subject=effect.told.subject.hex())
            case _:
                self.hearing.release(effect)

    def _progressed(self, effect: TellProgress) -> None:
        """Count and tell what a flow came to, and the question to a person that it waits with."""
        self.metrics.progressed(effect)
        if effect.state in (*ENDED, "failed") and not effect.again:
            self._ended_with(effect.record)
            if self.telemetry is not None:
                self.telemetry.ended(effect)
        if effect.record.kind == "collect" and effect.state == "refused":  # it may have left a notice
            self._look_at_inbox()
        wait = self.assembly.services.waiting.of(effect.flow)
        if wait is not None and wait.item:
            self._look_at_item(wait.item)

    def _ended_with(self, record: FlowRecord) -> None:
        reason = reason_of(record) or {}
        if record.state == "refused":
            self.metrics.refused(reason["code"])
        elif record.state == "failed":
            self.notifier.failed(record)
        tell = {"failed": log.error, "killed": log.warning, "refused": log.info}.get(record.state, log.debug)
        tell("flow.ended", flow=record.id, kind=record.kind, state=record.state, code=reason.get("code", ""))

    def _look_at_inbox(self) -> None:
        with self.assembly.vault.read() as turn:
            items = turn.inbox(state="open")
        for item in items:
            self._opened(item)

    def _look_at_item(self, name: str) -> None:
        with self.assembly.vault.read() as turn:
            item = turn.inbox_item(name)
        if item is not None and item.state == "open":
            self._opened(item)

    def _opened(self, item: InboxItem) -> None:
        """An item waits for a person."""
        self.metrics.inbox_opened((item.id,))
        self.notifier.item(item)

    def _refused(self, effect: Refused) -> None:
        waiting = self._refusals.pop(id(effect.event), None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(effect.refusal)
            return
        self.metrics.refused(effect.refusal.code)
        if isinstance(effect.event, AskedFlow) and (queues := self._watchers.get(effect.event.id)):
            for queue in queues:
                queue.put_nowait(effect.refusal)
        else:
            log.warning("node.refused", peer=self._peer_of(effect.event), **effect.refusal.as_plain())

    def _peer_of(self, event: object) -> str:
        """The name of who sent an event; empty where it comes from here."""
        peer = getattr(event, "peer", None)
        return self.assembly.parties.name_of(peer) if isinstance(peer, bytes) else ""

    # the control socket ---------------------------------------------------------------------------------------------

    async def handle(
        self, name: str, arguments: dict[str, Any], caller: Caller = OWNER
    ) -> dict[str, Any] | AsyncIterator[dict[str, Any]]:
        """One operation asked for at a door of the node: over the control socket its owner asks."""
        try:
            return await self._handled(name, arguments, caller)
        except Refusal as refusal:
            self.metrics.refused(refusal.code)
            raise

    async def _handled(
        self, name: str, arguments: dict[str, Any], caller: Caller
    ) -> dict[str, Any] | AsyncIterator[dict[str, Any]]:
        desk = self.assembly.desk if caller is OWNER else self.assembly.desk.of(caller)
        if name in _OWN:
            desk.permission.check_operation(name)
            return _OWN[name](self, arguments)
        if name == DRAIN:
            desk.permission.check_operation(name)
            return await self._drained(float(arguments.get("wait_ms", 0)) / 1000)
        answer = desk.handle(name, arguments)
        self.jobs.look_after(name)
        if isinstance(answer, dict):
            return answer
        if isinstance(answer.event, AskedFlow):
            timeout_s = float(arguments.get("wait_ms", WAIT_MS_MAX)) / 1000
            ended = self._ended(answer.event) if "request" in arguments else None
            return ended or self._watch(answer, timeout_s, progress=bool(arguments.get("progress")))
        return await self._hand_in(answer)

    def _reload(self, _: dict[str, Any]) -> dict[str, Any]:
        self.assembly.parties.reload()
        self.network.judge_again()
        return {"members": len(self.assembly.layout.file.members)}

    def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        parties = self.assembly.parties
        return {
            "firm": self.assembly.home.member.name,
            "now_ms": self.clock.now_ms(),
            "turns": self.driver.loop.turns,
            "connected": [parties.name_of(peer) for peer in self.network.peers()],
            "refuses": None if self.storage.failure is None else self.storage.failure.as_plain(),
            "paused": msgspec.to_builtins(self.node.flows.pause.paused),
            "tasks": self.tending.shown(),
            "outbox": {
                parties.name_of(peer): len(each.outbox)
                for peer, each in self.node.sessions.peers.items()
                if each.outbox
            },
        }

    def _metrics(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"metrics": self.metrics.page().decode()}

    def _set_clock(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(self.clock, ScenarioClock):
            raise Refusal("clock.real", "this node runs on the machine's clock")
        self.clock.set(int(arguments["ms"]))
        self.network.judge_again()
        self.driver.poke()
        return {"now_ms": self.clock.now_ms()}

    async def _drained(self, timeout_s: float) -> dict[str, Any]:
        """Wait until no peer and no notary is at work for a flow, as long as the caller does; how it stands then."""
        waiting = self.assembly.services.waiting
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while waiting.is_busy or self.driver.loop.waiting:
                    await self.driver.turned()
        found = at_work(self.assembly.desk)
        letters = sum(len(each.outbox) for each in self.node.sessions.peers.values())
        return {"drained": not waiting.is_busy, **found, "held": self.node.flows.pause.held, "outbox": letters}

    async def _hand_in(self, start: Start) -> dict[str, Any]:
        """An event without a flow of its own: wait for the turn that takes it."""
        self._keep_privates(start)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._refusals[id(start.event)] = done
        self.driver.put(start.event)
        while self.driver.loop.waiting and not done.done():
            await asyncio.sleep(0.001)
        self._refusals.pop(id(start.event), None)
        if done.done():
            done.result()
        if isinstance(start.event, AnsweredPerson):
            self.metrics.inbox_decided(start.event.item)
        return {"done": True}

    async def _watch(self, start: Start, timeout_s: float, *, progress: bool) -> AsyncIterator[dict[str, Any]]:
        """Start a flow and report (with its progress, where wanted) until it ends, or waits longer than the caller."""
        event = start.event
        assert isinstance(event, AskedFlow)
        self._keep_privates(start)
        queue: asyncio.Queue[TellProgress | Refusal] = asyncio.Queue()
        watching = self._watchers.setdefault(event.id, [])
        watching.append(queue)
        record = FlowRecord(
            id=event.id, kind=event.kind, arguments=b"", state="waiting", progress=b"", result=b"", started_ms=0,
            changed_ms=0, parent="",
        )  # fmt: skip
        try:
            self.driver.put(event)
            async with asyncio.timeout(timeout_s):
                while record.state not in (*ENDED, "failed"):
                    told = await queue.get()
                    if isinstance(told, Refusal):
                        self._check_unknown(event.id, told)
                        continue
                    record = told.record
                    if progress:
                        yield {"flow": shown_flow(record)}
        except TimeoutError:
            pass
        finally:
            watching.remove(queue)
            if not watching:
                self._watchers.pop(event.id, None)
        if not progress or record.state not in (*ENDED, "failed"):
            yield {"flow": shown_flow(record)}

    def _ended(self, event: AskedFlow) -> dict[str, Any] | None:
        """What a flow came to that was asked for before under the same request id."""
        with self.assembly.vault.read() as turn:
            record = turn.flow(event.id)
        if record is None or record.state not in (*ENDED, "failed"):
            return None
        return {"flow": shown_flow(record)}

    def _check_unknown(self, flow: str, refusal: Refusal) -> None:
        """Raise the refusal unless the flow had begun before: then it goes on."""
        with self.assembly.vault.read() as turn:
            if turn.flow(flow) is None:
                raise refusal

    def _keep_privates(self, start: Start) -> None:
        if start.privates:
            with self.assembly.vault.turn() as turn:
                self.assembly.services.keep_privates(turn, start.privates)


_OWN: dict[str, Callable[[NodeProcess, dict[str, Any]], dict[str, Any]]] = {
    "clock.set": NodeProcess._set_clock,
    "metrics": NodeProcess._metrics,
    "network.reload": NodeProcess._reload,
    "status": NodeProcess._status,
}
"""What is asked of the process, and not of the desk."""
