"""The directory of one node: merges entries from anywhere, in any order, to the same state; answers look-ups."""

from __future__ import annotations

from typing import Any

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.node.directory.checks import check_entry, newer
from interfirm.node.directory.types import Directory, Effect, Entry, Event, HeardEntry, Role, StoreEntry


def step(state: Directory, event: Event) -> tuple[Directory, tuple[Effect, ...]]:
    """The directory with the entry merged in, and `StoreEntry` if that changed anything.

    Raises Refusal as `check_entry` and `newer`, `directory.taken` where another organisation has the registration
    number, `directory.full` beyond the limit.
    """
    match event:
        case HeardEntry(signed=signed):
            current = state.entries.get(signed.entry.identity)
            if current == signed:
                return state, ()
            entry = check_entry(signed, network=state.network, registrar=state.registrar)
            if newer(current, signed) is not signed:
                return state, ()
            _check_place(state, entry)
            entries = {**state.entries, entry.identity: signed}
            return state.replace(entries=entries), (StoreEntry(signed=signed),)


def by_identity(state: Directory, identity: bytes) -> Entry:
    """The entry of an identity; Refusal `directory.unknown` for nobody's."""
    signed = state.entries.get(identity)
    if signed is None:
        raise Refusal("directory.unknown", "nobody in the directory has this identity", identity=identity)
    return signed.entry


def by_registration(state: Directory, registration_id: str) -> Entry:
    """The entry with a registration number; Refusal `directory.unknown` for nobody's."""
    for signed in state.entries.values():
        if signed.entry.registration_id == registration_id:
            return signed.entry
    raise Refusal("directory.unknown", "nobody has this registration number", registration_id=registration_id)


def by_name(state: Directory, legal_name: str) -> Entry:
    """The entry with a legal name, small and capital letters alike.

    Raises Refusal `directory.unknown`, or `directory.ambiguous` with the registration numbers of those who share it.
    """
    wanted = legal_name.casefold().strip()
    found = [signed.entry for signed in state.entries.values() if signed.entry.legal_name.casefold() == wanted]
    check(bool(found), "directory.unknown", "nobody in the directory has this name", legal_name=legal_name)
    numbers = sorted(entry.registration_id for entry in found)
    check(
        len(found) == 1,
        "directory.ambiguous",
        "several organisations have this name: use the registration number",
        legal_name=legal_name,
        registration_ids=numbers,
    )
    return found[0]


def with_role(state: Directory, role: Role) -> list[Entry]:
    """All who have a role, by name."""
    found = [signed.entry for signed in state.entries.values() if role in signed.entry.roles]
    return sorted(found, key=lambda entry: (entry.legal_name, entry.identity))


def as_plain(state: Directory) -> list[dict[str, Any]]:
    """The directory for people, JSON-ready and sorted by name; bytes as hex."""
    entries = sorted((s.entry for s in state.entries.values()), key=lambda entry: (entry.legal_name, entry.identity))
    return [
        {
            "legal_name": entry.legal_name,
            "registration_id": entry.registration_id,
            "identity": entry.identity.hex(),
            "roles": [role.value for role in entry.roles],
            "endpoints": [f"{at.host}:{at.port}" for at in entry.endpoints],
            "signing_key": {"scheme": entry.public.scheme.value, "key": entry.public.key.hex()},
            "rotations": len(entry.rotations),
            "claims_key": entry.vrf_public.hex(),
            "serial": entry.serial,
        }
        for entry in entries
    ]


def _check_place(state: Directory, entry: Entry) -> None:
    others = [s.entry for identity, s in state.entries.items() if identity != entry.identity]
    check(len(others) < LIMITS.directory_count_max, "directory.full", "the directory takes no more organisations")
    holder = next((other for other in others if other.registration_id == entry.registration_id), None)
    check(
        holder is None,
        "directory.taken",
        "another organisation has this registration number",
        registration_id=entry.registration_id,
        holder=holder.identity if holder else None,
    )
