"""The language of shared facts: what a contract module may import, and all it may import.

An author writes a `Template` with typed fields, says who is bound (`signatories`), who may see it (`observers`), what
always holds (`ensure`), what may exist once (`claims`), and declares `choice` methods that change it. The module is
ordinary Python for its author and, as source, the package that every party re-executes (see `packages.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, Protocol, TypeVar, dataclass_transform

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.hashing import HASH_BYTES
from interfirm.base.money import Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day, Instant
from interfirm.base.values import Wire

__all__ = [
    "Attachment", "Choice", "Claim", "Code", "Day", "Fallback", "Hash", "Instant", "Money", "Party", "Private",
    "Quantity", "Rate", "Record", "Ref", "Template", "Transaction", "UnitPrice", "choice", "require", "unordered_pair",
]  # fmt: skip

LANGUAGE_VERSION = 1
"""Raised when the meaning of anything here changes; part of every package's hash."""

T = TypeVar("T", bound="Template")
V = TypeVar("V")
P = ParamSpec("P")
R = TypeVar("R")


def _check_hash(value: bytes, what: str) -> None:
    if len(value) != HASH_BYTES:
        raise Refusal("value.hash", "a hash or identity has 32 bytes", what=what, bytes=len(value))


class Party(Wire, frozen=True, order=True):
    """The role in which a contract names an organisation: its identity id (hash of its first key, 32 bytes)."""

    id: bytes

    def __post_init__(self) -> None:
        _check_hash(self.id, "party")

    def __str__(self) -> str:
        return self.id.hex()[:16]


class Hash(Wire, frozen=True, order=True):
    """A SHA-256 hash, 32 bytes."""

    value: bytes

    def __post_init__(self) -> None:
        _check_hash(self.value, "hash")


class Attachment(Wire, frozen=True):
    """A file named by its SHA-256; its bytes travel and are kept beside the ledger."""

    content: Hash
    media_type: str
    size_bytes: int
    name: str


class Ref(Wire, Generic[T], frozen=True):
    """The name of a contract of template T: (transaction id, entry index).

    `transaction` is None for a contract made in the same transaction; stored in a payload, it then means the
    transaction that created that payload.
    """

    transaction: bytes | None
    index: int

    def __str__(self) -> str:
        return f"{self.transaction.hex() if self.transaction else 'self'}:{self.index}"


class Private(Wire, Generic[V], frozen=True):
    """A field of personal or secret data: on the ledger only a salted commitment, which is all that code sees."""

    commitment: bytes

    def __post_init__(self) -> None:
        _check_hash(self.commitment, "private field")


class Record(Wire, frozen=True):
    """A nested record of typed fields; authors subclass it for lines, addresses, terms."""


class Code(StrEnum):
    """A value from a named code list; authors subclass it."""


class Claim(Wire, frozen=True):
    """A business key that may exist once and for ever: (family, owner, key)."""

    family: str
    owner: Party
    key: tuple[str | int | bytes, ...]


class Fallback(Wire, frozen=True):
    """Who may confirm alone once the window's lower bound has reached `since`, so that nobody can block for ever."""

    confirmers: tuple[Party, ...]
    since: Instant


class Choice(Wire, frozen=True):
    """What the `choice` decorator declared: its name, its controllers by field or argument name, consuming or not."""

    name: str
    by: tuple[str, ...]
    consuming: bool


def require(holds: bool, message: str, **values: Any) -> None:
    """Refuse the transaction with `contract.require`, this message and these values unless `holds`."""
    if not holds:
        raise Refusal("contract.require", message, **values)


def unordered_pair(one: Party, other: Party) -> tuple[Party, Party]:
    """Two parties in the order of their ids."""
    return (one, other) if one.id <= other.id else (other, one)


class Transaction(Protocol):
    """What a choice may ask of the transaction it is part of."""

    def create(self, contract: T) -> Ref[T]:
        """Create a contract; needs the authority of all its signatories."""

    def exercise(
        self, ref: Ref[T], choice: Callable[Concatenate[T, Transaction, P], R], /, *args: P.args, **arguments: P.kwargs
    ) -> R:
        """Exercise a choice (`Cash.move`) on a contract; arguments by name; needs its controllers' authority."""

    def fetch(self, template: type[T], ref: Ref[T]) -> T:
        """Read a contract that must be active; needs the authority of one of its stakeholders."""

    def not_before(self, moment: Instant | Day) -> None:
        """Refuse unless the transaction can only be accepted at `moment` or later."""

    def before(self, moment: Instant | Day) -> None:
        """Refuse unless the transaction can only be accepted before `moment`."""

    def this(self, contract: T) -> Ref[T]:
        """The ref of the contract whose choice is running; `contract` is `self`."""


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Template(Wire, frozen=True):
    """A declared type of fact; its instances on the ledger are contracts."""

    choices: ClassVar[dict[str, Choice]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        found: dict[str, Choice] = dict(cls.choices)
        for name, value in vars(cls).items():
            declared = getattr(value, "choice", None)
            if isinstance(declared, Choice):
                if declared.name != name or getattr(value, "template", cls) is not cls:
                    raise Refusal("contract.choice", "a choice belongs to the class that declares it", choice=name)
                value.template = cls
                found[name] = declared
        cls.choices = found

    def signatories(self) -> Sequence[Party]:
        """Who is bound by the contract; at least one."""
        raise Refusal("contract.signatories", "a template names its signatories", template=type(self).__name__)

    def observers(self) -> Sequence[Party]:
        """Who may see the contract beside its signatories."""
        return ()

    def confirmers(self) -> Sequence[Party]:
        """Who must sign every exercise; the signatories unless the template names others."""
        return self.signatories()

    def fallback(self) -> Fallback | None:
        """Who suffices as confirmers from an instant on, if a deadline is declared."""
        return None

    def claims(self) -> Sequence[Claim]:
        """The business keys that creating this contract takes for ever; each owner must be a signatory."""
        return ()

    def ensure(self) -> None:
        """Refuse what must never be true of a contract, with `require`."""


F = TypeVar("F", bound=Callable[..., Any])


def choice(*, by: str | tuple[str, ...], consuming: bool = True) -> Callable[[F], F]:
    """Declare a method as a choice, made by the parties in the named fields or arguments; consuming unless said."""

    def mark(function: F) -> F:
        names = (by,) if isinstance(by, str) else tuple(by)
        function.choice = Choice(name=function.__name__, by=names, consuming=consuming)  # type: ignore[attr-defined]  # a mark on a function
        return function

    return mark
