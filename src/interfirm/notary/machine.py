"""The notary: judge a block of requests on a state. Pure; the same on every host (house manner 2).

`judge(store, block, ...)` reads what it needs, answers each request, and returns the changes; it keeps nothing. A
request is all or nothing. Acceptances and withdrawals are remembered by id, so the same request again gets the same
answer; a refusal binds nothing.
"""

from __future__ import annotations

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.base.time import Instant
from interfirm.ledger.signing import PARTY, WITHDRAWAL, check_signature
from interfirm.ledger.types import TransactionSignature
from interfirm.notary import questions
from interfirm.notary.claims import machine as claims
from interfirm.notary.moves import machine as moves
from interfirm.notary.registry import machine as registry
from interfirm.notary.state import ACCEPTED, META, SUBSCRIPTIONS, WITHDRAWN, Overlay
from interfirm.notary.types import (
    Abroad,
    Answer,
    Ask,
    Asked,
    Block,
    Done,
    Finish,
    Free,
    Genesis,
    Import,
    Judged,
    Lock,
    Notarise,
    Refused,
    Register,
    Reserve,
    Revoke,
    Rotate,
    Settle,
    SignatureCheck,
    Store,
    Subscribe,
    Tell,
    Unlock,
    Withdraw,
)
from interfirm.notary.uniqueness import machine as uniqueness

TIME, BLOCK_HEIGHT = b"time", b"height"
SEALS = "seals"
"""The component of a transaction that commits to its sealed views."""


def notary_id(genesis: Genesis) -> bytes:
    """The id of a notary: the hash of what it starts from."""
    return digest("notary", codec.plain(genesis))


def _check(signature: TransactionSignature, transaction: bytes, purpose: str) -> None:
    check_signature(signature, transaction, purpose=purpose)


class _Judge:
    """One block's work."""

    def __init__(self, store: Store, block: Block, genesis: Genesis, abroad: Abroad, check: SignatureCheck) -> None:
        self.state = Overlay(store)
        self.block = block
        self.genesis = genesis
        self.notary = notary_id(genesis)
        self.abroad = abroad
        self.check = check
        self.now = block.time
        self.tells: list[Tell] = []
        self.accepted: list[Done] = []

    def answer(self, asked: Asked) -> Answer:
        self.state.mark()
        told, accepted = len(self.tells), len(self.accepted)
        try:
            return self._answer(asked)
        except Refusal as refusal:
            self.state.back()
            del self.tells[told:], self.accepted[accepted:]
            return Refused(code=refusal.code, message=refusal.message, values=refusal.as_plain()["values"])

    def _answer(self, asked: Asked) -> Answer:
        request, height = asked.request, self.block.height
        match request:
            case Notarise():
                return self._notarise(request)
            case Withdraw():
                return self._withdraw(request)
            case Lock():
                return self._lock(request)
            case Import():
                return self._record(moves.bring_in(request, self.state, self.notary, self.now, self.abroad))
            case Finish():
                return self._record(moves.finish(request, self.state, self.abroad))
            case Unlock():
                return self._record(moves.unlock(request, self.state, self.abroad))
            case Register():
                return self._done(registry.register(request, self.state, self.genesis, height))
            case Rotate():
                return self._done(registry.rotate(request, self.state, self.genesis, height))
            case Revoke():
                return self._done(registry.revoke(request, self.state, self.genesis, height))
            case Reserve():
                return self._reserve(request)
            case Settle():
                return self._done(claims.settle(request, self.state, self.abroad))
            case Free():
                return self._done(claims.free(request, self.state, self.abroad))
            case Subscribe():
                return self._subscribe(request, asked.requester)
            case Ask():
                return self._ask(request)

    def _notarise(self, request: Notarise) -> Done:
        uniqueness.check_sizes(request)
        skeleton = uniqueness.skeleton_of(request)
        transaction = skeleton.id
        known = self.state.get(ACCEPTED, transaction)
        if known is not None:
            return codec.decode(known, Done)
        uniqueness.check_header(request.header, self.genesis.network, self.notary, self.now)
        scopes = uniqueness.scopes_of(request)
        uniqueness.judge(request, self.state, scopes)
        claims.judge(request, transaction, self.state, scopes, self.notary, self.abroad)
        self._check_seals(request)
        self._check_signatures(request.signatures, scopes.keys(), transaction, PARTY)
        for key, consumer in uniqueness.apply(request, transaction, self.state):
            self._tell(b"ref" + key, "consumed", key, consumer)
        claims.apply(request, transaction, self.state, self.notary)
        return self._record(transaction)

    def _check_seals(self, request: Notarise) -> None:
        committed = [component.hash for component in request.components if component.name == SEALS]
        if request.seals and committed != [digest("seals", request.seals)]:
            raise Refusal("notary.seals", "the sealed views are not what the transaction committed to")
        if committed and not request.seals:
            raise Refusal("notary.seals", "the sealed views are missing")

    def _check_signatures(
        self, signatures: tuple[TransactionSignature, ...], needed: object, transaction: bytes, purpose: str
    ) -> None:
        """Each needed identity's signature is there once, by the key the registry shows now, and not withdrawn."""
        wanted = set(needed)  # type: ignore[call-overload]  # a keys view or a tuple of identities
        for signature in signatures:
            identity = signature.identity
            if identity not in wanted:
                raise Refusal("notary.signature", "a signature that is not listed, or twice", identity=identity)
            wanted.discard(identity)
            if signature.key != registry.current_key(identity, self.state):
                raise Refusal("notary.key", "signed with a key the registry does not show", identity=identity)
            if self.state.get(WITHDRAWN, transaction + identity) is not None:
                raise Refusal("notary.withdrawn", "the signature was withdrawn", identity=identity)
            self.check(signature, transaction, purpose)
        if wanted:
            missing = sorted(identity.hex()[:16] for identity in wanted)
            raise Refusal("notary.signature", "a listed signature is missing", missing=missing)

    def _withdraw(self, request: Withdraw) -> Done:
        identity = request.signature.identity
        if self.state.get(ACCEPTED, request.transaction) is not None:
            raise Refusal("notary.accepted", "the transaction was accepted before", transaction=request.transaction)
        self._check_signatures((request.signature,), (identity,), request.transaction, WITHDRAWAL)
        self.state.put(WITHDRAWN, request.transaction + identity, b"\x01")
        return self._done(digest("withdrawn", request.transaction, identity))

    def _lock(self, request: Lock) -> Done:
        name, confirmers = moves.lock(request, self.state, self.notary)
        self._check_signatures(request.signatures, confirmers, name, moves.LOCK)
        return self._record(name)

    def _reserve(self, request: Reserve) -> Done:
        if registry.record_of(request.signature.identity, self.state).home != self.notary:
            raise Refusal("claim.home", "this notary is not the owner's home")
        name = claims.reservation_bytes(request)
        self._check_signatures((request.signature,), (request.signature.identity,), name, claims.RESERVATION)
        return self._done(claims.reserve(request, self.state))

    def _subscribe(self, request: Subscribe, requester: bytes) -> Done:
        if request.kind not in ("ref", "claim"):
            raise Refusal("notary.subject", "one subscribes to a ref or a claim", kind=request.kind[:20])
        if len(request.subject) > 64:
            raise Refusal("notary.subject", "a subject has at most 64 bytes", bytes=len(request.subject))
        key = request.kind.encode() + request.subject
        known = self._subscribers(key)
        if requester not in known:
            if len(known) >= LIMITS.subscriptions_count_max:
                raise Refusal("notary.limit", "too many subscriptions to one subject", count_max=len(known))
            self.state.put(SUBSCRIPTIONS, key, codec.encode_plain([*known, requester]))
        return self._done(digest("subscription", key, requester))

    def _ask(self, request: Ask) -> Answer:
        said = questions.answer(request, self.state, self.block.height, self.now)
        if request.kind == "claim" and said.answer is not None:
            self._tell(b"claim" + request.subject, "claim-asked", request.subject, b"")
        return said

    def _subscribers(self, key: bytes) -> list[bytes]:
        value = self.state.get(SUBSCRIPTIONS, key)
        return [] if value is None else list(codec.decode_plain(value))

    def _tell(self, key: bytes, kind: str, subject: bytes, detail: bytes) -> None:
        for identity in self._subscribers(key):
            self.tells.append(Tell(identity=identity, kind=kind, subject=subject, detail=detail))

    def _done(self, name: bytes) -> Done:
        return Done(
            id=name, height=self.block.height, time=self.now, registry_height=registry.registry_height(self.state)
        )

    def _record(self, name: bytes) -> Done:
        """An acceptance that is remembered and gets a receipt."""
        known = self.state.get(ACCEPTED, name)
        if known is not None:
            return codec.decode(known, Done)
        done = self._done(name)
        self.state.put(ACCEPTED, name, codec.encode(done))
        self.accepted.append(done)
        return done


def judge(store: Store, block: Block, *, genesis: Genesis, abroad: Abroad, check: SignatureCheck = _check) -> Judged:
    """Judge a block on a state: answers in the order of its requests, changes to write in one commit, tells.

    The block's time is raised to the last block's where it lies before it: a notary's time never goes back.
    """
    work = _Judge(store, _in_time(store, block), genesis, abroad, check)
    answers = tuple(work.answer(asked) for asked in block.requests)
    work.state.put(META, TIME, codec.encode_plain(work.now.ms))
    work.state.put(META, BLOCK_HEIGHT, codec.encode_plain(block.height))
    return Judged(answers=answers, changes=work.state.changes, tells=tuple(work.tells), accepted=tuple(work.accepted))


def _in_time(store: Store, block: Block) -> Block:
    last = store.get(META, TIME)
    if last is None:
        return block
    earlier = Instant(int(codec.decode_plain(last)))
    return block if block.time >= earlier else block.replace(time=earlier)
