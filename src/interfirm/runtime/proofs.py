"""Proof files and trust anchors on disk: checking needs these two and nothing else of a network."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import cid
from interfirm.contracts.packages import Engine, TemplateCode
from interfirm.contracts.types import TemplateId
from interfirm.ledger.moves import Accepted
from interfirm.ledger.proof import ProofBundle, Proved, ReceiptBundle, verify_proof
from interfirm.ledger.receipts.cose import verify_receipt
from interfirm.ledger.receipts.types import NotaryAnchor
from interfirm.node.forms import Forms, jsonable
from interfirm.notary.abroad import anchor_of
from interfirm.runtime.layout import NetworkLayout
from interfirm.runtime.modules import find_modules


class AnchorFile(msgspec.Struct, frozen=True):
    """A trust anchor as a file: the notary's id, network and key, and names of organisations for reading."""

    anchor: NotaryAnchor
    names: dict[str, str]


def write_anchor(path: Path, layout: NetworkLayout) -> None:
    """Write a network's trust anchor."""
    names = {member.identity.hex(): member.name for member in layout.file.members}
    data = msgspec.json.encode(AnchorFile(anchor=anchor_of(layout.file.genesis), names=names))
    path.write_bytes(msgspec.json.format(data, indent=1))


def read_anchor(path: Path) -> AnchorFile:
    """A trust anchor from a file; Refusal `proof.anchor`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=AnchorFile)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("proof.anchor", "this is not a trust anchor", path=str(path)) from error


def verify_file(path: Path, trusted: AnchorFile) -> dict[str, Any]:
    """What a proof file proves under an anchor, as JSON; Refusal `proof.*`, `receipt.*` or `codec.*`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refusal("file.read", "the file cannot be read", path=str(path)) from error
    proved = verify_bundle(data, trusted.anchor)
    bundle = codec.decode(data, ProofBundle)
    names, code = AnchorNames(trusted), template_code(proved.template)
    fields = jsonable(proved.fields) if code is None else readable(proved, code, names)
    return {
        "transaction": proved.ref.transaction.hex() if proved.ref.transaction else None,
        "cid": cid(bundle.skeleton.id),
        "index": proved.ref.index,
        "template": proved.template.name,
        "package": proved.template.package.hex(),
        "fields": fields,
        "package_known": code is not None,
        "complete": proved.complete,
        "signed_by": sorted(names.name_of(identity) for identity in proved.signers),
        "identities": names.used,
        "notary": proved.notary.hex(),
        "receipt_verified": True,
    }


class AnchorNames:
    """The names of organisations that an anchor file gives for reading; see forms.Names."""

    def __init__(self, trusted: AnchorFile) -> None:
        self._names = trusted.names
        self.used: dict[str, str] = {}
        """Id by name of everyone who was named: the ids are what was signed."""

    def name_of(self, identity: bytes) -> str:
        """The name of an identity, or its id in hex."""
        name = self._names.get(identity.hex(), identity.hex())
        self.used[name] = identity.hex()
        return name

    def identity_of(self, name: str) -> bytes:
        """Nobody is looked up by name here."""
        raise Refusal("directory.unknown", "a trust anchor names organisations for reading only", name=name[:200])

    def registration_of(self, identity: bytes) -> str:
        """An anchor knows no registration numbers."""
        raise Refusal("directory.unknown", "a trust anchor names organisations for reading only", identity=identity)


def template_code(template: TemplateId) -> TemplateCode | None:
    """The template's code, where this program has its package: the very one, as its id is the hash of its source."""
    for module in find_modules():
        if template.package in {package.id for package in module.packages}:
            return Engine(module.packages).template(template)
    return None


def readable(proved: Proved, code: TemplateCode, names: AnchorNames) -> dict[str, Any]:
    """The fields proved, as people write them (see `node.forms`)."""
    forms = Forms(names, _uncommitted)
    return {name: forms.write(codec.from_plain(value, code.fields[name])) for name, value in proved.fields.items()}


def _uncommitted(value: Any, subject: str) -> NoReturn:
    raise AssertionError("nothing is committed to while reading")


def verify_receipts(folder: Path) -> list[str]:
    """The transactions of all receipt bundles (`*.proof`) in a folder, checked by its `anchor.json` alone."""
    trusted = read_anchor(folder / "anchor.json")
    found = []
    for path in sorted(folder.glob("*.proof")):
        bundle = codec.decode(path.read_bytes(), ReceiptBundle)
        header, transaction = bundle.skeleton.header, bundle.skeleton.id
        _accepted(trusted.anchor)(bundle.receipt, transaction, header.network, header.notary)
        found.append(transaction.hex())
    return found


def _accepted(anchor: NotaryAnchor) -> Accepted:
    """Checks receipts by one notary's anchor."""

    def accepted(receipt: bytes, transaction: bytes, network: bytes, notary: bytes) -> None:
        if notary != anchor.notary or network != anchor.network:
            raise Refusal("proof.notary", "proved by a notary that is not trusted here", notary=notary)
        if verify_receipt(receipt, anchor=anchor).transaction != transaction:
            raise Refusal("receipt.other", "a receipt of another transaction", transaction=transaction)

    return accepted


def verify_bundle(data: bytes, anchor: NotaryAnchor) -> Proved:
    """What an encoded bundle proves under one notary's anchor."""
    return verify_proof(codec.decode(data, ProofBundle), accepted=_accepted(anchor))


if __name__ == "__main__":
    print(json.dumps({"verified": verify_receipts(Path(sys.argv[1]))}))
