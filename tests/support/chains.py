"""Chains of blocks made with our own keys: sets of validators that change, honest and dishonest commits."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from interfirm.base import codec
from interfirm.base.signatures import Ed25519Signer
from interfirm.ledger.receipts.chain import (
    BlockId,
    Commit,
    Header,
    LightBlock,
    Vote,
    address,
    in_order,
    merkle_root,
    result_bytes,
    validators_hash,
    vote_bytes,
)
from interfirm.ledger.receipts.cometbft import (
    TIME,
    ClusterReceipt,
    Done,
    InResult,
    InState,
    StateProof,
    without_known,
)
from interfirm.ledger.receipts.light import Rules, trusted_genesis
from interfirm.ledger.receipts.types import ClusterAnchor, Validator
from interfirm.notary.cometbft.shown import result_with
from interfirm.notary.cometbft.store.layout import Layout
from interfirm.notary.cometbft.store.multistore import MultiStore

CHAIN = "n-of-tests"
START_NS = 1_700_000_000_000_000_001
SECOND_NS = 1_000_000_000
PERIOD_MS = 3_600_000
NOTARY, NETWORK = sha256(b"the cluster").digest(), sha256(b"the network").digest()
RULES = Rules(chain_id=CHAIN, trusting_period_ms=PERIOD_MS)
SIGNERS = {signer.public.key: signer for signer in (Ed25519Signer(sha256(b"v%d" % n).digest()) for n in range(20))}
KEYS = tuple(SIGNERS)


def hashed(*parts: object) -> bytes:
    return sha256(repr(parts).encode()).digest()


def members(numbers: Sequence[int], powers: Sequence[int] = ()) -> tuple[Validator, ...]:
    """A set of validators by their numbers, each with a power of 10 or as told."""
    return in_order(
        [Validator(key=KEYS[n], power=power) for n, power in zip(numbers, powers or [10] * len(numbers), strict=True)]
    )


def sign(
    header: Header, validators: tuple[Validator, ...], *, signers: Sequence[bytes] | None = None, round_: int = 0
) -> LightBlock:
    """The block with votes of these validators (all of them by default), each at a time of its own."""
    blank = Commit(
        round=round_, parts_count=1, parts_hash=hashed("parts", header), votes=(None,) * len(validators)
    )  # fmt: skip
    votes = [
        Vote(
            time_ns=(at := header.time_ns + place * 1_000_007),
            signature=SIGNERS[each.key].sign(vote_bytes(header, blank, at)),
        )
        if signers is None or each.key in signers
        else None
        for place, each in enumerate(validators)
    ]
    return LightBlock(header=header, commit=blank.replace(votes=tuple(votes)), validators=validators)


class MadeChain:
    """A chain that grows by signed blocks; results and state of a block are committed to by the next one."""

    def __init__(self, validators: tuple[Validator, ...]) -> None:
        self.first = self.validators = validators
        self.blocks: list[LightBlock] = []
        self._results: tuple[bytes, ...] = ()
        self._application = b""

    @property
    def anchor(self) -> ClusterAnchor:
        """Trust in what the chain began with."""
        trusted = trusted_genesis(self.first, time_ns=START_NS)
        return ClusterAnchor(
            notary=NOTARY, network=NETWORK, chain_id=CHAIN, trusted=trusted, trusting_period_ms=PERIOD_MS
        )

    def at(self, height: int) -> LightBlock:
        """The block at a height."""
        return self.blocks[height - 1]

    def grow(
        self, *, results: Sequence[bytes] = (), application: bytes = b"", then: tuple[Validator, ...] | None = None,
        seconds: int = 1, signers: Sequence[bytes] | None = None,
    ) -> LightBlock:  # fmt: skip
        """The next block; `results` (leaves) and `application` are of it, `then` signs what comes after it."""
        header = self.header(then=then, seconds=seconds)
        block = sign(header, self.validators, signers=signers)
        self.blocks.append(block)
        self.validators = then or self.validators
        self._results, self._application = tuple(results), application or hashed("state", header.height)
        return block

    def header(self, *, then: tuple[Validator, ...] | None = None, seconds: int = 1) -> Header:
        """The header that comes next."""
        height = len(self.blocks) + 1
        last = self.blocks[-1] if self.blocks else None
        before = START_NS if last is None else last.header.time_ns
        return Header(
            version_block=11, version_application=1, chain_id=CHAIN, height=height,
            time_ns=before + seconds * SECOND_NS,
            last_block=BlockId(b"", 0, b"") if last is None else BlockId(
                last.header.hash, last.commit.parts_count, last.commit.parts_hash
            ),
            last_commit=hashed("commit", height), data=hashed("data", height),
            validators=validators_hash(self.validators), next_validators=validators_hash(then or self.validators),
            consensus=hashed("parameters"), application=self._application, last_results=merkle_root(self._results),
            evidence=hashed("evidence"), proposer=address(self.validators[0].key),
        )  # fmt: skip

    def grown(self, count: int, **each: Any) -> MadeChain:
        """This chain, so many blocks longer."""
        for _ in range(count):
            self.grow(**each)
        return self


def outcome(*transactions: bytes, height: int, refused: str = "") -> bytes:
    """What an envelope that notarised these transactions led to."""
    done = [["done", each, height, [height * 1000], 1] for each in transactions]
    return codec.encode([done, refused])


def shown(data: bytes, *, code: int = 0) -> dict[str, Any]:
    """A result as the engine's RPC shows it."""
    return {"code": code, "data": base64.b64encode(data).decode(), "gas_wanted": "0", "gas_used": "0", "log": "free"}


def result_leaf(data: bytes, code: int = 0) -> bytes:
    return result_bytes(code=code, data=data, gas_wanted=0, gas_used=0)


class Notarised:
    """A chain on which a block accepts a transaction among others, and that transaction's receipt."""

    def __init__(
        self, validators: tuple[Validator, ...] | None = None, *, before: int = 1,
        then: Sequence[tuple[Validator, ...]] = (),
    ) -> None:  # fmt: skip
        """`then` are the sets that take over, one block after the other, before the transaction comes."""
        self.chain = MadeChain(validators or members(range(7))).grown(before)
        for each in then:
            self.chain.grow(then=each)
        self.transaction = hashed("a transaction")
        self.height = len(self.chain.blocks) + 1
        outcomes = [outcome(hashed("other", n), height=self.height) for n in range(4)]
        outcomes.insert(2, outcome(hashed("beside"), self.transaction, height=self.height))
        self.data = outcomes
        self.chain.grow(results=[result_leaf(each) for each in outcomes])
        self.chain.grow()
        self.anchor = self.chain.anchor
        self.result: InResult = result_with(self.transaction, [shown(each) for each in outcomes])

    @property
    def header_height(self) -> int:
        return self.height + 1

    def receipt(self, *heights: int, **changes: Any) -> ClusterReceipt:
        """The receipt, by way of these heights."""
        way = (*heights, self.header_height) if self.header_height not in heights else heights
        blocks = tuple(self.chain.at(height) for height in way)
        plain = ClusterReceipt(
            transaction=self.transaction, shown=self.result, walk=without_known(blocks, self.anchor.trusted)
        )
        return plain.replace(**changes)


def done_at(transaction: bytes, height: int) -> Done:
    return Done(id=transaction, height=height, time=(height * 1000,), registry_height=1)


LAYOUT = Layout(
    plain={"refs": 36, "accepted": 32, "claims": 32, "imports": 32, "registry": 32, "meta": 0}, hashed=frozenset()
)  # fmt: skip
"""Of the state below these chains; the notary's own may get further spaces."""
Entries = Mapping[tuple[str, bytes], bytes]


class Kept:
    """A chain with a state below the header after its last block but one, and proofs of what the state holds."""

    def __init__(
        self, entries: Entries, *, time_ms: int = 1_700_000_002_345, before: int = 2, layout: Layout = LAYOUT
    ) -> None:
        self.time_ms = time_ms
        self.entries = {**entries, TIME: codec.encode(time_ms)}
        self.chain = MadeChain(members(range(7))).grown(before)
        self.height = before + 1
        self._store = MultiStore(layout)
        self._store.apply(self.height, layout.stored(self.entries))
        self.chain.grow(application=self._store.root)
        self.chain.grow()
        self.anchor = self.chain.anchor

    def shown(self, space: str, key: bytes) -> InState:
        """What the state holds at a key, or that it holds nothing."""
        found = self._store.prove(space, key, lambda *name: self.entries[name], height=self.height)
        return InState(value=found.value, proofs=found.proofs)

    @property
    def walk(self) -> tuple[LightBlock, ...]:
        return without_known((self.chain.at(self.height + 1),), self.anchor.trusted)

    def proof(self, kind: str, space: str, subject: bytes) -> StateProof:
        """The answer to a question."""
        return StateProof(
            kind=kind, subject=subject, shown=self.shown(space, subject), time=self.shown(*TIME), walk=self.walk
        )  # fmt: skip

    def receipt(self, transaction: bytes) -> ClusterReceipt:
        """The receipt of a transaction that the state remembers."""
        return ClusterReceipt(transaction=transaction, shown=self.shown("accepted", transaction), walk=self.walk)


# as the engine shows them ---------------------------------------------------------------------------------------------


def rfc3339(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, SECOND_NS)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


def block_id(hash_: bytes, count: int, parts: bytes) -> dict[str, Any]:
    return {"hash": hash_.hex().upper(), "parts": {"total": count, "hash": parts.hex().upper()}}


def in_json(block: LightBlock) -> dict[str, Any]:
    """A block in the engine's JSON: signed header and validators."""
    header, commit = block.header, block.commit
    names = (
        "last_commit_hash", "data_hash", "validators_hash", "next_validators_hash", "consensus_hash", "app_hash",
        "last_results_hash", "evidence_hash", "proposer_address",
    )  # fmt: skip
    values = (
        header.last_commit, header.data, header.validators, header.next_validators, header.consensus,
        header.application, header.last_results, header.evidence, header.proposer,
    )  # fmt: skip
    last = header.last_block
    plain = {
        "version": {"block": str(header.version_block), "app": str(header.version_application)},
        "chain_id": header.chain_id, "height": str(header.height), "time": rfc3339(header.time_ns),
        "last_block_id": block_id(last.hash, last.parts_count, last.parts_hash),
    } | {name: value.hex().upper() for name, value in zip(names, values, strict=True)}  # fmt: skip
    votes = zip(block.validators, commit.votes, strict=False)
    return {
        "signed_header": {
            "header": plain,
            "commit": {
                "height": str(header.height), "round": commit.round,
                "block_id": block_id(header.hash, commit.parts_count, commit.parts_hash),
                "signatures": [vote_in_json(validator, vote) for validator, vote in votes],
            },
        },
        "validators": [
            {
                "address": address(each.key).hex().upper(),
                "pub_key": {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(each.key).decode()},
                "voting_power": str(each.power), "proposer_priority": "0",
            }
            for each in block.validators
        ],
    }  # fmt: skip


def vote_in_json(validator: Validator, vote: Vote | None) -> dict[str, Any]:
    if vote is None:
        return {"block_id_flag": 1, "validator_address": "", "timestamp": "0001-01-01T00:00:00Z", "signature": None}
    return {
        "block_id_flag": 2, "validator_address": address(validator.key).hex().upper(),
        "timestamp": rfc3339(vote.time_ns), "signature": base64.b64encode(vote.signature).decode(),
    }  # fmt: skip
