"""A running solo notary: batches driven by TLS sessions and time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.base.turn import TurnLoop
from interfirm.node.control.server import ControlServer
from interfirm.node.identity.keystore import KeyStore
from interfirm.node.identity.sealed import read_passphrase
from interfirm.node.network.tls import Surroundings
from interfirm.node.notary_post import NotaryPost
from interfirm.notary.abroad import Anchors
from interfirm.notary.solo.host import SoloHost
from interfirm.notary.solo.notary import SoloNotary
from interfirm.notary.types import Asked
from interfirm.notary.wire import decode_request, encode_answer
from interfirm.runtime.clock import Clock, ScenarioClock
from interfirm.runtime.hearing import Hearing
from interfirm.runtime.layout import NetworkLayout
from interfirm.runtime.logs import log
from interfirm.runtime.notaries import anchors_of
from interfirm.runtime.notary_metrics import NotaryMetrics
from interfirm.runtime.parties import Parties
from interfirm.runtime.serving import Driver
from interfirm.runtime.solo_govern import OPERATION, check_governing
from interfirm.runtime.tls import Revocations, certificate_until_s, tls_identity


class NotaryProcess:
    """The network's notary as a process. `serve` runs until it is cancelled."""

    def __init__(self, layout: NetworkLayout, clock: Clock) -> None:
        home = layout.notary
        self.layout, self.clock, self.home = layout, clock, home
        self.parties = Parties(layout)
        store = KeyStore.open(home.keys_path, read_passphrase(home.passphrase_path))
        others = Anchors(anchor for anchor in anchors_of(layout) if anchor.notary != layout.solo_id)
        self.metrics = NotaryMetrics(home.folder)
        self.notary = SoloNotary(
            home.folder / "notary.db", store.signer, layout.file.genesis, others, at=self.metrics.at
        )
        self.post = NotaryPost(SoloHost(self.notary))
        identity = tls_identity(layout, home, store)
        revoked = Revocations(layout, identity, clock)
        self.hearing = Hearing(
            identity, Surroundings(endpoints=self.parties.endpoints, now_ms=clock.now_ms, revoked=revoked)
        )
        self.network = self.hearing.network
        self.driver = self.hearing.driver = Driver(TurnLoop(self.post.turn, self.hearing.release), clock)
        self.control = ControlServer(home.control_path, self.handle)
        self.metrics.watch({
            "interfirm_notary_height": lambda: self.notary.height,
            "interfirm_notary_accepted": lambda: self.notary.size,
            "interfirm_peers_connected": lambda: len(self.network.peers()),
            "interfirm_events_waiting": lambda: self.driver.loop.waiting,
            "interfirm_certificate_expiry_timestamp_seconds": partial(certificate_until_s, home),
        })  # fmt: skip

    async def serve(self, ready: Callable[[], None]) -> None:
        """Enter the network's members, listen, and judge until cancelled."""
        member = self.home.member
        self._register()
        await self.network.start(member.host, member.port)
        await self.control.start()
        try:
            log.info("notary.started", port=member.port, height=self.notary.height)
            async with self.metrics.served():
                ready()
                await self.driver.run()
        finally:
            await self.control.stop()
            await self.network.stop()
            log.info("notary.stopped", height=self.notary.height)

    def _register(self) -> None:
        """Enter every member of the network's file, and revoke those that left; saying so again is harmless."""
        members, home = self.layout.file.members, self.layout.notary_id
        asked = [Asked(requester=m.identity, request=m.registration_request(home)) for m in members]
        asked += [Asked(requester=m.identity, request=m.revocation_request()) for m in members if m.left_ms]
        if asked:
            self.notary.submit_batch(asked, Instant(self.clock.now_ms()))

    def _govern(self, arguments: dict[str, Any]) -> bytes:
        """The answer to a request that concerns the notary itself."""
        request = check_governing(decode_request(bytes.fromhex(str(arguments["request"]))))
        asked = Asked(requester=bytes.fromhex(str(arguments["requester"])), request=request)
        (answered,) = self.notary.submit_batch([asked], Instant(self.clock.now_ms())).answers
        return encode_answer(answered)

    async def handle(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """One operation asked for over the control socket."""
        if name == "status":
            peers = [self.parties.name_of(peer) for peer in self.network.peers()]
            return {"notary": self.home.member.name, "height": self.notary.height, "accepted": self.notary.size,
                    "now_ms": self.clock.now_ms(), "connected": peers}  # fmt: skip
        if name == "metrics":
            return {"metrics": self.metrics.page().decode()}
        if name == "clock.set":
            if not isinstance(self.clock, ScenarioClock):
                raise Refusal("clock.real", "this notary runs on the machine's clock")
            self.clock.set(int(arguments["ms"]))
            self.network.judge_again()
            self.driver.poke()
            return {"now_ms": self.clock.now_ms()}
        if name == "network.reload":
            self.parties.reload()
            self._register()
            self.network.judge_again()
            return {"members": len(self.layout.file.members)}
        if name == OPERATION:
            return {"answer": self._govern(arguments).hex()}
        raise Refusal("desk.operation", "there is no such operation", operation=name[:80])
