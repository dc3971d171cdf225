"""The guard of what a validator's key has signed: an engine whose record was lost or is old is not started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interfirm.base.errors import Refusal
from interfirm.runtime.signing import check, check_apart, engine_record, move_on, note, noted

NODE = "node0"


def machine(folder: Path, *, name: str = NODE, key: str = "a key") -> Path:
    """A machine as the engine makes it."""
    home = folder / name
    (home / "config").mkdir(parents=True)
    (home / "data").mkdir()
    (home / "config" / "priv_validator_key.json").write_text(json.dumps({"pub_key": {"value": key}}))
    signed(home, 0, 0, 0)
    return home


def signed(home: Path, height: int, round_: int, step: int) -> None:
    record = {"height": str(height), "round": round_, "step": step}
    (home / "data" / "priv_validator_state.json").write_text(json.dumps(record))


def refusal(folder: Path) -> str:
    with pytest.raises(Refusal) as found:
        check(folder, NODE)
    return found.value.code


def test_an_engine_whose_record_went_on_is_started(tmp_path: Path) -> None:
    home = machine(tmp_path)
    check(tmp_path, NODE)
    signed(home, 7, 0, 2)
    note(tmp_path, NODE)
    check(tmp_path, NODE)
    signed(home, 7, 0, 3)
    check(tmp_path, NODE)


@pytest.mark.parametrize("place", [(6, 9, 3), (7, 0, 3), (7, 1, 1)])
def test_an_engine_whose_record_lies_behind_is_not_started(tmp_path: Path, place: tuple[int, int, int]) -> None:
    home = machine(tmp_path)
    signed(home, 7, 1, 2)
    note(tmp_path, NODE)
    signed(home, *place)
    assert refusal(tmp_path) == "signing.behind"
    note(tmp_path, NODE)
    assert refusal(tmp_path) == "signing.behind", "the note went back"


def test_an_engine_whose_record_was_lost_is_not_started(tmp_path: Path) -> None:
    home = machine(tmp_path)
    signed(home, 7, 0, 3)
    note(tmp_path, NODE)
    (home / "data" / "priv_validator_state.json").unlink()
    assert refusal(tmp_path) == "signing.behind"


def test_moved_beyond_all_it_may_have_signed_it_is_started_again(tmp_path: Path) -> None:
    home = machine(tmp_path)
    signed(home, 7, 0, 3)
    note(tmp_path, NODE)
    (home / "data" / "priv_validator_state.json").unlink()
    assert move_on(tmp_path, NODE, 20).place == (20, 0, 3)
    check(tmp_path, NODE)
    assert engine_record(home).place == (20, 0, 3)
    assert move_on(tmp_path, NODE, 5).place == (20, 0, 3), "it went back"


def test_a_new_key_begins_a_new_note(tmp_path: Path) -> None:
    home = machine(tmp_path)
    signed(home, 7, 0, 3)
    note(tmp_path, NODE)
    (home / "config" / "priv_validator_key.json").write_text(json.dumps({"pub_key": {"value": "another"}}))
    signed(home, 1, 0, 1)
    check(tmp_path, NODE)
    note(tmp_path, NODE)
    found = noted(tmp_path, NODE)
    assert found is not None
    assert (found.key, found.height) == ("another", 1)


def test_two_machines_with_one_key_are_not_run(tmp_path: Path) -> None:
    machine(tmp_path)
    machine(tmp_path, name="node1", key="another")
    check_apart(tmp_path, ["node0", "node1"])
    machine(tmp_path, name="node2")
    with pytest.raises(Refusal) as found:
        check_apart(tmp_path, ["node0", "node1", "node2"])
    assert found.value.code == "signing.same-key"


@pytest.mark.parametrize("text", ["", "[]", '{"pub_key": 5}', '{"pub_key": {"value": "k"}, "x'])
def test_a_record_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    home = machine(tmp_path)
    (home / "config" / "priv_validator_key.json").write_text(text)
    assert refusal(tmp_path) == "signing.damaged"


def test_a_note_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    machine(tmp_path)
    note(tmp_path, NODE)
    (tmp_path / "signing" / f"{NODE}.json").write_text("{")
    assert refusal(tmp_path) == "signing.damaged"
