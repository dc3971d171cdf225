"""Files beside the database, named by their SHA-256: written whole or not at all, and checked when they are opened."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.node.vault.sqlite import told

CHUNK_BYTES = 64 * 1024
_UNFINISHED = "unfinished-"


class Attachments:
    """A folder of content-addressed files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with told():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in folder.glob(_UNFINISHED + "*"):
                left.unlink()

    def put(
        self, chunks: Iterable[bytes], *, content: bytes | None = None, bytes_max: int = LIMITS.attachment_bytes_max
    ) -> bytes:
        """Keep a file that arrives in chunks and return its hash; it is on disk when this returns.

        Raises Refusal `vault.attachment-size`, `vault.attachment-hash` where it is not the expected `content`, and
        `vault.storage`; nothing is kept then.
        """
        with told():
            descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                found = _copy(chunks, file, bytes_max)
            check(
                content is None or found == content, "vault.attachment-hash",
                "the file is another one than was announced", expected=content, found=found,
            )  # fmt: skip
            with told():
                os.replace(name, self._path(found))
        except BaseException:
            os.unlink(name)
            raise
        self._sync()
        return found

    def open(self, content: bytes, *, checked: bool = True) -> BinaryIO:
        """The file with this hash, at its start, after reading it once to see that it is still the same.

        Whoever reads it in pieces may leave that out after the first one (`checked`).
        Raises Refusal `vault.attachment-unknown`, or `vault.damaged` where its bytes have changed.
        """
        with told():
            try:
                file = self._path(content).open("rb")
            except FileNotFoundError as error:
                raise Refusal("vault.attachment-unknown", "there is no such file here", content=content) from error
            if not checked:
                return file
            found = hashlib.file_digest(file, "sha256").digest()
            if found != content:
                file.close()
                raise Refusal("vault.damaged", "an attached file has changed", content=content, found=found)
            file.seek(0)
        return file

    def has(self, content: bytes) -> bool:
        """Whether a file with this hash is here."""
        return self._path(content).is_file()

    def every(self) -> list[bytes]:
        """The hashes of all files, in order."""
        with told():
            names = sorted(path.name for path in self._folder.iterdir() if not path.name.startswith(_UNFINISHED))
        return [bytes.fromhex(name) for name in names]

    def holding(self, texts: Sequence[bytes]) -> list[bytes]:
        """The hashes of the files in which one of these texts stands."""
        if not texts:
            return []
        with told():
            found = [path.name for path in sorted(self._folder.iterdir()) if _stands_in(path, texts)]
        return [bytes.fromhex(name) for name in found]

    def _path(self, content: bytes) -> Path:
        return self._folder / content.hex()

    def _sync(self) -> None:
        """The new name survives a loss of power only when the folder was written, too."""
        with told():
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _stands_in(path: Path, texts: Sequence[bytes]) -> bool:
    """Whether one of the texts stands in a file, which is read in chunks."""
    longest = max(map(len, texts))
    end = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            part = end + chunk
            if any(text in part for text in texts):
                return True
            end = part[-longest:]
    return False


def _copy(chunks: Iterable[bytes], file: BinaryIO, bytes_max: int) -> bytes:
    """Write the chunks and return their hash."""
    digest = hashlib.sha256()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        check(size <= bytes_max, "vault.attachment-size", "the file is too large", bytes_max=bytes_max)
        digest.update(chunk)
        left = memoryview(chunk)
        with told():
            while left:
                left = left[file.write(left) :]
    with told():
        os.fsync(file.fileno())
    return digest.digest()
