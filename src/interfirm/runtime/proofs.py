"""Proof files and trust anchors on disk: checking needs these two and nothing else of a network."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
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
from interfirm.ledger.receipts.types import Anchor, ClusterAnchor
from interfirm.ledger.receipts.verify import verify_receipt_of
from interfirm.node.forms import Forms, jsonable
from interfirm.notary.cometbft.receipts import Chain
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.runtime.layout import NetworkLayout
from interfirm.runtime.modules import find_modules
from interfirm.runtime.notaries import anchors_of


class AnchorFile(msgspec.Struct, frozen=True):
    """A trust anchor as a file: for each notary of a network its ids and what it is believed by; names for reading."""

    anchors: tuple[Anchor, ...]
    names: dict[str, str]


def write_anchor(path: Path, layout: NetworkLayout) -> None:
    """Write a network's trust anchor; Refusal `file.write`."""
    names = {member.identity.hex(): member.name for member in layout.file.members}
    save_anchor(path, AnchorFile(anchors=tuple(_dated(each, layout) for each in anchors_of(layout)), names=names))


def save_anchor(path: Path, file: AnchorFile) -> None:
    """Write a trust anchor as JSON; Refusal `file.write`."""
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(file), indent=1))
    except OSError as error:
        raise Refusal(
            "file.write", "the file cannot be written", path=str(path), reason=error.strerror or ""
        ) from error


def _dated(anchor: Anchor, layout: NetworkLayout) -> Anchor:
    """An anchor with the time from which it counts: readers have a clock. A cluster's is in its chain's genesis."""
    if not isinstance(anchor, ClusterAnchor):
        return anchor
    began_ns = layout.cluster(layout.notaries[anchor.notary]).began_ns
    return anchor.replace(trusted=anchor.trusted.replace(time_ns=began_ns))


def read_anchor(path: Path) -> AnchorFile:
    """A trust anchor from a file; Refusal `proof.anchor`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=AnchorFile)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("proof.anchor", "this is not a trust anchor", path=str(path)) from error


def renewed_anchor(file: AnchorFile, addresses: Sequence[str], *, now_ms: Callable[[], int]) -> AnchorFile:
    """The anchor with trust in a cluster carried to the last header that these validators, which are its own, show.

    Raises Refusal `proof.anchor` where there is no cluster in it, and as `notary.cometbft.receipts.Chain.renewed` where
    they are of none that is.
    """
    if not any(isinstance(each, ClusterAnchor) for each in file.anchors):
        raise Refusal("proof.anchor", "an anchor of solo notaries alone is not renewed")
    validators = [Rpc(address) for address in addresses]
    try:
        return AnchorFile(anchors=_renewed(file.anchors, validators, now_ms), names=file.names)
    finally:
        for validator in validators:
            validator.close()


def _renewed(
    anchors: tuple[Anchor, ...], validators: Sequence[Rpc], now_ms: Callable[[], int]
) -> tuple[Anchor, ...]:  # fmt: skip
    found, troubles = dict[Anchor, Anchor | None].fromkeys(anchors), list[Refusal]()
    clusters = [each for each in anchors if isinstance(each, ClusterAnchor)]
    for each in clusters:
        try:
            found[each] = Chain(each, validators, now_ms=now_ms).renewed()
        except Refusal as refusal:  # validators of another cluster prove nothing of this one
            if refusal.code != "cluster.no-proof":
                raise
            troubles.append(refusal)
    if len(troubles) == len(clusters):
        raise troubles[0]
    return tuple(after or before for before, after in found.items())


def verify_file(path: Path, trusted: AnchorFile, *, now_ms: int | None = None) -> dict[str, Any]:
    """What a proof file proves under an anchor, as JSON; Refusal `proof.*`, `receipt.*` or `codec.*`.

    `now_ms` is the reader's clock; without one, a cluster's anchor counts for ever.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refusal("file.read", "the file cannot be read", path=str(path)) from error
    proved = verify_bundle(data, trusted.anchors, now_ms=now_ms)
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

    def organisations(self) -> list[bytes]:
        """Nobody is a member here."""
        return []

    def notary_of(self, name: str) -> bytes:
        """See node.forms.Names."""
        raise Refusal("directory.notary", "a reader of proofs asks no notary", notary=name[:200])

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
        _accepted(trusted.anchors)(bundle.receipt, transaction, header.network, header.notary)
        found.append(transaction.hex())
    return found


def _accepted(anchors: Iterable[Anchor], now_ms: int | None = None) -> Accepted:
    """Checks receipts by the anchors of their notaries."""
    known = {anchor.notary: anchor for anchor in anchors}

    def accepted(receipt: bytes, transaction: bytes, network: bytes, notary: bytes) -> None:
        anchor = known.get(notary)
        if anchor is None or network != anchor.network:
            raise Refusal("proof.notary", "proved by a notary that is not trusted here", notary=notary)
        verify_receipt_of(transaction, receipt, anchor=anchor, now_ms=now_ms)

    return accepted


def verify_bundle(data: bytes, anchors: Iterable[Anchor], *, now_ms: int | None = None) -> Proved:
    """What an encoded bundle proves under the anchors of its notaries."""
    return verify_proof(codec.decode(data, ProofBundle), accepted=_accepted(anchors, now_ms))


if __name__ == "__main__":
    print(json.dumps({"verified": verify_receipts(Path(sys.argv[1]))}))
