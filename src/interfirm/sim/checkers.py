"""What must hold in every world once it has healed. Checkers know nothing of the workload but what it asked for.

They look at the world from outside: at what the notaries said yes to, at what each firm's vault says, and at every byte
that was delivered to anybody.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.business.cash.contract import Cash, Redemption
from interfirm.contracts import interpreter
from interfirm.contracts.types import ContractRef, Create, Exercise
from interfirm.ledger import tree
from interfirm.ledger.tree import Node
from interfirm.ledger.types import ConsumeEntry
from interfirm.node.flows.messages import ClaimsAsked
from interfirm.node.flows.types import FlowMessage
from interfirm.node.vault.types import StoredContract
from interfirm.notary.claims.machine import TAKEN
from interfirm.notary.types import Import, Lock, claim_key
from interfirm.sim.firm import ENDED_ANYHOW, SimFirm
from interfirm.sim.notary import Acceptance, Passage
from interfirm.sim.people import People
from interfirm.sim.world import World

Findings = list[str]
ALL = 2**31 - 1


class Evidence:
    """What is known of a world at its end, gathered once for all checkers."""

    def __init__(self, workload: People) -> None:
        self.workload = workload
        self.world: World = workload.world
        self.accepted: dict[bytes, Acceptance] = {}
        for notary in self.world.notaries:
            self.accepted.update(notary.accepted)
        self.vaults: dict[str, dict[ContractRef, StoredContract]] = {
            firm.name: _contracts(self.world, firm) for firm in self.world.firms
        }

        self.locks: dict[bytes, Passage] = {}
        self.imports: dict[bytes, Passage] = {}
        """What was locked, and what was imported, by lock id."""
        for notary in self.world.notaries:
            for passage in notary.passages.values():
                if isinstance(passage.request, Lock):
                    self.locks[passage.lock] = passage
                elif isinstance(passage.request, Import):
                    self.imports[passage.lock] = passage
        self.consumers = self._consumers()
        self.made = {
            ContractRef(name, node.action.index): node.action
            for name in self.accepted
            if name in self.world.drafts
            for node in self.world.drafts[name].nodes
            if isinstance(node.action, Create)
        }
        """Every contract that exists or existed, as its builder made it."""
        for lock in self.imports:
            arrived = ContractRef(lock, 0)
            if (made := self.made.get(self.origin(arrived))) is not None:
                self.made[arrived] = made

    def origin(self, ref: ContractRef) -> ContractRef:
        """The ref under which a contract was made, before it moved."""
        while (passage := self.imports.get(ref.transaction or b"")) is not None:
            assert isinstance(passage.request, Import)
            ref = passage.request.ref
        return ref

    def _consumers(self) -> dict[ContractRef, list[bytes]]:
        """The accepted transactions that consumed each contract, and the locks under which it went elsewhere."""
        found: dict[ContractRef, list[bytes]] = defaultdict(list)
        for name, acceptance in self.accepted.items():
            for entry in acceptance.request.entries:
                if isinstance(entry, ConsumeEntry):
                    found[ContractRef(entry.ref.transaction or name, entry.ref.index)].append(name)
        for lock, passage in self.imports.items():
            assert isinstance(passage.request, Import)
            found[passage.request.ref].append(lock)
        return found

    def vaults_of(self, identity: bytes) -> dict[ContractRef, StoredContract]:
        """What the vault of a firm holds; nothing for who is none."""
        firm = self.world.firm_of(identity)
        return {} if firm is None else self.vaults[firm.name]

    def contracts(self) -> dict[ContractRef, StoredContract]:
        """Every contract that is in some vault, in the order of refs."""
        merged: dict[ContractRef, StoredContract] = {}
        for vault in self.vaults.values():
            merged.update(vault)
        return {ref: merged[ref] for ref in sorted(merged, key=_order)}

    def excused(self, firm: SimFirm, transaction: bytes | None) -> bool:
        """Whether a firm may lack a transaction: a liar submitted it, and the firm signed nothing in it.

        So with a move that a liar had a part in and the firm did not confirm: who moves a contract tells where it went.
        """
        if transaction in self.imports:
            return self._left_out(firm, transaction)
        acceptance = self.accepted.get(transaction or b"")
        if acceptance is None:
            return False
        by = self.world.firm_of(acceptance.requester)
        listed = {line.line.identity for line in acceptance.request.lines}
        return (by is None or not by.honest) and firm.identity not in listed

    def _left_out(self, firm: SimFirm, lock: bytes) -> bool:
        request, made = self.locks[lock].request, self.made[ContractRef(lock, 0)]
        assert isinstance(request, Lock)
        confirmers = request.opening.confirmers.parties
        parties = {*made.informees, *confirmers}
        honest = {each.identity for each in self.world.honest}
        return firm.identity not in confirmers and not parties <= honest


def single_spend(evidence: Evidence) -> Findings:
    """No contract is consumed by two accepted transactions, and no two vaults name different consumers."""
    found = [
        f"{_name(ref)} was consumed by {len(names)} transactions"
        for ref, names in evidence.consumers.items()
        if len(names) > 1
    ]
    ends: dict[ContractRef, set[bytes]] = defaultdict(set)
    for ref, names in evidence.consumers.items():
        ends[evidence.origin(ref)].update(name for name in names if name in evidence.accepted)
    found += [f"{_name(ref)} was consumed at several notaries" for ref, names in ends.items() if len(names) > 1]
    for ref in evidence.contracts():
        said = {vault[ref].consumer for vault in evidence.vaults.values() if ref in vault} - {None}
        if len(said) > 1:
            found.append(f"vaults name {len(said)} consumers of {_name(ref)}")
    return found


def no_claim_twice(evidence: Evidence) -> Findings:
    """Neither claim hashes nor the keys in the vaults occur twice; what honest owners claimed is taken at home."""
    made: dict[object, list[object]] = defaultdict(list)
    for name, acceptance in evidence.accepted.items():
        for opening in acceptance.request.claims:
            made["hash", opening.owner, opening.claim].append((name, opening.entry))
    for ref, stored in evidence.contracts().items():
        made_as = evidence.origin(ref)
        described = interpreter.describe(evidence.world.engine, stored.template, stored.payload, index=made_as.index)
        for key in described.claims:
            made["key", key.family, key.owner, key.alpha].append(made_as)
    found = [f"a claim was made {len(set(by))} times" for by in made.values() if len(set(by)) > 1]
    return found + _not_taken(evidence)


def _not_taken(evidence: Evidence) -> Findings:
    """Claims of accepted transactions that their owner's home does not keep as taken by them."""
    home = evidence.world.notaries[0]  # everybody's
    honest = {firm.identity for firm in evidence.world.honest}
    return [
        f"a claim of {name.hex()[:12]} is not taken at home"
        for name, acceptance in evidence.accepted.items()
        for opening in acceptance.request.claims
        if opening.owner in honest and home.claim(claim_key(opening.owner, opening.claim)) != [TAKEN, name]
    ]


def one_notary(evidence: Evidence) -> Findings:
    """Each contract can be consumed at one notary, and at none only where it ended or a liar had a part in its lock."""
    usable: dict[ContractRef, list[str]] = defaultdict(list)
    ended = {evidence.origin(ref) for ref, names in evidence.consumers.items() if set(names) & evidence.accepted.keys()}
    for ref in evidence.made:
        for notary in evidence.world.notaries:
            if notary.is_usable(ref):
                usable[evidence.origin(ref)].append(notary.name)
    found = [f"{_name(ref)} is usable at {', '.join(names)}" for ref, names in usable.items() if len(names) > 1]
    honest = {firm.identity for firm in evidence.world.honest}
    for ref, made in evidence.made.items():
        if evidence.origin(ref) == ref and not usable[ref] and ref not in ended and set(made.informees) <= honest:
            found.append(f"{_name(ref)} is usable nowhere")
    return found


def vaults_agree(evidence: Evidence) -> Findings:
    """Each honest stakeholder holds each contract, with the same payload, and with the status the notary gave it.

    A liar may leave an observer unaware of a contract or of its end, and a signatory of neither: for it all is sealed.
    """
    found = []
    consumers = evidence.consumers
    for ref, stored in evidence.contracts().items():
        made = evidence.made.get(ref)
        if made is None or (made.template, made.payload) != (stored.template, stored.payload):
            found.append(f"{_name(ref)} is in a vault, and no accepted transaction made it so")
        consumer = consumers[ref][0] if ref in consumers else None
        for firm in evidence.world.honest:
            if firm.identity in (*stored.signatories, *stored.observers):
                found.extend(_disagreements(evidence, firm, ref, stored, consumer))
    return found


def _disagreements(
    evidence: Evidence, firm: SimFirm, ref: ContractRef, other: StoredContract, consumer: bytes | None
) -> Iterable[str]:
    own = evidence.vaults[firm.name].get(ref)
    if own is None:
        if not evidence.excused(firm, ref.transaction):
            yield f"{firm.name} lacks {other.template.name} {_name(ref)}"
        return
    if (own.template, own.payload, own.signatories) != (other.template, other.payload, other.signatories):
        yield f"{firm.name} holds another {other.template.name} {_name(ref)}"
    bound = firm.identity in own.signatories and consumer not in evidence.imports
    unaware = own.consumer is None and evidence.excused(firm, consumer) and not bound
    if own.consumer != consumer and not unaware:
        yield f"{firm.name} holds {other.template.name} {_name(ref)} as {own.status}, the notary differs"


def amounts_conserved(evidence: Evidence) -> Findings:
    """For each issuer and currency, the cash that exists is what was issued less what was redeemed."""
    balance: dict[tuple[bytes, str], int] = defaultdict(int)
    for ref, made in evidence.made.items():
        if made.template.name == "Cash" and ref not in evidence.consumers:
            cash: Cash = codec.from_plain(made.payload, Cash)
            balance[cash.issuer.id, cash.amount.currency] += cash.amount.minor
        elif made.template.name == "Redemption":
            paid: Redemption = codec.from_plain(made.payload, Redemption)
            balance[paid.issuer.id, paid.amount.currency] += paid.amount.minor
    for asked in evidence.workload.tries:
        firm = next(firm for firm in evidence.world.firms if firm.name == asked.firm)
        if asked.issued is not None and firm.ended.get(asked.flow) == "done":
            balance[firm.identity, asked.issued.currency] -= asked.issued.minor
    return [
        f"{amount} minor units of {currency} came from nowhere" for (_, currency), amount in balance.items() if amount
    ]


def nothing_leaked(evidence: Evidence) -> Findings:
    """No honest firm or notary said a seed or a word of an action or contract to somebody who may not see it."""
    world = evidence.world
    liars = {firm.identity for firm in world.firms if not firm.honest}
    sight = _Sight(evidence)
    delivered: dict[bytes, tuple[set[bytes], set[bytes]]] = {}
    for (sender, receiver), bodies in world.seen.items():
        if sender in liars:
            continue
        strings, marks = delivered.setdefault(receiver, (set(), set()))
        for body in bodies:
            strings.update(_STRING.findall(body))
            marks.update(_MARK.findall(body))
    found = []
    for receiver, (strings, marks) in delivered.items():
        who = world.population.name_of(receiver)
        for place, secrets in sight.hidden_from(receiver):
            if strings & secrets or marks & secrets:
                found.append(f"{who} was shown {place}")
    return found


_STRING = re.compile(rb"(?=\x58\x20(.{32}))", re.DOTALL)
"""Every 32-byte string of canonical blocks, at whatever depth, and a few things that only look like one."""
_MARK = re.compile(rb"mark-[0-9a-f]{16}")


def _claims_asked(world: World) -> Iterable[tuple[bytes, ClaimsAsked]]:
    """What claims' owners were asked, and who they are."""
    for (_, receiver), bodies in world.seen.items():
        for body in bodies:
            with suppress(Refusal):
                message = codec.decode(body, FlowMessage)
                if message.flow == "prove-claims":
                    yield receiver, codec.decode(message.body, ClaimsAsked)


class _Sight:
    """Who may see which node of every transaction that was ever built, by rules of its own.

    A party sees the nodes it is an informee of and all below them, and the contracts that these use. Of a contract
    whose signatories leave the confirming to others it also sees how it was made, and so on back. Contracts may be
    shared.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._origin = evidence.origin
        self._nodes: dict[ContractRef, Node] = {}
        self._parents: dict[ContractRef, Node | None] = {}
        self._shown: dict[bytes, set[ContractRef]] = defaultdict(set)
        self._disclosed: dict[bytes, set[ContractRef]] = defaultdict(set)
        drafts = evidence.world.drafts
        for name, draft in drafts.items():
            for root in draft.roots:
                self._place(name, root, None)
        for name, draft in drafts.items():
            for root in draft.roots:
                for node in root.walk():
                    for party in node.action.informees:
                        for place in self._ancestry(ContractRef(name, node.action.index)) or [(name, node)]:
                            self._show(party, *place)
        for share in evidence.workload.shares:
            ref = evidence.origin(share.ref)
            self._disclosed[share.to].add(ref)
            made = [(ref.transaction or b"", self._nodes[ref])]
            for place in self._ancestry(ref) or made:
                self._show(share.to, *place)

        for receiver, asked in _claims_asked(evidence.world):
            own = [d.ref for d in asked.inputs if d.ref in evidence.vaults_of(receiver)]
            if own:  # asked to prove what a choice on its own contract claims: it sees what that uses
                self._disclosed[receiver].update(d.origin for d in asked.inputs)

    def _place(self, name: bytes, node: Node, parent: Node | None) -> None:
        ref = ContractRef(name, node.action.index)
        self._nodes[ref], self._parents[ref] = node, parent
        for child in node.children:
            self._place(name, child, node)

    def _show(self, party: bytes, name: bytes, top: Node) -> None:
        waiting = [(name, top)]
        while waiting:
            name, top = waiting.pop()
            for node in top.walk():
                place = ContractRef(name, node.action.index)
                if place in self._shown[party]:
                    continue
                self._shown[party].add(place)
                if not isinstance(node.action, Create):
                    ref = self._origin(ContractRef(node.action.ref.transaction or name, node.action.ref.index))
                    self._disclosed[party].add(ref)
                    waiting.extend(self._ancestry(ref))

    def _ancestry(self, ref: ContractRef) -> list[tuple[bytes, Node]]:
        """The node that made a contract whose history travels with it."""
        node = self._nodes.get(ref)
        if node is None or not isinstance(node.action, Create):
            return []
        if set(node.action.signatories) <= set(node.action.confirmers.parties):
            return []
        parent = self._parents[ref]
        same = parent is not None and parent.action.template == node.action.template
        assert ref.transaction is not None
        return [(ref.transaction, parent if same and parent is not None else node)]

    def hidden_from(self, party: bytes) -> Iterable[tuple[str, set[bytes]]]:
        """Every place that the party may not see, with the secrets that would show it."""
        shown, disclosed = self._shown[party], self._disclosed[party]
        for place, node in self._nodes.items():
            if place in shown:
                continue
            secrets = {node.seed}
            if isinstance(node.action, Create) and place not in disclosed:
                secrets.add(tree.payload_seed(node.seed))
                secrets.update(_MARK.findall(codec.encode(node.action.payload)))
            yield f"{_kind(node)} {_name(place)}", secrets


def everyone_answered(evidence: Evidence) -> Findings:
    """Every flow of every honest firm has ended in a result or a refusal, and nothing waits to be sent."""
    found = []
    for firm in evidence.world.honest:
        if not firm.up:
            found.append(f"{firm.name} is down")
            continue
        found.extend(f"{firm.name} never answered {name}" for name in firm.unanswered())
        with firm.vault.read() as turn:
            for record in turn.flows(limit=ALL):
                if record.state not in ENDED_ANYHOW or record.state == "failed":
                    found.append(f"{firm.name}: {record.kind} {record.id} is {record.state}")
            if turn.next_notary_request_ms() is not None:
                found.append(f"{firm.name} still asks a notary")
        for peer, session in firm.node.sessions.peers.items():
            if session.outbox:
                found.append(
                    f"{firm.name} has {len(session.outbox)} messages for {evidence.world.population.name_of(peer)}"
                )
    if not evidence.world.at_rest:
        found.append("the world does not come to rest")
    return found


CHECKERS: dict[str, Callable[[Evidence], Findings]] = {
    "single spend": single_spend,
    "one notary": one_notary,
    "no claim twice": no_claim_twice,
    "vaults agree": vaults_agree,
    "amounts conserved": amounts_conserved,
    "nothing leaked": nothing_leaked,
    "everyone answered": everyone_answered,
}


def check_world(workload: People) -> dict[str, Findings]:
    """What each checker found, by its name; empty lists where all holds."""
    evidence = Evidence(workload)
    return {name: checker(evidence) for name, checker in CHECKERS.items()}


def _contracts(world: World, firm: SimFirm) -> dict[ContractRef, StoredContract]:
    found: dict[ContractRef, StoredContract] = {}
    with firm.reading() as turn:
        for code in world.engine.templates():
            after: str | None = None
            while True:
                page = turn.select(code.id, status=None, after=after, limit=500)
                found.update({stored.ref: stored for stored in page.rows})
                after = page.next_cursor
                if after is None:
                    break
    return found


def _order(ref: ContractRef) -> tuple[bytes, int]:
    return ref.transaction or b"", ref.index


def _name(ref: ContractRef) -> str:
    return f"{(ref.transaction or b'').hex()[:12]}:{ref.index}"


def _kind(node: Node) -> str:
    action: Any = node.action
    return f"{action.template.name}.{action.choice}" if isinstance(action, Exercise) else action.template.name
