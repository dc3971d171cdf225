"""Unix sockets with long paths, for the owner's eyes alone, and who is at their other end."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from interfirm.base.errors import Refusal

_PATH_BYTES_MAX = 103 if sys.platform == "darwin" else 107  # sun_path of unix(7), without its final zero
_CREDENTIALS = struct.Struct("3i")


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for `path` short enough for a socket address, while the context lasts.

    Long paths go by an open descriptor of their folder; Refusal `node.socket-path` where the system has no such names.
    """
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise Refusal("node.socket-path", "the path is too long for a socket", path=str(path), max=_PATH_BYTES_MAX)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listening(path: Path) -> socket.socket:
    """A socket that listens at `path`, made with mode 0600; takes the place of one that nobody answers any more.

    Raises Refusal `node.already-running` where somebody answers, `node.socket` where it cannot be made.
    """
    if answers(path):
        raise Refusal("node.already-running", "a node answers here already", path=str(path))
    made = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)  # between bind and a chmod others could connect
    try:
        path.unlink(missing_ok=True)
        with reachable(path) as name:
            made.bind(name)
        made.listen(64)
    except OSError as error:
        made.close()
        raise Refusal("node.socket", "cannot listen here", path=str(path), reason=error.strerror) from error
    finally:
        os.umask(mask)
    made.setblocking(False)
    return made


def connected(path: Path) -> socket.socket:
    """A socket connected to the node at `path`; Refusal `node.not-running` where nobody answers."""
    made = socket.socket(socket.AF_UNIX)
    try:
        with reachable(path) as name:
            made.connect(name)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        made.close()
        raise Refusal("node.not-running", "no node answers here", path=str(path)) from error
    except OSError as error:
        made.close()
        raise Refusal("node.socket", "cannot connect here", path=str(path), reason=error.strerror) from error
    made.setblocking(False)
    return made


def answers(path: Path) -> bool:
    """Whether somebody listens at `path`."""
    try:
        connected(path).close()
    except Refusal as refusal:
        if refusal.code == "node.not-running":
            return False
        raise
    return True


def check_own_user(other: socket.socket) -> None:
    """Refuse (`control.user`) another end that runs as another user, the mode of the file notwithstanding."""
    if not hasattr(socket, "SO_PEERCRED"):
        return  # systems without it have the mode of the file and of its folder
    data = other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(data)
    if user != os.geteuid():
        raise Refusal("control.user", "this socket is for its owner alone", user=user)
