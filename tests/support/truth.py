"""What in fact happened in a network, and whether what honest members believe fits it (02-ledger, last section).

The judge here shares no rule with the ledger: it looks at the whole forest that a builder made, lies and all, asks who
really signed what having run it, and re-runs choices on the contracts that really exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant, Window
from interfirm.contracts import interpreter, types
from interfirm.contracts.types import Confirmers, ContractRef, Create, Exercise, Fetch
from interfirm.ledger.builder import command_of
from interfirm.ledger.tree import Node
from interfirm.ledger.types import ConsumeEntry, CreateEntry, Entry, FetchEntry
from interfirm.notary.types import ref_key

from .ledger import ENGINE, Network, Notary

Place = tuple[bytes, int]
"""A transaction id and an entry's index."""


class Accepted:
    """A transaction that a notary accepted: the whole forest, its entries and listed scopes, and when."""

    def __init__(
        self,
        name: bytes,
        *,
        roots: Iterable[Node],
        entries: Iterable[Entry],
        scopes: dict[bytes, frozenset[int]],
        notary: Notary,
        window: Window,
        time: Instant,
        order: int,
    ) -> None:
        self.id = name
        self.roots = tuple(roots)
        self.entries = tuple(entries)
        self.scopes = scopes
        self.notary = notary
        self.window = window
        self.time = time
        self.order = order
        self.parents: dict[int, Node] = {}
        self.nodes: dict[int, Node] = {}
        for root in self.roots:
            for node in root.walk():
                self.nodes.setdefault(node.action.index, node)
                for child in node.children:
                    self.parents.setdefault(child.action.index, node)

    def at(self, notary: Notary) -> Accepted:
        """The same, with a copy of its notary."""
        found = copy(self)
        found.notary = notary
        return found

    def made(self, index: int) -> Node | None:
        """The action whose entry is at `index` and that makes a contract."""
        node = self.nodes.get(index)
        if node is None or not isinstance(node.action, Create) or index >= len(self.entries):
            return None
        return node if self.entries[index] == node.entry else None


class Truth:
    """All that was accepted, judged against what honest members believe."""

    def __init__(self, network: Network, honest: Iterable[bytes]) -> None:
        self.network = network
        self.honest = set(honest)
        self.accepted: dict[bytes, Accepted] = {}
        self._genuine: dict[Place, bool] = {}
        self._authorised: dict[tuple[bytes, bytes, int], bool] = {}

    def add(self, accepted: Accepted) -> None:
        """Note an acceptance."""
        self.accepted.setdefault(accepted.id, accepted)

    # facts --------------------------------------------------------------------------------------------------------

    def origin(self, ref: ContractRef) -> ContractRef:
        """The ref under which a contract was made."""
        held = self.network.disclosures.get(ref)
        return ref if held is None else held.origin

    def creation(self, ref: ContractRef) -> tuple[Accepted, Node] | None:
        """The action that made a contract, by any of its refs."""
        origin = self.origin(ref)
        accepted = self.accepted.get(origin.transaction or b"")
        made = None if accepted is None else accepted.made(origin.index)
        return None if accepted is None or made is None else (accepted, made)

    def signed(self, party: bytes, accepted: Accepted, index: int) -> bool:
        """Whether an honest party signed the transaction having run this entry."""
        return index in self.network.members[party].signed.get(accepted.id, ())

    def consents(self, accepted: Accepted, index: int, confirmers: Confirmers) -> bool:
        """Whether all confirmers, or in time the fallback, signed having run the entry; the dishonest always do."""
        since, lower = confirmers.since, accepted.window.lower
        sets = [confirmers.parties]
        if confirmers.fallback and since is not None and lower is not None and lower >= since:
            sets.append(confirmers.fallback)
        return any(
            all(party not in self.honest or self.signed(party, accepted, index) for party in parties)
            for parties in sets
        )

    def genuine(self, accepted: Accepted, node: Node) -> bool:
        """Whether running the action on the contracts that exist gives just this action and what is below it."""
        place = accepted.id, node.action.index
        if place not in self._genuine:
            self._genuine[place] = self._runs(accepted, node)
        return self._genuine[place]

    def _runs(self, accepted: Accepted, node: Node) -> bool:
        action = node.action
        if isinstance(action, Fetch):
            return self._input(accepted, action.ref) is not None
        try:
            found = interpreter.interpret(
                ENGINE, [command_of(action)], lookup=lambda ref: self._lookup(accepted, ref), window=accepted.window,  # type: ignore[list-item]  # no fetch
                first_index=action.index,
            )  # fmt: skip
        except Refusal:
            return False
        return found[0] == action

    def _lookup(self, accepted: Accepted, ref: ContractRef) -> types.Contract:
        found = self._input(accepted, ref)
        if found is None:
            raise Refusal("test.unknown", "no such contract")
        made = found[1].action
        assert isinstance(made, Create)
        return types.Contract(
            template=made.template, payload=made.payload,
            created_in=None if ref.transaction is None else self.origin(ref).transaction,
        )  # fmt: skip

    def _input(self, accepted: Accepted, ref: ContractRef) -> tuple[Accepted, Node] | None:
        if ref.transaction is None:
            made = accepted.made(ref.index)
            return None if made is None else (accepted, made)
        return self.creation(ref)

    # authority ----------------------------------------------------------------------------------------------------

    def authorised(self, party: bytes, accepted: Accepted, node: Node) -> bool:
        """Whether an honest party stands behind an action: it signed, or something it stands behind led to it."""
        key = party, accepted.id, node.action.index
        if key not in self._authorised:
            self._authorised[key] = False  # while it is being found out: nothing stands behind itself
            self._authorised[key] = self._stands_behind(party, accepted, node)
        return self._authorised[key]

    def _stands_behind(self, party: bytes, accepted: Accepted, node: Node) -> bool:
        if party not in self.honest or self.signed(party, accepted, node.action.index):
            return True
        parent = accepted.parents.get(node.action.index)
        if parent is None or not isinstance(parent.action, Exercise) or not self.genuine(accepted, parent):
            return False
        action = parent.action
        if party in action.controllers and self.authorised(party, accepted, parent):
            return True
        return party in action.signatories and self.valid_for(party, accepted, action.ref) and self.allowed(
            accepted, parent
        )  # fmt: skip

    def valid_for(self, party: bytes, accepted: Accepted, ref: ContractRef) -> bool:
        """Whether the party stands behind the creation of a contract that this transaction uses."""
        found = self._input(accepted, ref)
        if found is None:
            return False
        made = found[1].action
        return isinstance(made, Create) and party in made.signatories and self.authorised(party, *found)

    def allowed(self, accepted: Accepted, node: Node) -> bool:
        """Whether an exercise has its controllers behind it and its confirmers' consent."""
        action = node.action
        assert isinstance(action, Exercise)
        return self.consents(accepted, action.index, action.confirmers) and all(
            self.authorised(party, accepted, node) for party in action.controllers
        )

    # the verdict --------------------------------------------------------------------------------------------------

    def violations(self) -> list[str]:
        """Every way in which what honest members believe is no part of a valid ledger."""
        found = [*self._beliefs(), *self._known(), *self._bound(), *self._spent_twice(), *self._claimed_twice()]
        return [*found, *self._at_notaries(), *self._windows()]

    def _believed(self) -> Iterator[tuple[str, Accepted, Any, Node]]:
        """Each shown top action of each honest member."""
        for identity in sorted(self.honest):
            member = self.network.members[identity]
            for transaction, verified in member.held.items():
                for top in verified.tops:
                    yield member.party.name, self.accepted[transaction], verified, top

    def _beliefs(self) -> Iterator[str]:
        for name, accepted, verified, top in self._believed():
            if not accepted.notary.trusted:
                yield f"{name} believes a notary that is nobody's choice"
            action = top.action
            if not self.genuine(accepted, top):
                yield f"{name} believes what does not run: {_say(top)}"
            needed = action.signatories if isinstance(action, Create) else action.controllers
            for party in needed:
                if party in self.honest and not self.signed(party, accepted, action.index):
                    yield f"{name} believes in an authority that was not given: {_say(top)}"
            for node in top.walk():
                yield from self._believed_node(name, accepted, verified, node)

    def _believed_node(self, name: str, accepted: Accepted, verified: Any, node: Node) -> Iterator[str]:
        action, index = node.action, node.action.index
        real = accepted.nodes.get(index)
        if real is None or real.hash != node.hash or index >= len(accepted.entries):
            yield f"{name} believes what is not in the transaction: {_say(node)}"
            return
        if accepted.entries[index] != node.entry:
            yield f"{name} believes an action that has another entry: {_say(node)}"
        if isinstance(action, Create):
            return
        if isinstance(action, Exercise) and not self.consents(accepted, index, action.confirmers):
            yield f"{name} believes an exercise that was not confirmed: {_say(node)}"
        yield from self._believed_input(name, accepted, verified, node)

    def _believed_input(self, name: str, accepted: Accepted, verified: Any, node: Node) -> Iterator[str]:
        action = node.action
        assert not isinstance(action, Create)
        found = self._input(accepted, action.ref)
        if found is None:
            yield f"{name} believes an input that was never made: {_say(node)}"
            return
        made = found[1].action
        assert isinstance(made, Create)
        if not found[0].notary.trusted:
            yield f"{name} believes an input of a notary that is nobody's choice: {_say(node)}"
        if found[0].order > accepted.order:
            yield f"{name} believes an input from later: {_say(node)}"
        held = verified.inputs.get(action.ref)
        if held is not None and held.payload != made.payload:
            yield f"{name} believes another payload: {_say(node)}"
        for party in made.signatories:
            if not self.valid_for(party, accepted, action.ref):
                yield f"{name} believes an input that a signatory does not stand behind: {_say(node)}"

    def _known(self) -> Iterator[str]:
        for identity in sorted(self.honest):
            member = self.network.members[identity]
            for ref in member.known:
                found = self.creation(ref)
                if found is None:
                    yield f"{member.party.name} knows a contract that was never made"
                    continue
                made = found[1].action
                assert isinstance(made, Create)
                for party in made.signatories:
                    if not self.authorised(party, *found):
                        yield f"{member.party.name} knows what a signatory does not stand behind: {_say(found[1])}"

    def _bound(self) -> Iterator[str]:
        """No honest party's signature is listed that it did not give, or for more than it ran; none is left out."""
        for accepted in self.accepted.values():
            if not accepted.notary.trusted:
                continue
            for party, scope in accepted.scopes.items():
                if party in self.honest and self.network.members[party].signed.get(accepted.id, frozenset()) != scope:
                    yield f"{self.network.members[party].party.name} is listed for what it did not run"
            for index, entry in enumerate(accepted.entries):
                if isinstance(entry, (CreateEntry, FetchEntry)):
                    continue
                yield from self._used_without_consent(accepted, index, entry.ref)

    def _used_without_consent(self, accepted: Accepted, index: int, ref: ContractRef) -> Iterator[str]:
        found = self._input(accepted, ref)
        if found is None:
            return
        made = found[1].action
        place = ContractRef(found[0].id, made.index)
        if isinstance(made, Create) and any(place in self.network.members[party].known for party in self.honest):
            real = interpreter.describe(ENGINE, made.template, made.payload, index=made.index)
            if not self.consents(accepted, index, real.confirmers):
                yield f"a contract was used without its confirmers: {_say(found[1])}"

    def _spent_twice(self) -> Iterator[str]:
        """Over all entries of trusted notaries, in the order of acceptance: nothing is named after it was consumed."""
        gone: dict[ContractRef, bytes] = {}
        for accepted in sorted(self.accepted.values(), key=lambda each: each.order):
            if not accepted.notary.trusted:
                continue
            for entry in accepted.entries:
                if isinstance(entry, CreateEntry):
                    continue
                origin = self.origin(entry.ref)
                ref = ContractRef(origin.transaction or accepted.id, origin.index)
                if ref in gone:
                    yield f"a contract is named after it was consumed: {ref.index}"
                if isinstance(entry, ConsumeEntry):
                    gone[ref] = accepted.id

    def _claimed_twice(self) -> Iterator[str]:
        places: dict[Any, set[Place]] = {}
        for _, accepted, _, top in self._believed():
            for node in top.walk():
                if isinstance(node.action, Create):
                    for key in self._claims_by_template(node.action):
                        places.setdefault(key, set()).add((accepted.id, node.action.index))
        for key, found in places.items():
            if len(found) > 1:
                yield f"claimed twice: {key.family}"

    def _claims_by_template(self, action: Create) -> tuple[Any, ...]:
        return interpreter.describe(ENGINE, action.template, action.payload, index=action.index).claims

    def _at_notaries(self) -> Iterator[str]:
        """What a member saw made is known to the notary with its true confirmers."""
        for name, accepted, _, top in self._believed():
            for node in top.walk():
                if not isinstance(node.action, Create) or not isinstance(node.entry, CreateEntry):
                    continue
                value = accepted.notary.get("refs", ref_key(ContractRef(accepted.id, node.action.index)))
                if value is None or (value[:1] == b"A" and value[1:] != node.entry.confirmers):
                    yield f"{name} saw a contract made that its notary does not know so: {_say(node)}"

    def _windows(self) -> Iterator[str]:
        for accepted in self.accepted.values():
            lower, upper = accepted.window.lower, accepted.window.upper
            if (lower is not None and accepted.time < lower) or accepted.time >= upper:
                yield "accepted outside its window"


def _say(node: Node) -> str:
    action = node.action
    choice = f".{action.choice}" if isinstance(action, Exercise) else ""
    return f"{type(action).__name__.lower()} {action.template.name}{choice} at {action.index}"
