"""Sealed views: what a notary keeps for those who are bound but not asked (02-ledger, "Nobody can hold a result back").

Where a signatory does not sign what happens to its contract, the submitter attaches, for every node at which somebody's
view begins, one ciphertext under a key from that node's seed, and for each informee of the node that key wrapped for
its identity key, under a tag that only the two can tell. All randomness comes from the seed. So every viewer of a node
can make the seals at and below it again, and refuses a transaction that leaves an informee out or gives it something
else. What a seal opens to is a complete view of its node, which the reader verifies like any other.

X25519 with keys converted from Ed25519 identity keys, XSalsa20-Poly1305 (libsodium). Each key encrypts one message:
wrapping keys come from an agreement with the node's own ephemeral key, content keys from the node's seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated

import msgspec
import nacl.bindings as sodium
import nacl.exceptions

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.hashing import digest, sha256
from interfirm.base.limits import LIMITS
from interfirm.base.signatures import PublicKey, Scheme
from interfirm.base.values import Hash32, Index, Value, Wire
from interfirm.contracts.types import ContractRef, Fetch
from interfirm.ledger.authority import Signing, carried, scope_of, signing
from interfirm.ledger.builder import Draft, branch_of, inputs_of, node_disclosure, passed, shown_of
from interfirm.ledger.tree import Node
from interfirm.ledger.types import Branch, Component, Disclosure, LineOpening, Passed, Shown, Skeleton, View
from interfirm.ledger.verification import Verified

SEALS = "seals"
"""The component of a transaction that commits to its block of seals."""
TAG_BYTES = 16

IdentityKeys = Callable[[bytes], PublicKey]
"""The key an identity has today; Refusal `registry.*` where it has none."""
Inputs = Callable[[ContractRef], Disclosure]
"""The disclosure of an input, the same one that every view of the transaction carries."""
Agree = Callable[[bytes], bytes]
"""The X25519 agreement of one's own identity key with a public key (`agreement`); a key store offers it."""


class Wrap(Wire, frozen=True):
    """A content key for one reader, under a tag that says nothing to others."""

    tag: Annotated[bytes, msgspec.Meta(min_length=TAG_BYTES, max_length=TAG_BYTES)]
    key: bytes


class Seal(Wire, frozen=True):
    """One node's ciphertext, the ephemeral key its wraps were made with, and the wraps in the order of their tags."""

    ephemeral: Hash32
    nonce: bytes
    text: bytes
    wraps: tuple[Wrap, ...]


class Seals(Wire, frozen=True):
    """The block that a notary keeps: the transaction's hashes, and its seals in the order of their ephemeral keys."""

    skeleton: Skeleton
    """Without the component that commits to this block."""
    seals: tuple[Seal, ...]


class Sealed(Wire, frozen=True):
    """What a seal's text says: all that a view of one node needs beside the transaction's hashes."""

    root: Index
    branch: Branch
    first: Index
    count: Index
    lines: tuple[tuple[Index, LineOpening], ...]
    inputs: tuple[Disclosure, ...]


class _Source(Value, frozen=True):
    """What seals are made from: by the builder from its draft, by a viewer from its verified view."""

    skeleton: Skeleton
    branches: tuple[Branch, ...]
    lines: tuple[LineOpening | bytes, ...]
    tops: tuple[Node, ...]
    proofs: Mapping[int, tuple[bytes, ...]]
    inputs: Inputs
    signing: Signing


# who needs them, and who gets them ----------------------------------------------------------------------------------


def needs_seals(draft: Draft) -> bool:
    """Whether a signatory of something made or exercised here does not sign it, so that it might never hear of it."""
    return _needed(draft.nodes, signing({o.line.identity: frozenset(o.line.scope) for o in draft.lines}))


def _needed(nodes: Iterable[Node], signers: Signing) -> bool:
    return any(
        not set(node.action.signatories) <= set(signers(node.action.index))
        for node in nodes
        if not isinstance(node.action, Fetch)
    )


def _readers(tops: Iterable[Node], signers: Signing) -> dict[int, tuple[Node, set[bytes]]]:
    """The nodes to seal at and below these tops, and for whom, by entry.

    A node is sealed where the view of some informee begins, for all informees of the node. What follows from a top
    depends on nothing outside it, so that whoever sees the top finds at least what is found here.
    """
    found: dict[int, tuple[Node, set[bytes]]] = {}
    waiting = list(tops)
    while waiting:
        top = waiting.pop()
        for party in {party for node in top.walk() for party in node.action.informees}:
            for node in _highest_below(party, top, signers) or ():
                if node.action.index not in found:
                    found[node.action.index] = (node, set())
                    waiting.append(node)
                found[node.action.index][1].add(party)
    return found


def _highest_below(party: bytes, node: Node, signers: Signing) -> list[Node] | None:
    """The highest nodes the party is an informee of, raised until they carry themselves; None asks for a higher one."""
    itself = [node] if carried(node.action, signers(node.action.index)) else None
    if party in node.action.informees:
        return itself
    found: list[Node] = []
    for child in node.children:
        below = _highest_below(party, child, signers)
        if below is None:
            return itself
        found.extend(below)
    return found


# making and checking ------------------------------------------------------------------------------------------------


def with_seals(draft: Draft, keys: IdentityKeys, inputs: Inputs) -> tuple[Draft, bytes]:
    """The draft that commits to its seals, and their block; it has another id, so nothing of it is signed before."""
    block = make_seals(draft, keys, inputs)
    return committed(draft, block), block


def committed(draft: Draft, block: bytes) -> Draft:
    """The draft that commits to this block of seals, made for it before."""
    skeleton = draft.skeleton
    components = (*skeleton.components, Component(name=SEALS, hash=digest(SEALS, block)))
    return draft.replace(skeleton=skeleton.replace(components=components))


def make_seals(draft: Draft, keys: IdentityKeys, inputs: Inputs) -> bytes:
    """The block of seals of a draft that does not yet commit to one.

    Raises Refusal `seals.scheme` where an informee's key is not Ed25519, `seals.size` beyond the limit, and what `keys`
    and `inputs` raise.
    """
    scopes = {opening.line.identity: frozenset(opening.line.scope) for opening in draft.lines}
    source = _Source(
        skeleton=draft.skeleton, branches=tuple(shown_of(root, draft.proofs) for root in draft.roots),
        lines=draft.lines, tops=draft.roots, proofs=draft.proofs, inputs=inputs, signing=signing(scopes),
    )  # fmt: skip
    tops = {top.action.index: top for tops in draft.tops.values() for top in tops}
    readers = _readers(tops.values(), source.signing)
    for party, own in draft.tops.items():
        for top in own:
            readers.setdefault(top.action.index, (top, set()))[1].add(party)
    seals = [_seal(node, parties, source, keys) for node, parties in readers.values()]
    ordered = tuple(sorted(seals, key=lambda seal: seal.ephemeral))
    block = codec.encode(Seals(skeleton=draft.skeleton, seals=ordered))
    check(len(block) <= LIMITS.sealed_bytes_max, "seals.size", "the sealed views are too large", bytes=len(block))
    return block


def check_seals(verified: Verified, block: bytes, keys: IdentityKeys) -> None:
    """Refuse a transaction whose seals this viewer cannot make again for all that it sees.

    Raises `seals.missing` where they are needed and not there, `seals.other` for a block that the transaction did not
    commit to or that speaks of another one, `seals.wrong` for a text that is not the node's, `seals.informee` where one
    is left out.
    """
    *others, last = verified.skeleton.components or (None,)
    if last is None or last.name != SEALS:
        check(
            not _needed(verified.nodes, signing(verified.scopes)), "seals.missing", "a signatory could be kept unaware"
        )
        check(not block, "seals.other", "the transaction commits to no sealed views")
        return
    check(digest(SEALS, block) == last.hash, "seals.other", "not the sealed views the transaction committed to")
    given = codec.decode(block, Seals, bytes_max=LIMITS.sealed_bytes_max)
    bare = verified.skeleton.replace(components=tuple(c for c in others if c is not None))
    check(given.skeleton == bare, "seals.other", "the sealed views speak of another transaction")
    source = _source_of(verified, bare)
    there = {seal.ephemeral: seal for seal in given.seals}
    for node, parties in _readers(verified.tops, source.signing).values():
        _check_seal(_seal(node, parties, source, keys), there, node)


def _check_seal(own: Seal, there: Mapping[bytes, Seal], node: Node) -> None:
    found = there.get(own.ephemeral)
    if found is None or (found.nonce, found.text) != (own.nonce, own.text):
        raise Refusal("seals.wrong", "a node is not sealed, or not as it is", entry=node.action.index)
    if not set(own.wraps) <= set(found.wraps):
        raise Refusal("seals.informee", "an informee cannot open its node", entry=node.action.index)


def _source_of(verified: Verified, bare: Skeleton) -> _Source:
    made = {node.action.index: node for node in verified.nodes}

    def inputs(ref: ContractRef) -> Disclosure:
        if ref.transaction is None and ref.index in made:
            return node_disclosure(made[ref.index])
        return verified.inputs[ref]

    return _Source(
        skeleton=bare, branches=verified.view.roots, lines=verified.view.lines, tops=verified.tops,
        proofs=verified.proofs, inputs=inputs, signing=signing(verified.scopes),
    )  # fmt: skip


def _sealed(node: Node, source: _Source) -> Sealed:
    scope = scope_of((node,))
    tops = {top.action.index: top for top in source.tops}
    branches = [_showing(branch, node, tops, source.proofs) for branch in source.branches]
    root = next(place for place, branch in enumerate(branches) if not isinstance(branch, bytes))
    lines = tuple(
        (place, line)
        for place, line in enumerate(source.lines)
        if isinstance(line, LineOpening) and scope & frozenset(line.line.scope)
    )
    inputs = [source.inputs(ContractRef(transaction, index)) for transaction, index in inputs_of((node,))]
    return Sealed(
        root=root, branch=branches[root], first=node.action.index, count=len(scope), lines=lines, inputs=tuple(inputs)
    )


def _showing(branch: Branch, node: Node, tops: Mapping[int, Node], proofs: Mapping[int, tuple[bytes, ...]]) -> Branch:
    """A branch of the forest in which this node alone is shown; a hash where it is not below."""
    if isinstance(branch, Shown):
        return branch_of(tops[branch.index], (node.action.index,), proofs)
    if isinstance(branch, Passed):
        return passed(branch.body, tuple(_showing(child, node, tops, proofs) for child in branch.children))
    return branch


# opening ------------------------------------------------------------------------------------------------------------


def open_seals(block: bytes, key: PublicKey, agree: Agree) -> list[View]:
    """A view of each node that is sealed for this key, in the order of entries; none where none is.

    What is to be believed is `merged` of them, verified like any view, against the id that the notary accepted. Where a
    dishonest builder added junk, those are merged that lead to that id each by itself; what is no view at all is passed
    over here. Raises Refusal `codec.*` for what is no such block, `seals.scheme` for a key that is not Ed25519.
    """
    given = codec.decode(block, Seals, bytes_max=LIMITS.sealed_bytes_max)
    committed = Component(name=SEALS, hash=digest(SEALS, block))
    skeleton = given.skeleton.replace(components=(*given.skeleton.components, committed))
    parts = [part for seal in given.seals for part in _opened(seal, key, agree) if _fits(part, skeleton)]
    return [_view(part, skeleton) for part in sorted(parts, key=lambda part: part.first)]


def merged(views: Sequence[View]) -> View:
    """One view that shows all that these views of one transaction show; Refusal `seals.merge` where they disagree."""
    first = views[0]
    entries, lines = list(first.entries), list(first.lines)
    roots, inputs = list(first.roots), {disclosure.ref: disclosure for view in views for disclosure in view.inputs}
    for view in views[1:]:
        check(_bare(view) == _bare(first), "seals.merge", "views of different transactions")
        entries = [None if a is None else b for a, b in zip(entries, view.entries, strict=True)]
        lines = [a if isinstance(a, LineOpening) else b for a, b in zip(lines, view.lines, strict=True)]
        roots = [_both(a, b) for a, b in zip(roots, view.roots, strict=True)]
    shown = {ContractRef(None, index) for index, entry in enumerate(entries) if entry is None}
    return first.replace(
        entries=tuple(entries), lines=tuple(lines), roots=tuple(roots),
        inputs=tuple(disclosure for ref, disclosure in inputs.items() if ref not in shown),
    )  # fmt: skip


def _bare(view: View) -> tuple[object, ...]:
    return view.header, view.components, len(view.entries), len(view.lines), len(view.roots)


def _both(one: Branch, other: Branch) -> Branch:
    if isinstance(one, Passed) and isinstance(other, Passed):
        same = one.body == other.body and len(one.children) == len(other.children)
        check(same, "seals.merge", "views of different transactions")
        return one.replace(children=tuple(map(_both, one.children, other.children)))
    return other if isinstance(one, bytes) or (isinstance(one, Passed) and isinstance(other, Shown)) else one


def _fits(part: Sealed, skeleton: Skeleton) -> bool:
    """Whether a part's places exist; what it shows is for verification to judge."""
    return (
        part.root < len(skeleton.roots)
        and part.first + part.count <= len(skeleton.entries)
        and all(place < len(skeleton.lines) for place, _ in part.lines)
    )


def _view(part: Sealed, skeleton: Skeleton) -> View:
    entries: list[bytes | None] = list(skeleton.entries)
    entries[part.first : part.first + part.count] = [None] * part.count
    lines: list[LineOpening | bytes] = list(skeleton.lines)
    for place, line in part.lines:
        lines[place] = line
    roots: list[Branch] = list(skeleton.roots)
    roots[part.root] = part.branch
    return View(
        header=skeleton.header, entries=tuple(entries), lines=tuple(lines), roots=tuple(roots), inputs=part.inputs,
        components=skeleton.components,
    )  # fmt: skip


# cryptography -------------------------------------------------------------------------------------------------------


def agreement(seed: bytes) -> Agree:
    """The agreement of the identity key with this 32-byte Ed25519 seed, for keys held in memory."""
    _, secret = sodium.crypto_sign_seed_keypair(seed)
    own = sodium.crypto_sign_ed25519_sk_to_curve25519(secret)
    return lambda public: sodium.crypto_scalarmult(own, public)


def _seal(node: Node, parties: Iterable[bytes], source: _Source, keys: IdentityKeys) -> Seal:
    text = codec.encode(_sealed(node, source))
    secret, content_key = digest("seal ephemeral", node.seed), digest("seal key", node.seed)
    ephemeral = sodium.crypto_scalarmult_base(secret)
    nonce = digest("seal nonce", node.seed, sha256(text))[: sodium.crypto_secretbox_NONCEBYTES]
    wraps = []
    for party in parties:
        reader = _reader(keys(party))
        tag, wrap_key = _wrapping(ephemeral, reader, sodium.crypto_scalarmult(secret, reader))
        wraps.append(Wrap(tag=tag, key=sodium.crypto_secretbox(content_key, _ZERO_NONCE, wrap_key)))
    return Seal(
        ephemeral=ephemeral, nonce=nonce, text=sodium.crypto_secretbox(text, nonce, content_key),
        wraps=tuple(sorted(wraps, key=lambda wrap: wrap.tag)),
    )  # fmt: skip


def _opened(seal: Seal, key: PublicKey, agree: Agree) -> Iterable[Sealed]:
    """What a seal says to this reader; nothing where it is not for it, and nothing of wraps that are junk."""
    reader = _reader(key)
    with suppress(*_JUNK):
        tag, wrap_key = _wrapping(seal.ephemeral, reader, agree(seal.ephemeral))
        for wrap in seal.wraps:
            if wrap.tag == tag:
                with suppress(*_JUNK):
                    content_key = sodium.crypto_secretbox_open(wrap.key, _ZERO_NONCE, wrap_key)
                    text = sodium.crypto_secretbox_open(seal.text, seal.nonce, content_key)
                    yield codec.decode(text, Sealed, bytes_max=LIMITS.sealed_bytes_max)


_JUNK = (nacl.exceptions.CryptoError, ValueError, TypeError, Refusal)
_ZERO_NONCE = bytes(sodium.crypto_secretbox_NONCEBYTES)


def _wrapping(ephemeral: bytes, reader: bytes, shared: bytes) -> tuple[bytes, bytes]:
    """Tag and wrapping key of one reader of one node."""
    return digest("seal tag", ephemeral, reader, shared)[:TAG_BYTES], digest("seal wrap", ephemeral, reader, shared)


def _reader(key: PublicKey) -> bytes:
    """The X25519 key of an identity key; Refusal `seals.scheme` where it has none."""
    try:
        check(key.scheme is Scheme.ED25519, "seals.scheme", "only Ed25519 keys read sealed views", scheme=key.scheme)
        return sodium.crypto_sign_ed25519_pk_to_curve25519(key.key)
    except (nacl.exceptions.CryptoError, ValueError, TypeError) as error:
        raise Refusal("seals.scheme", "this key reads no sealed views", key=key.key) from error
