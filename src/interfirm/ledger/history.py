"""History in chain mode: the ancestors of a contract as the lowest views that carry their authority.

Needed only where authority was delegated: where a signatory of a contract does not sign the entry that uses it. What is
given is a list of notarised views in an order in which each may rely on those before it; verifying one of them needs
nothing but what the receiver knew before, and the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.contracts.interpreter import Engine
from interfirm.contracts.types import ContractRef, Create
from interfirm.ledger.authority import completed, history_needed, lowest, scope_of, signing
from interfirm.ledger.builder import branch_of, inputs_of, node_disclosure, passed
from interfirm.ledger.tree import Node
from interfirm.ledger.types import Branch, Disclosure, LineOpening, Notarised, Passed, Shown, View
from interfirm.ledger.verification import Verified, World, verify_view

HistoryItem = Notarised
"""A view with the receipt of its transaction."""

History = tuple[HistoryItem, ...]
"""Ancestors in order: what an item uses was made by items before it, or is known already."""

Find = Callable[[ContractRef], HistoryItem | None]
"""The giver's stored view of the transaction that made a contract; None where the receiver knows it already."""


def verify_history(
    history: Sequence[HistoryItem], *, engine: Engine, world: World, network: bytes
) -> frozenset[ContractRef]:
    """The contracts whose creation is known valid by these items, each of which holds with those before it.

    Raises Refusal `ledger.history-limit` for too many items, and the refusal of the first item that does not hold.
    """
    _check_count(len(history))
    known = _Known(world)
    for item in history:
        verified = verify_view(item.view, engine=engine, world=known, network=network)
        world.accepted(item.receipt, verified.id, network, verified.view.header.notary)
        known.refs.update(ContractRef(verified.id, index) for index in verified.created)
    return frozenset(known.refs)


def history_of(
    view: View, *, find: Find, engine: Engine, world: World, network: bytes, party: bytes | None = None
) -> History:
    """All that a receiver of this view lacks to know its inputs valid, as the lowest views the giver can make.

    `world` is the giver's. `party`, where given, also gets the history of what it would sign as a signatory, which it
    may not do for a contract that it has not verified. Raises Refusal `ledger.history-limit`, and what `find` raises
    for what is not held.
    """
    shown = verify_view(view, engine=engine, world=world, network=network)
    wanted = [*_own(shown, party), *needed(shown, shown.tops)]
    return history_to(wanted, find=find, engine=engine, world=world, network=network)


def history_to(wanted: Sequence[ContractRef], *, find: Find, engine: Engine, world: World, network: bytes) -> History:
    """How these contracts were made, and what that rests on, as far as a receiver lacks it; see `history_of`."""
    given: set[ContractRef] = set()
    found: list[HistoryItem] = []
    # a stack instead of recursion, because a chain may be thousands of transactions long
    waiting: list[ContractRef | tuple[Verified, tuple[Node, ...], bytes]]
    waiting = list(reversed(wanted))
    while waiting:
        step = waiting.pop()
        if isinstance(step, ContractRef):
            if step in given:
                continue
            item = find(step)
            if item is None:
                given.add(step)
                continue
            verified = verify_view(item.view, engine=engine, world=world, network=network, transaction=step.transaction)
            tops = lowest_tops(verified, step.index)
            waiting.append((verified, tops, item.receipt))
            waiting.extend(reversed([ref for ref in needed(verified, tops) if ref not in given]))
        else:
            verified, tops, receipt = step
            made = {ContractRef(verified.id, index) for index in scope_of(tops) if index in verified.created}
            if made <= given:
                continue
            given |= made
            found.append(HistoryItem(view=narrowed(verified, tops), receipt=receipt))
            _check_count(len(found))
    return tuple(found)


def needed(verified: Verified, tops: Iterable[Node]) -> list[ContractRef]:
    """The contracts whose history a viewer of these nodes needs, by the refs under which they were made."""
    return [verified.inputs[ref].origin for ref in history_needed(tops, verified.scopes)]


def _own(verified: Verified, party: bytes | None) -> list[ContractRef]:
    """The inputs from other transactions of which the party is a signatory."""
    actions = [node.action for node in verified.nodes if not isinstance(node.action, Create)]
    return [
        verified.inputs[action.ref].origin
        for action in actions
        if action.ref.transaction is not None and party in action.signatories
    ]


def lowest_view(verified: Verified, index: int) -> View:
    """The lowest view in which the creation at this entry carries its own authority, out of a view that is held.

    Raises Refusal `ledger.entry` where the held view does not show the entry.
    """
    return narrowed(verified, lowest_tops(verified, index))


def lowest_tops(verified: Verified, index: int) -> tuple[Node, ...]:
    """The top nodes of `lowest_view`."""
    signers = signing(verified.scopes)
    return completed([lowest(verified.tops, index, signers)], verified.tops, signers)


def narrowed(verified: Verified, tops: Sequence[Node]) -> View:
    """The view that shows these nodes, out of a view that shows them and more."""
    view, scope = verified.view, scope_of(tops)
    shown = {top.action.index for top in tops}
    nodes = {top.action.index: top for top in verified.tops}

    def branch(held: Branch) -> Branch:
        if isinstance(held, Shown):
            return branch_of(nodes[held.index], shown, verified.proofs)
        if isinstance(held, Passed):
            return passed(held.body, tuple(branch(child) for child in held.children))
        return held

    return View(
        header=view.header,
        entries=tuple(None if i in scope else h for i, h in enumerate(verified.skeleton.entries)),
        lines=tuple(_line(line, scope) for line in view.lines),
        roots=tuple(branch(root) for root in view.roots),
        inputs=tuple(_inputs(verified, tops)),
        components=view.components,
    )


def _line(line: LineOpening | bytes, scope: frozenset[int]) -> LineOpening | bytes:
    return line.hash if isinstance(line, LineOpening) and not scope & frozenset(line.line.scope) else line


def _inputs(verified: Verified, tops: Sequence[Node]) -> Iterable[Disclosure]:
    made = {node.action.index: node for node in verified.nodes}
    for transaction, index in inputs_of(tops):
        held = verified.inputs.get(ContractRef(transaction, index))
        yield held if held is not None else node_disclosure(made[index])


class _Known:
    """A world that also knows what was verified so far."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.refs: set[ContractRef] = set()
        self.trusted = world.trusted
        self.accepted = world.accepted
        self.claim_output = world.claim_output
        self.remembered = world.remembered

    def known_valid(self, ref: ContractRef) -> bool:
        """See World."""
        return ref in self.refs or self._world.known_valid(ref)


def _check_count(count: int) -> None:
    if count > LIMITS.history_count_max:
        raise Refusal("ledger.history-limit", "too long a history", count=count, count_max=LIMITS.history_count_max)
