"""Passkeys of people: what is kept of them. How one is made and shown is in `ceremonies.py`."""

from __future__ import annotations

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node import kept
from interfirm.node.vault.turn import Turn

SPACE = "passkeys"


class Passkey(Value, frozen=True):
    """A passkey; its private half never leaves its owner's device."""

    id: str
    """The credential's id, in hex."""
    person: str
    public_key: bytes
    """COSE, as the authenticator gave it."""
    count: int
    """How often it was used, by its own count; 0 for ever where it keeps none."""
    note: str
    created_ms: int
    used_ms: int = 0


def add(turn: Turn, passkey: Passkey) -> None:
    """Keep a new passkey; Refusal `access.passkey` for one that is known, `access.passkey-count`."""
    known = kept.get(turn, SPACE, bytes.fromhex(passkey.id), Passkey)
    check(known is None, "access.passkey", "this passkey is registered already")
    count = len(of_person(turn, passkey.person))
    check(count < LIMITS.passkeys_count_max, "access.passkey-count", "there are too many passkeys; remove one first",
          count=count)  # fmt: skip
    kept.put(turn, SPACE, bytes.fromhex(passkey.id), passkey)


def of_id(turn: Turn, credential: bytes) -> Passkey:
    """The passkey with this id; Refusal `access.sign-in`."""
    found = kept.get(turn, SPACE, credential, Passkey)
    if found is None:
        raise Refusal("access.sign-in", "this passkey is not known here")
    return found


def used(turn: Turn, passkey: Passkey, *, count: int, now_ms: int) -> None:
    """Keep that a passkey was used."""
    kept.put(turn, SPACE, bytes.fromhex(passkey.id), passkey.replace(count=count, used_ms=now_ms))


def of_person(turn: Turn, person: str) -> list[Passkey]:
    """The passkeys of a person, the oldest first."""
    mine = [each for _, each in kept.every(turn, SPACE, Passkey) if each.person == person]
    return sorted(mine, key=lambda each: (each.created_ms, each.id))


def remove(turn: Turn, name: str, *, person: str) -> Passkey:
    """Forget a passkey of a person by its id; Refusal `access.passkey`."""
    found = next((each for each in of_person(turn, person) if each.id == name), None)
    if found is None:
        raise Refusal("access.passkey", "there is no such passkey", passkey=name[:80])
    turn.blob_delete(SPACE, bytes.fromhex(found.id))
    return found


def forget(turn: Turn, person: str) -> None:
    """Forget all passkeys of a person."""
    for each in of_person(turn, person):
        turn.blob_delete(SPACE, bytes.fromhex(each.id))
