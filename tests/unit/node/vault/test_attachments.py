"""Files beside the database."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.node.vault.samples import bytes32, refused

from interfirm.node.vault.attachments import CHUNK_BYTES, Attachments


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def files(folder: Path) -> Attachments:
    return Attachments(folder)


def chunks(count: int) -> Iterator[bytes]:
    for n in range(count):
        yield n.to_bytes(4, "big") * (CHUNK_BYTES // 4)


def test_the_name_of_a_file_is_the_hash_of_its_bytes(files: Attachments, folder: Path) -> None:
    content = files.put([b"one", b"", b"two"])
    assert content == hashlib.sha256(b"onetwo").digest()
    assert [file.name for file in folder.iterdir()] == [content.hex()]
    assert (folder / content.hex()).read_bytes() == b"onetwo"


def test_an_empty_file_is_a_file(files: Attachments) -> None:
    assert files.open(files.put([])).read() == b""


def test_the_same_file_twice_is_kept_once(files: Attachments, folder: Path) -> None:
    assert files.put([b"one"]) == files.put([b"o", b"ne"])
    assert len(list(folder.iterdir())) == 1


def test_a_file_that_is_too_large_is_refused_and_nothing_is_kept(files: Attachments, folder: Path) -> None:
    with refused("vault.attachment-size"):
        files.put([b"12345", b"6"], bytes_max=5)
    assert list(folder.iterdir()) == []


def test_a_file_that_is_not_the_announced_one_is_refused_and_nothing_is_kept(files: Attachments, folder: Path) -> None:
    with refused("vault.attachment-hash"):
        files.put([b"one"], content=bytes32("other"))
    assert list(folder.iterdir()) == []


def test_a_sender_that_breaks_off_leaves_nothing(files: Attachments, folder: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"first"
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        files.put(broken())
    assert list(folder.iterdir()) == []


def test_an_unfinished_file_is_cleared_when_the_vault_is_opened_again(files: Attachments, folder: Path) -> None:
    content = files.put([b"one"])
    (folder / "unfinished-abc").write_bytes(b"half")
    Attachments(folder)
    assert [file.name for file in folder.iterdir()] == [content.hex()]


def test_a_file_whose_bytes_have_changed_is_refused(files: Attachments, folder: Path) -> None:
    content = files.put([b"one"])
    (folder / content.hex()).write_bytes(b"two")
    with refused("vault.damaged"):
        files.open(content)


def test_an_unknown_file_is_refused(files: Attachments) -> None:
    assert not files.has(bytes32("none"))
    with refused("vault.attachment-unknown"):
        files.open(bytes32("none"))


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written_is_refused(files: Attachments, folder: Path) -> None:
    folder.chmod(0o500)
    with refused("vault.storage"):
        files.put([b"one"])


def test_a_large_file_is_never_in_memory_as_a_whole(files: Attachments) -> None:
    tracemalloc.start()
    content = files.put(chunks(64))
    with files.open(content) as file:
        while file.read(CHUNK_BYTES):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * CHUNK_BYTES
