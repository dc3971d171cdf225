"""Worlds: random ledgers of honest and dishonest parties over several notaries, judged by `truth.py` at the end.

Honest members build only from what they believe, verify what they are shown, and sign what holds. The dishonest (two
that collude) build anything, sign anything, show anybody anything, and use whatever became of it. A world is made from
one seed; the same seed makes the same world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.base.signatures import Signer
from interfirm.base.time import Window
from interfirm.contracts import interpreter, types
from interfirm.contracts.types import Action, Command, ContractRef, Create, walk
from interfirm.ledger import tree
from interfirm.ledger.authority import completed, lowest, signing
from interfirm.ledger.builder import Draft, inputs_of, view_from
from interfirm.ledger.history import History, HistoryItem
from interfirm.ledger.moves import import_id
from interfirm.ledger.signing import sign
from interfirm.ledger.tree import Node
from interfirm.ledger.types import Disclosure, TransactionSignature, View
from interfirm.notary.requests import request_of
from interfirm.notary.types import Done, Finish, Notarise, ref_key

from .contracts.iou import contract as c
from .forgery import Forgery
from .ledger import ENGINE, HOUR_MS, NOW, Network, Notary, create, disclosed, exercise, ref_of, who
from .lies import IN_THE_FOREST, IN_WHAT_IS_SENT, LIARS, hole
from .parties import Party, party
from .truth import Accepted, Truth

HONEST = ("alice", "bob", "bank")
DISHONEST = ("mallory", "trudy")


Disclose = Callable[[Disclosure], Disclosure]
"""How a liar shows an input."""


class Founded:
    """A small economy that all worlds begin with, made once and honestly."""

    def __init__(self) -> None:
        self.network = Network(notaries="one two own")
        self.network.named("own").trusted = False
        self.accepted: dict[bytes, Accepted] = {}
        self.drafts: dict[bytes, Draft] = {}
        one, two = self.network.named("one"), self.network.named("two")
        for name in (*HONEST, *DISHONEST):
            self.network.join(party(name), home=one if name != "bob" else two)
        alice, bob, bank, mallory, trudy = (who(party(name)) for name in (*HONEST, *DISHONEST))
        fifty, hundred = Money(50, "EUR"), Money(100, "EUR")
        self._make(create(c.Cash(bank, mallory, hundred)))
        self._make(create(c.Vault(bank, mallory, hundred)))
        self._make(create(c.Cash(bank, alice, hundred)))
        self._make(create(c.Iou(alice, mallory, fifty)))
        self._make(create(c.Iou(mallory, bob, fifty)))
        self._make(create(c.Iou(mallory, trudy, fifty, (alice,))))
        self._make(create(c.Receivable(alice, mallory, fifty, NOW.plus_ms(-HOUR_MS))))
        self._make(create(c.Receivable(bob, alice, fifty, NOW.plus_ms(HOUR_MS))))
        self._make(create(c.Invoice(mallory, alice, "-1", fifty, NOW.plus_ms(HOUR_MS))))
        self._make(create(c.Cash(bank, bob, fifty)), notary=two)
        self._make(create(c.Cash(bank, trudy, fifty)), notary=two)

    def _make(self, command: Command, **options: Any) -> None:
        made = self.network.transact(command, **options)
        self.accepted[made.id] = accepted_of(self.network, made.draft, made.done, len(self.accepted) + 1)
        self.drafts[made.id] = made.draft


@cache
def _founded() -> Founded:
    return Founded()


def accepted_of(network: Network, built: Draft | Forgery, done: Done, order: int) -> Accepted:
    """What the notary has accepted of a draft or a forgery."""
    draft = built if isinstance(built, Draft) else built.draft()
    entries = [node.entry for node in draft.nodes] if isinstance(built, Draft) else built.entries
    return Accepted(
        draft.id, roots=draft.roots, entries=entries, scopes=_scopes(draft), window=draft.header.window,
        time=done.time, notary=network.notaries[draft.header.notary], order=order,
    )  # fmt: skip


class Broken(AssertionError):
    """The property does not hold; the message says how."""


class World:
    """One world; `steps` runs it, `judge` judges it."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.numbers = 0
        self.unwilling = self.rng.choice((0, 0.5, 0.9))
        """How often the honest sign nothing that comes from the dishonest, whatever it says."""
        self.forged: list[ContractRef] = []
        self.stolen: dict[bytes, Signer] = {}
        """Keys of the honest that count no longer, which the dishonest have."""
        self._copy(_founded())

    def _copy(self, begun: Founded) -> None:
        self.network = begun.network.copied()
        self.truth = Truth(self.network, [party(name).id for name in HONEST])
        self.truth.accepted = {
            name: accepted.at(self.network.notaries[accepted.notary.id]) for name, accepted in begun.accepted.items()
        }
        self.forgeries: dict[bytes, Forgery | Draft] = dict(begun.drafts)
        self.order = len(begun.accepted)

    # running ------------------------------------------------------------------------------------------------------

    def steps(self, count: int) -> None:
        """Take some steps; raises Broken where an honest transaction is refused."""
        for _ in range(count):
            self.step()

    def step(self) -> None:
        """One step of somebody."""
        chance = self.rng.random()
        if chance < 0.2:
            self._honest_step()
        elif chance < 0.86:
            self._dishonest_step()
        elif chance < 0.95:
            self._move()
        elif chance < 0.97:
            self._rotate()
        else:
            notary = self.rng.choice(list(self.network.notaries.values()))
            notary.now = notary.now.plus_ms(self.rng.choice((HOUR_MS // 4, HOUR_MS // 2)))

    def _rotate(self) -> None:
        """Somebody takes a new key; the old one may have been why, and is in the wrong hands from now on."""
        someone = party(self.rng.choice((*HONEST, *DISHONEST)))
        old = self.network.rotate(someone)
        if someone.name in HONEST:
            self.stolen[someone.id] = old

    def judge(self) -> list[str]:
        """How the beliefs of the honest break the property; empty if they do not."""
        return self.truth.violations()

    # honest work --------------------------------------------------------------------------------------------------

    def _honest_step(self) -> None:
        builder = self.network.members[party(self.rng.choice(HONEST)).id]
        place = self._place()
        usable = [ref for ref in self._active(place) if self.network.disclosures[ref].origin in builder.known]
        try:
            draft = self._drafted(builder.party, usable, place)
        except Refusal:
            return  # what cannot be done honestly is not done
        if draft is not None:
            self._honestly(draft, builder.party)

    def _honestly(self, draft: Draft, builder: Party) -> None:
        """The whole course of an honest transaction; nobody may refuse it."""
        network = self.network
        giver = network.members[builder.id]
        views = {i: network.view(draft, network.members[i].party) for i in draft.informees}
        signatures = []
        for identity in draft.signers:
            member = network.members[identity]
            if member.party.name in DISHONEST:
                signatures.append(sign(network.signer(member.party), identity, draft.id))
                continue
            try:
                history = giver.give(views[identity], member)
                signatures.append(member.sign(views[identity], draft.id, history=history))
            except Refusal as refusal:
                raise Broken(f"{member.party.name} refuses an honest transaction: {refusal}") from refusal
        try:
            done = network.notaries[draft.header.notary].done(
                request_of(draft, signatures, salts=network.salts, reservations=self._reservations(draft))
            )
        except Refusal as refusal:
            raise Broken(f"the notary refuses an honest transaction: {refusal}") from refusal
        network.remember(draft)
        self._accept(draft, done)
        for identity, view in views.items():
            member = network.members[identity]
            if member.party.name in HONEST:
                try:
                    member.receive(view, history=giver.give(view, member))
                except Refusal as refusal:
                    raise Broken(f"{member.party.name} does not believe what is true: {refusal}") from refusal

    def _reservations(self, draft: Draft) -> list[bytes]:
        """The home notaries' words for claims at another notary."""
        found = []
        for node in draft.nodes:
            for key, claim in zip(getattr(node.action, "claims", ()), node.claims, strict=True):
                owner = self.network.members[key.owner]
                if owner.home.id != draft.header.notary:
                    upper = draft.header.window.upper
                    found.append(self.network.reservation(draft, owner.party, claim, upper, home=owner.home))
        return found

    def _accept(self, built: Draft | Forgery, done: Done) -> None:
        self.order += 1
        self.truth.add(accepted_of(self.network, built, done, self.order))
        self.forgeries.setdefault(done.id, built)

    # what can be done ---------------------------------------------------------------------------------------------

    def _place(self) -> Notary:
        return self.network.named("one" if self.rng.random() < 0.75 else "two")

    def _active(self, place: Notary) -> list[ContractRef]:
        """The contracts that are active at a notary."""
        return [
            ref
            for ref, held in self.network.disclosures.items()
            if self.network.home_of(held) is place and (place.get("refs", ref_key(ref)) or b"")[:1] == b"A"
        ]

    def _drafted(self, builder: Party, usable: Sequence[ContractRef], place: Notary) -> Draft | None:
        commands = self._commands(builder, usable)
        if not commands:
            return None
        draft = self.network.draft(*commands, window=self._window(), notary=place)
        inputs = {ref for ref in inputs_of(draft.roots) if ref[0] is not None}
        return draft if all(ContractRef(*ref) in usable for ref in inputs) else None

    def _window(self) -> Window:
        now = max(notary.now for notary in self.network.notaries.values())
        return Window(lower=NOW.plus_ms(-HOUR_MS), upper=now.plus_ms(HOUR_MS))

    def _commands(self, builder: Party, usable: Sequence[ContractRef]) -> list[Command]:
        """One to three things that somebody might do, the later ones perhaps with what the earlier ones made."""
        rng = self.rng
        first = self._command(builder, usable)
        commands = [first] if first is not None else []
        if commands and rng.random() < 0.3:
            try:
                made = interpreter.interpret(
                    ENGINE, commands, lookup=self.network.lookup, window=self._window()
                )  # fmt: skip
            except Refusal:
                return commands
            local = [a for a in walk(made) if isinstance(a, Create)]
            if local:
                chosen = rng.choice(local)
                more = self._on(ContractRef(None, chosen.index), chosen.template.name, usable, chosen.payload)
            else:
                more = self._command(builder, usable)
            commands.extend([more] if more is not None else [])
        return commands

    def _command(self, builder: Party, usable: Sequence[ContractRef]) -> Command | None:
        if not usable or self.rng.random() < 0.25:
            return self._new(builder)
        recent = [ref for ref in self.forged if ref in usable]
        ref = self.rng.choice(recent if recent and self.rng.random() < 0.6 else list(usable))
        held = self.network.disclosures[ref]
        return self._on(ref, held.template.name, usable, held.payload)

    def _new(self, builder: Party) -> Command:
        rng, me, other = self.rng, who(builder), who(self._anybody())
        amount = Money(rng.choice((10, 20, 50)), "EUR")
        self.numbers += 1
        number = str(self.numbers if builder.name in HONEST else rng.randrange(-3, 0))
        due = NOW.plus_ms(rng.choice((-2, 2)) * HOUR_MS)
        if builder.name in DISHONEST and rng.random() < 0.25:
            return create(c.Invoice(me, who(party(rng.choice(HONEST))), str(rng.randrange(-2, 0)), amount, due))
        return create(
            rng.choice(
                (
                    c.Iou(me, other, amount, (who(self._anybody()),) if rng.random() < 0.3 else ()),
                    c.Iou(other, me, amount),
                    c.Cash(me if builder.name == "bank" else who(party("bank")), other, amount),
                    c.Vault(who(party("bank")), me, amount),
                    c.Invoice(me, other, number, amount, due),
                    c.Receivable(other, me, amount, due),
                    c.Basket(me, {"b": 1, "aa": 2}),
                    c.Pair(me),
                )
            )
        )

    def _on(self, ref: ContractRef, name: str, usable: Sequence[ContractRef], payload: Any) -> Command | None:
        """A choice on a contract."""
        rng = self.rng
        anybody = who(self._anybody() if rng.random() < 0.4 else party(rng.choice(HONEST)))
        cash = [other for other in usable if self.network.disclosures[other].template.name == "Cash" and other != ref]
        rights = [other for other in usable if self.network.disclosures[other].template.name == "Receivable"]
        piece = ref_of(rng.choice(cash)) if cash else None
        some = Money(rng.choice((1, 10, 20)), "EUR")
        menu: dict[str, list[Callable[[], Command | None]]] = {
            "Iou": [
                lambda: exercise(ref, c.Iou.transfer, to=anybody),
                lambda: exercise(ref, c.Iou.forgive),
                lambda: exercise(ref, c.Iou.remind, text="pay"),
                lambda: exercise(ref, c.Iou.settle, cash=piece) if piece else None,
            ],
            "Note": [lambda: exercise(ref, c.Note.read)],
            "Cash": [
                lambda: exercise(ref, c.Cash.move, to=anybody),
                lambda: exercise(ref, c.Cash.move, to=anybody),
                lambda: exercise(ref, c.Cash.split, amount=some),
                lambda: exercise(ref, c.Cash.pay, to=anybody, amount=some),
                lambda: exercise(ref, c.Cash.top_up, amount=some),
            ],
            "Vault": [
                lambda: exercise(ref, c.Vault.issue, to=anybody, amount=some),
                lambda: self._bill(ref, anybody, some),
                lambda: exercise(ref, c.Vault.raise_cash, cash=piece, amount=some) if piece else None,
            ],
            "Invoice": [lambda: exercise(ref, c.Invoice.accept)],
            "Receivable": [
                lambda: exercise(ref, c.Receivable.assign, to=anybody),
                lambda: exercise(ref, c.Receivable.write_off),
                lambda: exercise(ref, c.Receivable.pay_early),
                lambda: self._offer(ref, payload),
            ],
            "Offer": [lambda: exercise(ref, c.Offer.take, cash=piece) if piece and rights else None],
            "Basket": [lambda: exercise(ref, c.Basket.unpack), lambda: exercise(ref, c.Basket.repack, counts={"x": 1})],
            "Pair": [lambda: exercise(ref, c.Pair.fill), lambda: exercise(ref, c.Pair.count)],
        }
        return rng.choice(menu[name])() if name in menu else None

    def _bill(self, ref: ContractRef, buyer: Any, amount: Money) -> Command:
        self.numbers += 1
        number, due = f"bank-{self.numbers}", NOW.plus_ms(HOUR_MS)
        return exercise(ref, c.Vault.bill, buyer=buyer, number=number, amount=amount, due=due)

    def _offer(self, ref: ContractRef, payload: Any) -> Command:
        seller = self.network.members[payload[1][0]].party
        return create(c.Offer(who(seller), who(self._anybody()), ref_of(ref), Money(20, "EUR")))

    def _anybody(self) -> Party:
        return party(self.rng.choice((*HONEST, *DISHONEST)))

    # dishonest work -----------------------------------------------------------------------------------------------

    def _dishonest_step(self) -> None:
        rng = self.rng
        place = self._place() if rng.random() < 0.95 else self.network.named("own")
        forgery = self._forgery(place)
        if forgery is None:
            return
        self._attack(forgery)

    def _forgery(self, place: Notary) -> Forgery | None:
        """Something that a liar would have: a contract made of nothing, or one of these put to use, or just lies."""
        rng = self.rng
        liar = party(rng.choice(DISHONEST))
        live = self._active(place) if rng.random() < 0.8 else list(self.network.disclosures)
        loot = [ref for ref in self.forged if ref in live]
        lied: dict[ContractRef, Any] = {}
        disclose: Disclose = lambda held: held  # noqa: E731 - the other ones are made elsewhere
        if loot and rng.random() < 0.6:
            ref = rng.choice(loot)
            held = self.network.disclosures[ref]
            commands = [self._on(ref, held.template.name, live, held.payload)]
        else:
            if live and rng.random() < 0.15:
                lied, disclose = self._lied_about(live)
            commands = list(self._commands(liar, list(lied) or live))
        actions = self._acted([command for command in commands if command is not None], lied)
        if not actions:
            return None
        forgery = Forgery(self.network, actions, notary=place, window=self._window())
        forgery.disclose = disclose
        if not loot and rng.random() < 0.5:
            forgery.actions.append(self._loot(liar))
        for lie in rng.choices(IN_THE_FOREST, k=rng.choice((0, 0, 0, 1, 1, 2))):
            lie(forgery, rng)
        if rng.random() < 0.03:
            hole(forgery, rng)
        else:
            forgery.build()
        for lie in rng.choices(IN_WHAT_IS_SENT, k=rng.choice((0, 0, 0, 1, 1, 2))):
            lie(forgery, rng)
        return forgery

    def _acted(self, commands: Sequence[Command], lied: dict[ContractRef, Any]) -> Sequence[Action]:
        def lookup(ref: ContractRef) -> types.Contract:
            found = self.network.lookup(ref)
            return types.Contract(found.template, lied.get(ref, found.payload), found.created_in)

        try:
            return interpreter.interpret(ENGINE, commands, lookup=lookup, window=self._window())
        except Refusal:
            return ()

    def _lied_about(self, live: Sequence[ContractRef]) -> tuple[dict[ContractRef, Any], Disclose]:
        """A contract as a liar would rather have it: richer, or its own, or another contract; and how it is shown."""
        ref = self.rng.choice(live)
        held = self.network.disclosures[ref]
        others = [each for each in self.network.disclosures.values() if each.template == held.template]
        if self.rng.random() < 0.5:
            donor = self.rng.choice(others)
            return {ref: donor.payload}, lambda shown: donor.replace(ref=ref) if shown.ref == ref else shown
        liar = [self.rng.choice(LIARS)]
        payload = [
            [value[0] * 10, value[1]] if _is_money(value) else liar if _is_party(value) and self.rng.random() < 0.4
            else value
            for value in held.payload
        ]  # fmt: skip
        return {ref: payload}, lambda shown: shown.replace(payload=payload) if shown.ref == ref else shown

    def _loot(self, liar: Party) -> Create:
        """What a liar would like to have, as if it had been made."""
        rng, me, bank = self.rng, who(liar), who(party("bank"))
        victim = who(party(rng.choice(HONEST)))
        amount = Money(rng.choice((10, 20, 50)), "EUR")
        wanted = rng.choice(
            (
                c.Cash(bank, me, amount),
                c.Cash(bank, me, amount),
                c.Vault(bank, me, amount),
                c.Iou(victim, me, amount),
                c.Receivable(victim, me, amount, NOW.plus_ms(rng.choice((-2, 2)) * HOUR_MS)),
            )
        )
        command = create(wanted)
        return interpreter.describe(ENGINE, command.template, command.payload, index=40_000)

    def _attack(self, forgery: Forgery) -> None:
        """Gather signatures, leave out who refuses, submit, use what came of it, and show it to victims."""
        rng = self.rng
        signatures: list[TransactionSignature] = []
        for _ in range(4):
            refused = self._gather(forgery, signatures)
            if refused is None:
                break
            if rng.random() < 0.2:
                return
            forgery.scopes.pop(refused, None)
        if not forgery.scopes:
            forgery.scopes[rng.choice(LIARS)] = frozenset(range(len(forgery.entries)))
            self._gather(forgery, signatures)
        draft = forgery.draft()
        if rng.random() < 0.1:  # an incomplete submission first
            forgery.notary.ask(forgery.request(signatures[:-1]))
        if rng.random() < 0.95:
            done = forgery.notary.ask(self._request(forgery, signatures))
            if not isinstance(done, Done):
                return
            self._accept(forgery, done)
            receipt = forgery.notary.receipt(draft.id)
        else:  # it is used without ever being accepted
            receipt = b"receipt:" + forgery.notary.id + draft.id
            self.forgeries.setdefault(draft.id, forgery)
        self._use(forgery, draft, receipt)
        if draft.id in self.truth.accepted:
            self._show(forgery, draft)

    def _request(self, forgery: Forgery, signatures: Sequence[TransactionSignature]) -> Notarise:
        request = forgery.request(signatures)
        reservations = []
        for opening in request.claims:
            owner = self.network.members[opening.owner]
            if owner.home.id != forgery.notary.id and owner.party.name in DISHONEST:
                until = self.rng.choice((forgery.window.upper, forgery.notary.now))
                try:
                    reservations.append(
                        self.network.reservation(forgery.draft(), owner.party, opening.claim, until, home=owner.home)
                    )
                except Refusal:
                    continue
        return request.replace(reservations=tuple(reservations))

    def _gather(self, forgery: Forgery, signatures: list[TransactionSignature]) -> bytes | None:
        """All listed signatures; the identity of who refuses, if one does."""
        signatures.clear()
        transaction = forgery.draft().id
        for identity in dict.fromkeys([*forgery.scopes, *(line.identity for line in forgery.extra_lines)]):
            member = self.network.members[identity]
            if identity in LIARS:
                signatures.append(sign(self.network.signer(member.party), identity, transaction))
                continue
            if identity in self.stolen and self.rng.random() < 0.5:
                signatures.append(sign(self.stolen[identity], identity, transaction))
                continue
            if identity not in forgery.tops or self.rng.random() < self.unwilling:
                return identity
            view = forgery.view(identity)
            signature = self._persuaded(
                lambda history, m=member, v=view: m.sign(v, transaction, history=history), view
            )  # fmt: skip
            if signature is None:
                return identity
            signatures.append(signature)
        return None

    def _use(self, forgery: Forgery, draft: Draft, receipt: bytes) -> None:
        """Let the liars build on whatever was made, at whatever place it was entered."""
        for place, entry in enumerate(forgery.entries):
            nodes = [node for node in forgery.nodes if node.entry.action == entry.action]
            for node in nodes[:1]:
                if isinstance(node.action, Create):
                    ref = ContractRef(draft.id, place)
                    self.network.disclosures[ref] = disclosed(node, ref, draft.skeleton, receipt)
                    confirmers = node.action.confirmers
                    self.network.openings.setdefault(ref, (tree.confirmers_salt(node.seed), confirmers))
                    self.forged.append(ref)

    def _show(self, forgery: Forgery, draft: Draft) -> None:
        """Deliver views; the victims believe them or not."""
        for identity in [party(name).id for name in HONEST]:
            member = self.network.members[identity]
            if draft.id in member.proposed:  # it has its view already, and must be able to live with it
                try:
                    member.receive(member.proposed[draft.id], history=())
                except Refusal as refusal:
                    raise Broken(f"{member.party.name} signed, and its view fails: {refusal}") from refusal
            elif forgery.tops.get(identity):
                view = forgery.view(identity)
                self._persuaded(lambda history, m=member, v=view: m.receive(v, history=history), view)

    def _persuaded(self, attempt: Callable[[History], Any], view: View) -> Any:
        """What a victim answers to a view with the best history there is, or else with none."""
        for history in (self._history(view), ()):
            try:
                return attempt(history)
            except Refusal:
                continue
        return None

    def _history(self, view: View) -> History:
        """The best history that liars can make up for the inputs of a view."""
        found: list[HistoryItem] = []
        seen: set[ContractRef] = set()
        for held in view.inputs:
            if held.skeleton is not None:
                self._ancestors(held.origin, found, seen, 0)
        return tuple(found)

    def _ancestors(self, ref: ContractRef, found: list[HistoryItem], seen: set[ContractRef], depth: int) -> None:
        built = self.forgeries.get(ref.transaction or b"")
        if ref in seen or depth > 8 or built is None or self.rng.random() < 0.02:
            return
        seen.add(ref)
        item = self._creation_item(built, ref)
        if item is None:
            return
        for held in item.view.inputs:
            if held.skeleton is not None:
                self._ancestors(held.origin, found, seen, depth + 1)
        found.append(item)

    def _creation_item(self, built: Draft | Forgery, ref: ContractRef) -> HistoryItem | None:
        """A view of the creation, as low as it carries itself if it can, with the receipt of its transaction."""
        roots = built.roots
        draft = built if isinstance(built, Draft) else built.draft()
        scopes = _scopes(draft)
        try:
            if self.rng.random() < 0.1:
                raise Refusal("test.lowered", "the creation is shown alone")
            tops = completed([lowest(roots, ref.index, signing(scopes))], roots, signing(scopes))
        except Refusal:
            made = [node for root in roots for node in root.walk() if node.action.index == ref.index]
            if not made:
                return None
            tops = (made[0],)
        if isinstance(built, Draft):
            view = self._draft_view(built, tops)
        else:
            before = built.tops
            built.tops = {**before, b"history": tops}
            view = built.view(b"history")
            built.tops = before
        notary = self.network.notaries[draft.header.notary]
        try:
            return HistoryItem(view=view, receipt=notary.receipt(draft.id))
        except Refusal:
            return HistoryItem(view=view, receipt=b"receipt:" + notary.id + draft.id)

    def _draft_view(self, draft: Draft, tops: Sequence[Node]) -> View:
        return view_from(draft, tops, self.network.inputs(draft, tops))

    # moves --------------------------------------------------------------------------------------------------------

    def _move(self) -> None:
        """A move: an honest one goes all the way, the dishonest try everything that a lock could be good for."""
        rng, network = self.rng, self.network
        place = self._place()
        live = self._active(place)
        if not live:
            return
        ref = rng.choice(live)
        to = network.named("two" if place.label == "one" else "one")
        confirmers = network.openings[ref][1].parties
        if not set(confirmers) & set(LIARS):
            if all(network.disclosures[ref].origin in network.members[i].known for i in confirmers):
                network.move(ref, to)
        elif set(confirmers) <= set(LIARS):
            self._abuse_lock(ref, place, to)

    def _abuse_lock(self, ref: ContractRef, place: Notary, to: Notary) -> None:
        rng, network = self.rng, self.network
        request = network.lock(ref, to, until_ms=rng.choice((-1, 1, 2)) * HOUR_MS)
        try:
            lock = place.done(request).id
        except Refusal:
            return
        tries: list[Callable[[], object]] = [
            lambda: self.forged.append(network.bring(ref, to, request, lock)),
            lambda: network.unlock(ref, to, lock),
            lambda: place.done(Finish(lock=lock, receipt=to.receipt(import_id(lock)))),
            lambda: place.done(request),
        ]
        for attempt in rng.sample(tries, 4):
            try:
                attempt()
            except Refusal:
                continue
        self.forged.append(ref)


def _is_money(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], int)


def _is_party(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], bytes)


def _scopes(draft: Draft) -> dict[bytes, frozenset[int]]:
    return {opening.line.identity: frozenset(opening.line.scope) for opening in draft.lines}


def worlds(seeds: Iterator[int], steps: int = 8) -> Iterator[tuple[int, list[str]]]:
    """Each world's seed with how it breaks the property."""
    for seed in seeds:
        yield seed, outcome(seed, steps)


def outcome(seed: int, steps: int = 8) -> list[str]:
    """How the world of this seed breaks the property; empty if it holds."""
    world = World(seed)
    try:
        world.steps(steps)
    except Broken as broken:
        return [str(broken)]
    return world.judge()
