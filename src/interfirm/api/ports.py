"""What the doors of a node need of it: who asks, what may be asked, answers, documents. The runtime gives it them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Protocol

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.contracts.packages import TemplateCode
from interfirm.node.access.types import Caller

Parts = AsyncIterator[dict[str, Any]]
"""What becomes of a flow, part by part: `{"flow": {...}}`; the last part is where it stands when its caller leaves."""


class ShownTemplate:
    """A template as one caller sees it."""

    __slots__ = ("choices", "code", "create", "hidden", "path")

    def __init__(
        self, path: str, code: TemplateCode, *, create: bool, choices: Iterable[str], hidden: Iterable[str] = ()
    ) -> None:
        self.path = path
        """`folder.Name`."""
        self.code = code
        self.create = create
        """Whether the caller may make contracts of it."""
        self.choices = frozenset(choices)
        """The choices that the caller may make."""
        self.hidden = frozenset(hidden)
        """Fields that the caller is not shown."""


class ShownOperation(Value, frozen=True):
    """An operation of a business module that one caller may ask for by name."""

    name: str
    about: str
    """One sentence: what it does, with its arguments in `backticks`."""
    takes: type[Value] | None = None
    """The type of its arguments."""


class NodePort(Protocol):
    """One node, as its doors see it. Every method that takes a caller applies the rules of the caller's roles."""

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who asks, by the headers of a request (names in small letters); Refusal `access.unknown-caller`."""

    def known(self, name: str, scopes: tuple[str, ...] | None, token: str) -> Caller:
        """Somebody for whom the node does something under a token (its id), with the roles of now.

        Refusal `access.unknown-caller`, `access.revoked`, `access.expired`.
        """

    def watch(self, headers: Mapping[str, str], ended: Callable[[Refusal], None]) -> Callable[[], None]:
        """Tell once when who shows these headers is not any more who they are now, until what is given back is called.

        Told with `access.expired`, `access.revoked`, `access.signed-out`, `access.left` or `access.changed`: then
        streams end. Refusal `access.unknown-caller` where nobody is known by them already.
        """

    async def ask(self, caller: Caller, name: str, arguments: dict[str, Any]) -> dict[str, Any] | Parts:
        """Carry an operation out, or start its flow; Refusal `access.*` where the caller may not, and the desk's own.

        A flow's parts come until it ends, or waits longer than `wait_ms`; with `progress` every step is a part.
        """

    def templates(self, caller: Caller) -> Sequence[ShownTemplate]:
        """The templates whose contracts the caller may read, make or choose on, each once, by its path."""

    def template(self, caller: Caller, path: str) -> ShownTemplate | None:
        """The one of `templates` with this path; asked for at every request about it."""

    def operations(self, caller: Caller) -> Sequence[ShownOperation]:
        """The operations that the caller may ask for by name: those of business modules, and what has no path here."""

    def attachment_put(self, caller: Caller, chunks: Iterable[bytes]) -> bytes:
        """Keep a file, named by its SHA-256; Refusal `access.*`, `vault.attachment-size`. May be called in a thread."""

    def attachment_open(self, content: bytes) -> BinaryIO:
        """The file with this SHA-256, for who was shown a contract that names it; Refusal `vault.attachment-unknown`.

        May be called in a thread.
        """

    def ready(self) -> dict[str, Any]:
        """How the node stands: `ready`, true or false, and why; shown to anybody, so nothing secret."""

    def now_ms(self) -> int:
        """The node's time, in milliseconds since 1970."""
