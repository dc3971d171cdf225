"""Verifying a view: re-execute what is shown, rebuild the hashes, and compare with the transaction id that was signed.

Nothing in a view is believed because it was sent. Commands are run again; actions, entries and hashes follow from the
run; what does not lead to the expected id is refused. Then the view must carry its own authority, and each input must
have been created by a notarised transaction and live at this view's notary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.contracts import interpreter, types
from interfirm.contracts.interpreter import Engine
from interfirm.contracts.types import Action, ContractRef, Create, Fetch
from interfirm.ledger import tree
from interfirm.ledger.authority import Scopes, check_carried, without_history
from interfirm.ledger.moves import followed
from interfirm.ledger.tree import Node
from interfirm.ledger.types import (
    FORMAT_VERSION,
    Branch,
    ConsumeEntry,
    Contract,
    CreateEntry,
    Disclosure,
    FetchCommand,
    LineOpening,
    Passed,
    Shown,
    Skeleton,
    View,
    entry_hash,
)


class World(Protocol):
    """What a verifier knows beside the view. Each method raises a Refusal where it cannot vouch."""

    def trusted(self, notary: bytes) -> None:
        """Return if this verifier leaves it to this notary what is consumed (a firm's own one it does not)."""

    def accepted(self, receipt: bytes, transaction: bytes, network: bytes, notary: bytes) -> None:
        """Return if the receipt proves that this notary, which the verifier trusts, accepted this id."""

    def claim_output(self, owner: bytes, alpha: bytes, proof: bytes) -> bytes:
        """The VRF output of the owner's registered VRF key over alpha, if the proof is right."""

    def known_valid(self, ref: ContractRef) -> bool:
        """Whether this verifier has already verified, with its history, the creation of the contract."""

    def remembered(self, ref: ContractRef) -> Disclosure | None:
        """What this verifier has itself found to hold of a contract and accepted, as far as it has it at hand."""


class Verified(Value, frozen=True):
    """A view that holds: what the party may believe once a receipt for `id` is there.

    `proofs` are the claims' proofs by create entry. `vouched` are the inputs believed for no other reason than that all
    their signatories sign the entries that use them.
    """

    view: View
    id: bytes
    skeleton: Skeleton
    tops: tuple[Node, ...]
    scopes: Scopes
    created: dict[int, Contract]
    inputs: dict[ContractRef, Disclosure]
    proofs: dict[int, tuple[bytes, ...]]
    vouched: frozenset[ContractRef]

    @property
    def nodes(self) -> list[Node]:
        """All shown nodes in the order of entries."""
        return [node for top in self.tops for node in top.walk()]

    @property
    def actions(self) -> tuple[Action, ...]:
        """The shown top actions."""
        return tuple(top.action for top in self.tops)


def names_from(engine: Engine) -> tree.FieldNames:
    """Field names of templates from the packages an engine has loaded."""
    return lambda template: list(engine.template(template).cls.__struct_fields__)


def verify_view(
    view: View, *, engine: Engine, world: World, network: bytes, transaction: bytes | None = None
) -> Verified:
    """The verified view, or a Refusal that names the rule it breaks.

    `transaction`, where given, is the id that signatures or a receipt speak of (refusal `ledger.id`). History of inputs
    is demanded where a signatory does not sign the entry that uses them (refusal `ledger.history`).
    """
    _check_header(view, network)
    world.trusted(view.header.notary)
    run = _Run(view, engine, world)
    skeleton = run.rebuild()
    if transaction is not None and skeleton.id != transaction:
        raise Refusal("ledger.id", "re-execution leads to another id", expected=transaction, found=skeleton.id)
    scopes = _scopes(view)
    _check_order(run.tops)
    check_carried(run.tops, scopes, view.header.window)
    run.check_inputs_used()
    return _verified(run, skeleton, scopes)


def verify_built(
    view: View,
    tops: Sequence[Node],
    skeleton: Skeleton,
    proofs: Mapping[int, tuple[bytes, ...]],
    *,
    engine: Engine,
    world: World,
) -> Verified:
    """What a builder may believe of its own draft: `verify_view` of a view that it made of these nodes itself.

    It has run the commands, so nothing is run again; the inputs, which others made, are checked as any viewer does.
    """
    world.trusted(view.header.notary)
    run = _Run(view, engine, world)
    for top in tops:
        run.take(top)
    run.proofs.update({index: proofs[index] for index in run.created if index in proofs})
    scopes = _scopes(view)
    check_carried(run.tops, scopes, view.header.window)
    return _verified(run, skeleton, scopes)


def _verified(run: _Run, skeleton: Skeleton, scopes: Scopes) -> Verified:
    return Verified(
        view=run.view, id=skeleton.id, skeleton=skeleton, tops=tuple(run.tops), scopes=scopes, created=run.created,
        inputs=run.inputs, proofs=run.proofs, vouched=_check_history(run, scopes, run.world),
    )  # fmt: skip


def check_signer(verified: Verified, party: bytes) -> None:
    """Refuse unless the party may sign: its own line covers exactly what it re-executed (`ledger.scope`), and it never
    vouches for a contract of its own whose creation it has not verified (`ledger.unverified`).
    """
    shown = frozenset(node.action.index for node in verified.nodes)
    scope = verified.scopes.get(party)
    if scope != shown:
        raise Refusal(
            "ledger.scope", "the listed line is not what this party re-executed", party=party,
            listed=sorted(scope or ()), shown=sorted(shown),
        )  # fmt: skip
    for node in verified.nodes:
        action = node.action
        if not isinstance(action, Create) and action.ref in verified.vouched and party in action.signatories:
            raise Refusal("ledger.unverified", "a signatory has not verified the creation", entry=action.index)


def _check_header(view: View, network: bytes) -> None:
    header = view.header
    if header.version != FORMAT_VERSION:
        raise Refusal("ledger.version", "unknown format version", version=header.version)
    if header.network != network:
        raise Refusal("ledger.network", "a transaction of another network", network=header.network)
    for part, count, count_max in (
        ("entries", len(view.entries), LIMITS.entries_count_max),
        ("lines", len(view.lines), LIMITS.lines_count_max),
        ("components", len(view.components), LIMITS.components_count_max),
        ("inputs", len(view.inputs), LIMITS.entries_count_max),
    ):
        if count > count_max:
            raise Refusal("ledger.limit", "over a limit", part=part, count=count, count_max=count_max)


class _Run:
    """One view being run: its inputs, each checked before code sees it, and what the run leads to."""

    def __init__(self, view: View, engine: Engine, world: World) -> None:
        self.view = view
        self.engine = engine
        self.world = world
        self.names = names_from(engine)
        self.tops: list[Node] = []
        self.created: dict[int, Contract] = {}
        self.proofs: dict[int, tuple[bytes, ...]] = {}
        self.inputs: dict[ContractRef, Disclosure] = {}
        self.described: dict[ContractRef, Create] = {}
        self.used: set[ContractRef] = set()
        self.steps_left = LIMITS.fuel_steps_max
        self.describing_steps_left = LIMITS.fuel_steps_max
        for disclosure in view.inputs:
            if disclosure.ref in self.inputs:
                raise Refusal("ledger.input", "an input is shown twice", index=disclosure.ref.index)
            if world.remembered(disclosure.ref) == disclosure:
                self._check_place(disclosure)
            else:
                self._check_input(disclosure)
            self.inputs[disclosure.ref] = disclosure

    def rebuild(self) -> Skeleton:
        """Run what is shown and return the skeleton it leads to."""
        view = self.view
        entries = list(view.entries)
        roots = tuple(self._branch(branch, entries, 0) for branch in view.roots)
        if not self.tops:
            raise Refusal("ledger.nothing", "the view shows no action")
        complete = tuple(h for h in entries if h is not None)
        if len(complete) != len(entries):
            missing = [i for i, h in enumerate(entries) if h is None]
            raise Refusal("ledger.entry", "an entry is neither shown nor hashed", entries=missing)
        lines = tuple(line.hash if isinstance(line, LineOpening) else line for line in view.lines)
        return Skeleton(header=view.header, entries=complete, lines=lines, roots=roots, components=view.components)

    def check_inputs_used(self) -> None:
        """Refuse (`ledger.input`) an input that nothing uses."""
        unused = [ref.index for ref in self.inputs if ref not in self.used]
        if unused:
            raise Refusal("ledger.input", "an input is shown that nothing uses", refs=unused)

    # inputs -------------------------------------------------------------------------------------------------------

    def _check_input(self, disclosure: Disclosure) -> None:
        """Check payload, output proof, receipt and confirmers of an input."""
        ref, entry, template = disclosure.ref, disclosure.entry, disclosure.template
        root = tree.payload_root(template, self.names(template), disclosure.payload, disclosure.payload_seed)
        if root != entry.payload:
            raise Refusal("ledger.payload", "the payload is not the one that was created", index=ref.index)
        body_salt = tree.create_body_salt(disclosure.payload_seed)
        if entry.action != tree.created_node(template, disclosure.origin.index, root, body_salt):
            raise Refusal("ledger.output-proof", "no action of this index made the contract", index=ref.index)
        self._check_created(disclosure)
        found = self._description(disclosure)
        if tree.confirmers_commitment(disclosure.confirmers_salt, found.confirmers) != entry.confirmers:
            raise Refusal("ledger.confirmers-commitment", "the output names other confirmers", index=ref.index)

    def _description(self, disclosure: Disclosure) -> Create:
        """What an input's payload says of it, by its template's code."""
        ref = disclosure.ref
        if ref not in self.described:
            self.described[ref] = interpreter.describe(
                self.engine, disclosure.template, disclosure.payload, index=disclosure.origin.index,
                steps_max=self.describing_steps_left,
            )  # fmt: skip
            self.describing_steps_left -= self.engine.meter.used
        return self.described[ref]

    def _check_created(self, disclosure: Disclosure) -> None:
        """The entry is part of the transaction that the ref names, and that was accepted (or is this one)."""
        ref, origin, skeleton = disclosure.ref, disclosure.origin, disclosure.skeleton
        hashes = self.view.entries if skeleton is None else skeleton.entries
        if origin.index >= len(hashes) or hashes[origin.index] != entry_hash(disclosure.entry):
            raise Refusal(
                "ledger.output-proof", "the entry is not part of the creating transaction", index=origin.index
            )
        if skeleton is None:
            if ref.transaction is not None or disclosure.moves:
                raise Refusal("ledger.output-proof", "an input without its creating transaction", index=origin.index)
            return
        if skeleton.id != origin.transaction:
            raise Refusal("ledger.output-proof", "another transaction than the ref names", index=origin.index)
        header = skeleton.header
        if header.network != self.view.header.network:
            raise Refusal("ledger.network", "an input of another network", network=header.network)
        self.world.accepted(disclosure.receipt, skeleton.id, header.network, header.notary)
        self._check_place(disclosure)

    def _check_place(self, disclosure: Disclosure) -> None:
        """The contract lives at this view's notary, by its creation or by the moves since."""
        ref, origin, skeleton = disclosure.ref, disclosure.origin, disclosure.skeleton
        assert skeleton is not None
        header = skeleton.header
        place, arrived = followed(
            origin, header, disclosure.moves, disclosure.entry.confirmers, accepted=self.world.accepted
        )
        if arrived != ref:
            raise Refusal("ledger.move", "the moves lead to another ref", index=ref.index)
        if place != self.view.header.notary:
            raise Refusal("ledger.notary", "the input lives at another notary", notary=place)

    def _lookup(self, ref: ContractRef) -> types.Contract:
        made = self._shown_made(ref)
        if made is not None:
            return types.Contract(template=made.template, payload=made.payload)
        disclosure = self.inputs.get(ref)
        if disclosure is None:
            raise Refusal("ledger.input", "an input is not shown", transaction=ref.transaction, index=ref.index)
        self.used.add(ref)
        return types.Contract(
            template=disclosure.template, payload=disclosure.payload, created_in=disclosure.origin.transaction
        )

    def _shown_made(self, ref: ContractRef) -> Create | None:
        """The action that makes a contract in a sub-tree shown before."""
        made = self.created.get(ref.index) if ref.transaction is None else None
        return made.action if made is not None and isinstance(made.action, Create) else None

    # actions ------------------------------------------------------------------------------------------------------

    def _branch(self, branch: Branch, entries: list[bytes | None], depth: int) -> bytes:
        """The node hash of a branch; runs what is shown in it and fills in its entries."""
        if depth > LIMITS.action_depth_max:
            raise Refusal("ledger.depth", "the forest is too deep", depth_max=LIMITS.action_depth_max)
        if isinstance(branch, bytes):
            return branch
        if isinstance(branch, Passed):
            return tree.node_hash(branch.body, [self._branch(child, entries, depth + 1) for child in branch.children])
        top = tree.build(self._action(branch), branch.seed, self.names, self._claims(branch.proofs))
        if len(branch.proofs) != sum(len(node.claims) for node in top.walk()):
            raise Refusal("ledger.claim-proof", "a proof is shown of no claim", entry=branch.index)
        for node in top.walk():
            self._fill(entries, node)
        self.take(top)
        return top.hash

    def take(self, top: Node) -> None:
        """Count a node with all below it as shown."""
        self.tops.append(top)
        for node in top.walk():
            if isinstance(node.action, Create) and isinstance(node.entry, CreateEntry):
                index = node.action.index
                self.created[index] = Contract(
                    ref=ContractRef(None, index), action=node.action, payload_seed=tree.payload_seed(node.seed),
                    confirmers_salt=tree.confirmers_salt(node.seed), entry=node.entry,
                )  # fmt: skip

    def _action(self, shown: Shown) -> Action:
        command = shown.command
        if isinstance(command, FetchCommand):
            return self._fetched(command, shown.index)
        actions = interpreter.interpret(
            self.engine, [command], lookup=self._lookup, window=self.view.header.window, first_index=shown.index,
            steps_max=self.steps_left,
        )  # fmt: skip
        self.steps_left -= self.engine.meter.used
        return actions[0]

    def _fetched(self, command: FetchCommand, index: int) -> Fetch:
        if self._lookup(command.ref).template != command.template:
            raise Refusal("ledger.template", "a read of another template", expected=command.template.name)
        made = self._shown_made(command.ref)
        found = made if made is not None else self._description(self.inputs[command.ref])
        wanted = {*found.signatories, *found.observers}
        held = command.controllers
        if not held or not wanted.issuperset(held) or tuple(sorted(set(held))) != held:
            raise Refusal("ledger.authority", "a read is made by stakeholders", entry=index)
        return Fetch(
            index=index, ref=command.ref, template=command.template, controllers=held,
            signatories=found.signatories, observers=found.observers,
        )  # fmt: skip

    def _fill(self, entries: list[bytes | None], node: Node) -> None:
        index = node.action.index
        if index >= len(entries) or entries[index] is not None:
            raise Refusal("ledger.order", "entry k belongs to action k", index=index)
        entries[index] = entry_hash(node.entry)

    def _claims(self, proofs: Sequence[bytes]) -> Callable[[int, Create], list[bytes]]:
        """Claim hashes from the VRF proofs shown, taken in the order of entries and claims."""
        left = list(reversed(proofs))

        def hashes(index: int, action: Create) -> list[bytes]:
            if len(left) < len(action.claims):
                raise Refusal("ledger.claim-proof", "a claim is shown without its proof", entry=index)
            self.proofs[index] = tuple(left.pop() for _ in action.claims)
            return [
                tree.claim_hash(key.owner, self.world.claim_output(key.owner, key.alpha, proof))
                for key, proof in zip(action.claims, self.proofs[index], strict=True)
            ]

        return hashes


def _scopes(view: View) -> Scopes:
    scopes: Scopes = {}
    for line in view.lines:
        if isinstance(line, LineOpening):
            identity, scope = line.line.identity, line.line.scope
            if identity in scopes:
                raise Refusal("ledger.line-twice", "an identity is listed twice", identity=identity)
            if list(scope) != sorted(set(scope)):
                raise Refusal("ledger.scope", "a scope is a sorted list of entries", identity=identity)
            scopes[identity] = frozenset(scope)
    return scopes


def _check_order(tops: Sequence[Node]) -> None:
    """Over all that is shown: a local ref names an earlier create; nothing names a ref after it was consumed."""
    consumed: set[ContractRef] = set()
    last = -1
    for top in tops:
        for node in top.walk():
            index = node.action.index
            if index <= last:
                raise Refusal("ledger.order", "entries are in the order of the forest", index=index)
            last = index
            if isinstance(node.action, Create):
                continue
            ref = node.action.ref
            if ref.transaction is None and ref.index >= index:
                raise Refusal("ledger.local-ref", "a local ref names a later entry", entry=index, ref=ref.index)
            if ref in consumed:
                raise Refusal("ledger.consumed-twice", "a ref is named after it was consumed", entry=index)
            if isinstance(node.entry, ConsumeEntry):
                consumed.add(ref)


def _check_history(run: _Run, scopes: Scopes, world: World) -> frozenset[ContractRef]:
    """Refuse an input that a signatory does not vouch for by signing and that is not known to be valid.

    Returns the inputs that rest on their signatories' word alone.
    """
    known = {
        ref
        for ref, disclosure in run.inputs.items()
        if ref.transaction is not None and world.known_valid(disclosure.origin)
    }
    for top in run.tops:
        for node in top.walk():
            action = node.action
            if isinstance(action, Create) or action.ref not in run.inputs or action.ref in known:
                continue
            if not without_history(action, scopes):
                raise Refusal(
                    "ledger.history", "a signatory does not sign here, and the contract's history is not known",
                    entry=action.index, transaction=action.ref.transaction, index=action.ref.index,
                )  # fmt: skip
    return frozenset(run.inputs) - known


def shown_lines(view: View) -> Mapping[bytes, LineOpening]:
    """The lines a view opens, by identity."""
    return {line.line.identity: line for line in view.lines if isinstance(line, LineOpening)}
