"""Governing a running cluster from its folder; what it says is worked out from proofs, from its genesis on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.notary.cometbft.anchors import cluster_anchor
from interfirm.notary.cometbft.client import ClusterClient
from interfirm.notary.cometbft.envelope import seal_envelope
from interfirm.notary.cometbft.receipts import BEHIND, Chain
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.governance.types import Action, RemoveValidator, SetValidator
from interfirm.notary.types import Ask, Done, Refused, Request, Said
from interfirm.runtime.cluster import ClusterLayout, key_of
from interfirm.runtime.governing import Government, Voice

LIFE_MS = 60_000
"""How long an envelope may wait for a block."""
PATIENCE_S, POLL_S = 30.0, 0.1
"""How long validators are asked again for a state that they do not prove yet."""


class ClusterGovernment(Government):
    """Talks to the validators of a cluster, of which none is believed without proof.

    Raises Refusal `cluster.unreachable` where none answers, `cluster.no-proof` where none shows what verifies, and the
    notary's own.
    """

    def __init__(self, layout: ClusterLayout, client: ClusterClient) -> None:
        super().__init__(layout.notary_id)
        self.layout, self._client = layout, client
        self._validators = [Rpc(place.rpc) for place in layout.places]
        self._chain = Chain(cluster_anchor(layout.genesis), self._validators, now_ms=_machine_ms)
        self._height_min = 1

    def said(self, kind: str, subject: bytes = b"") -> Said:
        """See Government; worked out from proven values of the last state but one."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._chain.said(Ask(kind=kind, subject=subject), height_min=self._height_min)
            except Refusal as refusal:
                self._client.height()  # says so where nobody answers at all
                if refusal.code != BEHIND or time.monotonic() > deadline:
                    raise
            time.sleep(POLL_S)

    def send(self, request: Request, voice: Voice) -> Done:
        """See Government."""
        envelope = seal_envelope(
            [request], notary=self.notary, signer=voice.signer, identity=voice.identity,
            expires=self.now().plus_ms(LIFE_MS), nonce=os.urandom(32),
        )  # fmt: skip
        (answer,) = self._client.ask(envelope)
        if isinstance(answer, Refused):
            raise Refusal(answer.code, answer.message, **answer.values)
        assert isinstance(answer, Done), "what is no question is done or refused"
        self._height_min = max(self._height_min, answer.height)
        return answer

    @property
    def doubted(self) -> Mapping[str, str]:
        """See Government."""
        return self._chain.doubted

    def machine(self, key: bytes) -> str:
        """See Government."""
        return next((place.name for place in self.layout.places if _has(self.layout.home(place), key)), "")

    def rpc(self, method: str, **params: Any) -> dict[str, Any]:
        """What the first engine that answers says; Refusal `rpc.refused` where it does not want to."""
        for validator in self._validators:
            try:
                return validator.call(method, **params)
            except Refusal as refusal:
                if refusal.code == "rpc.refused":
                    raise
        raise Refusal("cluster.unreachable", "no validator answers", validators=[p.rpc for p in self.layout.places])

    def close(self) -> None:
        """Close all connections but the client's."""
        for validator in self._validators:
            validator.close()


def _machine_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def government(layout: ClusterLayout) -> Iterator[ClusterGovernment]:
    """A connection to whichever validators of a cluster answer."""
    client = ClusterClient([place.rpc for place in layout.places])
    governing = ClusterGovernment(layout, client)
    try:
        yield governing
    finally:
        governing.close()
        client.close()


# keys of validators --------------------------------------------------------------------------------------------------


def key_named(layout: ClusterLayout, name: str) -> bytes:
    """The key of a machine of this folder by its name, or a key in hex; Refusal `cluster.validator`."""
    if name in {place.name for place in layout.places}:
        return key_of(layout.home(layout.named(name)))
    try:
        found = bytes.fromhex(name)
    except ValueError:
        found = b""
    if len(found) != 32:
        layout.named(name)
    return found


def _has(home: Path, key: bytes) -> bool:
    try:
        return key_of(home) == key
    except Refusal:
        return False


def entering(governing: Government, key: bytes, operator: bytes, power: int | None) -> SetValidator:
    """The action that adds a validator; without a power, with that of the median of the others."""
    powers = sorted(each.power for each in governing.members() if each.power)
    return SetValidator(key=key, power=power or powers[len(powers) // 2], operator=operator)


def replacing(governing: Government, old: bytes, new: bytes) -> tuple[Action, ...]:
    """The actions that put a new key in the place of an old one; Refusal `cluster.validator` for one without power."""
    for each in governing.members():
        if each.key == old and each.power:
            return (SetValidator(key=new, power=each.power, operator=each.operator), RemoveValidator(key=old))
    raise Refusal("cluster.validator", "the machine's key is no validator's", key=old)
