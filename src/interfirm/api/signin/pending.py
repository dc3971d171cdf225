"""What a browser carries between the two halves of signing in by a provider or a passkey, sealed and used once.

The node keeps nothing of who only begins. A seal holds for this process: a restart ends what was begun.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import itertools
from collections.abc import Callable, Mapping

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value

_REFUSED = ("access.sign-in-state", "this sign-in was not begun here, has ended, or was used")

_SWEPT = 2
"""How many of the oldest are looked at whenever one is added: so no more are kept than were used of late."""


class Begun(Value, frozen=True):
    """A sign-in that was begun."""

    purpose: str
    expires_ms: int
    facts: dict[str, str]


class Pending:
    """Seals and opens; see the module."""

    def __init__(self, key: bytes, now_ms: Callable[[], int]) -> None:
        self._key = key
        self._now_ms = now_ms
        self._used: dict[str, int] = {}

    def sealed(self, purpose: str, facts: Mapping[str, str]) -> str:
        """The text that a browser carries; its facts are no secret from it."""
        begun = Begun(purpose=purpose, expires_ms=self._now_ms() + LIMITS.sign_in_ms_max, facts=dict(facts))
        body = base64.urlsafe_b64encode(msgspec.msgpack.encode(begun)).decode()
        return f"{body}.{self._seal(body)}"

    def opened(self, purpose: str, text: str) -> dict[str, str]:
        """The facts that were sealed; Refusal `access.sign-in-state`."""
        body, _, seal = text.partition(".")
        if not hmac.compare_digest(self._seal(body).encode(), seal.encode(errors="replace")) or text in self._used:
            raise Refusal(*_REFUSED)
        try:
            begun = msgspec.msgpack.decode(base64.urlsafe_b64decode(body), type=Begun)
        except (binascii.Error, msgspec.DecodeError) as error:
            raise Refusal(*_REFUSED) from error
        if begun.purpose != purpose or begun.expires_ms <= self._now_ms():
            raise Refusal(*_REFUSED)
        return begun.facts

    def use(self, purpose: str, text: str) -> dict[str, str]:
        """As `opened`, this once."""
        facts = self.opened(purpose, text)
        now_ms = self._now_ms()
        for each, until_ms in list(itertools.islice(self._used.items(), _SWEPT)):  # the oldest come first
            if until_ms <= now_ms:
                del self._used[each]
        self._used[text] = now_ms + LIMITS.sign_in_ms_max
        return facts

    def _seal(self, body: str) -> str:
        return hmac.new(self._key, body.encode(errors="replace"), hashlib.sha256).hexdigest()
