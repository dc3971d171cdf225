"""Who must sign a transaction, and who sees which part of it (02-ledger, Authority and Views).

The rules are written once, over trees of nodes, and serve the builder (what to list, what to show) and every viewer
(is what I was shown carried by its own authority).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from interfirm.base.errors import Refusal
from interfirm.base.time import Window
from interfirm.contracts.types import Action, Confirmers, ContractRef, Create, Exercise, walk
from interfirm.ledger.tree import Node

Scopes = dict[bytes, frozenset[int]]
"""Identity id -> the entries its listed signature covers."""

Signing = Callable[[int], Collection[bytes]]
"""Entry -> the identities whose listed signature covers it."""


def signing(scopes: Scopes) -> Signing:
    """Who signs each entry, by these scopes."""
    return lambda index: {party for party, scope in scopes.items() if index in scope}


def needed_at_top(action: Action) -> tuple[bytes, ...]:
    """Whose authority a view must carry at its top node (a create: all signatories; else the controllers)."""
    return action.signatories if isinstance(action, Create) else action.controllers


def carried(action: Action, signers: Collection[bytes]) -> bool:
    """Whether a view that starts at this action carries its own authority, given who signs it.

    A controller must sign even where it is a signatory of the contract: a signatory that left the confirming to others
    (the issuer of cash to its owner) did not leave them the choices that are its own.
    """
    return all(party in signers for party in needed_at_top(action))


def confirming(confirmers: Confirmers, window: Window, signers: Collection[bytes]) -> tuple[bytes, ...]:
    """The confirmers whose signatures suffice: all of them, or the fallback once the window starts late enough.

    Returns the full set where neither is satisfied by `signers`, so that a caller can name who is missing.
    """
    if all(party in signers for party in confirmers.parties):
        return confirmers.parties
    if fallback_open(confirmers, window) and all(party in signers for party in confirmers.fallback):
        return confirmers.fallback
    return confirmers.parties


def fallback_open(confirmers: Confirmers, window: Window) -> bool:
    """Whether the deadline after which the fallback suffices lies before everything in the window."""
    return (
        bool(confirmers.fallback)
        and confirmers.since is not None
        and window.lower is not None
        and window.lower >= confirmers.since
    )


def required_signers(
    roots: Sequence[Action], window: Window, *, unreachable: Collection[bytes] = ()
) -> frozenset[bytes]:
    """Everyone who must sign: authority of each top action, confirmers of each exercise, owners of each claim.

    `unreachable` are confirmers that the submitter does not wait for: where the deadline has passed and the fallback
    holds none of them, the fallback signs in their place.
    """
    signers: set[bytes] = set()
    for root in roots:
        signers.update(needed_at_top(root))
    for action in walk(tuple(roots)):
        if isinstance(action, Exercise):
            confirmers = action.confirmers
            missing = any(party in unreachable for party in confirmers.parties)
            signers.update(confirmers.fallback if missing and fallback_open(confirmers, window) else confirmers.parties)
        elif isinstance(action, Create):
            signers.update(key.owner for key in action.claims)
    return frozenset(signers)


def tops_of(party: bytes, roots: Sequence[Node], signers: Collection[bytes]) -> tuple[Node, ...]:
    """The top nodes of the party's view: the highest nodes it is an informee of, each raised until it carries itself.

    Where they use a contract of the same transaction that nobody vouches for, the nodes that make it are added.
    """
    found: list[Node] = []
    for root in roots:
        found.extend(_tops_below(party, root, signers) or ())
    return completed(found, roots, lambda _: signers)


def _tops_below(party: bytes, node: Node, signers: Collection[bytes]) -> list[Node] | None:
    """Tops at or below `node`; None where a top below could not carry itself and asks for a higher one."""
    if party in node.action.informees:
        return [node] if carried(node.action, signers) else None
    found: list[Node] = []
    for child in node.children:
        below = _tops_below(party, child, signers)
        if below is None:
            return [node] if carried(node.action, signers) else None
        found.extend(below)
    return found


def completed(tops: Sequence[Node], roots: Sequence[Node], signers: Signing) -> tuple[Node, ...]:
    """The tops, with those added that make what they use where a signatory of it does not sign the use."""
    found = list(tops)
    while True:
        missing = _unvouched_local(found, signers)
        if not missing:
            return tuple(found)
        found = highest([*found, *(lowest(roots, index, signers) for index in missing)])


def _unvouched_local(tops: Sequence[Node], signers: Signing) -> list[int]:
    made = scope_of(tops)
    uses = (node.action for top in tops for node in top.walk())
    return [
        action.ref.index
        for action in uses
        if not isinstance(action, Create)
        and action.ref.transaction is None
        and action.ref.index not in made
        and not all(party in signers(action.index) for party in action.signatories)
    ]


def lowest(roots: Sequence[Node], index: int, signers: Signing) -> Node:
    """The lowest node that carries its own authority and has the entry at or below it; Refusal `ledger.entry`."""
    path = next((path for root in roots if (path := _path(root, index))), [])
    for node in reversed(path):
        if carried(node.action, signers(node.action.index)):
            return node
    raise Refusal("ledger.entry", "nothing that is held carries the authority for this entry", entry=index)


def _path(node: Node, index: int) -> list[Node]:
    """The nodes from this one down to the entry; empty where it is not below."""
    if node.action.index == index:
        return [node]
    for child in node.children:
        below = _path(child, index)
        if below:
            return [node, *below]
    return []


def highest(tops: Iterable[Node]) -> list[Node]:
    """The nodes in the order of their entries, without those that lie below another of them."""
    found: list[Node] = []
    covered: frozenset[int] = frozenset()
    for top in sorted(tops, key=lambda top: top.action.index):
        if top.action.index not in covered:
            found.append(top)
            covered |= scope_of((top,))
    return found


def scope_of(tops: Iterable[Node]) -> frozenset[int]:
    """The entries a party re-executes when it is shown these tops."""
    return frozenset(node.action.index for top in tops for node in top.walk())


def check_carried(tops: Sequence[Node], scopes: Scopes, window: Window) -> None:
    """Refuse a view that does not carry its own authority (codes `ledger.authority`, `.confirmers`, `.claim-owner`)."""
    for top in tops:
        index = top.action.index
        signers = signing(scopes)(index)
        if not carried(top.action, signers):
            missing = [p.hex()[:16] for p in needed_at_top(top.action) if p not in signers]
            raise Refusal("ledger.authority", "the view does not carry its own authority", entry=index, missing=missing)
        for node in top.walk():
            _check_node(node, scopes, window)


def _check_node(node: Node, scopes: Scopes, window: Window) -> None:
    action, index = node.action, node.action.index
    signers = signing(scopes)(index)
    if isinstance(action, Exercise):
        missing = [p.hex()[:16] for p in confirming(action.confirmers, window, signers) if p not in signers]
        if missing:
            raise Refusal("ledger.confirmers", "a confirmer does not sign this exercise", entry=index, missing=missing)
    elif isinstance(action, Create):
        for key in action.claims:
            if key.owner not in signers:
                raise Refusal("ledger.claim-owner", "a claim's owner does not sign it", entry=index, family=key.family)


def without_history(action: Action, scopes: Scopes) -> bool:
    """Whether all signatories of the contract that this action uses sign the entry, so that they vouch themselves."""
    return all(action.index in scopes.get(party, ()) for party in action.signatories)


def history_needed(tops: Iterable[Node], scopes: Scopes) -> tuple[ContractRef, ...]:
    """The contracts of other transactions that these nodes use and not all signatories of which vouch, each once."""
    uses = (node.action for top in tops for node in top.walk())
    found = {
        action.ref: None
        for action in uses
        if not isinstance(action, Create) and action.ref.transaction is not None and not without_history(action, scopes)
    }
    return tuple(found)
