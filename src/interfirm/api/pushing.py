"""What a node pushes to programs, put together: streams to follow, and webhooks.

The node's log of changes has to be written for it: `node.changes.note_change` is a watcher of its services, and the
operations of `node.changes` and `node.webhooks` are its desk's.
"""

from __future__ import annotations

from interfirm.api.feed import Changes, Feed
from interfirm.api.ports import NodePort
from interfirm.api.rest import webhooks
from interfirm.api.rest.endpoints import Endpoint
from interfirm.api.rest.events import Streams
from interfirm.api.webhooks.deliver import Deliverer
from interfirm.api.webhooks.sending import HttpSender, Sender
from interfirm.base.vrf import VrfKey
from interfirm.node.vault.vault import Vault


class Pushing:
    """`endpoints` are for `rest_app(more=...)`; `run` delivers webhooks until it is cancelled."""

    def __init__(
        self, port: NodePort, vault: Vault, key: VrfKey, *, changes: Changes, sender: Sender | None = None
    ) -> None:
        feed = Feed(changes)
        self._deliverer = Deliverer(port, vault, key, feed=feed, sender=sender or HttpSender())
        self.endpoints: tuple[Endpoint, ...] = (
            Streams(feed).endpoint(), *webhooks.endpoints(self._deliverer.look)
        )  # fmt: skip

    async def run(self) -> None:
        """Deliver webhooks until cancelled."""
        await self._deliverer.run()
