"""The vectors of docs/spec/ledger.md: the library makes them, and forty lines that share nothing with it agree."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import dag_cbor
import pytest
from tools.make_vectors import FOLDER, vectors

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.contracts.packages import Package
from interfirm.ledger.proof import ProofBundle, verify_proof
from interfirm.ledger.types import Disclosure, Notarised, View
from interfirm.notary.types import Notarise
from interfirm.notary.uniqueness.machine import transaction_of

FILES = sorted(path.stem for path in FOLDER.glob("*.json"))


def read(name: str) -> Any:
    return json.loads((Path(FOLDER) / f"{name}.json").read_text())


def h(tag: str, *parts: Any) -> bytes:
    """Clause 2, by another codec."""
    return sha256(dag_cbor.encode([tag, *parts])).digest()


def block(text: str) -> Any:
    return dag_cbor.decode(bytes.fromhex(text))


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize("name", FILES)
def test_the_library_makes_the_vectors(name: str) -> None:
    assert read(name) == vectors()[name], "after a wanted change of format: python tools/make_vectors.py"


def test_there_is_a_file_for_each_part() -> None:
    assert set(FILES) == set(vectors())


@pytest.mark.parametrize("data", read("encoding")["refused"])
def test_what_is_no_canonical_block_is_refused(data: str) -> None:
    with pytest.raises(Refusal):
        codec.decode_plain(raw(data))


def test_another_codec_writes_the_same_blocks() -> None:
    for each in read("encoding")["values"]:
        value = untagged(each["value"])
        assert dag_cbor.encode(value).hex() == each["cbor"] == codec.encode(value).hex()
        assert codec.decode_plain(raw(each["cbor"])) == value


def untagged(value: Any) -> Any:
    if isinstance(value, dict):
        return raw(value["bytes"]) if list(value) == ["bytes"] else {k: untagged(v) for k, v in value.items()}
    return [untagged(item) for item in value] if isinstance(value, list) else value


def test_seeds_and_salts_follow_the_clauses() -> None:
    made = read("hashes")["seeds"]
    seed = raw(made["seed"])
    assert [h("seed", seed, i).hex() for i in made["child_positions"]] == made["children"]
    assert [h("salt", seed, i).hex() for i in range(4)] == made["salts"]
    assert made["salts"][1] == made["confirmers_salt"]
    assert made["salts"][2] == made["payload_seed"]
    assert made["salts"][3] == made["claim_salt_0"]
    assert h("salt", raw(made["payload_seed"]), 1023).hex() == made["create_body_salt"]


def test_payloads_and_commitments_follow_the_clauses() -> None:
    made = read("hashes")
    payload, template = made["payload"], block(made["payload"]["template_cbor"])
    seed = raw(payload["payload_seed"])
    fields = [
        h("field", h("salt", seed, i), name, value)
        for i, (name, value) in enumerate(zip(payload["names"], block(payload["payload_cbor"]), strict=True))
    ]
    assert [field.hex() for field in fields] == payload["fields"]
    root = h("payload", *template, fields)
    assert root.hex() == payload["root"]
    index = made["created_node"]["index"]
    body = h("body", h("salt", seed, 1023), ["create", index, template, root])
    assert h("node", body, []).hex() == made["created_node"]["hash"]
    for each in made["confirmers"]:
        parties, fallback, since = block(each["confirmers_cbor"])
        moment = None if since is None else since[0]
        assert h("confirmers", raw(each["salt"]), parties, fallback, moment).hex() == each["commitment"]
    claim = made["claim"]
    assert dag_cbor.encode([claim["family"], claim["key"]]).hex() == claim["alpha"]
    assert h("claim key", raw(claim["owner"]), raw(claim["output"])).hex() == claim["claim"]
    assert h("claim", raw(claim["salt"]), raw(claim["owner"]), raw(claim["claim"])).hex() == claim["commitment"]
    move = made["move"]
    parts = [raw(move[name]) for name in ("origin", "ref_key", "to")]
    lock = h("lock", *parts, move["until_ms"], raw(move["nonce"]), raw(move["commitment"]))
    assert lock.hex() == move["lock_id"]
    assert h("import", lock).hex() == move["import_id"]


def test_identities_follow_the_clauses() -> None:
    for each in read("hashes")["identities"]:
        assert h("identity", "ed25519", raw(each["key"])).hex() == each["identity"]


@pytest.mark.parametrize("number", range(3))
def test_a_transactions_id_follows_the_clauses(number: int) -> None:
    made = read("transactions")["transactions"][number]
    for node in made["nodes"]:
        assert h("node", raw(node["body_hash"]), [raw(child) for child in node["children"]]).hex() == node["hash"]
        assert h("entry", block(node["entry_cbor"])).hex() == node["entry_hash"]
        number_of_salt = 1023 if block(node["body_cbor"])[0] == "create" else 0
        seed = h("salt", raw(node["seed"]), 2) if number_of_salt else raw(node["seed"])
        assert h("body", h("salt", seed, number_of_salt), block(node["body_cbor"])).hex() == node["body_hash"]
    for line in made["lines"]:
        salt, (identity, scope) = block(line["line_cbor"])
        assert h("line", salt, identity, scope).hex() == line["hash"]
    header, entries, lines, roots, components = block(made["skeleton_cbor"])
    assert dag_cbor.encode(header).hex() == made["header_cbor"]
    effects = h("effects", entries, lines)
    assert h("transaction", h("header", header), effects, roots, components).hex() == made["id"]
    assert entries == [raw(node["entry_hash"]) for node in made["nodes"]]


def test_blocks_of_every_message_are_of_their_types() -> None:
    for transaction in read("transactions")["transactions"]:
        for view in transaction["views"]:
            codec.decode(raw(view["view_cbor"]), View)
    made, proofs = read("notary"), read("proofs")
    assert transaction_of(codec.decode(raw(made["notarise_cbor"]), Notarise)).hex() == made["id"]
    codec.decode(raw(proofs["disclosure_cbor"]), Disclosure)
    codec.decode(raw(proofs["history_item_cbor"]), Notarised)
    package = codec.decode(raw(read("hashes")["package"]["package_cbor"]), Package)
    assert package.id.hex() == read("hashes")["package"]["id"]


def test_the_proof_of_one_field_proves_it() -> None:
    made = read("proofs")
    bundle = codec.decode(raw(made["field_proof_cbor"]), ProofBundle)
    proved = verify_proof(bundle, accepted=lambda *parts: None)
    wanted = made["field_proof_of"]
    assert proved.fields == {wanted["field"]: wanted["value"]}
    assert proved.ref.transaction == raw(wanted["transaction"])
