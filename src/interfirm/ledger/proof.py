"""Proof bundles: one contract, or some of its fields, proved offline to somebody who holds nothing of the ledger.

A bundle shows that a notary accepted a transaction that made a contract of this template with these fields, and who
signed its making. Whoever signed is bound by what is shown. It says nothing of whether the contract is still unspent
(the notary's dated statement does), and nothing in the name of a signatory that is not among the signers (its history
does, see history.py).
"""

from __future__ import annotations

from collections.abc import Collection

from interfirm.base.errors import Refusal
from interfirm.base.values import Hash32, Index, Value, Wire
from interfirm.contracts.types import ContractRef, Create, Plain, TemplateId
from interfirm.ledger import tree
from interfirm.ledger.moves import Accepted, followed
from interfirm.ledger.tree import FieldNames
from interfirm.ledger.types import CreateEntry, LineOpening, Move, Skeleton, entry_hash
from interfirm.ledger.verification import Verified


class FieldOpening(Wire, frozen=True, tag="field"):
    """One field shown: the salt of this field alone, its name and its value."""

    salt: Hash32
    name: str
    value: Plain


class ProofBundle(Wire, frozen=True):
    """A contract as far as it is shown: each field opened or as its hash, and what proves that it was made.

    `body_salt` opens the action that made it; `lines` are listed signatures that cover it; `moves` lead to the notary
    where it lives.
    """

    index: Index
    template: TemplateId
    fields: tuple[FieldOpening | Hash32, ...]
    body_salt: Hash32
    entry: CreateEntry
    skeleton: Skeleton
    receipt: bytes
    lines: tuple[LineOpening, ...]
    moves: tuple[Move, ...] = ()


class ReceiptBundle(Wire, frozen=True):
    """A transaction's id, by the hashes it is made of, and the receipt that it was accepted; nothing of its content."""

    skeleton: Skeleton
    receipt: bytes


class Proved(Value, frozen=True):
    """What a bundle proves: the fields shown, by name, and the identities that signed the making of the contract.

    `complete` is whether all fields are shown. `notary` is where the contract, as `ref`, was last shown to live.
    """

    ref: ContractRef
    notary: bytes
    network: bytes
    template: TemplateId
    fields: dict[str, Plain]
    complete: bool
    signers: tuple[bytes, ...]


def prove_contract(
    verified: Verified, index: int, *, receipt: bytes, names: FieldNames, moves: tuple[Move, ...] = ()
) -> ProofBundle:
    """The bundle that shows all fields of the contract made at `index` of a held view with its receipt."""
    contract = verified.created.get(index)
    shown = list(names(contract.action.template)) if contract is not None else []
    return prove_fields(verified, index, shown, receipt=receipt, names=names, moves=moves)


def prove_field(
    verified: Verified, index: int, name: str, *, receipt: bytes, names: FieldNames, moves: tuple[Move, ...] = ()
) -> ProofBundle:
    """The bundle that shows one field, and of the others not even what a guess could be checked against."""
    return prove_fields(verified, index, (name,), receipt=receipt, names=names, moves=moves)


def prove_fields(
    verified: Verified,
    index: int,
    shown: Collection[str],
    *,
    receipt: bytes,
    names: FieldNames,
    moves: tuple[Move, ...] = (),
) -> ProofBundle:
    """The bundle that shows some fields. Raises Refusal `proof.contract` or `proof.field` for what is not held."""
    contract = verified.created.get(index)
    if contract is None or not isinstance(contract.action, Create):
        raise Refusal("proof.contract", "the held view does not show this contract made", index=index)
    action, seed = contract.action, contract.payload_seed
    fields = list(names(action.template))
    unknown = sorted(set(shown) - set(fields))
    if unknown:
        raise Refusal("proof.field", "the template has no such field", fields=unknown)
    openings = [
        FieldOpening(salt=tree.salt(seed, i), name=name, value=action.payload[i]) for i, name in enumerate(fields)
    ]
    return ProofBundle(
        index=index,
        template=action.template,
        fields=tuple(opening if opening.name in shown else _hash(opening) for opening in openings),
        body_salt=tree.create_body_salt(seed),
        entry=contract.entry,
        skeleton=verified.skeleton,
        receipt=receipt,
        lines=tuple(line for line in verified.view.lines if isinstance(line, LineOpening) and index in line.line.scope),
        moves=moves,
    )


def verify_proof(bundle: ProofBundle, *, accepted: Accepted, names: FieldNames | None = None) -> Proved:
    """What the bundle proves; raises Refusal `proof.*` for a part that does not fit, and what `accepted` raises.

    `accepted` checks receipts against the notaries that the reader trusts. `names`, where the reader has the package,
    checks that names and number of fields are the template's.
    """
    skeleton, header = bundle.skeleton, bundle.skeleton.header
    hashes = [_hash(field) for field in bundle.fields]
    root = tree.payload_hash(bundle.template, hashes)
    if root != bundle.entry.payload:
        raise Refusal("proof.fields", "the fields are not those of the contract that was made", index=bundle.index)
    if bundle.entry.action != tree.created_node(bundle.template, bundle.index, root, bundle.body_salt):
        raise Refusal("proof.action", "no action of this index made the contract", index=bundle.index)
    if bundle.index >= len(skeleton.entries) or skeleton.entries[bundle.index] != entry_hash(bundle.entry):
        raise Refusal("proof.entry", "the transaction has no such entry", index=bundle.index)
    fields = {field.name: field.value for field in bundle.fields if isinstance(field, FieldOpening)}
    if names is not None:
        _check_names(bundle, list(names(bundle.template)))
    accepted(bundle.receipt, skeleton.id, header.network, header.notary)
    made = ContractRef(skeleton.id, bundle.index)
    notary, ref = followed(made, header, bundle.moves, bundle.entry.confirmers, accepted=accepted)
    return Proved(
        ref=ref, notary=notary, network=header.network, template=bundle.template, fields=fields,
        complete=len(fields) == len(bundle.fields), signers=_signers(bundle),
    )  # fmt: skip


def _hash(field: FieldOpening | bytes) -> bytes:
    return tree.field_hash(field.salt, field.name, field.value) if isinstance(field, FieldOpening) else field


def _check_names(bundle: ProofBundle, names: list[str]) -> None:
    if len(names) != len(bundle.fields):
        raise Refusal("proof.fields", "the contract has other fields than its template", count=len(bundle.fields))
    for name, field in zip(names, bundle.fields, strict=True):
        if isinstance(field, FieldOpening) and field.name != name:
            raise Refusal("proof.field", "a field has another name than in its template", expected=name)


def _signers(bundle: ProofBundle) -> tuple[bytes, ...]:
    listed = set(bundle.skeleton.lines)
    for opening in bundle.lines:
        if opening.hash not in listed:
            raise Refusal("proof.line", "a signature is shown that the transaction does not list")
        if bundle.index not in opening.line.scope:
            raise Refusal("proof.line", "a signature is shown that does not cover the contract")
    return tuple(sorted({opening.line.identity for opening in bundle.lines}))
