"""Passwords of local accounts: which are taken, and what is kept of them.

Source: NIST SP 800-63B-4 section 3.1.1 (length before composition, normalised), RFC 9106 section 4 (the second
recommended option of Argon2id).
"""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerificationError

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node import kept
from interfirm.node.vault.turn import Turn

SPACE = "passwords"
SALT_BYTES = 16
HASHER = PasswordHasher(
    time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=SALT_BYTES, type=Type.ID
)
"""The one place where the cost of a password is said; one kept at another cost is hashed anew when it is next used."""
NOBODYS = f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}${'A' * 22}${'A' * 43}"
"""A hash that no password has: compared where there is no account, so that it takes as long."""
DISTINCT_MIN = 5
NAME_CHARS_MIN = 4
"""Shorter names may stand in a password by chance."""


class Password(Value, frozen=True):
    """What is kept of a person's password."""

    hash: str
    changed_ms: int


def checked(name: str, password: str) -> str:
    """A new password as it is hashed; Refusal `access.password` for one that is easily guessed, or too large."""
    plain = normal(password)
    check(len(plain) >= LIMITS.password_chars_min, "access.password", "a password has more characters",
          chars_min=LIMITS.password_chars_min)  # fmt: skip
    folded = plain.casefold()
    own = folded.replace(name.casefold(), "") if len(name) >= NAME_CHARS_MIN else folded
    check(len(own) >= LIMITS.password_chars_min, "access.password", "a password is not made of the name")
    check(len(set(folded)) >= DISTINCT_MIN, "access.password", "a password has more different characters",
          different_min=DISTINCT_MIN)  # fmt: skip
    return plain


def normal(password: str) -> str:
    """A password in the one spelling that keyboards disagree about; Refusal `access.password` for one too large."""
    size = len(password.encode(errors="replace"))
    check(size <= LIMITS.password_bytes_max, "access.password", "the password is too long",
          bytes_max=LIMITS.password_bytes_max)  # fmt: skip
    return unicodedata.normalize("NFKC", password).encode(errors="replace").decode()


def hashed(password: str, *, salt: bytes) -> str:
    """What is kept of a password; takes a tenth of a second and 64 MiB, so call it in a thread."""
    return HASHER.hash(password, salt=salt)


def check_matches(hash_: str, password: str) -> None:
    """Refuse (`access.sign-in`) a password that is another; takes as long as `hashed`."""
    try:
        HASHER.verify(hash_, password)
    except VerificationError:
        raise Refusal("access.sign-in", "the name or the password is wrong") from None


def is_dated(hash_: str) -> bool:
    """Whether a password was hashed at another cost than today's."""
    return HASHER.check_needs_rehash(hash_)


def put(turn: Turn, person: str, hash_: str, *, now_ms: int) -> None:
    """Keep a person's password, in place of the one before."""
    kept.put(turn, SPACE, person.encode(), Password(hash=hash_, changed_ms=now_ms))


def of(turn: Turn, person: str) -> Password | None:
    """What is kept of a person's password."""
    return kept.get(turn, SPACE, person.encode(), Password)


def forget(turn: Turn, person: str) -> None:
    """Forget a person's password."""
    turn.blob_delete(SPACE, person.encode())
