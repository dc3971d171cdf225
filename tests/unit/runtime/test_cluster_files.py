"""What a cluster's processes are told and tell: settings, logs, faults, status; what building an engine needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import Ed25519Signer
from interfirm.notary.cometbft.types import ClusterGenesis, Validator
from interfirm.runtime import engine
from interfirm.runtime.cluster import ClusterFile, ClusterLayout, Place, new_cluster, peers_of, with_settings
from interfirm.runtime.cluster_parts import APPLICATION, Fault, fault_of, last_lines, log_path, pid_path, running
from interfirm.runtime.cluster_run import end_left_over, rotate
from interfirm.runtime.cluster_status import STANDS_AFTER_MS, ValidatorStatus, summary

PLACES = tuple(Place(name=f"node{n}", node=f"id{n}", host=f"127.0.0.{10 + n}") for n in range(4))
GENESIS = ClusterGenesis(
    network=digest("network"), registrar=Ed25519Signer(digest("registrar")).public, label="c",
    validators=tuple(Validator(key=digest("validator", n), power=1) for n in range(4)),
)  # fmt: skip
CONFIG = 'moniker = "a"\n# a comment\n[rpc]\nladdr = "x"\n[p2p]\nladdr = "y"\npex = true\n'


def layout(folder: Path) -> ClusterLayout:
    file = ClusterFile(format=1, engine=engine.PINNED, genesis=codec.encode(GENESIS).hex(), places=PLACES)
    return ClusterLayout(folder, file)


def status(place: Place, **changes: object) -> ValidatorStatus:
    up: dict[str, object] = {
        "name": place.name, "address": place.rpc, "power": 1, "application": 1, "engine": 2, "answers": True,
        "height": 7, "block_ms": 1_000_000, "peers": 3,
    }  # fmt: skip
    return ValidatorStatus(**(up | changes))  # type: ignore[arg-type] # a test may change anything


def down(place: Place, **changes: object) -> ValidatorStatus:
    return status(place, answers=False, height=0, block_ms=0, peers=0, **changes)


def test_settings_are_changed_in_their_section_only() -> None:
    changed = with_settings(CONFIG, {"": {"moniker": "b"}, "p2p": {"laddr": "z", "pex": False}})
    assert changed == CONFIG.replace('"a"', '"b"').replace('"y"', '"z"').replace("true", "false")


def test_a_setting_that_the_engine_does_not_have_is_refused() -> None:
    with pytest.raises(Refusal) as refusal:
        with_settings(CONFIG, {"rpc": {"pex": False}})
    assert refusal.value.code == "cluster.setting"


def test_a_validator_keeps_in_touch_with_all_others() -> None:
    assert peers_of(PLACES[1], PLACES[:3]) == "id0@127.0.0.10:26656,id2@127.0.0.12:26656"


@pytest.mark.parametrize(("count", "code"), [(0, "cluster.size"), (65, "cluster.size")])
def test_a_cluster_has_some_validators_and_not_too_many(tmp_path: Path, count: int, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        new_cluster(tmp_path / "c", network=digest("n"), registrar=GENESIS.registrar, label="c", validators=count)
    assert refusal.value.code == code
    assert not (tmp_path / "c").exists()


def test_a_folder_with_something_in_it_and_an_address_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, address, code in (
        (tmp_path, "127.0.0.10", "cluster.exists"),
        (tmp_path / "c", "192.0.2.1", "cluster.address"),
    ):
        with pytest.raises(Refusal) as refusal:
            new_cluster(
                folder, network=digest("n"), registrar=GENESIS.registrar, label="c", validators=1,
                first_address=address,
            )  # fmt: skip
        assert refusal.value.code == code


def test_what_is_no_cluster_is_refused(tmp_path: Path) -> None:
    for content, code in ((None, "cluster.missing"), ("{", "cluster.damaged")):
        if content is not None:
            (tmp_path / "cluster.json").write_text(content)
        with pytest.raises(Refusal) as refusal:
            ClusterLayout.open(tmp_path)
        assert refusal.value.code == code
    with pytest.raises(Refusal) as refusal:
        layout(tmp_path).named("node9")
    assert refusal.value.code == "cluster.validator"


def test_with_five_of_seven_votes_the_cluster_goes_on_and_says_who_is_down(tmp_path: Path) -> None:
    found = summary(layout(tmp_path), (*map(status, PLACES[:3]), down(PLACES[3])), 1_000_500)
    assert (found.stands, found.why, found.height, found.power_up, found.power_needed) == (False, "", 7, 3, 3)


def test_without_enough_votes_it_stands_and_says_why(tmp_path: Path) -> None:
    late = 1_000_000 + STANDS_AFTER_MS + 1
    ailing = (
        *map(status, PLACES[:1]), down(PLACES[1], application=None), down(PLACES[2], engine=None), down(PLACES[3])
    )  # fmt: skip
    found = summary(layout(tmp_path), ailing, late)
    assert found.stands
    assert found.why == (
        "validators with 1 votes answer and 3 are needed; down: node1 (no application), node2 (no engine), "
        "node3 (its engine does not answer)"
    )


def test_validators_that_do_not_hear_each_other_are_told_as_that(tmp_path: Path) -> None:
    late = 1_000_000 + STANDS_AFTER_MS + 1
    alone = tuple(status(place, peers=0) for place in PLACES)
    assert summary(layout(tmp_path), alone, late).why.startswith("without any peer: node0")
    behind = tuple(status(place, catching_up=True) for place in PLACES)
    assert summary(layout(tmp_path), behind, late).why.startswith("still catching up: node0")
    assert "messages between them" in summary(layout(tmp_path), tuple(map(status, PLACES)), late).why


def test_long_logs_are_put_aside_and_the_oldest_forgotten(tmp_path: Path) -> None:
    path = log_path(tmp_path, APPLICATION)
    assert not rotate(path)
    for number in range(5):
        path.write_text(f"{number}" * 20)
        assert rotate(path, bytes_max=10)
        assert path.read_text() == ""
    kept = {each.name: each.read_text()[0] for each in tmp_path.iterdir() if each != path}
    assert kept == {"application.log.1": "4", "application.log.2": "3", "application.log.3": "2"}
    path.write_text("short")
    assert not rotate(path, bytes_max=10)


def test_a_process_number_that_is_somebody_elses_now_is_not_ours(tmp_path: Path) -> None:
    pid_path(tmp_path, APPLICATION).write_text(str(os.getpid()))
    assert running(tmp_path, APPLICATION) is None
    end_left_over(tmp_path)
    assert not pid_path(tmp_path, APPLICATION).exists()


def test_nothing_is_known_of_processes_that_never_ended(tmp_path: Path) -> None:
    assert fault_of(tmp_path, APPLICATION) == Fault()
    assert last_lines(tmp_path / "none.log") == ()


def test_without_go_or_with_an_old_one_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal) as refusal:
        engine.check_go()
    assert refusal.value.code == "engine.go-missing"
    (tmp_path / "go").write_text("#!/bin/sh\necho go1.19.8\n")
    (tmp_path / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(Refusal) as refusal:
        engine.check_go()
    assert refusal.value.code == "engine.go-old"
    assert "1.22.11" in str(refusal.value)


def test_an_engine_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.ENGINE, str(tmp_path / "engine"))
    with pytest.raises(Refusal) as refusal:
        engine.installed()
    assert refusal.value.code == "engine.missing"
    (tmp_path / "engine").write_text("#!/bin/sh\necho 0.37.0\n")
    (tmp_path / "engine").chmod(0o755)
    with pytest.raises(Refusal) as refusal:
        engine.installed()
    assert refusal.value.code == "engine.version"
    with pytest.raises(Refusal) as refusal:
        engine.install("v0.1.0")
    assert refusal.value.code == "engine.unknown"
