"""Requests and answers of a solo notary as canonical blocks, whatever carries them (spec clause 8).

A request is one of the machine's, or one of two that concern what lies beside the state: the sealed views of a
consumer, and what the requester is to be told.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypeVar

import libipld
import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.values import Hash32, Value, Wire
from interfirm.notary.types import Answer, Refused, Request, Tell

T = TypeVar("T")
REQUEST_BYTES_MAX = LIMITS.transaction_bytes_max + LIMITS.sealed_bytes_max


class Collect(Wire, frozen=True, tag="collect"):
    """Get the sealed views of the transaction with this consumer hash, while they are kept."""

    consumer: Hash32


class Listen(Wire, frozen=True, tag="listen"):
    """Get what one is to be told beyond the number `after`; all up to it are known to have arrived and forgotten."""

    after: int


class Collected(Wire, frozen=True, tag="collected"):
    """The block of sealed views; empty where there is none (any more)."""

    seals: bytes


class Told(Wire, frozen=True, tag="told"):
    """One thing a subscriber is told: a ref was `consumed` (detail: consumer's hash), or a claim `claim-asked`."""

    number: int
    kind: str
    subject: bytes
    detail: bytes


class Heard(Wire, frozen=True, tag="heard"):
    """What there is to tell, oldest first."""

    tells: tuple[Told, ...]


class Accepted(Value, frozen=True):
    """The receipt of an accepted transaction, for the listed signers that did not bring it."""

    transaction: bytes
    receipt: bytes
    signers: tuple[bytes, ...]


class Handled(Value, frozen=True):
    """What a batch of requests led to, all of it durable: an encoded answer to each in order, what to tell to whom."""

    answers: tuple[bytes, ...]
    tells: tuple[tuple[Tell, Told], ...] = ()
    accepted: tuple[Accepted, ...] = ()


Wanted = Request | Collect | Listen


_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_NOT_SHORT = (ValueError, TypeError, OverflowError, RecursionError, Refusal)
_requests: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Wanted)


class Answered(Wire, frozen=True):
    """An answer with its proof: a COSE receipt for an acceptance, a signed statement for what was said, else empty."""

    answer: Answer | Collected | Heard
    receipt: bytes = b""
    statement: bytes = b""


def encode_request(request: Wanted) -> bytes:
    """The block of a request."""
    return codec.encode(request)


def decode_request(data: bytes) -> Wanted:
    """The request in a block; Refusal `codec.*` for anything else.

    A notary spends much of its own time here, so good blocks take a short way that is three times as fast: typed by way
    of msgpack, and without a look for floats and depth, which no request's type has room for. Whatever does not come
    through it unchanged is for `codec.decode` to judge.
    """
    with suppress(*_NOT_SHORT):
        value = libipld.decode_dag_cbor(data)
        packed = _pack(value)
        request: Wanted = _requests.decode(packed)
        if len(data) <= REQUEST_BYTES_MAX and _pack(request) == packed and codec.encode_plain(value) == data:
            return request
    kind: Any = Wanted  # codec names the types it decodes to as classes; msgspec takes the union
    judged: Wanted = codec.decode(data, kind, bytes_max=REQUEST_BYTES_MAX)
    return judged


def encode_answer(answered: Answered) -> bytes:
    """The block of an answer; the notary's own, so known to have one."""
    return codec.encode_plain(codec.plain(answered))


def decode_answer(data: bytes) -> Answered:
    """The answer in a block; Refusal `codec.*` for anything else."""
    return codec.decode(data, Answered)


def read_answer(data: bytes) -> Answered:
    """The decoded answer; raises the notary's own refusal where it refused."""
    found = decode_answer(data)
    if isinstance(found.answer, Refused):
        raise Refusal(found.answer.code, found.answer.message, **found.answer.values)
    return found


def refused(refusal: Refusal) -> Answered:
    """A refusal as an answer."""
    plain = refusal.as_plain()
    return Answered(answer=Refused(code=plain["code"], message=plain["reason"], values=plain["values"]))


def expect(answered: Answered, kind: type[T]) -> T:
    """The answer of the kind expected; raises the notary's own Refusal where it is one, else `notary.answer`."""
    answer = answered.answer
    if isinstance(answer, kind):
        return answer
    if isinstance(answer, Refused):
        raise Refusal(answer.code, answer.message, **answer.values)
    raise Refusal("notary.answer", "the notary answered something else", expected=kind.__name__)
