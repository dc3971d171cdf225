"""What operations take: the type of each one's arguments, which every door documents, and judges requests from afar by.

An operation carries its type (`takes`); a business module's own are declared beside it in the same way. Every argument
is JSON; `request`, by which a client asks twice and is answered alike, and how long it waits, belong to the door.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta

from interfirm.base.values import Value
from interfirm.node.access.types import Role

F = TypeVar("F", bound=Callable[..., Any])
Id = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Ref = Annotated[str, Meta(pattern="^[0-9a-f]{64}:(0|[1-9][0-9]{0,8})$", max_length=74)]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Place = Annotated[int, Meta(ge=0, le=2**53)]
Days = Annotated[int, Meta(ge=1, le=36_500)]


def takes(kind: type[Value]) -> Callable[[F], F]:
    """Let an operation carry the type of its arguments."""

    def declared(operation: F) -> F:
        operation.__dict__["takes"] = kind
        return operation

    return declared


class Nothing(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It takes no arguments."""


class Submitted(Nothing, frozen=True, kw_only=True):
    """What everything that changes the ledger may be told."""

    notary: Name | None = None
    note: Annotated[str, Meta(max_length=2000)] | None = None
    not_before: str | None = None
    until: str | None = None
    unreachable: tuple[Name, ...] = ()


class OfDocument(Submitted, frozen=True, kw_only=True):
    """A file that was put before."""

    document: Hash
    name: Annotated[str, Meta(max_length=200)] | None = None


class One(Nothing, frozen=True, kw_only=True):
    """The id of what it is about."""

    id: Id


class Page(Nothing, frozen=True, kw_only=True):
    """A part of a list."""

    after: Place | None = None
    limit: Limit | None = None


class ApprovalLine(Nothing, frozen=True, kw_only=True):
    """A line of the approval matrix, as people write it."""

    name: Annotated[str, Meta(max_length=80)]
    approvals: Annotated[int, Meta(ge=1, le=10)] = 1
    template: str = "*"
    choice: str = "*"
    field: str = ""
    above: str | None = None
    roles: tuple[str, ...] = ()


class ApprovalLines(Nothing, frozen=True, kw_only=True):
    """The whole matrix."""

    lines: tuple[ApprovalLine, ...]


class Invited(Nothing, frozen=True, kw_only=True):
    """Who is invited, for how long."""

    person: Name
    hours: Annotated[int, Meta(ge=1, le=10_000)] | None = None


class PersonWanted(Nothing, frozen=True, kw_only=True):
    """What is to be true of a person; what is not said stays."""

    name: Name
    roles: tuple[str, ...] | None = None
    active: bool | None = None
    variables: dict[str, str] | None = None


class RoleWanted(Nothing, frozen=True, kw_only=True):
    """A role's definition."""

    definition: Role


class TokenWanted(Nothing, frozen=True, kw_only=True):
    """A token for somebody."""

    person: Name
    days: Days | None = None
    note: str | None = None
    scopes: tuple[str, ...] | None = None


class SessionNamed(Nothing, frozen=True, kw_only=True):
    """One session, or all of a person."""

    id: Id | None = None
    person: Name | None = None


class OfPerson(Nothing, frozen=True, kw_only=True):
    """Of one person alone, where one is named."""

    person: Name | None = None


class Compared(Nothing, frozen=True, kw_only=True, rename={"with_": "with"}):
    """The member whose books are compared."""

    with_: Name
    until: str | None = None


class Imported(Nothing, frozen=True, kw_only=True):
    """A table whose rows become contracts, or choices on them."""

    document: Hash
    template: Name
    name: Annotated[str, Meta(max_length=200)] | None = None
    format: Literal["csv", "xlsx", "jsonl"] | None = None
    mapping: dict[str, Any] | str | None = None
    choice: str | None = None
    key: dict[str, str] | None = None
    dry_run: bool | None = None
    batch: Limit | None = None
    note: str | None = None
    notary: Name | None = None


class Exported(Nothing, frozen=True, kw_only=True):
    """Which contracts, in which form."""

    template: Name
    format: Literal["csv", "xlsx", "jsonl"] | None = None
    where: dict[str, Any] | None = None
    search: str | None = None
    fields: tuple[str, ...] | None = None
    order_by: str | tuple[str, ...] | None = None
    status: Literal["active", "locked", "consumed", "all"] | None = None


class MappingKept(Nothing, frozen=True, kw_only=True):
    """A mapping and its name; without it, the one of this name is forgotten."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    mapping: dict[str, Any] | None = None


class Jobs(Nothing, frozen=True, kw_only=True):
    """Which jobs."""

    state: str | None = None
    limit: Limit | None = None


class JobPage(One, frozen=True, kw_only=True):
    """A job, and which of its rows' errors."""

    after: Place | None = None
    limit: Limit | None = None


class JobPiece(One, frozen=True, kw_only=True):
    """A piece of what a job wrote."""

    offset: Place | None = None


class Shared(Nothing, frozen=True, kw_only=True):
    """Contracts that are shown to a member."""

    refs: tuple[Ref, ...] = ()
    to: Name


class Recovered(Nothing, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Who is asked for what it holds."""

    from_: Name


class Rebuilt(Nothing, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Who is asked for what they hold, and how long."""

    from_: tuple[Name, ...] | None = None
    silent_ms: Place | None = None


class Subject(Nothing, frozen=True, kw_only=True):
    """A data subject."""

    subject: Name


class ShownWhole(Nothing, frozen=True, kw_only=True):
    """A notary, and what it is shown whole from now on."""

    notary: Name
    templates: tuple[str, ...] | None = None


class Paused(Nothing, frozen=True, kw_only=True):
    """Why."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class RetentionAbout(Nothing, frozen=True, kw_only=True):
    """What a rule about keeping is about."""

    about: Name


class RetentionRule(RetentionAbout, frozen=True, kw_only=True):
    """How long it is kept, and on which ground."""

    days: Annotated[int, Meta(ge=0, le=365_000)] | None = None
    ground: str = ""


class HoldName(Nothing, frozen=True, kw_only=True):
    """A hold's name."""

    name: Name


class HoldWanted(HoldName, frozen=True, kw_only=True):
    """What is not to leave the vault, and why."""

    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    template: str = ""
    where: dict[str, Any] = {}
    party: str = ""
    refs: tuple[Ref, ...] = ()


class ArchiveNamed(Nothing, frozen=True, kw_only=True):
    """An archive by its number, or by a transaction that is in it."""

    archive: Place | None = None
    transaction: Hash | None = None


class ArchiveWanted(Nothing, frozen=True, kw_only=True):
    """What is put into archives, and where."""

    folder: str = ""
    before: str | None = None
    dry_run: bool | None = None


class ArchiveFile(Nothing, frozen=True, kw_only=True):
    """An archive's file on the node's machine."""

    file: str


class Folder(Nothing, frozen=True, kw_only=True):
    """A folder on the node's machine, and the anchor that what is written there can be checked by."""

    folder: str
    anchor: dict[str, Any] | None = None


ARGUMENTS: dict[str, type[Value]] = {
    "access.approvals": Nothing, "access.approvals-put": ApprovalLines, "access.audit": Page,
    "access.audit-check": Nothing, "access.invite": Invited, "access.people": Nothing,
    "access.person-put": PersonWanted, "access.role-put": RoleWanted, "access.roles": Nothing,
    "access.session-end": SessionNamed, "access.sessions": OfPerson, "access.token-new": TokenWanted,
    "access.token-revoke": One, "access.tokens": Nothing, "archive.create": ArchiveWanted, "archive.list": Page,
    "archive.restore": ArchiveFile, "archive.show": ArchiveNamed, "books.compare": Compared, "books.compared": Nothing,
    "bulk.export": Exported, "bulk.export-all": Folder, "bulk.import": Imported, "bulk.mapping-put": MappingKept,
    "bulk.mappings": Nothing, "clock.compare": Nothing, "disclosed.count": Nothing, "disclosed.list": Nothing,
    "holds.list": Nothing, "holds.place": HoldWanted, "holds.release": HoldName, "jobs.cancel": One,
    "jobs.file": JobPiece, "jobs.list": Jobs, "jobs.show": JobPage, "node.pause": Paused, "node.resume": Nothing,
    "privacy.erase": Subject, "privacy.shown": ShownWhole, "recover": Recovered, "recover.all": Rebuilt,
    "retention.list": Nothing, "retention.remove": RetentionAbout, "retention.set": RetentionRule, "share": Shared,
}  # fmt: skip
"""Of the operations that are asked for by name; for the others REST and GraphQL say what each path takes."""
