"""Idempotency keys: the same request under the same key gets the same answer, for two days; another one is refused.

What was answered is kept in the node's own database. A flow that a keyed request started has an id made of the key, so
that a request repeated after a crash finds the flow rather than starting a second one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from interfirm.api.rest.endpoints import Asked, Reply
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest, sha256
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node.access.types import Caller
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.vault import Vault

HEADER = "idempotency-key"
_KEPT, _ENDS = "http-answers", "http-answers-end"
_PRUNED_COUNT = 16
_pack = msgspec.msgpack.encode
T = TypeVar("T")


class Kept(Value, frozen=True):
    """What is kept under a key: of which request, until when, and its answer once there is one."""

    fingerprint: bytes
    until_ms: int
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str = ""
    body: bytes = b""


class Answers:
    """The answers to keyed requests, in the vault."""

    def __init__(self, vault: Vault, now_ms: Callable[[], int]) -> None:
        self._vault, self._now_ms = vault, now_ms
        self._open: set[bytes] = set()

    async def once(self, asked: Asked, work: Callable[[], Awaitable[Reply | Response]]) -> Reply | Response:
        """The answer kept under the request's key, or that of `work`, which is kept.

        A refusal that `work` raises binds nothing: the key may be used again. Raises Refusal `http.key-reused`,
        `http.key-in-use`.
        """
        given = asked.request.headers.get(HEADER)
        if given is None:
            return await work()
        key = digest("http idempotency key", asked.caller.name, given)
        asked.request_id = key.hex()[:32]
        kept, _ = self._claimed(key, fingerprint_of(asked))
        if kept.status:
            return _response(kept)
        if key in self._open:
            raise Refusal("http.key-in-use", "the first request under this key is not answered yet")
        self._open.add(key)
        try:
            reply = await work()
        except Refusal:
            self._release(key, kept)
            raise
        finally:
            self._open.discard(key)
        if isinstance(reply, Reply):
            self._settle(key, kept, reply)
        return reply

    async def bound(self, caller: Caller, request: str, body: Mapping[str, Any], work: Callable[[], Awaitable[T]]) -> T:
        """What `work` gives, under a request's id that binds it to this body; what it started is found by the id again.

        As with `once` a refusal binds nothing, and another body under the id is Refusal `http.key-reused`.
        """
        key = digest("client request id", caller.name, request)
        kept, is_new = self._claimed(key, sha256(msgspec.json.encode(body, order="deterministic")))
        try:
            return await work()
        except Refusal:
            if is_new:
                self._release(key, kept)
            raise

    def _claimed(self, key: bytes, fingerprint: bytes) -> tuple[Kept, bool]:
        """What is kept under a key, and whether that began now."""
        now = self._now_ms()
        with self._vault.turn() as turn:
            _prune(turn, now)
            found = turn.blob_get(_KEPT, key)
            kept = None if found is None else msgspec.msgpack.decode(found, type=Kept)
            if kept is not None and kept.until_ms > now:
                if kept.fingerprint != fingerprint:
                    raise Refusal("http.key-reused", "another request was made under this key")
                return kept, False
            if kept is not None:
                turn.blob_delete(_ENDS, _end(kept, key))
            kept = Kept(fingerprint=fingerprint, until_ms=now + LIMITS.idempotency_keep_ms)
            turn.blob_put(_KEPT, key, _pack(kept))
            turn.blob_put(_ENDS, _end(kept, key), b"")
        return kept, True

    def _release(self, key: bytes, kept: Kept) -> None:
        with self._vault.turn() as turn:
            turn.blob_delete(_KEPT, key)
            turn.blob_delete(_ENDS, _end(kept, key))

    def _settle(self, key: bytes, kept: Kept, reply: Reply) -> None:
        settled = kept.replace(
            status=reply.status, headers=reply.headers, media_type=reply.media_type, body=reply.encoded()
        )
        with self._vault.turn() as turn:
            turn.blob_put(_KEPT, key, _pack(settled))


def fingerprint_of(asked: Asked) -> bytes:
    """What tells one request from another: method, path, query and the body's JSON, however it is written."""
    url, body = asked.request.url, msgspec.json.encode(asked.body, order="deterministic")
    return digest("http request", asked.request.method, url.path, url.query, sha256(body))


def _response(kept: Kept) -> Response:
    headers = {**dict(kept.headers), "Idempotency-Replayed": "true"}
    return Response(kept.body, status_code=kept.status, headers=headers, media_type=kept.media_type)


def _end(kept: Kept, key: bytes) -> bytes:
    return kept.until_ms.to_bytes(8, "big") + key


def _prune(turn: Turn, now_ms: int) -> None:
    """Forget a few of the answers that were kept long enough."""
    for end, _ in turn.blobs(_ENDS, limit=_PRUNED_COUNT):
        if int.from_bytes(end[:8], "big") > now_ms:
            return
        turn.blob_delete(_ENDS, end)
        turn.blob_delete(_KEPT, end[8:])
