"""The guard of what a validator's key has signed: a second record of it, so that no lost or old one lets it sign twice.

The engine keeps the last height, round and step that it signed for (`data/priv_validator_state.json`) and signs nothing
before. Where that file is lost, or comes back from a backup, it would sign again what it has signed: that is double
signing, and costs the validator. So the supervisor notes beside the machines how far each key has come, and does not
start an engine whose own record lies behind.

    signing/<name>.json     key, height, round and step that were signed last, as far as is known
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.node.identity.sealed import write_atomically

LAST_STEP = 3
"""A precommit, the last thing that is signed in a round."""


class Signed(Value, frozen=True):
    """How far a key has signed: its public half in hex, then height, round and step."""

    key: str
    height: int
    round: int
    step: int

    @property
    def place(self) -> tuple[int, int, int]:
        """What is compared."""
        return self.height, self.round, self.step


def engine_record(home: Path) -> Signed:
    """What the engine itself keeps; nothing signed where there is no record. Refusal `signing.damaged`."""
    key = _read(home / "config" / "priv_validator_key.json")
    kept = _read(home / "data" / "priv_validator_state.json")
    try:
        public = str(key["pub_key"]["value"])
        return Signed(
            key=public,
            height=int(kept.get("height", 0)),
            round=int(kept.get("round", 0)),
            step=int(kept.get("step", 0)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(
            "signing.damaged", "the engine's record of what it signed cannot be read", home=str(home)
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Refusal("signing.damaged", "the file cannot be read", path=str(path)) from error
    return found if isinstance(found, dict) else {}


def noted(folder: Path, name: str) -> Signed | None:
    """What is noted beside the machines; Refusal `signing.damaged`."""
    path = _path(folder, name)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Signed)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise Refusal("signing.damaged", "the note of what was signed cannot be read", path=str(path)) from error


def note(folder: Path, name: str) -> None:
    """Take down how far a machine's key has signed; a note never goes back, and a new key begins a new one."""
    record, before = engine_record(folder / name), noted(folder, name)
    if before is None or before.key != record.key or before.place < record.place:
        _path(folder, name).parent.mkdir(mode=0o700, exist_ok=True)
        write_atomically(_path(folder, name), msgspec.json.encode(record), replace=True)


def check(folder: Path, name: str) -> None:
    """Refuse (`signing.behind`) to run an engine whose record lies behind what its key is known to have signed."""
    record, known = engine_record(folder / name), noted(folder, name)
    if known is not None and known.key == record.key and record.place < known.place:
        raise Refusal(
            "signing.behind",
            "the engine's record of what it signed was lost or is old, and it could sign twice; `interfirm notary"
            f" guard {name}` moves it beyond all that was signed", recorded=record.place, known=known.place,
        )  # fmt: skip


def check_apart(folder: Path, names: list[str]) -> None:
    """Refuse (`signing.same-key`) two machines with one key."""
    owners: dict[str, str] = {}
    for name in names:
        key = engine_record(folder / name).key
        if key in owners:
            raise Refusal("signing.same-key", "two machines must not sign with one key", machines=[owners[key], name])
        owners[key] = name


def move_on(folder: Path, name: str, height: int) -> Signed:
    """Let a stopped machine sign nothing at a height or before, whatever its record said; never back."""
    record, known = engine_record(folder / name), noted(folder, name)
    after = Signed(key=record.key, height=height, round=0, step=LAST_STEP)
    latest = max((record, after, *([known] if known and known.key == record.key else [])), key=lambda each: each.place)
    path = folder / name / "data" / "priv_validator_state.json"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    found = {"height": str(latest.height), "round": latest.round, "step": latest.step}
    write_atomically(path, json.dumps(found, indent=2).encode(), replace=True)
    note(folder, name)
    return latest


def _path(folder: Path, name: str) -> Path:
    return folder / "signing" / f"{name}.json"
