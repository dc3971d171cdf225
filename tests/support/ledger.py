"""A network in memory: notaries over dictionaries, and parties that build, verify, sign and remember.

`Network` is the world's one truth in a test: it holds every package, notary and registered party, and it can disclose
every contract (a test's builder need not be told things). What a `Member` *believes* is kept apart, in its own books:
only what it verified itself, with a receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import Ed25519Signer
from interfirm.base.time import Instant, Window
from interfirm.contracts import interpreter, language, types
from interfirm.contracts.packages import Engine, bundle
from interfirm.contracts.types import (
    Command,
    Confirmers,
    ContractRef,
    Create,
    CreateCommand,
    ExerciseCommand,
    TemplateId,
)
from interfirm.ledger import builder, tree
from interfirm.ledger.authority import highest
from interfirm.ledger.builder import Draft
from interfirm.ledger.history import History, HistoryItem, history_of, verify_history
from interfirm.ledger.moves import import_id
from interfirm.ledger.signing import PARTY, sign
from interfirm.ledger.types import ConfirmersOpening, Disclosure, Move, Skeleton, TransactionSignature, View
from interfirm.ledger.verification import Verified, check_signer, names_from, verify_view
from interfirm.notary import machine
from interfirm.notary.questions import check_statement, state_it
from interfirm.notary.registry.machine import registration_bytes, rotation_bytes
from interfirm.notary.requests import request_of
from interfirm.notary.types import (
    Answer,
    Ask,
    Asked,
    Block,
    Done,
    Finish,
    Genesis,
    Import,
    Lock,
    Refused,
    Register,
    Request,
    Reserve,
    Rotate,
    Said,
    Unlock,
)

from .contracts.iou import contract
from .parties import Party, output_of, party

NETWORK = digest("test network")
NOW = Instant(1_700_000_000_000)
HOUR_MS = 3_600_000
REGISTRAR = Ed25519Signer(digest("test registrar"))
ENGINE = Engine(bundle(contract))
NAMES = names_from(ENGINE)


def template(name: str) -> TemplateId:
    """The id of a sample template."""
    return ENGINE.named(name).id


def create(value: language.Template) -> CreateCommand:
    """The command that creates this contract."""
    return CreateCommand(template=template(type(value).__name__), payload=codec.plain(value))


def exercise(ref: ContractRef, choice: Callable[..., Any], **arguments: Any) -> ExerciseCommand:
    """The command that makes this choice (`contract.Iou.transfer`) with arguments by name."""
    name, _, chosen = choice.__qualname__.partition(".")
    code = ENGINE.named(name)
    plain = code.choices[chosen].arguments_plain(arguments)
    return ExerciseCommand(ref=ref, template=code.id, choice=chosen, arguments=plain)


def ref_of(ref: ContractRef) -> language.Ref[Any]:
    """A ref as contract code holds it."""
    return language.Ref(ref.transaction, ref.index)


def who(someone: Party) -> language.Party:
    """A party as contract code names it."""
    return language.Party(someone.id)


class Notary:
    """A notary over a dictionary; a receipt is its word by a signature over the id, which costs less than a log."""

    def __init__(self, network: Network, label: str, *, trusted: bool = True) -> None:
        self.network = network
        self.label = label
        self.trusted = trusted
        self.signer = Ed25519Signer(digest("test notary", label))
        self.genesis = Genesis(
            network=network.id, registrar=REGISTRAR.public, key=self.signer.public, label=label, registry=None
        )
        self.id = machine.notary_id(self.genesis)
        self.state: dict[tuple[str, bytes], bytes] = {}
        self.now, self.height = NOW, 0

    def copied(self, network: Network) -> Notary:
        """A notary of its own in the same state, in another network."""
        made = copy(self)
        made.network, made.state = network, dict(self.state)
        return made

    def get(self, space: str, key: bytes) -> bytes | None:
        """The state at a key."""
        return self.state.get((space, key))

    def ask(self, request: Request, requester: Party | None = None) -> Answer:
        """Judge one request in a block of its own, and keep what it changes."""
        asked = Asked(requester=(requester or party("nobody")).id, request=request)
        block = Block(height=self.height + 1, time=self.now, requests=(asked,))
        judged = machine.judge(self, block, genesis=self.genesis, abroad=self.network)
        for key, value in judged.changes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        self.height += 1
        self.now = judged.time
        return judged.answers[0]

    def done(self, request: Request) -> Done:
        """The effect of a request; raises its refusal."""
        answer = self.ask(request)
        if isinstance(answer, Refused):
            raise Refusal(answer.code, answer.message, **answer.values)
        assert isinstance(answer, Done)
        return answer

    def receipt(self, name: bytes) -> bytes:
        """The receipt of an id that was accepted here."""
        if self.get("accepted", name) is None:
            raise Refusal("receipt.none", "this notary accepted nothing of this id")
        return b"receipt:" + self.id + name

    def say(self, kind: str, subject: bytes) -> bytes:
        """A signed statement."""
        answer = self.ask(Ask(kind=kind, subject=subject))
        assert isinstance(answer, Said), answer
        return state_it(self.signer, self.id, answer)


class Network:
    """See the module."""

    def __init__(self, names: str = "", *, notaries: str = "one") -> None:
        self.id = NETWORK
        self.notaries = {notary.id: notary for notary in (Notary(self, label) for label in notaries.split())}
        self.members: dict[bytes, Member] = {}
        self.disclosures: dict[ContractRef, Disclosure] = {}
        self.openings: dict[ContractRef, tuple[bytes, Confirmers]] = {}
        self.whole: dict[bytes, HistoryItem] = {}
        self.rotated: dict[bytes, list[Ed25519Signer]] = {}
        self.count = 0
        self.window = Window(lower=NOW.plus_ms(-HOUR_MS), upper=NOW.plus_ms(HOUR_MS))
        for name in names.split():
            self.join(party(name))

    def copied(self) -> Network:
        """A network of its own in the same state."""
        made = copy(self)
        made.notaries = {name: notary.copied(made) for name, notary in self.notaries.items()}
        made.members = {name: member.copied(made) for name, member in self.members.items()}
        made.disclosures, made.openings = dict(self.disclosures), dict(self.openings)
        made.whole = dict(self.whole)
        made.rotated = {identity: list(signers) for identity, signers in self.rotated.items()}
        return made

    # notaries and members -----------------------------------------------------------------------------------------

    @property
    def notary(self) -> Notary:
        """The first notary."""
        return next(iter(self.notaries.values()))

    def named(self, label: str) -> Notary:
        """The notary of this label."""
        return next(notary for notary in self.notaries.values() if notary.label == label)

    def join(self, someone: Party, *, home: Notary | None = None) -> Member:
        """Register a party at every notary; its claims are decided at `home`, the first one by default."""
        place = (home or self.notary).id
        message = registration_bytes(self.id, someone.signer.public, someone.vrf.public, place)
        request = Register(
            key=someone.signer.public, vrf=someone.vrf.public, home=place, registrar=REGISTRAR.sign(message),
            own=someone.signer.sign(message),
        )  # fmt: skip
        for notary in self.notaries.values():
            notary.done(request)
        self.members[someone.id] = Member(self, someone, home or self.notary)
        return self.members[someone.id]

    def signer(self, someone: Party) -> Ed25519Signer:
        """What a party signs with today."""
        return self.rotated.get(someone.id, [someone.signer])[-1]

    def rotate(self, someone: Party) -> Ed25519Signer:
        """Give a party a new key at every notary; returns the old one, which counts no longer."""
        old, keys = self.signer(someone), self.rotated.setdefault(someone.id, [])
        new = Ed25519Signer(digest("test rotated key", someone.name, len(keys) + 1))
        message = rotation_bytes(self.id, someone.id, new.public, len(keys) + 1)
        request = Rotate(
            identity=someone.id, key=new.public, number=len(keys) + 1, old=old.sign(message), new=new.sign(message)
        )
        for notary in self.notaries.values():
            notary.done(request)
        keys.append(new)
        return old

    def check_known(self, notary: bytes) -> None:
        """notary.types.Abroad: all notaries of a network know each other."""
        if notary not in self.notaries:
            raise Refusal("notary.stranger", "no such notary", notary=notary)

    def receipt(self, notary: bytes, receipt: bytes) -> bytes:
        """notary.types.Abroad: the id that a receipt proves accepted."""
        head, place, name = receipt[:8], receipt[8:40], receipt[40:]
        known = self.notaries.get(notary)
        if head != b"receipt:" or place != notary or known is None or known.get("accepted", name) is None:
            raise Refusal("receipt.notary", "not this notary's receipt")
        return name

    def statement(self, notary: bytes, statement: bytes) -> Said:
        """notary.types.Abroad: what a notary said."""
        return check_statement(statement, notary, self.notaries[notary].signer.public)

    # building -----------------------------------------------------------------------------------------------------

    def lookup(self, ref: ContractRef) -> types.Contract:
        """Any contract of the network."""
        found = self.disclosures.get(ref)
        if found is None:
            raise Refusal("test.unknown", "no such contract", index=ref.index)
        return types.Contract(template=found.template, payload=found.payload, created_in=found.origin.transaction)

    def draft(
        self,
        *commands: Command,
        window: Window | None = None,
        notary: Notary | None = None,
        unreachable: Sequence[Party] = (),
        actions: Sequence[types.Action] | None = None,
    ) -> Draft:
        """The honest transaction of these commands (or of these actions, which may be anything)."""
        window = window or self.window
        if actions is None:
            actions = interpreter.interpret(ENGINE, commands, lookup=self.lookup, window=window)
        self.count += 1
        return builder.build(
            actions, seed=digest("test seed", self.count), network=self.id, notary=(notary or self.notary).id,
            window=window, names=NAMES, claim_proof=self.claim_proof, unreachable=[p.id for p in unreachable],
        )  # fmt: skip

    def claim_proof(self, owner: bytes, alpha: bytes) -> tuple[bytes, bytes]:
        """builder.ClaimProof of any member."""
        vrf = self.members[owner].party.vrf
        proof = vrf.prove(alpha)
        return proof, output_of(vrf.public, alpha, proof)

    def inputs(self, draft: Draft, tops: Sequence[tree.Node]) -> list[Disclosure]:
        """The disclosures that a view of these nodes needs."""
        return [
            builder.own_disclosure(draft, index) if transaction is None else self.disclosures[
                ContractRef(transaction, index)
            ]
            for transaction, index in builder.inputs_of(tops)
        ]  # fmt: skip

    def view(self, draft: Draft, someone: Party) -> View:
        """The view that an honest builder gives a party."""
        return builder.view_of(draft, someone.id, self.inputs(draft, draft.tops.get(someone.id, ())))

    def whole_view(self, draft: Draft) -> View:
        """The view that shows everything."""
        return builder.view_from(draft, draft.roots, self.inputs(draft, draft.roots))

    def salts(self, transaction: bytes | None, index: int) -> bytes:
        """The confirmers' salt of any input."""
        return self.disclosures[ContractRef(transaction, index)].confirmers_salt

    def history(self, view: View, receiver: Member) -> History:
        """The history that a receiver of this view lacks, out of all that ever happened."""

        def find(ref: ContractRef) -> HistoryItem | None:
            return None if ref in receiver.known else self.whole[ref.transaction or b""]

        return history_of(
            view, find=find, engine=ENGINE, world=Omniscient(self), network=self.id, party=receiver.party.id
        )

    # transactions -------------------------------------------------------------------------------------------------

    def transact(self, *commands: Command, **options: Any) -> Transacted:
        """The whole honest course: build, propose, verify, sign, notarise, record. Raises whoever's refusal it is."""
        return self.settle(self.draft(*commands, **options))

    def settle(self, draft: Draft) -> Transacted:
        """The honest course of a draft."""
        signatures = [self.members[signer].sign(self.view(draft, party_of(signer, self)), draft.id)
                      for signer in draft.signers]  # fmt: skip
        done = self.notarise(draft, signatures)
        self.remember(draft)
        for informee in draft.informees:
            if informee in self.members:
                self.members[informee].receive(self.view(draft, self.members[informee].party))
        return Transacted(draft, done)

    def notarise(self, draft: Draft, signatures: Iterable[TransactionSignature]) -> Done:
        """The notary's acceptance, or its refusal."""
        notary = self.notaries[draft.header.notary]
        return notary.done(request_of(draft, list(signatures), salts=self.salts))

    def signatures(self, draft: Draft) -> list[TransactionSignature]:
        """All listed signatures, without asking anybody."""
        return [sign(self.members[s].party.signer, s, draft.id) for s in draft.signers]

    def force(self, draft: Draft) -> Transacted:
        """Have a draft accepted with all signatures and no party looking at it (all of them collude)."""
        done = self.notarise(draft, self.signatures(draft))
        self.remember(draft)
        return Transacted(draft, done)

    def remember(self, draft: Draft) -> None:
        """Make the contracts of an accepted draft available to builders."""
        receipt = self.notaries[draft.header.notary].receipt(draft.id)
        self.whole[draft.id] = HistoryItem(view=self.whole_view(draft), receipt=receipt)
        for node in draft.nodes:
            if isinstance(node.action, Create):
                ref = ContractRef(draft.id, node.action.index)
                self.disclosures[ref] = disclosed(node, ref, draft.skeleton, receipt)
                self.openings[ref] = tree.confirmers_salt(node.seed), node.action.confirmers

    # moves --------------------------------------------------------------------------------------------------------

    def lock(self, ref: ContractRef, to: Notary, *, until_ms: int = HOUR_MS) -> Lock:
        """The request to lock a contract, signed by its confirmers."""
        held = self.disclosures[ref]
        origin = self.home_of(held)
        described = interpreter.describe(ENGINE, held.template, held.payload, index=0)
        request = Lock(
            ref=ref, to=to.id, until=to.now.plus_ms(until_ms), nonce=digest("nonce", ref.index), signatures=(),
            opening=ConfirmersOpening(entry=0, salt=held.confirmers_salt, confirmers=described.confirmers),
        )  # fmt: skip
        name = machine.moves.id_of(request, origin.id)
        signers = [self.members[p].party for p in described.confirmers.parties]
        return request.replace(signatures=tuple(sign(self.signer(s), s.id, name, purpose="lock") for s in signers))

    def home_of(self, held: Disclosure) -> Notary:
        """The notary at which a contract lives."""
        if held.moves:
            return self.notaries[held.moves[-1].to]
        assert held.skeleton is not None
        return self.notaries[held.skeleton.header.notary]

    def bring(self, ref: ContractRef, to: Notary, request: Lock, lock: bytes) -> ContractRef:
        """Import a locked contract, and make it available under its new ref."""
        held = self.disclosures[ref]
        origin = self.home_of(held)
        receipt = origin.receipt(lock)
        to.done(
            Import(
                origin=origin.id,
                ref=ref,
                until=request.until,
                nonce=request.nonce,
                commitment=held.entry.confirmers,
                receipt=receipt,
            )
        )
        move = Move(
            ref=ref, to=to.id, until=request.until, nonce=request.nonce, lock_receipt=receipt,
            import_receipt=to.receipt(import_id(lock)),
        )  # fmt: skip
        moved = ContractRef(lock, 0)
        self.disclosures[moved] = held.replace(ref=moved, moves=(*held.moves, move))
        self.openings[moved] = self.openings[ref]
        return moved

    def move(self, ref: ContractRef, to: Notary) -> ContractRef:
        """Move a contract all the way; returns its new ref."""
        origin, request = self.home_of(self.disclosures[ref]), self.lock(ref, to)
        lock = origin.done(request).id
        moved = self.bring(ref, to, request, lock)
        origin.done(Finish(lock=lock, receipt=to.receipt(import_id(lock))))
        return moved

    def unlock(self, ref: ContractRef, to: Notary, lock: bytes) -> Done:
        """Undo a lock by the other notary's word."""
        return self.home_of(self.disclosures[ref]).done(Unlock(lock=lock, statement=to.say("imported", lock)))

    def reservation(self, draft: Draft, owner: Party, claim: bytes, until: Instant, *, home: Notary) -> bytes:
        """A home notary's word that it holds a claim for this draft."""
        request = Reserve(
            claim=claim, notary=draft.header.notary, transaction=draft.id, until=until,
            signature=sign(self.signer(owner), owner.id, b""),
        )  # fmt: skip
        name = machine.claims.reservation_id(request)
        home.done(request.replace(signature=sign(self.signer(owner), owner.id, name, purpose="reservation")))
        return home.say("claim", machine.claims.claim_key(owner.id, claim))


class Transacted:
    """An accepted draft."""

    def __init__(self, draft: Draft, done: Done) -> None:
        self.draft = draft
        self.done = done
        self.id = draft.id

    def ref(self, name: str, number: int = 0) -> ContractRef:
        """The ref of the contract of this template that it made, the `number`th of several."""
        made = [n.action for n in self.draft.nodes if isinstance(n.action, Create) and n.action.template.name == name]
        return ContractRef(self.id, made[number].index)


class Member:
    """A party with its books: what it verified itself, and of that what a notary accepted."""

    def __init__(self, network: Network, someone: Party, home: Notary) -> None:
        self.network = network
        self.party = someone
        self.home = home
        self.known: set[ContractRef] = set()
        self.held: dict[bytes, Verified] = {}
        self.signed: dict[bytes, frozenset[int]] = {}
        self.proposed: dict[bytes, View] = {}
        self.items: dict[bytes, list[HistoryItem]] = {}

    def copied(self, network: Network) -> Member:
        """A member of its own with the same books, in another network."""
        made = copy(self)
        made.network, made.home = network, network.notaries[self.home.id]
        made.known, made.held, made.signed = set(self.known), dict(self.held), dict(self.signed)
        made.proposed = dict(self.proposed)
        made.items = {name: list(items) for name, items in self.items.items()}
        return made

    # verification.World -------------------------------------------------------------------------------------------

    def trusted(self, notary: bytes) -> None:
        """Trusts the network's trusted notaries."""
        known = self.network.notaries.get(notary)
        if known is None or not known.trusted:
            raise Refusal("notary.stranger", "a notary that this member does not trust")

    def accepted(self, receipt: bytes, transaction: bytes, network: bytes, notary: bytes) -> None:
        """By the notary's own word, if it is a trusted one."""
        self.trusted(notary)
        if network != self.network.id:
            raise Refusal("receipt.network", "a receipt of another network")
        if self.network.receipt(notary, receipt) != transaction:
            raise Refusal("receipt.other", "a receipt of another id")

    def claim_output(self, owner: bytes, alpha: bytes, proof: bytes) -> bytes:
        """By the registered VRF key."""
        if owner not in self.network.members:
            raise Refusal("registry.unknown", "nobody registered this owner")
        return output_of(self.network.members[owner].party.vrf.public, alpha, proof)

    def remembered(self, ref: ContractRef) -> None:
        """See World: nothing is at hand, so everything is checked."""

    def known_valid(self, ref: ContractRef) -> bool:
        """What it recorded, or took from a history."""
        return ref in self.known

    # what a member does -------------------------------------------------------------------------------------------

    def verify(self, view: View, *, history: History | None = None, transaction: bytes | None = None) -> Verified:
        """Verify a view, with the history it lacks (all of the network's by default)."""
        self.learn(self.network.history(view, self) if history is None else history)
        return verify_view(view, engine=ENGINE, world=self, network=self.network.id, transaction=transaction)

    def learn(self, history: History) -> None:
        """Verify and keep a history."""
        found = verify_history(history, engine=ENGINE, world=self, network=self.network.id)
        self.known |= found
        for item, transaction in zip(history, _ids(history), strict=True):
            self.items.setdefault(transaction, []).append(item)

    def give(self, view: View, receiver: Member) -> History:
        """The history that a receiver of this view lacks, out of what this member holds itself."""

        def find(ref: ContractRef) -> HistoryItem | None:
            return None if ref in receiver.known else self.find(ref)

        return history_of(view, find=find, engine=ENGINE, world=self, network=self.network.id, party=receiver.party.id)

    def find(self, ref: ContractRef) -> HistoryItem:
        """A held view that shows the contract made."""
        for item in self.items.get(ref.transaction or b"", ()):
            if item.view.entries[ref.index] is None:
                return item
        raise Refusal("test.not-held", "this member does not hold the history", index=ref.index)

    def sign(self, view: View, transaction: bytes, *, history: History | None = None) -> TransactionSignature:
        """Sign a transaction whose view holds."""
        verified = self.verify(view, history=history, transaction=transaction)
        check_signer(verified, self.party.id)
        self.signed[transaction] = frozenset(node.action.index for node in verified.nodes)
        self.proposed[transaction] = view
        return sign(self.network.signer(self.party), self.party.id, transaction, purpose=PARTY)

    def receive(self, view: View, *, history: History | None = None) -> Verified:
        """Record a view whose transaction was accepted."""
        verified = self.verify(view, history=history)
        receipt = self.network.notaries[view.header.notary].receipt(verified.id)
        self.accepted(receipt, verified.id, view.header.network, view.header.notary)
        self.held[verified.id] = verified
        self.items.setdefault(verified.id, []).insert(0, HistoryItem(view=view, receipt=receipt))
        self.known |= {ContractRef(verified.id, index) for index in verified.created}
        return verified


class Omniscient(Member):
    """A world to which every creation is known."""

    def __init__(self, network: Network) -> None:
        super().__init__(network, party("nobody"), network.notary)

    def remembered(self, ref: ContractRef) -> None:
        """See World: nothing is at hand, so everything is checked."""

    def known_valid(self, ref: ContractRef) -> bool:
        """Everything."""
        return True


def _ids(history: History) -> list[bytes]:
    """The transactions of history items, as their receipts name them."""
    return [item.receipt[40:] for item in history]


def party_of(identity: bytes, network: Network) -> Party:
    """The member of this identity."""
    return network.members[identity].party


def disclosed(node: tree.Node, ref: ContractRef, skeleton: Skeleton, receipt: bytes) -> Disclosure:
    """The contract that a node makes, disclosed to others."""
    return builder.node_disclosure(node).replace(ref=ref, skeleton=skeleton, receipt=receipt)


def shown(network: Network, draft: Draft, *indexes: int) -> View:
    """The view of a draft that shows exactly these nodes, whoever it is for."""
    tops = highest(draft.nodes[index] for index in indexes)
    return builder.view_from(draft, tops, network.inputs(draft, tops))
