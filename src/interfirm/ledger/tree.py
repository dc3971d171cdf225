"""The hash tree of a transaction: seeds down, hashes up (spec clause 5).

A node's seed gives the salts of everything in its sub-tree; a viewer of a sub-tree holds that seed and no other. Salts
are derived with prepared prefixes because they are most of the hashing; each pre-image is still one dag-cbor block.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

import libipld

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.values import Value
from interfirm.contracts.types import Action, Confirmers, Create, Exercise, Fetch, Plain, TemplateId
from interfirm.ledger.types import ConsumeEntry, CreateEntry, Entry, FetchEntry, UseEntry

FieldNames = Callable[[TemplateId], Sequence[str]]
"""The field names of a template in declared order."""

ClaimHashes = Callable[[int, Create], Sequence[bytes]]
"""The claim hashes of a create action (by its index), one for each of its claims."""

_sha256 = hashlib.sha256
_BODY, _CONFIRMERS, _PAYLOAD, _CLAIMS = 0, 1, 2, 3
_CREATE_BODY = 1023
"""Of the payload's seed, beyond the salts of its fields: who opens a payload can check the action that made it."""


def _prefix(tag: str) -> bytes:
    """The block `[tag, 32 bytes, n]` up to the 32 bytes."""
    return b"\x83" + libipld.encode_dag_cbor(tag) + b"\x58\x20"


_SEED, _SALT = _prefix("seed"), _prefix("salt")
_NUMBERS = [libipld.encode_dag_cbor(n) for n in range(1024)]


def child_seed(seed: bytes, position: int) -> bytes:
    """The seed of the child at `position`; of a top action, from the transaction's seed."""
    return _sha256(_SEED + seed + _NUMBERS[position]).digest()


def salt(seed: bytes, number: int) -> bytes:
    """The salt `number` of a seed."""
    return _sha256(_SALT + seed + _NUMBERS[number]).digest()


class Node(Value, frozen=True):
    """One action with its place in the tree: seed, hash of its salted body, its own hash, its entry, its children."""

    action: Action
    seed: bytes
    body: bytes
    hash: bytes
    entry: Entry
    children: tuple[Node, ...]
    claims: tuple[bytes, ...] = ()

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parent before child."""
        yield self
        for child in self.children:
            yield from child.walk()


def payload_root(template: TemplateId, names: Sequence[str], payload: Plain, payload_seed: bytes) -> bytes:
    """The root over a payload's fields, each salted, so that one can be shown (spec clause 5.3)."""
    if type(payload) is not list or len(names) != len(payload):
        raise Refusal("ledger.payload", "the payload has other fields than its template", fields=len(names))
    hashes = [field_hash(salt(payload_seed, i), names[i], payload[i]) for i in range(len(names))]
    return payload_hash(template, hashes)


def payload_hash(template: TemplateId, field_hashes: list[bytes]) -> bytes:
    """The root of a payload from the hashes of its fields."""
    return digest("payload", template.package, template.name, field_hashes)


def field_hash(field_salt: bytes, name: str, value: Plain) -> bytes:
    """The hash of one field of a payload."""
    return digest("field", field_salt, name, value)


def confirmers_commitment(confirmers_salt: bytes, confirmers: Confirmers) -> bytes:
    """The commitment to who confirms a contract's exercise."""
    since = None if confirmers.since is None else confirmers.since.ms
    return digest("confirmers", confirmers_salt, list(confirmers.parties), list(confirmers.fallback), since)


def claim_hash(owner: bytes, beta: bytes) -> bytes:
    """What a notary keeps of a claim: from its owner and the owner's verifiable random output over family and key."""
    return digest("claim key", owner, beta)


def claim_commitment(claim_salt: bytes, owner: bytes, claim: bytes) -> bytes:
    """The commitment to a claim in a create entry."""
    return digest("claim", claim_salt, owner, claim)


def claim_salt(seed: bytes, position: int) -> bytes:
    """The salt of the claim at `position` of the create action with this seed."""
    return salt(seed, _CLAIMS + position)


def payload_seed(seed: bytes) -> bytes:
    """What opens the payload of the create action with this seed, and nothing else of it."""
    return salt(seed, _PAYLOAD)


def confirmers_salt(seed: bytes) -> bytes:
    """What opens the confirmers' commitment of the create action with this seed."""
    return salt(seed, _CONFIRMERS)


def create_body_salt(payload_seed: bytes) -> bytes:
    """What opens the body of the create action whose payload this seed opens."""
    return salt(payload_seed, _CREATE_BODY)


def created_node(template: TemplateId, index: int, payload: bytes, body_salt: bytes) -> bytes:
    """The hash of the create action at `index` with this payload root: what its entry must name (spec clause 5.4)."""
    return node_hash(_body(body_salt, _create_body(template, index, payload)), ())


def node_hash(body: bytes, children: Sequence[bytes]) -> bytes:
    """The hash of an action: over the hash of its body and its children's, so that a body can stay hidden."""
    return digest("node", body, list(children))


def build(action: Action, seed: bytes, names: FieldNames, claims: ClaimHashes) -> Node:
    """The tree below one action."""
    root, body_salt = b"", salt(seed, _BODY)
    if isinstance(action, Create):
        opened = payload_seed(seed)
        root = payload_root(action.template, names(action.template), action.payload, opened)
        body_salt = create_body_salt(opened)
    children = tuple(build(child, child_seed(seed, i), names, claims) for i, child in enumerate(action.children))
    body = _body(body_salt, body_of(action, root))
    own = node_hash(body, [child.hash for child in children])
    found = tuple(claims(action.index, action)) if isinstance(action, Create) and action.claims else ()
    return Node(
        action=action, seed=seed, body=body, hash=own, entry=_entry(action, own, root, seed, found), children=children,
        claims=found,
    )  # fmt: skip


def body_of(action: Action, payload: bytes) -> Plain:
    """The canonical body of an action; a create's holds the root of its payload."""
    if isinstance(action, Create):
        return _create_body(action.template, action.index, payload)
    template = [action.template.package, action.template.name]
    ref = [action.ref.transaction, action.ref.index]
    if isinstance(action, Fetch):
        return ["fetch", action.index, ref, template, list(action.controllers)]
    return [
        "exercise", action.index, ref, template, action.choice, action.consuming, action.arguments,
        list(action.controllers), action.result,
    ]  # fmt: skip


def _create_body(template: TemplateId, index: int, payload: bytes) -> Plain:
    return ["create", index, [template.package, template.name], payload]


def _body(body_salt: bytes, body: Plain) -> bytes:
    return digest("body", body_salt, body)


def _entry(action: Action, own: bytes, root: bytes, seed: bytes, claims: tuple[bytes, ...]) -> Entry:
    if isinstance(action, Create):
        return CreateEntry(
            action=own,
            payload=root,
            confirmers=confirmers_commitment(confirmers_salt(seed), action.confirmers),
            claims=tuple(
                claim_commitment(claim_salt(seed, i), key.owner, claims[i]) for i, key in enumerate(action.claims)
            ),
        )
    if isinstance(action, Exercise):
        return (ConsumeEntry if action.consuming else UseEntry)(action=own, ref=action.ref)
    return FetchEntry(action=own, ref=action.ref)


def entries_of(roots: Sequence[Node]) -> list[Node]:
    """All nodes of a forest in the order of their entries; Refusal `ledger.order` where an index is not its place."""
    nodes = [node for root in roots for node in root.walk()]
    for place, node in enumerate(nodes):
        if node.action.index != place:
            raise Refusal("ledger.order", "entry k belongs to action k", index=node.action.index, place=place)
    return nodes
