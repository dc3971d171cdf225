"""The notary: judge a block of requests on a state. Pure; the same on every host (house manner 2).

`judge(store, block, ...)` reads what it needs, answers each request, and returns the changes; it keeps nothing. A
request is all or nothing. Acceptances and withdrawals are remembered by id, so the same request again gets the same
answer; a refusal binds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.time import Instant
from interfirm.ledger.signing import PARTY, WITHDRAWAL, check_signature
from interfirm.ledger.types import TransactionSignature
from interfirm.notary import questions
from interfirm.notary.abroad import Believing
from interfirm.notary.claims import machine as claims
from interfirm.notary.evidence import machine as evidence
from interfirm.notary.evidence.types import Accuse
from interfirm.notary.fees import machine as fees
from interfirm.notary.governance import epochs
from interfirm.notary.governance import machine as governance
from interfirm.notary.governance.epochs import SOFTWARE, Software
from interfirm.notary.governance.head import head_of
from interfirm.notary.governance.machine import Moment
from interfirm.notary.governance.parameters import VALIDATES_NOTHING
from interfirm.notary.governance.types import Powers, Propose, Retract, Vote
from interfirm.notary.moves import machine as moves
from interfirm.notary.neighbours import machine as neighbours
from interfirm.notary.neighbours.types import Renew
from interfirm.notary.registry import machine as registry
from interfirm.notary.state import ACCEPTED, META, VALIDATORS, WITHDRAWN, Overlay
from interfirm.notary.subscriptions import machine as subscriptions
from interfirm.notary.types import (
    GOVERNING,
    Abroad,
    Answer,
    Ask,
    Asked,
    Block,
    Done,
    Finish,
    Follow,
    Free,
    Identify,
    Import,
    Judged,
    Lock,
    Notarise,
    NotariseWhole,
    Origin,
    Publish,
    Refused,
    Register,
    Request,
    Reserve,
    Revoke,
    Rotate,
    Said,
    SetTime,
    Settle,
    SignatureCheck,
    Store,
    Subscribe,
    Tell,
    Unlock,
    Unsubscribe,
    Withdraw,
)
from interfirm.notary.types import notary_id as notary_id  # noqa: PLC0414 - where others look for it
from interfirm.notary.uniqueness import machine as uniqueness
from interfirm.notary.validating import machine as validating
from interfirm.notary.validators import machine as validators

TIME, BLOCK_HEIGHT, COUNT = b"time", b"height", b"accepted"
SEALS = "seals"
"""The component of a transaction that commits to its sealed views."""
_WHILE_STOPPED = (*GOVERNING, Ask, SetTime, Rotate, Revoke)
"""What a stopped notary takes; a key that somebody stole may be what it was stopped for."""


def _check(signature: TransactionSignature, transaction: bytes, purpose: str) -> None:
    check_signature(signature, transaction, purpose=purpose)


class _Judge:
    """One block's work."""

    def __init__(
        self, store: Store, block: Block, genesis: Origin, abroad: Abroad, check: SignatureCheck, identify: Identify,
        software: Software,
    ) -> None:  # fmt: skip
        self.state = Overlay(store)
        self.height = block.height
        self.genesis = genesis
        self.notary = notary_id(genesis)
        self.abroad_ms = None if genesis.founding.scenario else block.time.ms
        self.abroad = Believing(abroad, self.state, now_ms=self.abroad_ms)
        self.check = check
        self.identify = identify
        self.now = block.time
        self.moment = Moment(notary=self.notary, height=self.height, now=self.now)
        self.validated = 0
        self.tells: list[Tell] = []
        self.accepted: list[Done] = []
        self.parameters = epochs.begin_block(self.state, genesis, self.moment, software)
        self.charged = fees.is_charged(self.parameters)
        for each in block.misconduct:
            epochs.expelled(evidence.convict(each, self.state, self.height), self.state)
        self.stopped = head_of(self.state).stopped is not None

    def answer(self, asked: Asked) -> Answer:
        self.state.mark()
        told, accepted = len(self.tells), len(self.accepted)
        try:
            if self.stopped and not isinstance(asked.request, _WHILE_STOPPED):
                raise Refusal("notary.stopped", "the notary was stopped by its voters", proposal=self._stopped_by())
            answer = self._answer(asked.request, asked.requester)
            if self.charged and (isinstance(answer, Said) or self.state.is_changed()):
                fees.charge(asked.request, asked.requester, self.parameters, self.state)
            return answer
        except Refusal as refusal:
            self.state.back()
            del self.tells[told:], self.accepted[accepted:]
            if self.charged:
                fees.charge_refused(asked.request, asked.requester, self.parameters, self.state)
            return Refused(code=refusal.code, message=refusal.message, values=refusal.as_plain()["values"])

    def _stopped_by(self) -> bytes | None:
        return head_of(self.state).stopped

    def _answer(self, request: Request, requester: bytes) -> Answer:
        match request:
            case Notarise():
                return self._notarise(request)
            case NotariseWhole():
                return self._notarise(request.notarise, request)
            case Publish():
                return self._done(validating.publish(request.package, self.state))
            case Withdraw():
                return self._withdraw(request)
            case Lock():
                return self._lock(request)
            case Import():
                return self._record(moves.bring_in(request, self.state, self.notary, self.now, self.abroad))
            case Finish():
                return self._finish(request)
            case Unlock():
                return self._record(moves.unlock(request, self.state, self.abroad))
            case Register():
                return self._done(registry.register(request, self.state, self.genesis, self.height))
            case Rotate():
                return self._done(registry.rotate(request, self.state, self.genesis, self.height))
            case Revoke():
                return self._done(registry.revoke(request, self.state, self.genesis, self.height))
            case Follow():
                return self._done(
                    registry.follow(request, self.state, self.genesis, self.height, self.now, self.abroad)
                )
            case Reserve():
                return self._reserve(request)
            case Settle():
                return self._record(claims.settle(request, self.state, self.abroad))
            case Free():
                return self._record(claims.free(request, self.state, self.abroad))
            case Subscribe():
                self.tells.extend(subscriptions.subscribe(request.kind, request.subject, requester, self.state))
                return self._done(digest("subscription", request.kind, request.subject, requester))
            case Unsubscribe():
                subscriptions.unsubscribe(request.kind, request.subject, requester, self.state)
                return self._done(digest("subscription", request.kind, request.subject, requester))
            case SetTime():
                return self._set_time(request, requester)
            case Ask():
                return self._ask(request, requester)
            case Renew():
                return self._done(neighbours.renew(request, self.state, now_ms=self.abroad_ms))
            case Accuse():
                return self._accuse(request)
            case Propose() | Vote() | Retract():
                return self._govern(request)

    def _govern(self, request: Propose | Vote | Retract) -> Done:
        """What is decided about parameters holds from an epoch on, a stop or its end from the next request."""
        match request:
            case Propose():
                done = self._done(governance.propose(request, self.state, self.moment))
            case Vote():
                done = self._done(governance.vote(request, self.state, self.moment))
            case Retract():
                done = self._done(governance.retract(request, self.state, self.moment))
        self.stopped = self._stopped_by() is not None
        return done

    def _accuse(self, request: Accuse) -> Done:
        name, operator = evidence.accuse(
            request, self.state, self.genesis.founding, self.height, now_ms=self.abroad_ms
        )  # fmt: skip
        epochs.expelled(operator, self.state)
        return self._done(name)

    def _set_time(self, request: SetTime, requester: bytes) -> Done:
        """The host has moved the block's time where it may; here it is only said whether it did."""
        if requester != self.genesis.registrar.identity or self.now < request.time:
            raise Refusal("notary.clock", "this notary's time is not set", to=request.time, now=self.now)
        return self._done(digest("time", request.time.ms))

    def _notarise(self, request: Notarise, whole: NotariseWhole | None = None) -> Done:
        """Accept a transaction; where all of it is shown, only what re-execution leads to as well."""
        uniqueness.check_sizes(request, self.state.limits)
        transaction = self.identify(request)
        known = self._accepted(transaction)
        if known is not None:
            return known
        uniqueness.check_header(request.header, self.genesis.network, self.notary, self.now, limits=self.state.limits)
        scopes = uniqueness.scopes_of(request)
        uniqueness.judge(request, self.state, scopes)
        claims.judge(request, transaction, self.state, scopes, self.notary, self.abroad)
        if request.components or request.seals:
            self._check_seals(request)
        self._check_signatures(request.signatures, scopes.keys(), transaction, PARTY)
        if whole is not None:
            self._validate(whole, transaction)
        elif (mode := self.parameters["validating"]) != VALIDATES_NOTHING:
            validating.check_partial(request, self.state, mode=mode)
        for key, consumer in uniqueness.apply(request, transaction, self.state):
            self.tells.extend(subscriptions.consumed(key, consumer, self.state))
        claims.apply(request, transaction, self.state, self.notary)
        return self._accept(transaction)

    def _validate(self, request: NotariseWhole, transaction: bytes) -> None:
        count, count_max = 1 + len(request.history), self.parameters["validated_count_max"]
        if count > count_max:
            raise Refusal("notary.limit", "over a limit", part="history", count=count, count_max=count_max)
        if self.validated + count > count_max:
            raise Refusal("notary.busy", "no more is re-executed in this block", count_max=count_max)
        self.validated += count
        word = validating.Word(self.state, self.notary, self.abroad)
        validating.validate(request, transaction, word=word, network=self.genesis.network, state=self.state)

    def _check_seals(self, request: Notarise) -> None:
        committed = [component.hash for component in request.components if component.name == SEALS]
        if request.seals and committed != [digest("seals", request.seals)]:
            raise Refusal("notary.seals", "the sealed views are not what the transaction committed to")
        if committed and not request.seals:
            raise Refusal("notary.seals", "the sealed views are missing")

    def _check_signatures(
        self,
        signatures: tuple[TransactionSignature, ...],
        needed: Iterable[bytes],
        transaction: bytes,
        purpose: str,
    ) -> None:
        """Each needed identity's signature is there once, by the key the registry shows now, and not withdrawn."""
        wanted = set(needed)
        for signature in signatures:
            identity = signature.identity
            if identity not in wanted:
                raise Refusal("notary.signature", "a signature that is not listed, or twice", identity=identity)
            wanted.discard(identity)
            if signature.key != registry.current_key(identity, self.state, self.now):
                raise Refusal("notary.key", "signed with a key the registry does not show", identity=identity)
        if wanted:
            missing = sorted(identity.hex()[:16] for identity in wanted)
            raise Refusal("notary.signature", "a listed signature is missing", missing=missing)
        self._check_not_withdrawn(signatures, transaction)
        for signature in signatures:
            self.check(signature, transaction, purpose)

    def _check_not_withdrawn(self, signatures: tuple[TransactionSignature, ...], transaction: bytes) -> None:
        if self.state.get(WITHDRAWN, transaction) is None:
            return
        for signature in signatures:
            if self.state.get(WITHDRAWN, transaction + signature.identity) is not None:
                raise Refusal("notary.withdrawn", "the signature was withdrawn", identity=signature.identity)

    def _withdraw(self, request: Withdraw) -> Done:
        """Take a signature back; again is harmless, and a withdrawal is remembered for ever."""
        transaction, identity = request.transaction, request.signature.identity
        known = self.state.get(WITHDRAWN, transaction + identity)
        if known is not None:
            return codec.decode(known, Done)
        if self._accepted(transaction) is not None:
            raise Refusal("notary.accepted", "the transaction was accepted before", transaction=transaction)
        self._check_signatures((request.signature,), (identity,), transaction, WITHDRAWAL)
        done = self._done(digest("withdrawn", transaction, identity))
        self.state.put(WITHDRAWN, transaction + identity, codec.encode(done))
        self.state.put(WITHDRAWN, transaction, b"\x01")  # somebody did: the common case is asked for once
        return done

    def _lock(self, request: Lock) -> Done:
        name = moves.id_of(request, self.notary)
        known = self._accepted(name)
        if known is not None:
            return known
        confirmers = moves.lock(request, name, self.state, self.notary, self.abroad)
        self._check_signatures(request.signatures, confirmers, name, moves.LOCK)
        return self._accept(name)

    def _finish(self, request: Finish) -> Done:
        name = moves.finish_id(request.lock)
        known = self._accepted(name)
        if known is not None:
            return known
        key, consumer = moves.finish(request, self.state, self.abroad)
        self.tells.extend(subscriptions.consumed(key, consumer, self.state))
        return self._accept(name)

    def _reserve(self, request: Reserve) -> Done:
        owner = request.signature.identity
        if registry.record_of(owner, self.state).home != self.notary:
            raise Refusal("claim.home", "this notary is not the owner's home")
        self._check_signatures((request.signature,), (owner,), claims.reservation_id(request), claims.RESERVATION)
        return self._done(claims.reserve(request, self.state, self.notary))

    def _ask(self, request: Ask, requester: bytes) -> Answer:
        said = questions.answer(request, self.state, self.height, self.now)
        if request.kind == "claim" and said.answer is not None:
            self.tells.extend(subscriptions.claim_asked(request.subject, requester, self.state))
        return said

    def _accepted(self, name: bytes) -> Done | None:
        known = self.state.get(ACCEPTED, name)
        return None if known is None else codec.decode(known, Done)

    def _done(self, name: bytes) -> Done:
        return Done(id=name, height=self.height, time=self.now, registry_height=registry.registry_height(self.state))

    def _record(self, name: bytes) -> Done:
        """The acceptance known by this id, or a new one."""
        known = self._accepted(name)
        return self._accept(name) if known is None else known

    def _accept(self, name: bytes) -> Done:
        """An acceptance that is remembered and gets a receipt."""
        done = self._done(name)
        self.state.put(ACCEPTED, name, codec.encode(done))
        self.accepted.append(done)
        return done


def judge(
    store: Store,
    block: Block,
    *,
    genesis: Origin,
    abroad: Abroad,
    check: SignatureCheck = _check,
    identify: Identify = uniqueness.transaction_of,
    software: Software = SOFTWARE,
) -> Judged:
    """Judge a block on a state: answers in the order of its requests, changes to write in one commit, tells.

    Raises Refusal `governance.version` where rules are in force that `software` does not have, and as
    `epochs.begin_block` for a founding that contradicts itself: no answer may be given then.

    The block's time is raised to the last block's where it lies before it: a notary's time never goes back. Its height
    must be the next. What `check` and `identify` return must be what the defaults return.
    """
    last = Overlay(store)
    assert block.height == last_height(last) + 1, "a notary's heights are consecutive"
    work = _Judge(store, _in_time(last, block), genesis, abroad, check, identify, software)
    answers = tuple(work.answer(asked) for asked in block.requests)
    work.state.put(META, TIME, codec.encode_plain(work.now.ms))
    work.state.put(META, BLOCK_HEIGHT, codec.encode_plain(block.height))
    work.state.put(META, COUNT, codec.encode_plain(accepted_count(last) + len(work.accepted)))
    return Judged(
        answers=answers, changes=work.state.changes, tells=tuple(work.tells), accepted=tuple(work.accepted),
        time=work.now, limits=work.state.limits, validators=_new_powers(store, work.state, genesis),
        version=_new_version(store, work.state, genesis),
    )  # fmt: skip


def _new_powers(store: Store, state: Overlay, genesis: Origin) -> Powers:
    """What an engine has to hear that knows the validators as the block found them."""
    if (VALIDATORS, validators.SET) not in state.changes:
        return ()
    before = validators.powers_of(store) or tuple((each.key, each.power) for each in genesis.founding.validators)
    return validators.changes(before, validators.powers_of(state))


def _new_version(store: Store, state: Overlay, genesis: Origin) -> int:
    version = head_of(state).version
    before = genesis.founding.version if last_height(Overlay(store)) == 0 else head_of(store).version
    return 0 if version == before else version


def last_height(state: Overlay) -> int:
    """The height of the last block; 0 before the first."""
    return _meta(state, BLOCK_HEIGHT) or 0


def accepted_count(state: Overlay) -> int:
    """How many acceptances the state remembers, which is the size of the receipt log."""
    return _meta(state, COUNT) or 0


def _meta(state: Overlay, name: bytes) -> int | None:
    value = state.get(META, name)
    return None if value is None else int(codec.decode_plain(value))


def _in_time(state: Overlay, block: Block) -> Block:
    last_ms = _meta(state, TIME)
    return block if last_ms is None else block.replace(time=max(block.time, Instant(last_ms)))
