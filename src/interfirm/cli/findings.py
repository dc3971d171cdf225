"""What the doctor finds: each thing that was looked at, and what to do where it is not in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.values import Value

_REMEDIES: dict[str, str] = {
    "access.audit": "somebody changed the database; compare with the last hash that you keep elsewhere, and a backup",
    "certificate.expired": "have the network's authority certify it again; no peer talks to it until then",
    "certificate": "put back the certificate that belongs to these keys, or have the authority certify it again",
    "clock": "set the machine's clock by NTP",
    "configuration": "correct the setting in node.toml, or the variable INTERFIRM_...; then start the node again",
    "group": "start the host again, and an entity that left the group by itself",
    "keystore": "put back the key store and its passphrase from a backup of the same day",
    "node": "look at the last lines of its log.jsonl, then start it again: nothing is lost",
    "notary": "`interfirm notary status`; have whoever runs it start it",
    "peers": "see that the network lets this machine out, and ask them; messages are kept and sent when they are back",
    "port": "end the other program, or change the address in node.toml or network.json",
    "revocations": "put back the authority's list of revocations; nobody is believed without it",
    "vault.damaged": "stop the node and restore its backup, then `interfirm recover` for what came since",
    "vault.storage": "give the disk or the database space; the node goes on by itself",
    "vault": "see that the database runs and that this user may use it",
}
"""What to do, by a refusal's code or its family."""
_OTHERWISE = "look the code up in docs/reference/refusals.md"


class Finding(Value, frozen=True):
    """What was looked at, whether it is in order, what was found, the refusal where there was one, and what to do."""

    what: str
    ok: bool
    found: str
    refused: dict[str, Any] | None = None
    do: str = ""
    """Empty where it is in order."""


def finding_of(what: str, look: Callable[[], str]) -> Finding:
    """What a look says, or what it is refused with and what to do about that."""
    try:
        return Finding(what, ok=True, found=look())
    except Refusal as refusal:
        return Finding(what, ok=False, found=str(refusal), refused=refusal.as_plain(), do=remedy(refusal.code))


def remedy(code: str) -> str:
    """What to do about a refusal."""
    return _REMEDIES.get(code) or _REMEDIES.get(code.partition(".")[0]) or _OTHERWISE
