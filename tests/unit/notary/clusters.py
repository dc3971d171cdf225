"""Validators without an engine: the application over a dictionary, envelopes of the organisations, blocks by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.time import Instant
from interfirm.notary.cometbft.application import Application, Finalized
from interfirm.notary.cometbft.beside import Beside
from interfirm.notary.cometbft.envelope import seal_envelope
from interfirm.notary.cometbft.types import ClusterGenesis, Proven, Snapshot, StateStore, Validator
from interfirm.notary.machine import notary_id
from interfirm.notary.types import Answer, Request
from interfirm.notary.wire import Told, Wanted

from .notaries import NETWORK, NOW, ORGS, REGISTRAR, A, Org

GENESIS = ClusterGenesis(
    network=NETWORK, registrar=REGISTRAR.public, validators=(Validator(key=digest("validator"), power=1),), label="c"
)
NOTARY = notary_id(GENESIS)
MINUTE_MS = 60_000
_count = iter(range(10**9))


class MemoryStore:
    """A state in a dictionary whose root is the hash of all of it, which only a test can afford."""

    def __init__(self) -> None:
        self.height, self.app_hash = 0, b""
        self.state: dict[tuple[str, bytes], bytes] = {}
        self._staged: tuple[int, dict[tuple[str, bytes], bytes], bytes] | None = None

    def get(self, space: str, key: bytes) -> bytes | None:
        state = self.state if self._staged is None else self._staged[1]
        return state.get((space, key))

    def discard(self) -> None:
        self._staged = None

    def keep(self, beside: Beside) -> None:
        """What lies beside is tested on real files."""

    def seals(self, consumer: bytes) -> bytes:
        return b""

    def tells(self, identity: bytes, after: int, count_max: int) -> tuple[Told, ...]:
        return ()

    def apply(self, height: int, changes: Mapping[tuple[str, bytes], bytes | None]) -> bytes:
        assert height == self.height + 1
        self._staged = None
        state = {**self.state, **{k: v for k, v in changes.items() if v is not None}}
        for name in [name for name, value in changes.items() if value is None]:
            state.pop(name, None)
        root = digest("state", sorted([space, key, value] for (space, key), value in state.items()))
        self._staged = (height, state, root)
        return root

    def commit(self) -> None:
        assert self._staged is not None
        self.height, self.state, self.app_hash = self._staged
        self._staged = None

    def prove(self, space: str, key: bytes, height: int) -> Proven:
        if height != self.height:
            raise Refusal("store.height", "this store remembers nothing", height=height)
        return Proven(value=self.get(space, key), height=height, operations=())

    def snapshots(self) -> tuple[Snapshot, ...]:
        return ()

    def chunk(self, height: int, format_: int, index: int) -> bytes:
        raise Refusal("store.snapshot", "there is none")

    def offer(self, snapshot: Snapshot, app_hash: bytes) -> None:
        raise Refusal("store.snapshot", "not here")

    def restore(self, index: int, chunk: bytes) -> None:
        raise Refusal("store.chunk", "not here")


def envelope(*requests: Wanted, by: Org = A, now: Instant = NOW, **changes: object) -> bytes:
    """An envelope of an organisation, good for a minute from `now`."""
    options: dict[str, object] = {
        "notary": NOTARY, "signer": by.signer, "identity": by.id, "expires": now.plus_ms(MINUTE_MS),
        "nonce": digest("nonce", next(_count)),
    }  # fmt: skip
    return seal_envelope(requests, **(options | changes))  # type: ignore[arg-type] # a test may put in anything


def registrar_envelope(*requests: Wanted, nonce: bytes = b"") -> bytes:
    return envelope(
        *requests, signer=REGISTRAR, identity=REGISTRAR.public.identity, nonce=nonce or digest("nonce", next(_count))
    )


class Cluster:
    """One validator whose blocks are made by hand."""

    def __init__(
        self, at: Callable[[str], None] = lambda _: None, store: StateStore | None = None, **options: Any
    ) -> None:
        self.store: StateStore = store or MemoryStore()
        self.application = Application(options.pop("genesis", GENESIS), self.store, at=at, **options)
        self.now = NOW

    def block(self, *transactions: bytes) -> Finalized:
        found = self.application.finalize(self.store.height + 1, self.now, transactions)
        self.application.commit()
        return found

    def answers(self, *requests: Request, by: Org = A) -> Sequence[Answer]:
        """The answers to requests in one envelope in a block of its own; the envelope must be admitted."""
        found = self.block(envelope(*requests, by=by, now=self.now)).results[0]
        assert found.refusal is None, found.refusal
        return found.answers

    def with_orgs(self, *orgs: Org) -> Cluster:
        """The organisations registered, by the same bytes in every cluster."""
        registrations = [org.registration(NOTARY) for org in orgs or ORGS]
        self.block(registrar_envelope(*registrations, nonce=digest("registrations")))
        return self

    def refusal(self, transaction: bytes) -> str:
        """Why a transaction is no envelope, as check, proposal and block all say."""
        result = self.application.finalize(self.store.height + 1, self.now, [transaction]).results[0]
        self.store.discard()
        assert result.refusal is not None
        assert result.outcome.refused == result.refusal.code
        with pytest.raises(Refusal) as unchecked:
            self.application.check(transaction, self.now)
        with pytest.raises(Refusal) as unproposed:
            self.application.accepts([transaction], self.now)
        assert unchecked.value.code == unproposed.value.code == result.refusal.code
        assert self.application.propose([transaction], 10**7, self.now) == []
        return result.refusal.code
