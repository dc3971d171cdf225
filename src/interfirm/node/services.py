"""What flows use beside their own requests: the books, names, time limits, policies, randomness. One per node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from interfirm.base import codec
from interfirm.contracts.types import ContractRef, Create
from interfirm.ledger.private import check_private
from interfirm.ledger.verification import Verified
from interfirm.node.books import Books
from interfirm.node.flows.messages import PrivateValue
from interfirm.node.flows.types import AskedFlow
from interfirm.node.flows.waiting import Waiting
from interfirm.node.policy import Policy
from interfirm.node.vault.turn import Turn

Recorded = Callable[["Services", Turn, Verified, int], None]
"""Told of every transaction recorded: (services, turn, verified view, time in ms)."""


class Services:
    """Ports that flows call; `random` and `names` are given by the composition root."""

    def __init__(
        self,
        books: Books,
        *,
        policy: Policy,
        random: Callable[[int], bytes],
        names: Callable[[bytes], str],
        default_notary: bytes,
        window_ms: int = 24 * 3600 * 1000,
    ) -> None:
        self.books = books
        self.policy = policy
        self.random = random
        self.name_of = names
        self.default_notary = default_notary
        self.window_ms = window_ms
        self.watchers: list[Recorded] = []
        self.waiting = Waiting()
        """The flows under way and what they wait for, as the flow engine keeps it."""
        self._started: list[AskedFlow] = []

    def home_of(self, organisation: bytes) -> bytes:
        """The notary that decides an organisation's claims: all firms of a network are registered with its first."""
        return self.default_notary

    def recorded(self, turn: Turn, verified: Verified, made: Sequence[ContractRef], now_ms: int) -> None:
        """Tell everyone who asked to know what was recorded, inside the turn that recorded it."""
        for watcher in self.watchers:
            watcher(self, turn, verified, now_ms)

    def start_flow(self, event: AskedFlow) -> None:
        """Start a flow in the turn that is running (watchers use this)."""
        self._started.append(event)

    def forget(self) -> None:
        """Drop what is in memory of a turn that was rolled back."""
        self._started = []
        self.books.forget()

    def take_started(self) -> list[AskedFlow]:
        """The flows to start, once."""
        started, self._started = self._started, []
        return started

    def privates_of(self, turn: Turn, action: Create) -> list[PrivateValue]:
        """Values of the private fields of a contract, as far as this node holds them."""
        code = self.books.engine.template(action.template)
        names = list(code.fields)
        found = []
        for name in code.private_fields:
            plain: Any = action.payload[names.index(name)]
            if not plain or not isinstance(plain[0], bytes):  # empty, or a record with private fields
                continue
            held = turn.private(plain[0])
            if held is not None:
                value = codec.decode_plain(held.value)
                found.append(PrivateValue(commitment=plain[0], subject=held.subject, value=value, salt=held.salt))
        return found

    def keep_privates(self, turn: Turn, privates: Sequence[PrivateValue]) -> None:
        """Check private values against their commitments and keep them in their subject's place."""
        for private in privates:
            check_private(private.commitment, private.salt, private.value)
            turn.put_private(private.commitment, private.subject, codec.encode(private.value), private.salt)
