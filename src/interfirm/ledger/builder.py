"""From a forest of actions to a transaction: lines, views, and what the notary is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.base.time import Window
from interfirm.base.values import Value
from interfirm.contracts.types import (
    Action,
    ContractRef,
    Create,
    CreateCommand,
    Exercise,
    ExerciseCommand,
)
from interfirm.ledger import tree
from interfirm.ledger.authority import required_signers, scope_of, tops_of
from interfirm.ledger.tree import Node
from interfirm.ledger.types import (
    FORMAT_VERSION,
    Branch,
    ClaimOpening,
    Component,
    ConfirmersOpening,
    CreateEntry,
    Disclosure,
    FetchCommand,
    Header,
    Line,
    LineOpening,
    Passed,
    Shown,
    Skeleton,
    View,
    entry_hash,
)

ClaimProof = Callable[[bytes, bytes], tuple[bytes, bytes]]
"""(owner, alpha) -> (VRF proof, output) by the owner's registered VRF key; Refusal `ledger.claim-proof` if absent."""


class Draft(Value, frozen=True):
    """A built transaction with all its secrets, as only its builder holds it."""

    header: Header
    seed: bytes
    packages: tuple[bytes, ...]
    roots: tuple[Node, ...]
    lines: tuple[LineOpening, ...]
    tops: dict[bytes, tuple[Node, ...]]
    proofs: dict[int, tuple[bytes, ...]]
    skeleton: Skeleton
    more_seen: dict[bytes, tuple[int, ...]]
    """Who sees more than the nodes it is an informee of, and which entries: told to the submitter before sending."""

    @property
    def id(self) -> bytes:
        """The transaction id."""
        return self.skeleton.id

    @property
    def nodes(self) -> list[Node]:
        """All nodes in the order of entries."""
        return [node for root in self.roots for node in root.walk()]

    @property
    def signers(self) -> tuple[bytes, ...]:
        """Identities of the listed signatures, in the order of the lines."""
        return tuple(opening.line.identity for opening in self.lines)

    @property
    def informees(self) -> tuple[bytes, ...]:
        """Everyone who gets a view."""
        return tuple(self.tops)


def packages_commitment(seed: bytes, packages: Sequence[bytes]) -> bytes:
    """The header's salted commitment to the sorted package ids."""
    return digest("packages", digest("packages salt", seed), sorted(packages))


def build(
    actions: Sequence[Action],
    *,
    seed: bytes,
    network: bytes,
    notary: bytes,
    window: Window,
    names: tree.FieldNames,
    claim_proof: ClaimProof,
    unreachable: Collection[bytes] = (),
    components: tuple[Component, ...] = (),
) -> Draft:
    """The transaction of a forest; `seed` is 32 fresh random bytes. Raises Refusal `ledger.*` over a limit,
    and `ledger.claim-owner` where someone would have to sign what it does not see.
    """
    proofs: dict[int, tuple[bytes, ...]] = {}

    def claims(index: int, action: Create) -> list[bytes]:
        found = [claim_proof(key.owner, key.alpha) for key in action.claims]
        proofs[index] = tuple(proof for proof, _ in found)
        return [tree.claim_hash(key.owner, beta) for key, (_, beta) in zip(action.claims, found, strict=True)]

    roots = tuple(tree.build(a, tree.child_seed(seed, i), names, claims) for i, a in enumerate(actions))
    nodes = tree.entries_of(roots)
    if len(nodes) > LIMITS.entries_count_max:
        raise Refusal("ledger.entries", "too many entries", count=len(nodes), count_max=LIMITS.entries_count_max)
    signers = required_signers(actions, window, unreachable=unreachable)
    parties = sorted({party for node in nodes for party in node.action.informees})
    tops = {party: tops_of(party, roots, signers) for party in parties}
    lines = _lines(seed, sorted(signers), tops)
    packages = tuple(sorted({node.action.template.package for node in nodes}))
    header = Header(
        version=FORMAT_VERSION, network=network, notary=notary, window=window,
        packages=packages_commitment(seed, packages),
    )  # fmt: skip
    skeleton = Skeleton(
        header=header,
        entries=tuple(entry_hash(node.entry) for node in nodes),
        lines=tuple(opening.hash for opening in lines),
        roots=tuple(root.hash for root in roots),
        components=components,
    )
    return Draft(
        header=header, seed=seed, packages=packages, roots=roots, lines=lines, tops=tops, proofs=proofs,
        skeleton=skeleton, more_seen=_more_seen(tops),
    )  # fmt: skip


def _lines(seed: bytes, signers: Sequence[bytes], tops: Mapping[bytes, tuple[Node, ...]]) -> tuple[LineOpening, ...]:
    if len(signers) > LIMITS.lines_count_max:
        raise Refusal("ledger.lines", "too many signers", count=len(signers), count_max=LIMITS.lines_count_max)
    for party in signers:
        if party not in tops:  # all others that must sign are informees
            raise Refusal("ledger.claim-owner", "a claim's owner does not see the contract that takes it", owner=party)
    return tuple(
        LineOpening(
            salt=digest("line salt", seed, i),
            line=Line(identity=party, scope=tuple(sorted(scope_of(tops[party])))),
        )
        for i, party in enumerate(signers)
    )


def _more_seen(tops: Mapping[bytes, tuple[Node, ...]]) -> dict[bytes, tuple[int, ...]]:
    found = {}
    for party, shown in tops.items():
        raised = tuple(top.action.index for top in shown if party not in top.action.informees)
        if raised:
            found[party] = raised
    return found


def view_of(draft: Draft, party: bytes, inputs: Sequence[Disclosure]) -> View:
    """The party's view of a draft; `inputs` are the disclosures of the contracts it uses (see `inputs_of`)."""
    tops = draft.tops.get(party)
    if not tops:
        raise Refusal("ledger.informee", "the party sees no part of this transaction", party=party)
    return view_from(draft, tops, inputs)


def view_from(draft: Draft, tops: Sequence[Node], inputs: Sequence[Disclosure]) -> View:
    """The view that shows exactly these nodes and what is below them."""
    shown = {top.action.index for top in tops}
    scope = scope_of(tops)
    return View(
        header=draft.header,
        entries=tuple(None if i in scope else h for i, h in enumerate(draft.skeleton.entries)),
        lines=tuple(o if scope & frozenset(o.line.scope) else o.hash for o in draft.lines),
        roots=tuple(branch_of(root, shown, draft.proofs) for root in draft.roots),
        inputs=tuple(inputs),
        components=draft.skeleton.components,
    )


def branch_of(node: Node, shown: Collection[int], proofs: Mapping[int, tuple[bytes, ...]]) -> Branch:
    """A part of the forest in which these nodes are shown and all others hidden."""
    if node.action.index in shown:
        return shown_of(node, proofs)
    return passed(node.body, tuple(branch_of(child, shown, proofs) for child in node.children))


def passed(body: bytes, children: tuple[Branch, ...]) -> Branch:
    """A hidden action: passed through where something below it is shown, else its node hash."""
    hashes = [child for child in children if isinstance(child, bytes)]
    return tree.node_hash(body, hashes) if len(hashes) == len(children) else Passed(body=body, children=children)


def shown_of(node: Node, proofs: Mapping[int, tuple[bytes, ...]]) -> Shown:
    """The sub-tree below a node as a viewer is given it."""
    found = [proof for below in node.walk() for proof in proofs.get(below.action.index, ())]
    return Shown(seed=node.seed, index=node.action.index, command=command_of(node.action), proofs=tuple(found))


def command_of(action: Action) -> CreateCommand | ExerciseCommand | FetchCommand:
    """The command that makes this action again."""
    if isinstance(action, Create):
        return CreateCommand(template=action.template, payload=action.payload)
    if isinstance(action, Exercise):
        return ExerciseCommand(
            ref=action.ref, template=action.template, choice=action.choice, arguments=action.arguments
        )
    return FetchCommand(ref=action.ref, template=action.template, controllers=action.controllers)


def inputs_of(tops: Sequence[Node]) -> list[tuple[bytes | None, int]]:
    """The refs a view of these nodes uses and does not itself create, in the order of their first use."""
    created = {n.action.index for top in tops for n in top.walk() if isinstance(n.action, Create)}
    found: dict[tuple[bytes | None, int], None] = {}
    for top in tops:
        for node in top.walk():
            if not isinstance(node.action, Create):
                ref = node.action.ref
                if ref.transaction is not None or ref.index not in created:
                    found[ref.transaction, ref.index] = None
    return list(found)


def own_disclosure(draft: Draft, index: int) -> Disclosure:
    """A contract made by this draft, disclosed to a viewer of the same transaction that does not see it made."""
    return node_disclosure(draft.nodes[index])


def node_disclosure(node: Node) -> Disclosure:
    """The contract that a node makes, disclosed within its own transaction; Refusal `ledger.ref` if it makes none."""
    if not isinstance(node.action, Create) or not isinstance(node.entry, CreateEntry):
        raise Refusal("ledger.ref", "the entry makes no contract", index=node.action.index)
    return Disclosure(
        ref=ContractRef(None, node.action.index), template=node.action.template, payload=node.action.payload,
        payload_seed=tree.payload_seed(node.seed), confirmers_salt=tree.confirmers_salt(node.seed), entry=node.entry,
        skeleton=None, receipt=b"",
    )  # fmt: skip


def confirmers_openings(
    nodes: Sequence[Node], salts: Callable[[bytes | None, int], bytes]
) -> tuple[ConfirmersOpening, ...]:
    """What opens, for the notary, who confirms each contract consumed or used; `salts` gives an input's salt.

    `nodes` are all of a transaction's, in the order of entries.
    """
    found = []
    for node in nodes:
        action = node.action
        if isinstance(action, Exercise):
            ref = action.ref
            own = tree.confirmers_salt(nodes[ref.index].seed) if ref.transaction is None else None
            opened = own if own is not None else salts(ref.transaction, ref.index)
            found.append(ConfirmersOpening(entry=action.index, salt=opened, confirmers=action.confirmers))
    return tuple(found)


def claim_openings(nodes: Sequence[Node]) -> tuple[ClaimOpening, ...]:
    """What opens every claim for the notary; `nodes` are all of a transaction's."""
    return tuple(
        ClaimOpening(
            entry=node.action.index,
            position=i,
            salt=tree.claim_salt(node.seed, i),
            owner=key.owner,
            claim=node.claims[i],
        )
        for node in nodes
        if isinstance(node.action, Create)
        for i, key in enumerate(node.action.claims)
    )
