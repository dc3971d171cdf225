"""A small secret in a file: argon2id over a passphrase, XChaCha20-Poly1305, atomic writes, mode 0600.

The file is JSON: what is public in it can be read by people, is authenticated with the secret, and is covered by a
checksum, so that a damaged file and a wrong passphrase are told apart. Sources: RFC 9106 (argon2id);
draft-irtf-cfrg-xchacha (AEAD).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import nacl.bindings
import nacl.exceptions
from nacl.pwhash import argon2id

from interfirm.base.errors import Refusal, check
from interfirm.base.hashing import sha256
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value

_FORMAT = "interfirm sealed file 1"
_FILE_BYTES_MAX = 1024 * 1024


class Cost(Value):
    """What one guess at the passphrase costs (RFC 9106); recorded in the file."""

    passes: int = argon2id.OPSLIMIT_MODERATE
    memory_bytes: int = argon2id.MEMLIMIT_MODERATE


COST = Cost()
"""About a second and 256 MiB a guess."""
COST_DEVELOPMENT = Cost(passes=argon2id.OPSLIMIT_MIN, memory_bytes=argon2id.MEMLIMIT_MIN)
"""For networks on one laptop and for tests: cheap to open, and cheap to guess."""


class _File(Value):
    format: str
    public: dict[str, Any]
    cost: Cost
    salt: bytes
    nonce: bytes
    sealed: bytes

    def bound(self) -> bytes:
        """What is authenticated beside the secret."""
        return msgspec.json.encode([self.format, self.public, self.cost, self.salt], order="sorted")

    def key(self, passphrase: bytes) -> bytes:
        return argon2id.kdf(32, passphrase, self.salt, opslimit=self.cost.passes, memlimit=self.cost.memory_bytes)


class _Checked(Value):
    file: msgspec.Raw
    sha256: str


def write(
    path: Path,
    secret: bytes,
    passphrase: bytes,
    *,
    public: dict[str, Any],
    cost: Cost = COST,
    replace: bool = False,
    randomness: Callable[[int], bytes] = os.urandom,
) -> None:
    """Keep `secret` and the readable `public` at `path`, whole or not at all.

    Raises Refusal `keystore.exists` where a file is and `replace` was not asked for, `keystore.passphrase` for an empty
    passphrase, `keystore.write` when the disk does not take it (nothing is left behind then).
    """
    check(bool(passphrase), "keystore.passphrase", "the passphrase is empty", path=str(path))
    file = _File(
        format=_FORMAT,
        public=public,
        cost=cost,
        salt=randomness(argon2id.SALTBYTES),
        nonce=randomness(nacl.bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES),
        sealed=b"",
    )
    sealed = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        secret, file.bound(), file.nonce, file.key(passphrase)
    )
    body = msgspec.json.encode(file.replace(sealed=sealed))
    checked = msgspec.json.encode(_Checked(file=msgspec.Raw(body), sha256=sha256(body).hex()))
    write_atomically(path, checked + b"\n", replace=replace)


def read(path: Path, passphrase: bytes) -> tuple[bytes, dict[str, Any]]:
    """The secret and the public part of the file at `path`.

    Raises Refusal `keystore.missing`, `keystore.mode` (others can read it), `keystore.unreadable`, `keystore.damaged`
    or `keystore.passphrase`.
    """
    file = _file(path)
    try:
        secret = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            file.sealed, file.bound(), file.nonce, file.key(passphrase)
        )
    except nacl.exceptions.CryptoError as error:
        raise Refusal("keystore.passphrase", "the passphrase does not open this file", path=str(path)) from error
    return secret, file.public


def read_public(path: Path) -> dict[str, Any]:
    """The public part alone, authentic only once `read` succeeds; raises as `read`, save for the passphrase."""
    return _file(path).public


def read_passphrase(path: Path) -> bytes:
    """The passphrase in a file of its own, without the line end; Refusal `keystore.mode` if others can read it."""
    return _bytes(path).rstrip(b"\r\n")


def write_atomically(path: Path, data: bytes, *, replace: bool) -> None:
    """Put `data` at `path` with mode 0600 so that a crash leaves the old file or the new one, synced to disk.

    Raises Refusal `keystore.exists` or `keystore.write`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        _write_synced(temporary, data)
        if replace:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
        _sync_folder(path.parent)
    except FileExistsError as error:
        raise Refusal("keystore.exists", "there is a file already", path=str(path)) from error
    except OSError as error:
        raise Refusal("keystore.write", "the file cannot be written", path=str(path), reason=error.strerror) from error
    finally:
        with contextlib.suppress(OSError):  # the file itself is in place or refused by now
            temporary.unlink(missing_ok=True)


def _write_synced(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)  # left by a crash of a process that had this number
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _file(path: Path) -> _File:
    data = _bytes(path)
    try:
        checked = msgspec.json.decode(data, type=_Checked)
        intact = sha256(bytes(checked.file)).hex() == checked.sha256
        file = msgspec.json.decode(checked.file, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("keystore.damaged", "the file is damaged", path=str(path), reason=str(error)) from error
    sizes = (len(file.salt), len(file.nonce)) == (argon2id.SALTBYTES, 24) and len(file.sealed) >= 16
    cost = file.cost
    affordable = (
        argon2id.OPSLIMIT_MIN <= cost.passes <= 64
        and argon2id.MEMLIMIT_MIN <= cost.memory_bytes <= LIMITS.key_memory_bytes_max
    )
    whole = intact and sizes and affordable and file.format == _FORMAT
    check(whole, "keystore.damaged", "the file is damaged", path=str(path))
    return file


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            mode = stat.S_IMODE(status.st_mode)
            private = not mode & 0o077 and status.st_uid in (os.geteuid(), 0)
            check(private, "keystore.mode", "others can read this file: chmod 600", path=str(path), mode=oct(mode))
            return stream.read(_FILE_BYTES_MAX)
    except FileNotFoundError as error:
        raise Refusal("keystore.missing", "there is no such file", path=str(path)) from error
    except OSError as error:
        raise Refusal(
            "keystore.unreadable", "the file cannot be read", path=str(path), reason=error.strerror
        ) from error
