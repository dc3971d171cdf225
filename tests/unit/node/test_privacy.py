"""Erasing a data subject: every copy in the vault, and nothing where one is still in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.unit.node.vault.samples import SampleEngine

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.node.flows.messages import Delivery, PrivateValue
from interfirm.node.flows.running import Opened
from interfirm.node.flows.store import FlowStore, Talk
from interfirm.node.privacy import erase
from interfirm.node.sessions_store import OUTBOX
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import FlowRecord, FlowState
from interfirm.node.vault.vault import Vault

VALUE = "Anna Verlinden, +32 470 11 22 33, anna.verlinden@example.org"
SUBJECT, SESSION, PEER = "Anna", b"s" * 16, b"p" * 32
"""Whose data it is; a talk; with whom."""
ANNAS = PrivateValue(commitment=digest("test", "anna"), subject=SUBJECT, value=VALUE, salt=digest("test", "salt"))
BORIS = PrivateValue(commitment=digest("test", "boris"), subject="Boris", value="Boris", salt=digest("test", "b"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def vault(path: Path) -> Iterator[Vault]:
    opened = Vault.open(path, contracts_engine=SampleEngine())
    yield opened
    opened.close()


def body(*privates: PrivateValue) -> bytes:
    """A message as a peer sends it, with private values beside what everybody may know."""
    return codec.encode_plain([bytes(100), [codec.plain(each) for each in privates], "Anna is a name, too"])


def arguments(*privates: PrivateValue) -> bytes:
    return msgspec.msgpack.encode(Opened(peer=PEER, session=SESSION, body=body(*privates)))


def put_flow(turn: Turn, id: str, state: FlowState, data: bytes) -> None:
    turn.put_flow(
        FlowRecord(
            id=id, kind="respond", arguments=data, state=state, progress=b"", result=b"", started_ms=0, changed_ms=0,
            parent="",
        )
    )  # fmt: skip


def keep(turn: Turn, private: PrivateValue) -> None:
    turn.put_private(private.commitment, private.subject, codec.encode(private.value), private.salt)


def kept_bytes(path: Path) -> bytes:
    """All that lies on the disk."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()) if file.is_file())


def test_a_message_as_it_is_encoded_is_recognised() -> None:
    """The needle that copies are found by stands in the real thing."""
    delivery = msgspec.structs.asdict(ANNAS)
    assert list(delivery) == ["commitment", "subject", "value", "salt"]
    assert codec.encode(ANNAS)[1:] in body(ANNAS)
    assert Delivery.__struct_fields__.count("privates") == 1


def test_every_copy_is_gone_from_the_disk(vault: Vault, path: Path) -> None:
    with vault.turn() as turn:
        keep(turn, ANNAS)
        keep(turn, BORIS)
        put_flow(turn, "ended", "done", arguments(ANNAS))
        put_flow(turn, "declined", "refused", arguments(ANNAS))
        put_flow(turn, "other", "done", arguments(BORIS))
        put_flow(turn, "failed", "failed", b"nothing")
        turn.journal_append([("failed", 0, body(BORIS)), ("failed", 1, body(ANNAS))])
        turn.blob_put("flow-mail", SESSION + bytes(8), body(ANNAS))
        for number in range(500):  # so that pages are full, and what is erased lies among what stays
            put_flow(turn, f"flow-{number}", "done", arguments(ANNAS) if number % 3 else arguments(BORIS))
    assert kept_bytes(path).count(VALUE.encode()) > 300
    with vault.turn() as turn:
        erased = erase(turn, SUBJECT, now_ms=1, hold_on=lambda _: None)
        assert turn.private(BORIS.commitment) is not None
        assert turn.private(ANNAS.commitment) is None
    assert [value.commitment for value in erased.values] == [ANNAS.commitment]
    assert {"ended", "declined", "failed", "flow-1"} < set(erased.flows)
    assert not {"other", "flow-0"} & set(erased.flows)
    with vault.turn() as turn:  # a log that somebody still read is cut now
        turn.blob_put("any", b"", b"")
    assert VALUE.encode() not in kept_bytes(path)
    assert ANNAS.salt not in kept_bytes(path)
    assert BORIS.salt in kept_bytes(path)


def test_a_failed_flow_whose_journal_was_erased_is_ended_with_a_record(vault: Vault) -> None:
    with vault.turn() as turn:
        put_flow(turn, "failed", "failed", arguments(ANNAS))
        turn.journal_append([("failed", 0, body(ANNAS))])
        erase(turn, SUBJECT, now_ms=7, hold_on=lambda _: None)
        record = turn.flow("failed")
        assert record is not None
        assert record.state == "killed"
        assert msgspec.msgpack.decode(record.result) == {
            "who": "privacy", "reason": "its private values were erased", "ms": 7,
        }  # fmt: skip
        assert turn.journal("failed") == []


@pytest.mark.parametrize("where", ["arguments", "journal", "mail", "outbox"])
def test_nothing_is_erased_while_a_copy_is_in_use(vault: Vault, where: str) -> None:
    with vault.turn() as turn:
        keep(turn, ANNAS)
        put_flow(turn, "going on", "waiting", arguments(ANNAS if where == "arguments" else BORIS))
        if where == "journal":
            turn.journal_append([("going on", 0, body(ANNAS))])
        if where == "mail":
            turn.blob_put("flow-mail", SESSION + bytes(8), body(ANNAS))
            store = FlowStore()
            store.keep_talk(SESSION, Talk("going on", PEER, 0, 1))
            store.flush(turn)
        if where == "outbox":
            turn.blob_put(OUTBOX + PEER.hex(), bytes(8), body(ANNAS))
    with vault.turn() as turn, pytest.raises(Refusal, match=r"privacy\.in-use") as refused:
        erase(turn, SUBJECT, now_ms=1, hold_on=lambda _: None)
    expected = {"flows": [], "peers": [PEER.hex()]} if where == "outbox" else {"flows": ["going on"], "peers": []}
    assert refused.value.values == expected
    with vault.read() as turn:
        assert turn.private(ANNAS.commitment) is not None


def test_what_was_erased_does_not_come_back(vault: Vault, path: Path) -> None:
    with vault.turn() as turn:
        keep(turn, ANNAS)
        erase(turn, SUBJECT, now_ms=1, hold_on=lambda _: None)
        keep(turn, ANNAS)
        assert turn.private(ANNAS.commitment) is None
    assert VALUE.encode() not in kept_bytes(path)


def test_a_subject_that_nothing_is_kept_of_is_no_trouble(vault: Vault) -> None:
    with vault.turn() as turn:
        keep(turn, BORIS)
        erased = erase(turn, SUBJECT, now_ms=1, hold_on=lambda _: None)
        assert (erased.values, erased.flows, erased.committed) == ((), (), {})
        assert turn.private(BORIS.commitment) is not None


def test_attached_files_in_which_a_value_stands_are_named(vault: Vault) -> None:
    filler = b"x" * (64 * 1024 - 10)
    across = vault.attachment_put_stream([filler, VALUE.encode(), filler])
    vault.attachment_put_stream([filler])
    assert vault.attachments_holding([VALUE.encode()]) == [across]
    assert vault.attachments_holding([]) == []
