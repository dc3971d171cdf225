"""Archives on disk: one sealed file each, written and read as a stream, and a small readable manifest beside it.

    interfirm archive 1\\n
    nonce of the stream, 24 bytes
    records: length of 4 bytes (big-endian), then so many sealed bytes

The records are the head, the transactions and the end, each the canonical bytes of its type, sealed by libsodium's
secretstream (XChaCha20-Poly1305): none can be changed, taken out, put in, moved or cut off at the end.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
from nacl import bindings, exceptions

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.base.logtree import Frontier
from interfirm.node.identity.sealed import write_atomically
from interfirm.node.retention.types import ArchivedTransaction, ArchiveEnd, ArchiveHead, Manifest

MAGIC = b"interfirm archive 1\n"
_NONCE_BYTES: int = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_SEAL_BYTES: int = bindings.crypto_secretstream_xchacha20poly1305_ABYTES
_MESSAGE: int = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_FINAL: int = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL


def sealing_key(document_key: bytes) -> bytes:
    """The key of a node's archives, which follows from the one for what it keeps encrypted."""
    return digest("archive key", document_key)


class Summed:
    """What an archive's end says, summed up transaction by transaction."""

    def __init__(self) -> None:
        self._frontier = Frontier()
        self._contracts = 0
        self._times: tuple[int, int] | None = None

    def add(self, held: ArchivedTransaction, data: bytes) -> None:
        """One more; `data` are its canonical bytes."""
        self._frontier, _ = self._frontier.append(data)
        self._contracts += len(held.contracts)
        first, last = self._times or (held.time_ms, held.time_ms)
        self._times = min(first, held.time_ms), max(last, held.time_ms)

    @property
    def end(self) -> ArchiveEnd:
        """The sum."""
        first, last = self._times or (0, 0)
        return ArchiveEnd(transactions=self._frontier.size, contracts=self._contracts, from_ms=first, until_ms=last,
                          root=self._frontier.root)  # fmt: skip


class ArchiveWriter:
    """An archive that is being written, under another name until it is whole."""

    def __init__(self, folder: Path, name: str, key: bytes, head: ArchiveHead) -> None:
        """Begin in a folder, which is made where there is none; Refusal `archive.write`."""
        self.head = head
        self._folder, self._part = folder, folder / f".{name}.part"
        self._sum = Summed()
        with _writing(self._part):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
            self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
            nonce = bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, key)
            self._file.write(MAGIC + nonce)
        self._push(codec.encode(head))

    def add(self, held: ArchivedTransaction) -> None:
        """One more transaction; Refusal `archive.write`."""
        data = codec.encode(held)
        self._sum.add(held, data)
        self._push(data)

    def finish(self, key: bytes) -> Manifest:
        """Read all of it back, and only then give it its name and write the manifest beside it; may take long.

        Raises Refusal `archive.write`, and `archive.damaged` where the disk gives back something else.
        """
        end = self._sum.end
        self._push(codec.encode(end), tag=_FINAL)
        with _writing(self._part):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        name = f"archive-{self.head.number:06d}-{end.root.hex()[:12]}.sealed"
        manifest = Manifest(head=self.head, end=end, file=name)
        check(read_manifest(self._part, key).hash == manifest.hash, "archive.damaged",
              "the disk gave back something else than was written", path=str(self._part))  # fmt: skip
        with _writing(self._folder / name):
            os.replace(self._part, self._folder / name)
        write_atomically((self._folder / name).with_suffix(".json"), shown_manifest(manifest), replace=True)
        return manifest

    def close(self) -> None:
        """Give up what was not finished."""
        self._file.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _push(self, data: bytes, tag: int = _MESSAGE) -> None:
        sealed = bindings.crypto_secretstream_xchacha20poly1305_push(self._state, data, None, tag)
        with _writing(self._part):
            self._file.write(len(sealed).to_bytes(4, "big") + sealed)


class ArchiveReader:
    """An archive read from its beginning; a context manager."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open it; Refusal `archive.read`, `archive.format`, `archive.key` where another node's key sealed it."""
        self._path = path
        try:
            self._file: BinaryIO = path.open("rb")
        except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
            raise Refusal("archive.read", "the file cannot be read", path=str(path), reason=str(error)) from error
        try:
            begin = self._file.read(len(MAGIC) + _NONCE_BYTES)
            check(begin.startswith(MAGIC) and len(begin) == len(MAGIC) + _NONCE_BYTES, "archive.format",
                  "this is no archive", path=str(path))  # fmt: skip
            self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
            bindings.crypto_secretstream_xchacha20poly1305_init_pull(self._state, begin[len(MAGIC) :], key)
            self.head = codec.decode(self._first(), ArchiveHead)
        except BaseException:
            self._file.close()
            raise
        self.end: ArchiveEnd | None = None
        """How it ends, once all was read."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def transactions(self) -> Iterator[ArchivedTransaction]:
        """All transactions in order; Refusal `archive.damaged` where a byte is not as it was written."""
        summed = Summed()
        while True:
            data, tag = self._pull()
            if tag == _FINAL:
                break
            held = codec.decode(data, ArchivedTransaction, bytes_max=LIMITS.archive_record_bytes_max)
            summed.add(held, data)
            yield held
        end = codec.decode(data, ArchiveEnd)
        whole = end == summed.end and not self._file.read(1)
        check(whole, "archive.damaged", "the archive is not as it was written", path=str(self._path))
        self.end = end

    @property
    def manifest(self) -> Manifest:
        """What was read; once all of it was."""
        assert self.end is not None, "read it to its end first"
        return Manifest(head=self.head, end=self.end, file=self._path.name)

    def _first(self) -> bytes:
        try:
            return self._pull()[0]
        except Refusal as refusal:
            raise Refusal("archive.key", "this node's key does not open the archive, or its beginning is damaged",
                          path=str(self._path)) from refusal  # fmt: skip

    def _pull(self) -> tuple[bytes, int]:
        damaged = Refusal("archive.damaged", "the archive is not as it was written", path=str(self._path))
        try:
            size = int.from_bytes(self._file.read(4), "big")
            if not _SEAL_BYTES <= size <= LIMITS.archive_record_bytes_max:
                raise damaged
            sealed = self._file.read(size)
            if len(sealed) != size:
                raise damaged
            found: tuple[bytes, int] = bindings.crypto_secretstream_xchacha20poly1305_pull(self._state, sealed, None)
        except exceptions.CryptoError as error:
            raise damaged from error
        except OSError as error:
            raise Refusal("archive.read", "the file cannot be read", path=str(self._path),
                          reason=str(error)) from error  # fmt: skip
        return found


def read_manifest(path: Path, key: bytes) -> Manifest:
    """What an archive is, after reading all of it; Refusal `archive.*`."""
    with ArchiveReader(path, key) as reader:
        for _ in reader.transactions():
            pass
        return reader.manifest


def shown_manifest(manifest: Manifest) -> bytes:
    """The manifest as people and programs read it, in JSON."""
    head, end = manifest.head, manifest.end
    plain = {
        "archive": head.number, "file": manifest.file, "network": head.network.hex(), "identity": head.identity.hex(),
        "made_ms": head.made_ms, "transactions": end.transactions, "contracts": end.contracts, "from_ms": end.from_ms,
        "until_ms": end.until_ms, "root": end.root.hex(), "before": head.before.hex(), "hash": manifest.hash.hex(),
    }  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n"


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        raise Refusal("archive.write", "the archive cannot be written", path=str(path), reason=str(error)) from error
