"""Verifying a view: re-execute what is shown, rebuild the hashes, and compare with the transaction id that was signed.

Nothing in a view is believed because it was sent. Commands are run again; actions, entries and hashes follow from the
run; what does not lead to the expected id is refused. Then the view must carry its own authority, and each input must
have been created by a notarised transaction at this view's notary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.contracts import interpreter, types
from interfirm.contracts.interpreter import Engine
from interfirm.contracts.types import Action, ContractRef, Create, CreateCommand, ExerciseCommand, Fetch
from interfirm.ledger import tree
from interfirm.ledger.authority import Scopes, check_carried, without_history
from interfirm.ledger.tree import Node
from interfirm.ledger.types import (
    FORMAT_VERSION,
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

    def accepted(self, receipt: bytes, transaction: bytes, network: bytes, notary: bytes) -> None:
        """Return if the receipt proves that this notary accepted this transaction."""

    def claim_output(self, owner: bytes, alpha: bytes, proof: bytes) -> bytes:
        """The VRF output of the owner's registered VRF key over alpha, if the proof is right."""

    def known_valid(self, ref: ContractRef) -> bool:
        """Whether this verifier has already verified, with its history, the creation of the contract."""


class Verified(Value, frozen=True):
    """A view that holds: what the party may believe once a receipt for `id` is there."""

    view: View
    id: bytes
    skeleton: Skeleton
    tops: tuple[Node, ...]
    scopes: Scopes
    created: dict[int, Contract]
    inputs: dict[ContractRef, Disclosure]

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
    disclosed = _Inputs(view, engine, world)
    tops, skeleton, created = _rebuild(view, engine, world, disclosed)
    found = skeleton.id
    if transaction is not None and found != transaction:
        raise Refusal("ledger.id", "re-execution leads to another transaction", expected=transaction, found=found)
    scopes = _scopes(view)
    _check_order(tops)
    check_carried(tops, scopes, view.header.window)
    _check_inputs(tops, scopes, disclosed, world)
    return Verified(
        view=view, id=found, skeleton=skeleton, tops=tops, scopes=scopes, created=created, inputs=disclosed.found
    )


def check_signer(verified: Verified, party: bytes) -> None:
    """Refuse unless the party's own line is there and covers exactly what it re-executed (`ledger.scope`)."""
    shown = frozenset(node.action.index for node in verified.nodes)
    scope = verified.scopes.get(party)
    if scope != shown:
        raise Refusal(
            "ledger.scope", "the listed line is not what this party re-executed", party=party,
            listed=sorted(scope or ()), shown=sorted(shown),
        )  # fmt: skip


def _check_header(view: View, network: bytes) -> None:
    header = view.header
    if header.version != FORMAT_VERSION:
        raise Refusal("ledger.version", "unknown format version", version=header.version)
    if header.network != network:
        raise Refusal("ledger.network", "a transaction of another network", network=header.network)
    if len(view.entries) > LIMITS.entries_count_max or len(view.lines) > LIMITS.lines_count_max:
        raise Refusal("ledger.entries", "too many entries or lines", entries=len(view.entries), lines=len(view.lines))


class _Inputs:
    """The disclosed inputs of a view, each checked before code sees it."""

    def __init__(self, view: View, engine: Engine, world: World) -> None:
        self.found: dict[ContractRef, Disclosure] = {}
        self.described: dict[ContractRef, Create] = {}
        self.used: set[ContractRef] = set()
        for disclosure in view.inputs:
            if disclosure.ref in self.found:
                raise Refusal("ledger.input", "an input is shown twice", ref=disclosure.ref.index)
            self.described[disclosure.ref] = _check_disclosure(disclosure, view, engine, world)
            self.found[disclosure.ref] = disclosure

    def lookup(self, ref: ContractRef) -> types.Contract:
        disclosure = self.found.get(ref)
        if disclosure is None:
            raise Refusal("ledger.input", "an input is not shown", transaction=ref.transaction, index=ref.index)
        self.used.add(ref)
        return types.Contract(template=disclosure.template, payload=disclosure.payload)


def _check_disclosure(disclosure: Disclosure, view: View, engine: Engine, world: World) -> Create:
    """Payload root, output proof, receipt, confirmers and `ensure` of one input; returns what the payload says of it."""
    ref, entry, skeleton = disclosure.ref, disclosure.entry, disclosure.skeleton
    names = names_from(engine)(disclosure.template)
    if tree.payload_root(disclosure.template, names, disclosure.payload, disclosure.payload_seed) != entry.payload:
        raise Refusal("ledger.payload", "the payload is not the one that was created", index=ref.index)
    hashes = view.entries if skeleton is None else skeleton.entries
    if not 0 <= ref.index < len(hashes) or hashes[ref.index] != entry_hash(entry):
        raise Refusal("ledger.output-proof", "the entry is not part of the creating transaction", index=ref.index)
    if skeleton is not None:
        if ref.transaction is None or skeleton.id != ref.transaction:
            raise Refusal("ledger.output-proof", "another transaction than the ref names", index=ref.index)
        if skeleton.header.notary != view.header.notary or skeleton.header.network != view.header.network:
            raise Refusal("ledger.notary", "the input lives at another notary", notary=skeleton.header.notary)
        world.accepted(disclosure.receipt, skeleton.id, skeleton.header.network, skeleton.header.notary)
    elif ref.transaction is not None:
        raise Refusal("ledger.output-proof", "an input without its creating transaction", index=ref.index)
    described = interpreter.describe(engine, disclosure.template, disclosure.payload, index=ref.index)
    if tree.confirmers_commitment(disclosure.confirmers_salt, described.confirmers) != entry.confirmers:
        raise Refusal("ledger.confirmers-commitment", "the output names other confirmers", index=ref.index)
    return described


def _rebuild(
    view: View, engine: Engine, world: World, inputs: _Inputs
) -> tuple[tuple[Node, ...], Skeleton, dict[int, Contract]]:
    """Run what is shown; return the shown tops, the skeleton they lead to, and the contracts they create."""
    tops: list[Node] = []
    roots = tuple(_branch_hash(branch, view, engine, world, inputs, tops, 0) for branch in view.roots)
    entries = list(view.entries)
    created: dict[int, Contract] = {}
    for top in tops:
        for node in top.walk():
            _fill(entries, node)
            if isinstance(node.action, Create) and isinstance(node.entry, CreateEntry):
                created[node.action.index] = Contract(
                    ref=ContractRef(None, node.action.index), action=node.action,
                    payload_seed=tree.payload_seed(node.seed), confirmers_salt=tree.confirmers_salt(node.seed),
                    entry=node.entry,
                )  # fmt: skip
    complete = tuple(h for h in entries if h is not None)
    if len(complete) != len(entries):
        raise Refusal(
            "ledger.entry",
            "an entry is neither shown nor hashed",
            entries=[i for i, h in enumerate(entries) if h is None],
        )
    lines = tuple(line.hash if isinstance(line, LineOpening) else line for line in view.lines)
    skeleton = Skeleton(header=view.header, entries=complete, lines=lines, roots=roots, components=view.components)
    return tuple(tops), skeleton, created


def _fill(entries: list[bytes | None], node: Node) -> None:
    index = node.action.index
    if index >= len(entries) or entries[index] is not None:
        raise Refusal("ledger.order", "entry k belongs to action k", index=index)
    entries[index] = entry_hash(node.entry)


def _branch_hash(
    branch: Shown | Passed | bytes,
    view: View,
    engine: Engine,
    world: World,
    inputs: _Inputs,
    tops: list[Node],
    depth: int,
) -> bytes:
    if depth > LIMITS.action_depth_max:
        raise Refusal("ledger.depth", "the forest is too deep", depth_max=LIMITS.action_depth_max)
    if isinstance(branch, bytes):
        return branch
    if isinstance(branch, Passed):
        hashes = [_branch_hash(child, view, engine, world, inputs, tops, depth + 1) for child in branch.children]
        return tree.node_hash(branch.body, hashes)
    action = _run(branch, view, engine, inputs)
    node = tree.build(action, branch.seed, names_from(engine), _claims(branch.proofs, world))
    tops.append(node)
    return node.hash


def _run(shown: Shown, view: View, engine: Engine, inputs: _Inputs) -> Action:
    command = shown.command
    if isinstance(command, (CreateCommand, ExerciseCommand)):
        actions = interpreter.interpret(
            engine, [command], lookup=inputs.lookup, window=view.header.window, first_index=shown.index
        )
        return actions[0]
    return _fetched(command, shown.index, engine, inputs)


def _fetched(command: FetchCommand, index: int, engine: Engine, inputs: _Inputs) -> Fetch:
    found = inputs.lookup(command.ref)
    if found.template != command.template:
        raise Refusal("ledger.template", "a read of another template", expected=command.template.name)
    described = inputs.described[command.ref]
    stakeholders = {*described.signatories, *described.observers}
    if not command.controllers or not set(command.controllers) <= stakeholders:
        raise Refusal("ledger.authority", "a read is made by stakeholders", entry=index)
    return Fetch(
        index=index, ref=command.ref, template=command.template, controllers=command.controllers,
        signatories=described.signatories, observers=described.observers,
    )  # fmt: skip


def _claims(proofs: Sequence[bytes], world: World) -> Callable[[int, Create], list[bytes]]:
    """Claim hashes from the VRF proofs shown, taken in the order of entries and claims."""
    left = list(reversed(proofs))

    def hashes(index: int, action: Create) -> list[bytes]:
        if len(left) < len(action.claims):
            raise Refusal("ledger.claim-proof", "a claim is shown without its proof", entry=index)
        return [
            tree.claim_hash(key.owner, world.claim_output(key.owner, key.alpha, left.pop())) for key in action.claims
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


def _check_inputs(tops: Sequence[Node], scopes: Scopes, inputs: _Inputs, world: World) -> None:
    """Each input shown is used, and history is there where a signatory does not vouch by signing."""
    needed: dict[ContractRef, int] = {}
    for top in tops:
        for node in top.walk():
            action = node.action
            if not isinstance(action, Create) and action.ref in inputs.found and not without_history(action, scopes):
                needed[action.ref] = action.index
    for ref, entry in needed.items():
        if ref.transaction is None or not world.known_valid(ref):
            raise Refusal(
                "ledger.history", "a signatory does not sign here, and the contract's history is not known",
                entry=entry, transaction=ref.transaction, index=ref.index,
            )  # fmt: skip
    unused = [ref.index for ref in inputs.found if ref not in inputs.used]
    if unused:
        raise Refusal("ledger.input", "an input is shown that nothing uses", refs=unused)


def shown_lines(view: View) -> Mapping[bytes, LineOpening]:
    """The lines a view opens, by identity."""
    return {line.line.identity: line for line in view.lines if isinstance(line, LineOpening)}
