"""The node as its HTTP doors see it (api.signin.ports.SigninPort): callers by token or session, the desk of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, BinaryIO

from interfirm.api.feed import Changed
from interfirm.api.ports import Parts, ShownOperation, ShownTemplate
from interfirm.api.signin import cookies
from interfirm.api.signin.service import SignIn
from interfirm.api.signin.settings import SigninSettings
from interfirm.base.errors import Refusal
from interfirm.contracts.packages import TemplateCode
from interfirm.node.access.machine import Permission
from interfirm.node.access.oidc_settings import OidcSettings
from interfirm.node.access.people import caller_of_token
from interfirm.node.access.staff import OF
from interfirm.node.access.standing import check_token, session_key, token_key
from interfirm.node.access.types import Caller
from interfirm.node.reading import Reading
from interfirm.node.vault.blobs import Key
from interfirm.node.vault.turn import Turn
from interfirm.runtime.standings import Standings

if TYPE_CHECKING:
    from interfirm.runtime.node_process import NodeProcess

_BEARER = "bearer "
NO_PROVIDER = OidcSettings()
NOWHERE = SigninSettings()
"""No page's origin is that of a node which browsers do not reach."""
_WITH_PATHS = (
    "create", "exercise", "preview", "contracts.", "templates", "whoami", "proof.", "flows.", "inbox.", "approvals.",
    "session.", "changes.", "webhooks.", "entities.",
)  # fmt: skip
"""Operations for which REST has paths of their own."""
DOCUMENTS_PUT = "documents.put"
"""What keeping a file is called where roles allow it."""


class Doors:
    """See api.signin.ports.SigninPort."""

    def __init__(
        self,
        process: NodeProcess,
        settings: SigninSettings = NOWHERE,
        oidc: OidcSettings = NO_PROVIDER,
        *,
        host: Doors | None = None,
    ) -> None:
        """`host` are the doors of the group's host, whose people are asked for where nobody of one's own shows up."""
        self._process = process
        self._host = host
        self.desk = process.assembly.desk
        self._vault = process.assembly.vault
        self.signin = SignIn(self._vault, settings, oidc=oidc, now_ms=self.now_ms, random=self.desk.services.random)
        vaults = (self._vault, *(() if host is None else (host._vault,)))
        self._standings = Standings(vaults, self.caller, self._shown, now_ms=self.now_ms)

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """See NodePort."""
        try:
            return self._own(headers)
        except Refusal as refusal:
            if self._host is None or refusal.code != "access.unknown-caller":
                raise
            return self.desk.staff.guest(self._host.caller(headers))

    def _own(self, headers: Mapping[str, str]) -> Caller:
        given = headers.get("authorization")
        if given is None:
            return self.signin.caller(cookies.read("session", headers, self.signin.settings))
        token = given[len(_BEARER) :].strip() if given.lower().startswith(_BEARER) else ""
        with self._vault.read() as turn:
            return caller_of_token(turn, token, now_ms=self.now_ms())

    def known(self, name: str, scopes: tuple[str, ...] | None, token: str) -> Caller:
        """See NodePort."""
        with self._vault.read() as turn:
            caller = self.desk.staff.caller(turn, name, door="token", scopes=scopes)
        home = self._host if self._host is not None and OF in name else self
        with home._vault.read() as turn:
            check_token(turn, token, now_ms=self.now_ms())
        return caller

    def watch(self, headers: Mapping[str, str], ended: Callable[[Refusal], None]) -> Callable[[], None]:
        """See NodePort."""
        return self._standings.watch(headers, ended)

    def _shown(self, headers: Mapping[str, str]) -> Key:
        """Where that lies which somebody shows."""
        given = headers.get("authorization")
        if given is None:
            doors = (self,) if self._host is None else (self, self._host)
            texts = [cookies.read("session", headers, each.signin.settings) for each in doors]
            return session_key(next(filter(None, texts), ""))
        return token_key(given[len(_BEARER) :].strip())

    async def ask(self, caller: Caller, name: str, arguments: dict[str, Any]) -> dict[str, Any] | Parts:
        """See NodePort."""
        return await self._process.handle(name, arguments, caller)

    def templates(self, caller: Caller) -> Sequence[ShownTemplate]:
        """See NodePort."""
        permission = self.desk.of(caller).permission
        newest = {self.desk.template_name(code): code for code in self.desk.engine.templates()}
        found = (_shown(permission, path, code) for path, code in sorted(newest.items()))
        return [each for each in found if each is not None]

    def template(self, caller: Caller, path: str) -> ShownTemplate | None:
        """See NodePort."""
        try:
            code = self.desk.engine.named(path)
        except Refusal:
            return None
        whole = self.desk.template_name(code) == path
        return _shown(self.desk.of(caller).permission, path, code) if whole else None

    def operations(self, caller: Caller) -> Sequence[ShownOperation]:
        """See NodePort."""
        permission = self.desk.of(caller).permission
        return [
            ShownOperation(
                name=name,
                about=(operation.__doc__ or "").strip().partition("\n")[0],
                takes=getattr(operation, "takes", None),
            )
            for name, operation in sorted(self.desk.operations.items())
            if not name.startswith(_WITH_PATHS) and permission.may(name)
        ]

    def attachment_put(self, caller: Caller, chunks: Iterable[bytes]) -> bytes:
        """See NodePort."""
        self.desk.of(caller).permission.check_operation(DOCUMENTS_PUT)
        return self._vault.attachment_put_stream(chunks)

    def attachment_open(self, content: bytes) -> BinaryIO:
        """See NodePort."""
        return self._vault.attachment_open(content)

    def ready(self) -> dict[str, Any]:
        """See NodePort."""
        refused = [each.storage.failure for each in (self._process, *self._process.hosted)]
        failure = next((each for each in refused if each is not None), None)
        return {"ready": failure is None, "reason": "" if failure is None else failure.code}

    def reading(self, caller: Caller) -> Reading:
        """See GraphPort."""
        return self.desk.of(caller)

    def read(self) -> AbstractContextManager[Turn]:
        """See GraphPort."""
        return self._vault.read()

    def changes(self, changed: Changed) -> Callable[[], None]:
        """See GraphPort."""
        return self._process.changing.subscribe(changed)

    def now_ms(self) -> int:
        """See NodePort."""
        return self._process.clock.now_ms()


def _shown(permission: Permission, path: str, code: TemplateCode) -> ShownTemplate | None:
    """A template as roles show it; None where none of its contracts may be read."""
    if permission.readable(path) is None:
        return None
    return ShownTemplate(
        path, code, create=permission.may("create") and permission.may_create(path),
        choices=_choices(permission.choices(path), code.choices) if permission.may("exercise") else (),
        hidden=permission.hidden(path),
    )  # fmt: skip


def _choices(allowed: frozenset[str], declared: Iterable[str]) -> list[str]:
    return [name for name in declared if name in allowed or "*" in allowed]
