"""One organisation's books: what its vault holds of the shared ledger, and how it builds, checks and records.

Reads of contracts and transactions by their name are reads of facts that never change, so flows may make them on replay
too; what can change (locks, what is active) is asked inside a flow's `once`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from interfirm.base import codec, vrf
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import PublicKey, Signer
from interfirm.base.time import Window
from interfirm.base.values import Value
from interfirm.contracts import interpreter, types
from interfirm.contracts.packages import Engine
from interfirm.contracts.types import Action, Command, ContractRef, Create, Exercise, walk
from interfirm.ledger import builder, tree
from interfirm.ledger.authority import tops_of
from interfirm.ledger.builder import Draft
from interfirm.ledger.history import (
    narrowed,
)
from interfirm.ledger.moves import place_of
from interfirm.ledger.receipts.types import Anchor
from interfirm.ledger.receipts.verify import verify_receipt
from interfirm.ledger.seals import Agree, check_seals, committed, make_seals, merged, open_seals
from interfirm.ledger.types import (
    Contract,
    CreateEntry,
    Disclosure,
    Skeleton,
    TransactionSignature,
    View,
)
from interfirm.ledger.verification import Verified, names_from, verify_built, verify_view
from interfirm.node.histories import Histories
from interfirm.node.moves import Moves, step_of
from interfirm.node.records import Records
from interfirm.node.shown import is_shown
from interfirm.node.vault.turn import Turn
from interfirm.notary.requests import request_of
from interfirm.notary.types import Notarise, NotariseWhole
from interfirm.notary.uniqueness.machine import consumer_hash


class Directory(Protocol):
    """What the books ask of the directory. Each raises a Refusal for who is not known."""

    def vrf_key(self, identity: bytes) -> bytes:
        """The organisation's VRF key, 32 bytes, registered for life."""

    def key(self, identity: bytes) -> PublicKey:
        """The organisation's signing key in force."""

    def anchor(self, notary: bytes) -> Anchor:
        """What verifies a notary's receipts."""

    def operator(self, notary: bytes) -> bytes | None:
        """The organisation whose own notary it is; None for one of the network."""


class Keys(Value, frozen=True):
    """What an organisation signs and claims with."""

    identity: bytes
    signer: Signer
    vrf: vrf.VrfKey
    agree: Agree
    """Opens sealed views with the signing key (see ledger.seals)."""


class Plan(Value, frozen=True):
    """An interpreted intention: its actions, and the claims in it whose owners must prove them, by owner."""

    actions: tuple[Action, ...]
    claims: dict[bytes, tuple[bytes, ...]]


DISCLOSURES_KEPT_MAX = 4_096
"""Contracts kept in memory as others are shown them; a flow asks for the same one several times."""
_DISCLOSED = "disclosed"


class Books:
    """See the module. All methods take the turn they read and write in."""

    def __init__(
        self, keys: Keys, engine: Engine, directory: Directory, network: bytes, *, named: frozenset[bytes] = frozenset()
    ) -> None:
        """`named` are other organisations' own notaries to which this one leaves what binds it."""
        self.named = named
        self.keys = keys
        self.engine = engine
        self.directory = directory
        self.network = network
        self.moves = Moves(self)
        self.records = Records(self)
        self.histories = Histories(self)
        self._receipts: dict[bytes, bytes] = {}
        self._disclosures: dict[ContractRef, Disclosure] = {}
        self._recorded: dict[ContractRef, Disclosure] = {}

    def forget(self) -> None:
        """Drop what is remembered of the vault, after a turn that was rolled back."""
        self._disclosures.clear()
        self._recorded.clear()

    # reading ------------------------------------------------------------------------------------------------------

    def lookup(self, turn: Turn, shown: Sequence[Disclosure] = ()) -> interpreter.Lookup:
        """Contracts by ref: those shown now, own ones, and those disclosed by others before."""
        by_ref = {disclosure.ref: disclosure for disclosure in shown}

        def find(ref: ContractRef) -> types.Contract:
            found = by_ref[ref] if ref in by_ref else self.disclosure(turn, ref)
            made_in = found.origin.transaction
            return types.Contract(template=found.template, payload=found.payload, created_in=made_in)

        return find

    def disclosure(self, turn: Turn, ref: ContractRef) -> Disclosure:
        """A contract with what proves it to somebody else; Refusal `vault.unknown` where it is not held."""
        found = self._disclosures.get(ref)
        if found is None:
            found = self._read_disclosure(turn, ref)
            if len(self._disclosures) >= DISCLOSURES_KEPT_MAX:
                self._disclosures.clear()
            self._disclosures[ref] = found
        return found

    def _read_disclosure(self, turn: Turn, ref: ContractRef) -> Disclosure:
        stored = turn.contract(ref)
        if stored is None:
            data = turn.blob_get(_DISCLOSED, codec.encode(ref))
            if data is None:
                check_not_archived(turn, ref.transaction or b"")
                raise Refusal(
                    "vault.unknown", "this contract is not in the vault", transaction=ref.transaction, index=ref.index
                )
            return codec.decode(data, Disclosure)
        transaction = turn.transaction(stored.created_as.transaction or b"")
        if transaction is None or not transaction.receipt:
            raise Refusal("vault.not-notarised", "the contract's transaction has no receipt", index=ref.index)
        moves = () if stored.origin is None else tuple(step_of(move) for move in turn.moves_to(ref))
        return Disclosure(
            ref=ref,
            template=stored.template,
            payload=stored.payload,
            payload_seed=stored.payload_seed,
            confirmers_salt=stored.confirmers_salt,
            entry=codec.decode(stored.entry, CreateEntry),
            skeleton=codec.decode(transaction.skeleton, Skeleton),
            receipt=transaction.receipt,
            moves=moves,
        )

    def described(self, turn: Turn, ref: ContractRef) -> Create:
        """Who is bound by, sees and confirms a contract that is held."""
        held = self.disclosure(turn, ref)
        return interpreter.describe(self.engine, held.template, held.payload, index=held.origin.index)

    def remembered(self, ref: ContractRef) -> Disclosure | None:
        """A contract that was recorded by this program, if it is still at hand."""
        return self._recorded.get(ref)

    def remember(self, verified: Verified, refs: Iterable[ContractRef], receipt: bytes) -> None:
        """Have contracts at hand that were just recorded."""
        if len(self._recorded) >= DISCLOSURES_KEPT_MAX:
            self._recorded.clear()
        for ref in refs:
            made = verified.created[ref.index]
            self._recorded[ref] = self._disclosures[ref] = Disclosure(
                ref=ref, template=made.action.template, payload=_payload(made), payload_seed=made.payload_seed,
                confirmers_salt=made.confirmers_salt, entry=made.entry, skeleton=verified.skeleton, receipt=receipt,
            )  # fmt: skip

    def disclosed(self, turn: Turn) -> list[Disclosure]:
        """Contracts that others disclosed to this organisation, latest kept first."""
        rows = turn.blobs(_DISCLOSED, limit=10_000)
        return [codec.decode(data, Disclosure) for _, data in reversed(rows)]

    def check_disclosed(self, disclosure: Disclosure) -> None:
        """Refuse a disclosure whose transaction the notary has not accepted; the rest is checked where it is used."""
        skeleton = disclosure.skeleton
        if skeleton is None or skeleton.id != disclosure.origin.transaction:
            raise Refusal("ledger.output-proof", "another transaction than the ref names", index=disclosure.ref.index)
        self.check_receipt(disclosure.receipt, skeleton.id, skeleton.header.notary)

    def keep_disclosed(self, turn: Turn, disclosure: Disclosure) -> None:
        """Keep a contract that somebody disclosed, for use as an input; checked when it is used."""
        turn.blob_put(_DISCLOSED, codec.encode(disclosure.ref), codec.encode(disclosure))

    # building -----------------------------------------------------------------------------------------------------

    def plan(self, turn: Turn, commands: Sequence[Command], window: Window, shown: Sequence[Disclosure] = ()) -> Plan:
        """Interpret commands; nothing is written. Raises the refusal of the rule that forbids them."""
        actions = interpreter.interpret(self.engine, commands, lookup=self.lookup(turn, shown), window=window)
        claims: dict[bytes, list[bytes]] = {}
        for action in walk(actions):
            if isinstance(action, Create):
                for key in action.claims:
                    claims.setdefault(key.owner, []).append(key.alpha)
        return Plan(actions=actions, claims={owner: tuple(alphas) for owner, alphas in claims.items()})

    def notary_of(self, turn: Turn, plan: Plan, default: bytes) -> bytes:
        """The one notary at which all inputs live, else `default`; Refusal `ledger.notary` where there are several."""
        found = {
            place_of(d.skeleton.header, d.moves)
            for ref in inputs_of(plan.actions)
            if (d := self.disclosure(turn, ref)).skeleton is not None
        }
        if len(found) > 1:
            raise Refusal("ledger.notary", "the inputs live at several notaries", notaries=sorted(found))
        return found.pop() if found else default

    def prove_claims(self, alphas: Iterable[bytes]) -> tuple[bytes, ...]:
        """Proofs of this organisation's own claims."""
        return tuple(self.keys.vrf.prove(alpha) for alpha in alphas)

    def draft(
        self,
        plan: Plan,
        *,
        seed: bytes,
        notary: bytes,
        window: Window,
        proofs: dict[bytes, dict[bytes, bytes]],
        unreachable: Collection[bytes] = (),
    ) -> Draft:
        """The transaction of a plan; `proofs` are claim proofs by owner and alpha."""

        def proof(owner: bytes, alpha: bytes) -> tuple[bytes, bytes]:
            found = proofs.get(owner, {}).get(alpha)
            if found is None:
                raise Refusal("ledger.claim-proof", "the claim's owner has not proved it", owner=owner)
            return found, self.claim_output(owner, alpha, found)

        return builder.build(
            plan.actions,
            seed=seed,
            network=self.network,
            notary=notary,
            window=window,
            names=names_from(self.engine),
            claim_proof=proof,
            unreachable=unreachable,
        )

    def view(self, turn: Turn, draft: Draft, party: bytes) -> View:
        """The party's view of a draft, with the inputs it needs disclosed."""
        return builder.view_of(draft, party, self._inputs(turn, draft, draft.tops.get(party, ())))

    def _inputs(self, turn: Turn, draft: Draft, tops: Sequence[tree.Node]) -> list[Disclosure]:
        found = []
        for transaction, index in builder.inputs_of(tops):
            if transaction is None:
                found.append(builder.own_disclosure(draft, index))
            else:
                found.append(self.disclosure(turn, ContractRef(transaction, index)))
        return found

    def seals(self, turn: Turn, draft: Draft) -> bytes:
        """The sealed views of a draft, for those who are bound by it and do not sign it."""

        def find(ref: ContractRef) -> Disclosure:
            return builder.own_disclosure(draft, ref.index) if ref.transaction is None else self.disclosure(turn, ref)

        return make_seals(draft, self.directory.key, find)

    def sealed(self, draft: Draft, seals: bytes) -> Draft:
        """The draft that commits to its sealed views."""
        return committed(draft, seals)

    def check_seals(self, verified: Verified, seals: bytes) -> None:
        """Refuse (`seals.*`) a transaction that leaves one who is bound by it unaware."""
        check_seals(verified, seals, self.directory.key)

    def opened(self, turn: Turn, seals: bytes, consumer: bytes) -> Verified | None:
        """The verified view of the consumer (by its hash) that is sealed for this organisation; None where none is."""
        views = open_seals(seals, self.keys.signer.public, self.keys.agree) if seals else []
        good = [view for view in views if self._leads_to(turn, view, consumer)]
        if not good:
            return None
        return self.verified(turn, merged(good))

    def _leads_to(self, turn: Turn, view: View, consumer: bytes) -> bool:
        try:
            verified = self.verified(turn, view)
        except Refusal:  # junk that a dishonest builder added beside what is true
            return False
        return consumer_hash(verified.id) == consumer

    def request(
        self,
        turn: Turn,
        whole: Draft | Verified,
        signatures: Sequence[TransactionSignature],
        *,
        seals: bytes = b"",
        reservations: Sequence[bytes] = (),
    ) -> Notarise | NotariseWhole:
        """What the notary is sent, with everything it needs opened; all is shown where this organisation wants so."""

        def salt(transaction: bytes | None, index: int) -> bytes:
            return self.disclosure(turn, ContractRef(transaction, index)).confirmers_salt

        salts = salt if isinstance(whole, Draft) else None
        bare = request_of(whole, signatures, salts=salts, reservations=reservations, seals=seals)
        templates = (self.engine.path_of(node.action.template) for node in whole.nodes)
        if not is_shown(turn, bare.header.notary, templates):
            return bare
        return NotariseWhole(notarise=bare, view=self._whole_view(turn, whole))

    def _whole_view(self, turn: Turn, whole: Draft | Verified) -> View:
        if isinstance(whole, Verified):
            return whole.view
        return builder.view_from(whole, whole.roots, self._inputs(turn, whole, whole.roots))

    def own_view(self, turn: Turn, draft: Draft) -> Verified:
        """What this organisation sees of its own draft."""
        me = self.keys.identity
        return verify_built(
            self.view(turn, draft, me), draft.tops[me], draft.skeleton, draft.proofs, engine=self.engine,
            world=self.world(turn),
        )  # fmt: skip

    def view_for(self, turn: Turn, own: View, party: bytes) -> View | None:
        """The part of a held view that the party may see, or None where it may see nothing of it."""
        verified = self.verified(turn, own)
        tops = tops_of(party, verified.tops, verified.scopes.keys())
        return narrowed(verified, tops) if tops else None

    # verifying ----------------------------------------------------------------------------------------------------

    def world(self, turn: Turn) -> _World:
        """What this organisation can vouch for when it verifies a view."""
        return _World(self, turn)

    def verified(self, turn: Turn, view: View, transaction: bytes | None = None) -> Verified:
        """A view that holds by what this organisation knows, of this transaction; raises as `verify_view`."""
        world = self.world(turn)
        return verify_view(view, engine=self.engine, world=world, network=self.network, transaction=transaction)

    def claim_output(self, owner: bytes, alpha: bytes, proof: bytes) -> bytes:
        """The VRF output of a claim by its owner's registered key."""
        return vrf.vrf_verify(self.directory.vrf_key(owner), alpha, proof)

    def check_trusted(self, notary: bytes) -> None:
        """Refuse (`directory.notary`, `directory.own-notary`) a notary that this organisation leaves nothing to.

        A notary of one organisation alone is trusted by that one, and by those that name it.
        """
        self.directory.anchor(notary)
        operator = self.directory.operator(notary)
        if operator not in (None, self.keys.identity) and notary not in self.named:
            raise Refusal(
                "directory.own-notary", "this is another organisation's own notary; who is bound has to name it",
                notary=notary, operator=operator,
            )  # fmt: skip

    def check_receipt(self, receipt: bytes, transaction: bytes, notary: bytes) -> None:
        """Refuse (`receipt.*`) unless the receipt proves that the notary accepted the transaction."""
        name = digest("receipt", receipt, notary)
        if self._receipts.get(name) == transaction:
            return
        accepted = verify_receipt(receipt, anchor=self.directory.anchor(notary))
        if accepted.transaction != transaction:
            raise Refusal("receipt.other", "a receipt of another transaction", transaction=accepted.transaction)
        if len(self._receipts) > 10_000:
            self._receipts.clear()
        self._receipts[name] = transaction


class _World:
    """verification.World over the books of one turn."""

    def __init__(self, books: Books, turn: Turn) -> None:
        self._books = books
        self._turn = turn

    def trusted(self, notary: bytes) -> None:
        """See verification.World."""
        self._books.check_trusted(notary)

    def accepted(self, receipt: bytes, transaction: bytes, network: bytes, notary: bytes) -> None:
        """See verification.World."""
        if network != self._books.network:
            raise Refusal("ledger.network", "a transaction of another network", network=network)
        self._books.check_receipt(receipt, transaction, notary)

    def claim_output(self, owner: bytes, alpha: bytes, proof: bytes) -> bytes:
        """See verification.World."""
        return self._books.claim_output(owner, alpha, proof)

    def remembered(self, ref: ContractRef) -> Disclosure | None:
        """See verification.World."""
        return self._books.remembered(ref)

    def known_valid(self, ref: ContractRef) -> bool:
        """See verification.World."""
        if self._books.remembered(ref) is not None:
            return True
        stored = self._turn.contract(ref)
        if stored is not None and stored.known_valid:
            return True
        return self._books.histories.holds(self._turn, ref)


def _payload(contract: Contract) -> types.Plain:
    assert isinstance(contract.action, Create)
    return contract.action.payload


def check_not_archived(turn: Turn, transaction: bytes) -> None:
    """Refuse (`vault.archived`) a transaction that was moved out of the vault into an archive."""
    if turn.archived(transaction) is not None:
        raise Refusal("vault.archived", "this has ended and was moved into an archive", transaction=transaction)


def inputs_of(actions: Sequence[Action]) -> list[ContractRef]:
    """The refs from outside that a forest uses, in order, each once."""
    found: dict[ContractRef, None] = {}
    for action in walk(tuple(actions)):
        if not isinstance(action, Create) and action.ref.transaction is not None:
            found[action.ref] = None
    return list(found)


def consumed_by(actions: Sequence[Action]) -> list[ContractRef]:
    """The refs from outside that a forest consumes."""
    return [
        action.ref
        for action in walk(tuple(actions))
        if isinstance(action, Exercise) and action.consuming and action.ref.transaction is not None
    ]
