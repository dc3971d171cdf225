"""What a cluster starts from, what travels in a block of its engine, and what its host needs of a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from interfirm.base.errors import Refusal
from interfirm.base.signatures import PublicKey
from interfirm.base.time import Instant
from interfirm.base.values import Hash32, Value, Wire
from interfirm.ledger.receipts.types import Validator as Validator  # noqa: PLC0414 - part of a genesis
from interfirm.ledger.types import TransactionSignature
from interfirm.notary.cometbft.beside import Beside
from interfirm.notary.governance.types import Constitution, Founding, SetValidator
from interfirm.notary.neighbours.types import SoloNeighbour
from interfirm.notary.types import Answer, Done, Refused, Said, Store, notary_id
from interfirm.notary.wire import Told

CHAIN_ID_CHARS = 50
"""The longest chain id that the engine takes."""


class Neighbour(Wire, frozen=True):
    """A solo notary whose receipts and statements the cluster believes from the beginning; votes name others."""

    notary: Hash32
    network: Hash32
    key: PublicKey


class ClusterGenesis(Wire, frozen=True, tag="cluster"):
    """What a cluster starts from; its hash is the notary's id, and the engine's chain id is made of that.

    `registry` is the notary whose registry this one follows; None keeps one of its own.
    """

    network: Hash32
    registrar: PublicKey
    validators: tuple[Validator, ...]
    label: str
    registry: Hash32 | None = None
    neighbours: tuple[Neighbour, ...] = ()
    scenario: Instant | None = None
    """For demos and tests: time begins here and goes on by the registrar's word alone, whatever blocks say."""
    constitution: Constitution | None = None
    """How it governs itself at first; None: the registrar decides alone, and operates all validators."""

    @property
    def founding(self) -> Founding:
        """How it is governed at first; Refusal `cluster.constitution` for operators that are not its validators'."""
        registrar = self.registrar.identity
        said = self.constitution or Constitution(
            voters=(self.registrar,), operators=(registrar,) * len(self.validators)
        )
        if len(said.operators) != len(self.validators):
            raise Refusal("cluster.constitution", "there is an operator for each validator", count=len(said.operators))
        return Founding(
            voters=said.voters, keeper=registrar, thresholds=said.thresholds, deposits=said.deposits,
            settings=said.settings, version=said.version, chain=chain_id(notary_id(self)),
            neighbours=tuple(
                SoloNeighbour(notary=each.notary, network=each.network, key=each.key) for each in self.neighbours
            ),
            scenario=self.scenario is not None,
            validators=tuple(
                SetValidator(key=each.key, power=each.power, operator=operator)
                for each, operator in zip(self.validators, said.operators, strict=True)
            ),
        )  # fmt: skip


def chain_id(notary: bytes) -> str:
    """The engine's chain id of a cluster: as much of its notary id as there is room for (192 bits)."""
    return f"n-{notary.hex()}"[:CHAIN_ID_CHARS]


class Envelope(Wire, frozen=True):
    """A transaction of the engine: requests to one notary, signed by who asks, good until `expires`, once.

    `nonce` makes two envelopes of the same requests differ; the requests are blocks as `notary.wire` writes them.
    """

    notary: Hash32
    expires: Instant
    nonce: Hash32
    requests: tuple[bytes, ...]
    signature: TransactionSignature


class Outcome(Wire, frozen=True):
    """What an envelope led to, as the chain commits to it: an answer to each request, or why it was no envelope.

    A refusal has its code only: sentences and values may change with a version, and validators must agree.
    """

    answers: tuple[Done | Said | Refused, ...] = ()
    refused: str = ""


class Result(Value, frozen=True):
    """The outcome of one transaction of the engine, and what only helps readers: answers in full, who asked."""

    outcome: Outcome
    answers: tuple[Answer, ...]
    refusal: Refusal | None = None
    by: bytes = b""


class Proven(Value, frozen=True):
    """A value (None: there is none) at a height, with proof operations from it to the app hash of that height."""

    value: bytes | None
    height: int
    operations: tuple[Operation, ...]


class Operation(Value, frozen=True):
    """One step of a proof: type such as `ics23:iavl`, key, and the proof's bytes."""

    type: str
    key: bytes
    data: bytes


class Snapshot(Value, frozen=True):
    """A state that others can take over: height, format, number of chunks, hash of all of it, hashes of the chunks."""

    height: int
    format: int
    chunks: int
    hash: bytes
    metadata: bytes


class StateStore(Store, Protocol):
    """A state with a root, of which the last height is durable and one more may be staged, which `get` then shows."""

    @property
    def height(self) -> int:
        """The last committed height; 0 before the first."""

    @property
    def app_hash(self) -> bytes:
        """The root of the last committed height."""

    def apply(self, height: int, changes: Mapping[tuple[str, bytes], bytes | None]) -> bytes:
        """Stage a height in place of what was staged, and return its root; nothing is durable yet."""

    def keep(self, beside: Beside) -> None:
        """Stage what lies beside the state, to become durable with the staged height."""

    def seals(self, consumer: bytes) -> bytes:
        """The block of sealed views kept for a consumer's hash, or nothing."""

    def tells(self, identity: bytes, after: int, count_max: int) -> tuple[Told, ...]:
        """What an identity is to be told beyond a number, oldest first, not more than so much at once."""

    def discard(self) -> None:
        """Forget what was staged."""

    def commit(self) -> None:
        """Make the staged height durable: state, root and height in one transaction of the database."""

    def prove(self, space: str, key: bytes, height: int) -> Proven:
        """The value at a height with its proof, or a proof that there is none; Refusal `store.height`."""

    def snapshots(self) -> tuple[Snapshot, ...]:
        """What can be taken over from here."""

    def chunk(self, height: int, format_: int, index: int) -> bytes:
        """A piece of a snapshot; Refusal `store.snapshot` where there is none."""

    def offer(self, snapshot: Snapshot, app_hash: bytes) -> None:
        """Begin to take a state over; Refusal `store.snapshot` for a form that cannot be."""

    def restore(self, index: int, chunk: bytes) -> None:
        """The next chunk; after the last one the state is durable. Refusal `store.chunk`, `store.app-hash`."""
