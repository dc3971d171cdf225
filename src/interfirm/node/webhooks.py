"""Webhooks of a node: where changes are sent, for whom, and how far that has got. Their outbox is the log of changes.

A webhook sends what the person who made it may read, as the person's roles are when it is sent, no more than the token
allowed that it was made with, and nothing when that has ended. Its
secret follows from the node's key and its id, so that it is kept nowhere.
"""

from __future__ import annotations

import base64
import ipaddress
from typing import Any
from urllib.parse import urlsplit

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.hashing import digest, sha256
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.base.vrf import VrfKey
from interfirm.node.changes import last_number
from interfirm.node.desk import Answer, Desk, Operation, text_of
from interfirm.node.vault.turn import Turn

_SPACE = "webhooks"
_URL_CHARS_MAX = 2_000
_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"),
               ipaddress.ip_network("2002::/16"))  # fmt: skip
"""Networks whose addresses hold another one, which may be private."""


class Hook(Value, frozen=True):
    """One webhook."""

    id: str
    person: str
    scopes: tuple[str, ...] | None
    url: str
    template: str
    """Only changes with contracts of this template; empty: all."""
    created_ms: int
    after: int
    """The number of the last change that was delivered."""
    attempts: int = 0
    """How often the next one has failed."""
    failing_since_ms: int = 0
    failure: str = ""
    """The code of the last failure; empty where all is well."""
    stopped: bool = False
    token: str = ""
    """The id of the token that it was made with: nothing is sent when that has ended."""


def check_url(url: str) -> None:
    """Refuse (`webhook.url`) what is not an HTTP address of a plain host, or could smuggle in anything else."""
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or 0 < parts.port < 65_536
    except ValueError as error:
        raise Refusal("webhook.url", "this is no address to send to", url=url[:80]) from error
    plain = len(url) <= _URL_CHARS_MAX and all("!" <= character <= "~" for character in url)
    whole = (
        parts.scheme in ("https", "http") and bool(parts.hostname) and not parts.fragment and "@" not in parts.netloc
    )
    check(plain and whole and port_fits, "webhook.url", "this is no address to send to", url=url[:80])


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, and not of this machine, a private or a special network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        return is_public(str(mapped))
    return found.is_global and not found.is_multicast and not any(found in network for network in _TRANSLATED)


def secret_of(key: VrfKey, hook: str) -> str:
    """The secret of a webhook: `whsec_` and 32 bytes in base64, that only the node's key gives."""
    return "whsec_" + base64.b64encode(sha256(key.prove(digest("webhook secret", hook)))).decode()


def put_hook(turn: Turn, hook: Hook) -> None:
    """Keep a webhook, in place of how it was."""
    turn.blob_put(_SPACE, hook.id.encode(), msgspec.msgpack.encode(hook))


def find_hook(turn: Turn, name: str) -> Hook | None:
    """The webhook of this id."""
    kept = turn.blob_get(_SPACE, name.encode())
    return None if kept is None else msgspec.msgpack.decode(kept, type=Hook)


def hooks(turn: Turn) -> list[Hook]:
    """All webhooks."""
    rows = turn.blobs(_SPACE, limit=LIMITS.webhooks_count_max)
    return [msgspec.msgpack.decode(value, type=Hook) for _, value in rows]


def _shown(hook: Hook) -> dict[str, Any]:
    return {
        "id": hook.id, "person": hook.person, "url": hook.url, "template": hook.template, "delivered": hook.after,
        "attempts": hook.attempts, "failure": hook.failure, "stopped": hook.stopped,
    }  # fmt: skip


def _own(desk: Desk, turn: Turn, arguments: dict[str, Any]) -> Hook:
    """The caller's own webhook `id`, or anybody's for who may `webhooks.all`; Refusal `webhook.unknown`."""
    found = find_hook(turn, text_of(arguments, "id"))
    if found is None or not _is_for(desk, found):
        raise Refusal("webhook.unknown", "there is no such webhook", id=str(arguments["id"])[:80])
    return found


def _is_for(desk: Desk, hook: Hook) -> bool:
    return hook.person == desk.permission.caller.name or desk.permission.may("webhooks.all")


def _new(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Send what happens from now on to `url`, of `template` alone or of all; the secret is shown this once."""
    url, template = text_of(arguments, "url"), str(arguments.get("template", ""))
    check_url(url)
    if template:
        template = desk.template_name(desk.engine.named(template))
    caller = desk.permission.caller
    check(caller.door == "token", "webhook.token", "a webhook is made with a token, which says how long it goes on",
          door=caller.door)  # fmt: skip
    desk.permission.check_operation("changes.list")
    with desk.vault.turn() as turn:
        few = len(hooks(turn)) < LIMITS.webhooks_count_max
        check(few, "webhook.count", "the node has too many webhooks", count_max=LIMITS.webhooks_count_max)
        hook = Hook(
            id=desk.services.random(16).hex(), person=caller.name, scopes=caller.scopes, url=url, template=template,
            created_ms=desk.now_ms(), after=last_number(turn), token=caller.token,
        )  # fmt: skip
        put_hook(turn, hook)
    return {**_shown(hook), "secret": secret_of(desk.books.keys.vrf, hook.id)}


def _list(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The caller's webhooks; everybody's for who may `webhooks.all`."""
    with desk.vault.read() as turn:
        return {"webhooks": [_shown(hook) for hook in hooks(turn) if _is_for(desk, hook)]}


def _delete(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Send nothing more to the webhook `id`."""
    with desk.vault.turn() as turn:
        hook = _own(desk, turn, arguments)
        turn.blob_delete(_SPACE, hook.id.encode())
    return _shown(hook)


def _resume(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Try the webhook `id` again now, also where it was given up; nothing that happened meanwhile is lost.

    Its owner's token of now takes the place of the one that it was made with.
    """
    caller = desk.permission.caller
    with desk.vault.turn() as turn:
        hook = _own(desk, turn, arguments).replace(attempts=0, failing_since_ms=0, failure="", stopped=False)
        if hook.person == caller.name and caller.token:
            hook = hook.replace(token=caller.token, scopes=caller.scopes)
        put_hook(turn, hook)
    return _shown(hook)


OPERATIONS: dict[str, Operation] = {
    "webhooks.new": _new,
    "webhooks.list": _list,
    "webhooks.delete": _delete,
    "webhooks.resume": _resume,
}
"""See the module."""
