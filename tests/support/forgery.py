"""Transactions as a dishonest builder makes them: every part may be a lie, and all hashes follow from the lies.

A `Forgery` starts from a forest of actions, honest or not, and is changed part by part; `draft()` makes the hashes,
lines and views consistent with whatever it then says, so that a lie is found by a rule and not by a sum that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.time import Window
from interfirm.contracts import interpreter
from interfirm.contracts.types import Action, Confirmers, ContractRef, Create, Exercise, Fetch
from interfirm.ledger import builder, tree
from interfirm.ledger.authority import Scopes, highest, required_signers, scope_of, tops_of
from interfirm.ledger.builder import Draft
from interfirm.ledger.tree import Node
from interfirm.ledger.types import (
    FORMAT_VERSION,
    ClaimOpening,
    Component,
    ConfirmersOpening,
    CreateEntry,
    Disclosure,
    Entry,
    FetchEntry,
    Header,
    Line,
    LineOpening,
    Passed,
    Skeleton,
    TransactionSignature,
    View,
    entry_hash,
)
from interfirm.notary.types import Notarise

from .ledger import ENGINE, NAMES, Network, Notary


class Forgery:
    """See the module. Change `actions`, then call `build`, then change `entries`, `scopes`, `tops` and the rest."""

    def __init__(
        self,
        network: Network,
        actions: Sequence[Action],
        *,
        notary: Notary | None = None,
        window: Window | None = None,
    ) -> None:
        self.network = network
        self.actions = list(actions)
        self.notary = notary or network.notary
        self.window = window or network.window
        network.count += 1
        self.seed = digest("forged seed", network.count)
        self.roots: tuple[Node, ...] = ()
        self.entries: list[Entry] = []
        self.scopes: Scopes = {}
        self.extra_lines: list[Line] = []
        self.hide_extra_lines = False
        self.tops: dict[bytes, tuple[Node, ...]] = {}
        self.proofs: dict[int, tuple[bytes, ...]] = {}
        self.wrapped = False
        self.unrooted: set[int] = set()
        self.components: tuple[Component, ...] = ()
        self.openings: dict[int, tuple[bytes, Confirmers]] = {}
        self.disclose: Callable[[Disclosure], Disclosure | None] = lambda held: held
        self.hide_lines: set[bytes] = set()
        self.change_view: Callable[[View], View] = lambda view: view

    def build(self, *, reindex: bool = True) -> Forgery:
        """Make nodes of the actions, and what an honest builder would derive from them."""
        if reindex:
            self.actions = list(reindexed(self.actions))
        self.roots = tuple(
            tree.build(action, tree.child_seed(self.seed, i), NAMES, self._claims)
            for i, action in enumerate(self.actions)
        )
        self.entries = [node.entry for node in self.nodes]
        signers = required_signers(self.actions, self.window)
        parties = {party for node in self.nodes for party in node.action.informees}
        try:
            self.tops = {party: tops_of(party, self.roots, signers) for party in sorted(parties)}
        except (Refusal, RecursionError):  # a forest that honest rules make no views of: everybody gets all of it
            self.tops = dict.fromkeys(sorted(parties), self.roots)
        self.scopes = {party: scope_of(self.tops.get(party) or self.roots) for party in sorted(signers)}
        return self

    @property
    def nodes(self) -> list[Node]:
        """All nodes, parent before child."""
        return [node for root in self.roots for node in root.walk()]

    def node(self, index: int) -> Node:
        """The node that says it has this index."""
        return next(node for node in self.nodes if node.action.index == index)

    def show(self, party: bytes, *indexes: int) -> None:
        """Give a party a view of exactly these nodes, and a line that says so if it is listed."""
        self.tops[party] = tuple(highest(self.node(index) for index in indexes))
        if party in self.scopes:
            self.scopes[party] = scope_of(self.tops[party])

    def _claims(self, index: int, action: Create) -> list[bytes]:
        found = []
        for key in action.claims:
            proof, output = self.network.claim_proof(key.owner, key.alpha)
            self.proofs[index] = (*self.proofs.get(index, ()), proof)
            found.append(tree.claim_hash(key.owner, output))
        return found

    # what is sent -------------------------------------------------------------------------------------------------

    def draft(self) -> Draft:
        """The forgery as a draft; only its skeleton, lines and views are to be believed in."""
        lines = [Line(identity=party, scope=tuple(sorted(scope))) for party, scope in sorted(self.scopes.items())]
        openings = tuple(
            LineOpening(salt=digest("line salt", self.seed, i), line=line)
            for i, line in enumerate([*lines, *self.extra_lines])
        )
        header = Header(
            version=FORMAT_VERSION, network=self.network.id, notary=self.notary.id, window=self.window,
            packages=digest("packages", self.seed),
        )  # fmt: skip
        skeleton = Skeleton(
            header=header,
            entries=tuple(entry_hash(entry) for entry in self.entries),
            lines=tuple(opening.hash for opening in openings),
            roots=self._root_hashes(),
            components=self.components,
        )
        return Draft(
            header=header, seed=self.seed, packages=(), roots=self.roots, lines=openings, tops=self.tops,
            proofs=self.proofs, skeleton=skeleton, more_seen={},
        )  # fmt: skip

    def _rooted(self) -> list[Node]:
        return [root for root in self.roots if root.action.index not in self.unrooted]

    def _root_hashes(self) -> tuple[bytes, ...]:
        hashes = tuple(root.hash for root in self._rooted())
        return (tree.node_hash(self.junk, hashes),) if self.wrapped else hashes

    @property
    def junk(self) -> bytes:
        """The body of a parent that is nothing."""
        return digest("junk", self.seed)

    def view(self, party: bytes) -> View:
        """What the party is sent."""
        draft, tops = self.draft(), self.tops.get(party, ())
        view = builder.view_from(draft, tops, [held for held in self._inputs(tops) if held is not None])
        shown = {top.action.index for top in tops}
        branches = tuple(builder.branch_of(root, shown, self.proofs) for root in self._rooted())
        lines = tuple(
            line.hash if isinstance(line, LineOpening) and self._hidden(i, line) else line
            for i, line in enumerate(view.lines)
        )
        scope = scope_of(tops)
        return self.change_view(
            view.replace(
                roots=(Passed(body=self.junk, children=branches),) if self.wrapped else branches,
                lines=lines,
                entries=tuple(None if i in scope else h for i, h in enumerate(draft.skeleton.entries)),
            )
        )

    def _hidden(self, place: int, opening: LineOpening) -> bool:
        return opening.line.identity in self.hide_lines or (self.hide_extra_lines and place >= len(self.scopes))

    def _inputs(self, tops: Sequence[Node]) -> list[Disclosure | None]:
        found = []
        for transaction, index in builder.inputs_of(tops):
            if transaction is not None:
                held = self.network.disclosures.get(ContractRef(transaction, index))
            else:
                made = [node for node in self.nodes if node.action.index == index and isinstance(node.action, Create)]
                held = builder.node_disclosure(made[0]) if made else None
            found.append(None if held is None else self.disclose(held))
        return found

    def request(self, signatures: Sequence[TransactionSignature], *, reservations: Sequence[bytes] = ()) -> Notarise:
        """What the notary is sent, every commitment opened as well as can be."""
        draft = self.draft()
        return Notarise(
            header=draft.header,
            entries=tuple(self.entries),
            lines=draft.lines,
            roots=draft.skeleton.roots,
            components=self.components,
            confirmers=tuple(self._confirmers()),
            claims=tuple(self._claim_openings()),
            signatures=tuple(signatures),
            reservations=tuple(reservations),
        )

    def _confirmers(self) -> list[ConfirmersOpening]:
        found = []
        for index, entry in enumerate(self.entries):
            if isinstance(entry, (CreateEntry, FetchEntry)):
                continue
            opened = self.openings.get(index) or self._opening(entry.ref)
            if opened is not None:
                found.append(ConfirmersOpening(entry=index, salt=opened[0], confirmers=opened[1]))
        return found

    def _opening(self, ref: ContractRef) -> tuple[bytes, Confirmers] | None:
        if ref.transaction is None:
            made = [node for node in self.nodes if node.action.index == ref.index]
            if made and isinstance(made[0].action, Create):
                return tree.confirmers_salt(made[0].seed), made[0].action.confirmers
            return None
        return self.network.openings.get(ref)

    def _claim_openings(self) -> list[ClaimOpening]:
        found = []
        nodes = {node.entry: node for node in self.nodes}
        for index, entry in enumerate(self.entries):
            node = nodes.get(entry)
            if node is None or not isinstance(node.action, Create) or not isinstance(entry, CreateEntry):
                continue
            for i, key in enumerate(node.action.claims[: len(entry.claims)]):
                found.append(
                    ClaimOpening(
                        entry=index,
                        position=i,
                        salt=tree.claim_salt(node.seed, i),
                        owner=key.owner,
                        claim=node.claims[i],
                    )
                )
        return found


# changing a forest ----------------------------------------------------------------------------------------------------


def reindexed(actions: Sequence[Action]) -> tuple[Action, ...]:
    """The forest with entries numbered by their place, and its local refs following their contracts."""
    places: dict[int, int] = {}
    count = iter(range(10_000))

    def numbered(action: Action) -> Action:
        place = next(count)
        places[action.index] = place
        if isinstance(action, Exercise):
            return action.replace(index=place, children=tuple(numbered(child) for child in action.children))
        return action.replace(index=place)

    def referred(action: Action) -> Action:
        if isinstance(action, Create):
            return action
        ref = action.ref
        if ref.transaction is None and ref.index in places:
            action = action.replace(ref=ContractRef(None, places[ref.index]))
        if isinstance(action, Exercise):
            return action.replace(children=tuple(referred(child) for child in action.children))
        return action

    return tuple(referred(action) for action in [numbered(action) for action in actions])


def changed(actions: Sequence[Action], index: int, change: Callable[[Any], Sequence[Action]]) -> list[Action]:
    """The forest with the action at `index` replaced by what `change` makes of it."""
    found: list[Action] = []
    for action in actions:
        if action.index == index:
            found.extend(change(action))
        elif isinstance(action, Exercise):
            found.append(action.replace(children=tuple(changed(action.children, index, change))))
        else:
            found.append(action)
    return found


def made_of(action: Create, index: int, **fields: Any) -> Create:
    """What a contract with other fields would be made as, by the rules of its template (whoever then signs it)."""
    code = ENGINE.template(action.template)
    contract = code.cls(**{**_fields(action), **fields})
    described = _describe(action, contract)
    return described.replace(index=index)


def _fields(action: Create) -> dict[str, Any]:
    code = ENGINE.template(action.template)
    contract = code.read(action.payload, None)
    return {name: getattr(contract, name) for name in contract.__struct_fields__}


def _describe(action: Create, contract: Any) -> Create:
    return interpreter.describe(ENGINE, action.template, codec.plain(contract), index=action.index)


def fetch_of(action: Exercise) -> Fetch:
    """A read of the contract on which this choice was made."""
    return Fetch(
        index=action.index, ref=action.ref, template=action.template, controllers=action.controllers,
        signatories=action.signatories, observers=action.observers,
    )  # fmt: skip
