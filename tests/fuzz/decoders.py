"""Everything that reads bytes which a stranger chose: one function each, and inputs to start from.

A decoder may give a value or a Refusal. Anything else that leaves it is a fault.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from interfirm.api.graphql.documents import Documents
from interfirm.api.graphql.execution import asked_of
from interfirm.api.graphql.schema import schema_of
from interfirm.api.ports import ShownTemplate
from interfirm.api.rest.reading import json_of
from interfirm.api.signin import cookies
from interfirm.api.signin.settings import SigninSettings
from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.signatures import Ed25519Signer
from interfirm.formats.camt053 import read_statement
from interfirm.formats.csv import read_csv
from interfirm.formats.ubl import read_ubl
from interfirm.formats.xlsx import read_xlsx
from interfirm.ledger.proof import ProofBundle, ReceiptBundle
from interfirm.ledger.receipts import ics23
from interfirm.ledger.receipts.cose import verify_receipt
from interfirm.ledger.receipts.types import NotaryAnchor
from interfirm.ledger.types import Skeleton, View
from interfirm.node.access.id_tokens import keys_of, verified
from interfirm.node.access.oidc_settings import OidcSettings
from interfirm.node.access.sessions import check_csrf
from interfirm.node.flows.messages import Proposal
from interfirm.node.flows.types import FlowMessage
from interfirm.node.forms import Forms, ref_of
from interfirm.node.network.frames import LENGTHS, Hello, pack, unpack, unpack_lengths
from interfirm.node.node import NotaryLetter
from interfirm.node.vault.filters import read_where
from interfirm.notary.cometbft.abci import split_frames
from interfirm.notary.cometbft.envelope import open_envelope
from interfirm.notary.types import Ask
from interfirm.notary.wire import decode_answer, decode_request, encode_request
from tests.unit.api.rest.nodes import business_engine

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
Decoder = Callable[[bytes], object]
_HASH = bytes(32)
_ANCHOR = NotaryAnchor(notary=_HASH, network=_HASH, key=Ed25519Signer(bytes(32)).public)
_PROVIDER = OidcSettings(issuer="https://provider.example", client_id="node")
_BROWSER = SigninSettings(origin="https://node.example")


class _Names:
    """Nobody is known here."""

    def identity_of(self, name: str) -> bytes:
        raise Refusal("directory.unknown", "this organisation is not in the network", name=str(name)[:80])

    def name_of(self, identity: bytes) -> str:
        return identity.hex()

    def registration_of(self, identity: bytes) -> str:
        return identity.hex()

    def organisations(self) -> list[bytes]:
        return []

    def notary_of(self, name: str) -> bytes:
        raise Refusal("directory.notary", "this notary is not known here", name=str(name)[:80])


def _no_commitment(value: Any, subject: str) -> Any:
    raise Refusal("form.value", "a filter commits to nothing")


@cache
def _forms() -> Forms:
    return Forms(_Names(), _no_commitment)


def _frame(data: bytes) -> object:
    head, body = unpack_lengths(data[: LENGTHS.size].ljust(LENGTHS.size, b"\x00"))
    rest = data[LENGTHS.size :]
    return unpack(rest[:head], rest[head : head + body])


def _filter(data: bytes) -> object:
    engine = business_engine()
    return read_where(engine.named("invoices.Invoice"), json_of(data, at="where"), _forms(), engine, {"caller": "a"})


@cache
def _graphql() -> tuple[Documents, Any]:
    engine = business_engine()
    shown = [ShownTemplate(engine.path_of(code.id), code, create=True, choices=code.choices)
             for code in engine.templates()]  # fmt: skip
    return Documents(), schema_of(shown)


def _query(data: bytes) -> object:
    asked = asked_of(json_of(data, at="query"))
    documents, schema = _graphql()
    document = documents.document(schema, 1, documents.text_of(asked.query, asked.sha256), asked.sha256)
    document.check_cost(document.operation(asked.operation), asked.variables)
    return document


def _cookie(data: bytes) -> object:
    text = cookies.read("session", {"cookie": data.decode("latin-1")}, _BROWSER)
    check_csrf(text, data.decode("latin-1"))
    return text


def _id_token(data: bytes) -> object:
    text = data.decode("latin-1")
    return verified(text, keys_of({"keys": []}), _PROVIDER, nonce="n", access_token="", now_ms=0)


def _every(rows: Iterable[object]) -> list[object]:
    return list(rows)


DECODERS: Mapping[str, Decoder] = {
    "peer's frame": _frame,
    "flow's message": lambda data: codec.decode(data, FlowMessage),
    "proposal": lambda data: codec.decode(data, Proposal),
    "view": lambda data: codec.decode(data, View),
    "skeleton": lambda data: codec.decode(data, Skeleton),
    "notary's letter": lambda data: codec.decode(data, NotaryLetter),
    "request to a notary": decode_request,
    "notary's answer": decode_answer,
    "envelope for a cluster": open_envelope,
    "engine's frames": split_frames,
    "solo notary's receipt": lambda data: verify_receipt(data, anchor=_ANCHOR),
    "ics23 proof": ics23.decode,
    "proof bundle": lambda data: codec.decode(data, ProofBundle),
    "receipt bundle": lambda data: codec.decode(data, ReceiptBundle),
    "canonical block": codec.decode_plain,
    "json of a request": lambda data: json_of(data, at="body"),
    "filter": _filter,
    "graphql query": _query,
    "session cookie": _cookie,
    "id token": _id_token,
    "keys of a provider": lambda data: keys_of(json_of(data, at="keys")),
    "ref": lambda data: ref_of(data.decode("latin-1")),
    "ubl": read_ubl,
    "camt.053": read_statement,
    "csv": lambda data: _every(read_csv(io.BytesIO(data))),
    "xlsx": lambda data: _every(read_xlsx(io.BytesIO(data))),
}
NAMES = sorted(DECODERS)


def corpus() -> list[bytes]:
    """Inputs to start from: the number of a decoder, then what it takes."""
    head, body = pack(Hello(epoch=1, acknowledged=0, heard_epoch=0, heard=0, answer_wanted=True))
    found = {
        "request to a notary": [encode_request(Ask(kind="key", subject=_HASH))],
        "peer's frame": [LENGTHS.pack(len(head), len(body)) + head + body],
        "json of a request": [b'{"fields": {"amount": {"amount": "1.00", "currency": "EUR"}}}'],
        "filter": [b'{"_and": [{"number": {"_eq": "A-1"}}, {"_not": {"due": {"_lt": "2026-11-01"}}}]}'],
        "graphql query": [b'{"query": "{ cash_Cash(limit: 2, where: {amount: {_gt: {}}}) { rows { _ref } } }"}'],
        "session cookie": [b"__Host-interfirm=ifs_" + b"0" * 64],
        "id token": [b"eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJhIn0.AAAA"],
        "keys of a provider": [b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "1"}]}'],
        "ref": [b"00" * 32 + b":0"],
        "ubl": [(EXAMPLES / "invoice-2026-0001.xml").read_bytes()],
        "csv": [b"Customer;Sum\nHalden;1.00 EUR\n"],
        "canonical block": [codec.encode_plain([1, b"bytes", {"text": [None, True]}])],
    }
    return [bytes([NAMES.index(name)]) + data for name, every in found.items() for data in every]


def decode(data: bytes) -> None:
    """Let the decoder that the first byte names read the rest."""
    if data:
        decoder = DECODERS[NAMES[data[0] % len(NAMES)]]
        try:
            decoder(data[1:])
        except Refusal:
            return
