from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interfirm.base.errors import Refusal
from interfirm.base.hashing import sha256
from interfirm.base.signatures import verify
from interfirm.node.identity import sealed
from interfirm.node.identity.keystore import KeyStore, Secrets
from interfirm.node.identity.sealed import COST_DEVELOPMENT, Cost


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.keys"


@pytest.fixture
def store(path: Path) -> KeyStore:
    return KeyStore.create(path, b"correct horse", cost=COST_DEVELOPMENT)


def opening(path: Path, passphrase: bytes = b"correct horse") -> str:
    with pytest.raises(Refusal) as caught:
        KeyStore.open(path, passphrase)
    return caught.value.code


def test_what_was_created_is_opened_again(path: Path, store: KeyStore) -> None:
    again = KeyStore.open(path, b"correct horse")
    assert (again.public, again.vrf_seed, again.document_key) == (store.public, store.vrf_seed, store.document_key)
    assert again.tls_private_key_pem() == store.tls_private_key_pem()
    verify(store.public, b"message", again.signer.sign(b"message"))


def test_a_wrong_passphrase_is_refused(path: Path, store: KeyStore) -> None:
    assert opening(path, b"wrong") == "keystore.passphrase"


def test_an_empty_passphrase_is_refused(path: Path) -> None:
    with pytest.raises(Refusal, match=r"keystore\.passphrase"):
        KeyStore.create(path, b"", cost=COST_DEVELOPMENT)
    assert not path.exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(position=st.integers(min_value=0), change=st.integers(min_value=1, max_value=255), cut=st.booleans())
def test_a_damaged_file_is_refused(path: Path, store: KeyStore, position: int, change: int, cut: bool) -> None:
    data = bytearray(path.read_bytes())[:-1]
    if cut:
        damaged = data[: position % len(data)]
    else:
        data[position % len(data)] ^= change
        damaged = data
    other = path.with_name("damaged.keys")
    sealed.write_atomically(other, bytes(damaged), replace=True)
    assert opening(other) == "keystore.damaged"


def test_a_file_that_would_take_all_memory_to_open_is_refused(path: Path, store: KeyStore) -> None:
    text = path.read_bytes().replace(b'"memory_bytes":8192', b'"memory_bytes":%d' % (1 << 45))
    body = text[len(b'{"file":') : text.index(b',"sha256":')]
    checked = b'{"file":%s,"sha256":"%s"}' % (body, sha256(body).hex().encode())
    sealed.write_atomically(path, checked, replace=True)
    assert opening(path) == "keystore.damaged"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(path: Path, store: KeyStore, mode: int) -> None:
    path.chmod(mode)
    assert opening(path) == "keystore.mode"


def test_the_file_is_made_for_its_owner_alone(path: Path, store: KeyStore) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_file_is_refused(path: Path) -> None:
    assert opening(path) == "keystore.missing"


def test_a_folder_in_the_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir()
    assert opening(path) == "keystore.unreadable"


def test_a_second_store_does_not_overwrite_the_first(path: Path, store: KeyStore) -> None:
    with pytest.raises(Refusal, match=r"keystore\.exists"):
        KeyStore.create(path, b"other", cost=COST_DEVELOPMENT)
    assert KeyStore.open(path, b"correct horse").public == store.public


def test_one_seed_for_two_uses_is_refused(path: Path) -> None:
    secrets = Secrets.generate()
    for name in ("vrf_seed", "tls_seed", "document_key"):
        with pytest.raises(Refusal, match=r"keystore\.shared-seed"):
            KeyStore.create(path, b"pass", secrets=secrets.replace(**{name: secrets.signing_seed}))
    assert not path.exists()


def test_a_file_that_records_other_keys_than_it_holds_is_refused(path: Path, store: KeyStore) -> None:
    other = KeyStore(Secrets.generate())
    secret, _ = sealed.read(path, b"correct horse")
    mixed = path.with_name("mixed.keys")
    sealed.write(mixed, secret, b"correct horse", public=other.key_ids, cost=COST_DEVELOPMENT)
    assert opening(mixed) == "keystore.split"


@pytest.mark.parametrize("secret", [b"", b"\xc1", msgspec.msgpack.encode(["short"] * 4)])
def test_a_file_that_holds_something_else_is_refused(path: Path, secret: bytes) -> None:
    sealed.write(path, secret, b"correct horse", public={}, cost=COST_DEVELOPMENT)
    assert opening(path) == "keystore.damaged"


def test_a_full_disk_leaves_the_old_store_and_nothing_else(
    path: Path, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(Refusal, match=r"keystore\.write") as caught:
            store.rotated(b"\x01" * 32).save(path, b"correct horse", cost=COST_DEVELOPMENT, replace=True)
    assert caught.value.values["reason"] == "No space left on device"
    assert KeyStore.open(path, b"correct horse").public == store.public
    assert list(path.parent.iterdir()) == [path]


def test_a_rotated_store_keeps_its_identity_under_a_new_passphrase(path: Path, store: KeyStore) -> None:
    store.rotated(b"\x01" * 32).save(path, b"new", cost=COST_DEVELOPMENT, replace=True)
    again = KeyStore.open(path, b"new")
    assert again.identity == store.identity
    assert again.public != store.public
    assert again.rotations[0].old == store.public


def test_the_cost_of_a_guess_is_recorded_in_the_file(path: Path) -> None:
    KeyStore.create(path, b"pass", cost=Cost(passes=2, memory_bytes=1 << 20))
    assert b'"cost":{"passes":2,"memory_bytes":1048576}' in path.read_bytes()
    assert KeyStore.open(path, b"pass").public


def test_nothing_that_is_printed_shows_a_secret(store: KeyStore) -> None:
    secrets = Secrets.generate()
    assert repr(secrets) == "Secrets(...)"
    assert repr(store) == f"KeyStore({store.identity.hex()[:16]})"


def test_a_passphrase_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(b"correct horse\n")
    file.chmod(0o600)
    assert sealed.read_passphrase(file) == b"correct horse"
    file.chmod(0o644)
    with pytest.raises(Refusal, match=r"keystore\.mode"):
        sealed.read_passphrase(file)
