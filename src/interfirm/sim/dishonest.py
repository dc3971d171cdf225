"""A dishonest firm: an honest node in other hands, which tamper with what it sends and with its own books.

Its flow engine lies: of what its flows say to others and ask of notaries, some is withheld, altered, replayed or made
up. Its vault lies to it: nothing is locked and nothing is ever spent, so it spends again.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.contracts.types import ContractRef
from interfirm.ledger.moves import Terms
from interfirm.ledger.types import Disclosure, LineOpening, Notarised, Passed, Shown, View
from interfirm.node.flows import messages
from interfirm.node.flows.catalogue import FLOWS, OPENED_BY_PEERS
from interfirm.node.flows.machine import FlowEngine
from interfirm.node.flows.types import Effect, Event, Outcome, SendMessage, SubmitNotary
from interfirm.node.moves import Way
from interfirm.node.services import Services
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import StoredContract
from interfirm.notary.types import Finish, Import, Lock, Notarise, Unlock

KEPT = 20
"""Messages it remembers in order to send them again."""
REQUEST_SHARE = 0.2
"""Lies to notaries are fewer: each ends a transaction that further lies could have been told about."""
Inject = Callable[[str], None]
_BODIES: Any = (
    messages.Proposal | messages.SignedReply | messages.Declined | messages.Wanted | messages.Given
    | Outcome | messages.Dropped | messages.Delivery | messages.Shared | messages.ClaimsAsked
    | messages.ClaimsProved | messages.Taken | messages.HistoryWanted
    | messages.TransactionsGiven | messages.MovesGiven
    | messages.LockAsked | messages.LockSigned | messages.Moved
)  # fmt: skip


class LyingEngine(FlowEngine):
    """The production's flow engine, whose effects pass through a liar's hands."""

    def __init__(self, services: Services, random: Random, inject: Inject, lie_ppm: int) -> None:
        super().__init__(FLOWS, services, opened_by_peers=OPENED_BY_PEERS)
        self._random, self._inject, self._lie_ppm = random, inject, lie_ppm
        self._said: list[SendMessage] = []
        self._deep = 0

    def start(self, turn: Turn, now_ms: int) -> list[Effect]:
        """See FlowEngine."""
        return self._tampered(super().start(turn, now_ms))

    def step(self, turn: Turn, event: Event, now_ms: int) -> list[Effect]:
        """See FlowEngine."""
        self._deep += 1
        try:
            effects = super().step(turn, event, now_ms)
        finally:
            self._deep -= 1
        return effects if self._deep else self._tampered(effects)

    def _tampered(self, effects: list[Effect]) -> list[Effect]:
        found: list[Effect] = []
        for effect in effects:
            if self._random.randrange(1_000_000) >= self._lie_ppm:
                found.append(effect)
            elif isinstance(effect, SendMessage):
                found.extend(self._say(effect))
            elif isinstance(effect, SubmitNotary) and self._random.random() < REQUEST_SHARE:
                found.extend(self._submit(effect))
            else:
                found.append(effect)
        said = [effect for effect in effects if isinstance(effect, SendMessage)]
        self._said = [*self._said, *said][-KEPT:]
        return found

    # to others ------------------------------------------------------------------------------------------------------

    def _say(self, effect: SendMessage) -> list[Effect]:
        others = (self._withhold, self._replay, self._misdirect, self._babble)
        lie = self._alter if self._random.random() < 0.5 else self._random.choice(others)
        return lie(effect)

    def _withhold(self, effect: SendMessage) -> list[Effect]:
        self._inject("lie: withheld message")
        return []

    def _replay(self, effect: SendMessage) -> list[Effect]:
        """Say it, and say again something said before: word for word, or as if it were new."""
        if not self._said:
            return [effect]
        self._inject("lie: replayed message")
        old = self._random.choice(self._said)
        number = old.message.number if self._random.random() < 0.5 else effect.message.number + 1
        session = old.message.session if self._random.random() < 0.5 else effect.message.session
        again = msgspec.structs.replace(old.message, number=number, session=session)
        peer = effect.peer if session == effect.message.session else old.peer
        return [effect, SendMessage(peer=peer, message=again)]

    def _misdirect(self, effect: SendMessage) -> list[Effect]:
        """Say to one what was meant for another."""
        others = [said.peer for said in self._said if said.peer != effect.peer]
        if not others:
            return [effect]
        self._inject("lie: misdirected message")
        return [SendMessage(peer=self._random.choice(others), message=effect.message)]

    def _babble(self, effect: SendMessage) -> list[Effect]:
        self._inject("lie: garbage")
        body = self._random.randbytes(self._random.randint(0, 200))
        return [SendMessage(peer=effect.peer, message=msgspec.structs.replace(effect.message, body=body))]

    def _alter(self, effect: SendMessage) -> list[Effect]:
        try:
            body = codec.decode(effect.message.body, _BODIES)
        except Refusal:
            return [effect]
        altered = self._altered(body)
        if altered is None:
            return [effect]
        message = msgspec.structs.replace(effect.message, body=codec.encode(altered))
        return [SendMessage(peer=effect.peer, message=message)]

    def _altered(self, body: Any) -> Any:
        random = self._random
        match body:
            case messages.Proposal() | messages.Delivery() | messages.Given() if body.history and random.random() < 0.5:
                self._inject("lie: wrong history")
                return msgspec.structs.replace(body, history=alter_history(body.history, random))
            case messages.Proposal() | messages.Delivery():
                self._inject("lie: altered view")
                return msgspec.structs.replace(body, view=alter_view(body.view, random))
            case messages.Shared():
                self._inject("lie: altered input")
                changed = tuple(alter_disclosure(each, random) for each in body.disclosures)
                return msgspec.structs.replace(body, disclosures=changed)
            case messages.SignedReply() if random.random() < 0.5:
                self._inject("lie: false outcome")
                return Outcome(transaction=body.signature.identity, receipt=flip(b"", random))
            case messages.SignedReply():
                self._inject("lie: false signature")
                signature = body.signature
                forged = msgspec.structs.replace(signature, signature=flip(signature.signature, random))
                return messages.SignedReply(signature=forged)
            case messages.TransactionsGiven() if body.deliveries:
                self._inject("lie: less or other than there was")
                return alter_given(body, random)
            case messages.MovesGiven() if body.ways:
                self._inject("lie: altered move")
                return msgspec.structs.replace(body, ways=tuple(alter_way(way, random) for way in body.ways))
            case messages.LockAsked():
                self._inject("lie: altered terms")
                return msgspec.structs.replace(body, terms=alter_terms(body.terms, random))
            case messages.LockSigned():
                self._inject("lie: false signature")
                forged = msgspec.structs.replace(body.signature, signature=flip(body.signature.signature, random))
                return messages.LockSigned(signature=forged)
            case messages.Moved() if body.way.moves:
                self._inject("lie: altered move")
                return messages.Moved(way=alter_way(body.way, random))
            case messages.ClaimsProved() if body.proofs:
                self._inject("lie: false claim proof")
                return messages.ClaimsProved(proofs=tuple(flip(proof, random) for proof in body.proofs))
        return None

    # to notaries ----------------------------------------------------------------------------------------------------

    def _submit(self, effect: SubmitNotary) -> list[Effect]:
        try:
            request = codec.decode(effect.request, _REQUESTS)
        except Refusal:
            return [effect]
        if not isinstance(request, Notarise):
            self._inject("lie: altered move")
            false = SubmitNotary(
                id=effect.id, notary=effect.notary, request=codec.encode(alter_passage(request, self._random))
            )
            return [false, effect]
        if self._random.random() < 0.3:
            self._inject("lie: false signature")
            altered = forge_signature(request, self._random)
        else:
            self._inject("lie: altered request")
            altered = alter_request(request, self._random)
        return [SubmitNotary(id=effect.id, notary=effect.notary, request=codec.encode(altered)), effect]


def spend_again(turn: Turn) -> None:
    """Books in which nothing is locked and nothing was ever spent."""
    contract = turn.contract

    def never_spent(ref: ContractRef) -> StoredContract | None:
        found = contract(ref)
        return None if found is None else found.replace(status="active", consumer=None)

    turn.contract = never_spent  # type: ignore[method-assign]  # a liar's books
    turn.soft_lock = lambda refs, holder, until_ms, now_ms: None  # type: ignore[method-assign]  # a liar's books


_REQUESTS: Any = Notarise | Lock | Import | Finish | Unlock


# single lies, also for tests ------------------------------------------------------------------------------------------


def flip(data: bytes, random: Random) -> bytes:
    """The bytes with one bit changed."""
    if not data:
        return b"\0"
    place = random.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]


def alter_plain(plain: Any, random: Random) -> Any:
    """Plain data with one leaf changed, if it has one."""
    match plain:
        case list() | tuple() if plain:
            place = random.randrange(len(plain))
            return [alter_plain(item, random) if i == place else item for i, item in enumerate(plain)]
        case bool():
            return not plain
        case int():
            return plain + random.choice((-1, 1, 1_000_000))
        case str():
            return plain + "x"
        case bytes():
            return flip(plain, random)
    return plain


def alter_disclosure(disclosure: Disclosure, random: Random) -> Disclosure:
    """An input that says something else than it did."""
    change = random.choice(("payload", "receipt", "payload_seed", "ref"))
    match change:
        case "payload":
            return disclosure.replace(payload=alter_plain(disclosure.payload, random))
        case "receipt":
            return disclosure.replace(receipt=flip(disclosure.receipt, random))
        case "payload_seed":
            return disclosure.replace(payload_seed=flip(disclosure.payload_seed, random))
    return disclosure.replace(ref=ContractRef(disclosure.ref.transaction, disclosure.ref.index + 1))


def alter_view(view: View, random: Random) -> View:
    """A view that says something else than what was built."""
    change = random.choice(("roots", "roots", "entries", "lines", "inputs", "header"))
    if change == "inputs" and view.inputs:
        place = random.randrange(len(view.inputs))
        inputs = list(view.inputs)
        inputs[place : place + 1] = [] if random.random() < 0.3 else [alter_disclosure(inputs[place], random)]
        return view.replace(inputs=tuple(inputs))
    if change == "lines" and view.lines:
        place = random.randrange(len(view.lines))
        lines = [_alter_line(line, random) if i == place else line for i, line in enumerate(view.lines)]
        return view.replace(lines=tuple(lines))
    if change == "entries" and any(view.entries):
        entries = tuple(flip(e, random) if e is not None and random.random() < 0.5 else e for e in view.entries)
        return view.replace(entries=entries)
    if change == "header":
        return view.replace(header=view.header.replace(packages=flip(view.header.packages, random)))
    place = random.randrange(len(view.roots))
    return view.replace(
        roots=tuple(_alter_branch(root, random) if i == place else root for i, root in enumerate(view.roots))
    )


def _alter_line(line: Any, random: Random) -> Any:
    if isinstance(line, LineOpening):
        scope = line.line.scope[:-1] if random.random() < 0.5 else (*line.line.scope, max(line.line.scope) + 1)
        return line.hash if random.random() < 0.3 else line.replace(line=line.line.replace(scope=scope))
    return flip(line, random)


def _alter_branch(branch: Any, random: Random) -> Any:
    match branch:
        case Shown():
            command = branch.command
            part = "payload" if hasattr(command, "payload") else "arguments" if hasattr(command, "arguments") else ""
            if part and random.random() < 0.7:
                changed = {part: alter_plain(getattr(command, part), random)}
                return branch.replace(command=command.replace(**changed))
            return branch.replace(seed=flip(branch.seed, random))
        case Passed():
            return branch.replace(body=flip(branch.body, random))
    return flip(branch, random)


def alter_history(history: tuple[Notarised, ...], random: Random) -> tuple[Notarised, ...]:
    """A history with an item gone, another order, another receipt, or another view."""
    place = random.randrange(len(history))
    item = history[place]
    match random.choice(("drop", "turn", "receipt", "view")):
        case "drop":
            return history[:place] + history[place + 1 :]
        case "turn":
            return history[::-1]
        case "receipt":
            item = item.replace(receipt=flip(item.receipt, random))
        case "view":
            item = item.replace(view=alter_view(item.view, random))
    return (*history[:place], item, *history[place + 1 :])


def alter_given(given: messages.TransactionsGiven, random: Random) -> messages.TransactionsGiven:
    """A page that leaves out some of what there was, and says of the rest what it did not."""
    kept = [each for each in given.deliveries if random.random() < 0.7]
    altered = [
        each.replace(view=alter_view(each.view, random)) if random.random() < 0.3 else each for each in kept
    ]  # fmt: skip
    return given.replace(deliveries=tuple(altered))


def alter_terms(terms: Terms, random: Random) -> Terms:
    """Terms of a lock that say something else than the contract allows."""
    match random.choice(("origin", "to", "until", "commitment", "ref")):
        case "until":
            return terms.replace(until=terms.until.plus_ms(random.choice((-1, 1)) * 10**9))
        case "ref":
            return terms.replace(ref=ContractRef(terms.ref.transaction, terms.ref.index + 1))
        case part:
            return terms.replace(**{part: flip(getattr(terms, part), random)})


def alter_way(way: Way, random: Random) -> Way:
    """A way with a step left out, doubled, with another's receipt, or to somewhere else."""
    place = random.randrange(len(way.moves))
    move = way.moves[place]
    match random.choice(("drop", "double", "receipts", "to", "made")):
        case "drop":
            return way.replace(moves=(*way.moves[:place], *way.moves[place + 1 :]))
        case "double":
            return way.replace(moves=(*way.moves[: place + 1], *way.moves[place:]))
        case "receipts":
            move = move.replace(lock_receipt=move.import_receipt, import_receipt=move.lock_receipt)
        case "to":
            move = move.replace(to=flip(move.to, random))
        case "made":
            return way.replace(made=ContractRef(way.made.transaction, way.made.index + 1))
    return way.replace(moves=(*way.moves[:place], move, *way.moves[place + 1 :]))


def alter_passage(request: Lock | Import | Finish | Unlock, random: Random) -> Lock | Import | Finish | Unlock:
    """A request of a move with other terms, another's signature, or a receipt that proves nothing."""
    match request:
        case Lock():
            changes: list[dict[str, Any]] = [
                {"to": flip(request.to, random)}, {"until": request.until.plus_ms(10**9)},
                {"signatures": request.signatures[:-1]}, {"nonce": flip(request.nonce, random)},
            ]  # fmt: skip
        case Import():
            changes = [
                {"receipt": flip(request.receipt, random)}, {"until": request.until.plus_ms(10**9)},
                {"commitment": flip(request.commitment, random)}, {"nonce": flip(request.nonce, random)},
            ]  # fmt: skip
        case Finish():
            changes = [{"receipt": flip(request.receipt, random)}, {"lock": flip(request.lock, random)}]
        case Unlock():
            changes = [{"statement": flip(request.statement, random)}, {"lock": flip(request.lock, random)}]
    return request.replace(**random.choice(changes))


def alter_request(request: Notarise, random: Random) -> Notarise:
    """A request that leaves something out, or says something else than what was signed."""
    match random.choice(("signatures", "claims", "confirmers", "entries", "lines", "header")):
        case "signatures":
            return request.replace(signatures=request.signatures[:-1])
        case "claims":
            return request.replace(claims=request.claims[:-1])
        case "confirmers":
            return request.replace(confirmers=request.confirmers[:-1])
        case "entries":
            return request.replace(entries=request.entries[:-1])
        case "lines":
            return request.replace(lines=request.lines[:-1])
    return request.replace(header=request.header.replace(packages=flip(request.header.packages, random)))


def forge_signature(request: Notarise, random: Random) -> Notarise:
    """A request with one signature that its owner never made."""
    place = random.randrange(len(request.signatures))
    forged = request.signatures[place]
    forged = forged.replace(signature=flip(forged.signature, random))
    return request.replace(signatures=(*request.signatures[:place], forged, *request.signatures[place + 1 :]))
