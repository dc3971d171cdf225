"""Make the test vectors of the ledger's wire format (docs/spec/ledger.md) from the library, for other languages.

`python tools/make_vectors.py` writes tests/vectors/ledger/*.json. In them bytes are lower-case hex; a key that ends in
`_cbor` holds the one canonical block of a value. Everything follows from fixed seeds, so a second run changes nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.cluster_vectors import cluster

from interfirm.base import codec
from interfirm.base.hashing import cid, digest
from interfirm.base.signatures import Ed25519Signer
from interfirm.base.time import Instant, Window
from interfirm.base.vrf import VrfKey, vrf_output
from interfirm.contracts import interpreter, types
from interfirm.contracts.language import LANGUAGE_VERSION
from interfirm.contracts.packages import Engine, Package
from interfirm.contracts.types import Command, Confirmers, ContractRef, Create, CreateCommand, ExerciseCommand
from interfirm.ledger import builder, tree
from interfirm.ledger.builder import Draft
from interfirm.ledger.history import HistoryItem
from interfirm.ledger.moves import import_id, lock_id
from interfirm.ledger.proof import prove_field
from interfirm.ledger.signing import sign, signed_bytes
from interfirm.ledger.types import Component, ConsumeEntry, CreateEntry, Disclosure, FetchEntry, UseEntry, entry_hash
from interfirm.ledger.verification import Verified, names_from, verify_view
from interfirm.notary.requests import request_of
from interfirm.notary.types import claim_key, ref_key

FOLDER = Path(__file__).parent.parent / "tests" / "vectors" / "ledger"
SOURCE = '''"""A debt, and cash that its owner alone may move."""

from __future__ import annotations

from interfirm.contracts.language import Claim, Money, Party, Ref, Template, Transaction, choice, require


class Debt(Template):
    debtor: Party
    creditor: Party
    amount: Money
    number: str

    def signatories(self) -> list[Party]:
        return [self.debtor, self.creditor]

    def claims(self) -> list[Claim]:
        return [Claim(family="debt", owner=self.creditor, key=(self.number,))]

    @choice(by="debtor")
    def pay(self, tx: Transaction, cash: Ref[Cash]) -> Ref[Cash]:
        require(tx.fetch(Cash, cash).amount == self.amount, "the whole debt is paid at once")
        return tx.exercise(cash, Cash.move, to=self.creditor)


class Cash(Template):
    issuer: Party
    owner: Party
    amount: Money

    def signatories(self) -> list[Party]:
        return [self.issuer]

    def observers(self) -> list[Party]:
        return [self.owner]

    def confirmers(self) -> list[Party]:
        return [self.owner]

    @choice(by="owner")
    def move(self, tx: Transaction, to: Party) -> Ref[Cash]:
        return tx.create(self.replace(owner=to))
'''
PACKAGE = Package(
    name="vectors.debts", language=LANGUAGE_VERSION, modules={"vectors.debts.contract": SOURCE}, dependencies={}
)
NETWORK, NOTARY = digest("vector", "network"), digest("vector", "notary")
WINDOW = Window(lower=Instant(1_700_000_000_000), upper=Instant(1_700_000_600_000))


class Someone:
    """A party of the vectors."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seed = digest("vector", "signing seed", name)
        self.vrf_seed = digest("vector", "vrf seed", name)
        self.signer = Ed25519Signer(self.seed)
        self.vrf = VrfKey(self.vrf_seed)
        self.id = self.signer.public.identity


DEBTOR, CREDITOR, ISSUER = Someone("debtor"), Someone("creditor"), Someone("issuer")
EVERYBODY = (DEBTOR, CREDITOR, ISSUER)


class Ledger:
    """Three transactions: cash and a debt are made, and the debt is paid with the cash."""

    def __init__(self) -> None:
        self.engine = Engine([PACKAGE])
        self.names = names_from(self.engine)
        self.disclosures: dict[ContractRef, Disclosure] = {}
        money = [100, "EUR"]
        cash = CreateCommand(self.engine.named("Cash").id, [[ISSUER.id], [DEBTOR.id], money])
        debt = CreateCommand(self.engine.named("Debt").id, [[DEBTOR.id], [CREDITOR.id], money, "D-1"])
        self.cash, self.debt = self._made(1, cash), self._made(2, debt)
        owed, paid = ContractRef(self.debt.id, 0), ContractRef(self.cash.id, 0)
        self.pay = ExerciseCommand(owed, self.engine.named("Debt").id, "pay", [[paid.transaction, paid.index]])
        self.paid = self._made(3, self.pay)

    def _made(self, number: int, *commands: Command) -> Draft:
        actions = interpreter.interpret(self.engine, commands, lookup=self._lookup, window=WINDOW)
        draft = builder.build(
            actions, seed=digest("vector", "transaction seed", number), network=NETWORK, notary=NOTARY, window=WINDOW,
            names=self.names, claim_proof=_claim_proof,
        )  # fmt: skip
        for node in draft.nodes:
            if isinstance(node.action, Create):
                ref = ContractRef(draft.id, node.action.index)
                self.disclosures[ref] = builder.node_disclosure(node).replace(
                    ref=ref, skeleton=draft.skeleton, receipt=b"receipt of " + draft.id
                )
        return draft

    def _lookup(self, ref: ContractRef) -> types.Contract:
        found = self.disclosures[ref]
        return types.Contract(template=found.template, payload=found.payload)

    def view(self, draft: Draft, someone: Someone) -> Any:
        """The party's view of a draft."""
        inputs = [
            builder.own_disclosure(draft, index) if transaction is None else self.disclosures[
                ContractRef(transaction, index)
            ]
            for transaction, index in builder.inputs_of(draft.tops[someone.id])
        ]  # fmt: skip
        return builder.view_of(draft, someone.id, inputs)

    def verified(self, draft: Draft, someone: Someone) -> Verified:
        """The view as that party verifies it."""
        return verify_view(self.view(draft, someone), engine=self.engine, world=_World(), network=NETWORK)

    def salts(self, transaction: bytes | None, index: int) -> bytes:
        """The confirmers' salt of an input."""
        return self.disclosures[ContractRef(transaction, index)].confirmers_salt


class _World:
    """Knows every creation, and takes every receipt."""

    def trusted(self, notary: bytes) -> None:
        """Any."""

    def accepted(self, receipt: bytes, transaction: bytes, network: bytes, notary: bytes) -> None:
        """Always."""

    def remembered(self, ref: ContractRef) -> None:
        """See World: nothing is at hand, so everything is checked."""

    def claim_output(self, owner: bytes, alpha: bytes, proof: bytes) -> bytes:
        """Unchecked, the vectors of RFC 9381 check proofs."""
        return vrf_output(proof)

    def known_valid(self, ref: ContractRef) -> bool:
        """Every one."""
        return True


def _claim_proof(owner: bytes, alpha: bytes) -> tuple[bytes, bytes]:
    proof = next(someone for someone in EVERYBODY if someone.id == owner).vrf.prove(alpha)
    return proof, vrf_output(proof)


# the files --------------------------------------------------------------------------------------------------------


def encoding() -> dict[str, Any]:
    """Clause 1: values and their one block, and blocks that are refused. Byte strings are `{"bytes": hex}` here."""
    values: list[Any] = [
        0, 23, 24, 255, 256, 2**32, 2**64 - 1, -1, -24, -25, -(2**63), True, False, None, "", "IETF", "ü", b"",
        b"\x01\x02", bytes([0, 1, 113, 18, 32]), [], [1, [2, 3]], {}, {"b": 1, "aa": 2, "a": 3},
        {"a": {"b": [None, b"\xff"]}},
    ]  # fmt: skip
    refused = (
        "1800 1817 190017 1b0000000000000001 f97e00 fa00000000 fb3ff0000000000000 9f01ff bf616101ff 5f4101ff 7f6161ff "
        "a2616201616102 a2616101616102 c001 d82a4100 f7 f800 62c328 810100 81 3b8000000000000000 a10101"
    )
    return {
        "values": [{"value": _tagged(value), "cbor": codec.encode(value)} for value in values],
        "refused": refused.split(),
    }


def _tagged(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    return {name: _tagged(item) for name, item in value.items()} if isinstance(value, dict) else value


def hashes() -> dict[str, Any]:
    """Clauses 2 and 5: hashes with tags, identities, salts and commitments."""
    seed = digest("vector", "seed")
    cash = Engine([PACKAGE]).named("Cash").id
    payload = [[ISSUER.id], [DEBTOR.id], [100, "EUR"]]
    names = ["issuer", "owner", "amount"]
    confirmers = Confirmers(parties=(DEBTOR.id,))
    fallback = Confirmers(parties=(DEBTOR.id, ISSUER.id), fallback=(ISSUER.id,), since=Instant(1_700_000_000_000))
    root = tree.payload_root(cash, names, payload, tree.payload_seed(seed))
    return {
        "digest": [
            {"tag": "example", "parts": _plain(parts), "hash": digest("example", *parts)}
            for parts in ([], [1], [b"\x01"], ["a", [b"b", None]])
        ],
        "package": {"package_cbor": codec.encode(PACKAGE), "id": PACKAGE.id},
        "identities": [
            {"name": each.name, "signing_seed": each.seed, "key": each.signer.public.key, "identity": each.id}
            for each in EVERYBODY
        ],
        "seeds": {
            "seed": seed,
            "children": [tree.child_seed(seed, i) for i in (0, 1, 24, 1023)],
            "child_positions": [0, 1, 24, 1023],
            "salts": [tree.salt(seed, i) for i in (0, 1, 2, 3)],
            "payload_seed": tree.payload_seed(seed),
            "confirmers_salt": tree.confirmers_salt(seed),
            "claim_salt_0": tree.claim_salt(seed, 0),
            "create_body_salt": tree.create_body_salt(tree.payload_seed(seed)),
        },
        "payload": {
            "template_cbor": codec.encode(cash),
            "names": names,
            "payload_cbor": codec.encode(payload),
            "payload_seed": tree.payload_seed(seed),
            "root": root,
            "fields": [tree.field_hash(tree.salt(tree.payload_seed(seed), i), names[i], payload[i]) for i in range(3)],
        },
        "created_node": {
            "index": 7,
            "hash": tree.created_node(cash, 7, root, tree.create_body_salt(tree.payload_seed(seed))),
        },
        "confirmers": [
            {
                "salt": tree.confirmers_salt(seed),
                "confirmers_cbor": codec.encode(each),
                "commitment": tree.confirmers_commitment(tree.confirmers_salt(seed), each),
            }
            for each in (confirmers, fallback)
        ],
        "claim": _claim(seed),
        "move": _move(),
    }


def _claim(seed: bytes) -> dict[str, Any]:
    alpha = codec.encode(["debt", ["D-1"]])
    proof = CREDITOR.vrf.prove(alpha)
    claim = tree.claim_hash(CREDITOR.id, vrf_output(proof))
    return {
        "owner": CREDITOR.id,
        "family": "debt",
        "key": ["D-1"],
        "alpha": alpha,
        "vrf_key": CREDITOR.vrf.public,
        "proof": proof,
        "output": vrf_output(proof),
        "claim": claim,
        "salt": tree.claim_salt(seed, 0),
        "commitment": tree.claim_commitment(tree.claim_salt(seed, 0), CREDITOR.id, claim),
        "notary_key": claim_key(CREDITOR.id, claim),
    }


def _move() -> dict[str, Any]:
    ref, to, nonce, commitment = ContractRef(digest("t"), 3), digest("to"), digest("nonce"), digest("commitment")
    lock = lock_id(NOTARY, ref, to, WINDOW.upper, nonce, commitment)
    return {
        "origin": NOTARY,
        "ref_cbor": codec.encode(ref),
        "ref_key": ref_key(ref),
        "to": to,
        "until_ms": WINDOW.upper.ms,
        "nonce": nonce,
        "commitment": commitment,
        "lock_id": lock,
        "import_id": import_id(lock),
    }


def signatures() -> dict[str, Any]:
    """Clause 3: what is signed, and by which scheme."""
    name = digest("vector", "transaction")
    made = [sign(DEBTOR.signer, DEBTOR.id, name, purpose=purpose) for purpose in ("party", "notary", "withdrawal")]
    return {
        "transaction": name,
        "signatures": [
            {
                "purpose": each.purpose,
                "key": each.key.key,
                "scheme": each.key.scheme.value,
                "message": signed_bytes(name, each.identity, each.key, each.platform_version, each.purpose),
                "signature": each.signature,
                "signature_cbor": codec.encode(each),
            }
            for each in made
        ],
    }


def transactions(ledger: Ledger) -> dict[str, Any]:
    """Clauses 4 to 6: whole transactions, their trees, entries, lines, ids and views."""
    return {
        "package_id": PACKAGE.id,
        "network": NETWORK,
        "notary": NOTARY,
        "transactions": [
            _transaction(ledger, "cash is made", ledger.cash),
            _transaction(ledger, "a debt is made", ledger.debt),
            _transaction(ledger, "the debt is paid", ledger.paid),
        ],
    }


def _transaction(ledger: Ledger, what: str, draft: Draft) -> dict[str, Any]:
    skeleton = draft.skeleton
    return {
        "what": what,
        "seed": draft.seed,
        "header_cbor": codec.encode(draft.header),
        "header_hash": draft.header.hash,
        "packages": list(draft.packages),
        "nodes": [_node(node) for node in draft.nodes],
        "lines": [{"line_cbor": codec.encode(line), "hash": line.hash} for line in draft.lines],
        "roots": list(skeleton.roots),
        "skeleton_cbor": codec.encode(skeleton),
        "id": draft.id,
        "cid": cid(draft.id),
        "views": [
            {
                "party": someone.name,
                "identity": someone.id,
                "tops": [top.action.index for top in draft.tops[someone.id]],
                "view_cbor": codec.encode(ledger.view(draft, someone)),
            }
            for someone in EVERYBODY
            if someone.id in draft.tops
        ],
    }


def _node(node: tree.Node) -> dict[str, Any]:
    root = node.entry.payload if isinstance(node.entry, CreateEntry) else b""
    return {
        "index": node.action.index,
        "seed": node.seed,
        "body_cbor": codec.encode(tree.body_of(node.action, root)),
        "body_hash": node.body,
        "children": [child.hash for child in node.children],
        "hash": node.hash,
        "entry_cbor": codec.encode(node.entry),
        "entry_hash": entry_hash(node.entry),
    }


def notary(ledger: Ledger) -> dict[str, Any]:
    """Clause 8: a request, and the entries of every kind."""
    draft = ledger.paid
    signed = [sign(someone.signer, someone.id, draft.id) for someone in EVERYBODY if someone.id in draft.signers]
    signed.sort(key=lambda each: draft.signers.index(each.identity))
    ref = ContractRef(digest("t"), 1)
    kinds = [kind(action=digest("a"), ref=ref) for kind in (ConsumeEntry, UseEntry, FetchEntry)]
    local = ConsumeEntry(action=digest("a"), ref=ContractRef(None, 0))
    return {
        "notarise_cbor": codec.encode(request_of(draft, signed, salts=ledger.salts)),
        "id": draft.id,
        "entries": [{"entry_cbor": codec.encode(entry), "hash": entry_hash(entry)} for entry in (*kinds, local)],
        "component": {
            "component_cbor": codec.encode(Component(name="seals", hash=digest("seals", b"sealed"))),
            "id_with_it": draft.skeleton.replace(
                components=(Component(name="seals", hash=digest("seals", b"sealed")),)
            ).id,
        },
    }


def proofs(ledger: Ledger) -> dict[str, Any]:
    """Clause 9: a disclosure, an item of a history, and a proof of one field."""
    held = ledger.verified(ledger.paid, CREDITOR)
    receipt = b"receipt of " + ledger.paid.id
    made = max(held.created)
    bundle = prove_field(held, made, "amount", receipt=receipt, names=ledger.names)
    return {
        "disclosure_cbor": codec.encode(ledger.disclosures[ContractRef(ledger.paid.id, made)]),
        "history_item_cbor": codec.encode(HistoryItem(view=ledger.view(ledger.cash, DEBTOR), receipt=b"receipt")),
        "field_proof_cbor": codec.encode(bundle),
        "field_proof_of": {"transaction": ledger.paid.id, "index": made, "field": "amount", "value": [100, "EUR"]},
    }


def vectors() -> dict[str, Any]:
    """The content of every file, by its name."""
    ledger = Ledger()
    made = {
        "encoding": encoding(),
        "hashes": hashes(),
        "signatures": signatures(),
        "transactions": transactions(ledger),
        "notary": notary(ledger),
        "proofs": proofs(ledger),
        "cluster": cluster(),
    }
    return {name: _plain(content) for name, content in made.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in vectors().items():
        (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
