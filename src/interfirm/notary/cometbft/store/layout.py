"""The spaces of a notary's state as a store keeps them: their names, and how each one's keys are written."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from operator import itemgetter

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.ledger.receipts.ics23 import HASH_BYTES, check_space
from interfirm.notary.cometbft.store.keys import KEY_BYTES_MAX
from interfirm.notary.cometbft.store.trie import SENTINEL
from interfirm.notary.state import (
    ACCEPTED,
    CLAIMS,
    ENVELOPES,
    EVIDENCE,
    FEES,
    GOVERNANCE,
    IMPORTS,
    LOCKS,
    META,
    PACKAGES,
    REFS,
    REGISTRY,
    SUBSCRIPTIONS,
    VALIDATED,
    VALIDATORS,
    WITHDRAWN,
)

IBC = "ibc"
"""Reserved for packets between chains, whose standards name the keys."""


Changes = Mapping[tuple[str, bytes], bytes | None]
"""New values by space and key; None deletes."""


class Layout(Value, frozen=True):
    """The spaces of a store, fixed for its life.

    `plain` spaces keep keys as they are, with the usual length in bytes (0 where there is none): nobody can choose such
    keys freely, they are hashes or the application's own. Keys of `hashed` spaces are kept as their SHA-256: whoever
    chooses keys could otherwise make paths longer than verifiers take.
    """

    plain: dict[str, int]
    hashed: frozenset[str]

    def names(self) -> list[str]:
        """All spaces in the order of their names."""
        return sorted({*self.plain, *self.hashed})

    def width(self, space: str) -> int:
        """The usual length of a space's keys as stored, in bytes; 0 where there is none."""
        return self.plain.get(space, HASH_BYTES)

    def stored_key(self, space: str, key: bytes) -> bytes:
        """A key as it is stored and proved; Refusal `store.space` for an unknown space, `store.key` for its shape."""
        if space in self.hashed:
            return sha256(key).digest()
        check(space in self.plain, "store.space", "the store has no such space", space=space)
        check(storable(key), "store.key", "a key of this store has another shape", space=space, bytes=len(key))
        return key

    def stored(self, changes: Changes) -> dict[tuple[str, bytes], bytes | None]:
        """Changes by stored keys, in their order; raises as `stored_key`, and `store.value` for an empty value."""
        found: dict[tuple[str, bytes], bytes | None] = {}
        for name, value in changes.items():
            space, key = name
            if value == b"":
                raise Refusal("store.value", "an empty value cannot be proved", space=space, key=key)
            found[name if space in self.plain and storable(key) else (space, self.stored_key(space, key))] = value
        return dict(sorted(found.items(), key=itemgetter(0)))

    def checked(self) -> Layout:
        """This layout; Refusal `proof.space` for a name that could be re-read, `store.space` for one that is twice."""
        for name in self.names():
            check_space(name)
        check(not self.hashed & self.plain.keys(), "store.space", "a space keeps its keys in one way")
        return self


def storable(key: bytes) -> bool:
    """Whether a plain space can hold this key."""
    return 0 < len(key) <= KEY_BYTES_MAX and key != SENTINEL


NOTARY = Layout(
    plain={
        REFS: 36, ACCEPTED: 32, CLAIMS: 32, LOCKS: 32, IMPORTS: 32, REGISTRY: 32, ENVELOPES: 8, META: 0, IBC: 0,
        GOVERNANCE: 0, VALIDATORS: 0, FEES: 32, PACKAGES: 32, VALIDATED: 32, EVIDENCE: 32,
    },
    hashed=frozenset((WITHDRAWN, SUBSCRIPTIONS)),
).checked()  # fmt: skip
"""The notary's. Ids, refs, locks, claims are hashes that nobody can aim; who withdraws or subscribes names anything."""
