"""Runs a guide as its reader would: the files it prints, the commands of its ```console blocks, what they answer.

A block ```python PATH is a file. In a ```console block a line that starts with `$ ` is a command (an open quote or a
backslash at its end goes on with the next line) and the lines below it are what it shows; `...` stands for any text, on
a line of its own for any lines, and runs of spaces count as one. ```console exit=3 says how the block's last command
ends; others end with 0.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from interfirm.base.values import Value
from interfirm.cli import main, session
from interfirm.runtime import supervise
from interfirm.runtime.layout import NetworkLayout

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 110
WAIT_S = 20.0
LOOKS = frozenset({"list", "show", "history", "status", "ageing", "warranties.list"})
"""Words of commands that change nothing."""
_FENCE = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Command(Value, frozen=True):
    """One command of a guide: its line there, what is typed, what is shown, how it ends."""

    line: int
    text: str
    shown: tuple[str, ...]
    exit: int


def files_of(guide: str) -> dict[str, str]:
    """The files that a guide prints, by path."""
    return {name: body for kind, name, body in _FENCE.findall(guide) if kind == "python" and name}


def commands_of(guide: str) -> Iterator[Command]:
    """The commands of a guide, in order."""
    for fence in _FENCE.finditer(guide):
        kind, info, body = fence.groups()
        if kind != "console":
            continue
        first = guide[: fence.start()].count("\n") + 2
        found = list(_commands(body.splitlines(), first))
        ends = int(info.removeprefix("exit=") or 0)
        yield from found[:-1]
        yield found[-1].replace(exit=ends)


def _commands(lines: list[str], first: int) -> Iterator[Command]:
    starts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], f"line {first}: a console block begins with a command"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        after = start
        while _open("\n".join(lines[start : after + 1])):
            after += 1
        text = "\n".join(lines[start : after + 1]).removeprefix("$ ")
        yield Command(line=first + start, text=text, shown=tuple(lines[after + 1 : end]), exit=0)


def _open(text: str) -> bool:
    """Whether a shell would wait for another line."""
    try:
        shlex.split(text)
    except ValueError:
        return True
    return text.endswith("\\")


def check_shown(shown: tuple[str, ...], output: str) -> None:
    """Fail unless an output is what a guide shows."""
    pattern = "".join(_line_pattern(line) for line in shown if line.strip())
    plain = "".join(f"{_squeezed(line)}\n" for line in output.splitlines() if line.strip())
    assert re.fullmatch(pattern, plain), "the guide shows\n" + "\n".join(shown) + "\nand the command said\n" + output


def _line_pattern(line: str) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*"
    return ".*".join(re.escape(part.strip()) for part in _squeezed(line).split("...")) + r"\n"


def _squeezed(line: str) -> str:
    return " ".join(line.split())


class Reader:
    """Somebody who types a guide's commands into a shell that begins in a folder."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self._go(folder)
        patch.setenv("COLUMNS", str(WIDTH))
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        patch.setattr(session.console, "width", WIDTH)
        patch.setattr(session.errors, "width", WIDTH)

    def follow(self, guide: str) -> None:
        """Write the guide's files, type its commands, and compare."""
        for name, body in files_of(guide).items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)
        for command in commands_of(guide):
            self._try(command)

    def _try(self, command: Command) -> None:
        """Type a command and compare; one that only looks is typed again while an answer may still be on its way."""
        deadline = time.monotonic() + WAIT_S
        while True:
            code, output = self._typed(command.text)
            try:
                assert code == command.exit, f"ended with {code}\n{output}"
                check_shown(command.shown, output)
                return
            except AssertionError as error:
                if time.monotonic() > deadline or not LOOKS & set(command.text.split()):
                    raise AssertionError(f"line {command.line}: {command.text}\n{error}") from None

    def _go(self, folder: Path) -> None:
        self._patch.chdir(folder)
        self._patch.setenv("PWD", str(Path.cwd()))

    def _typed(self, text: str) -> tuple[int, str]:
        words = shlex.split(text.replace("\\\n", ""), comments=True)
        match words:
            case ["cd", folder]:
                self._go(Path(folder))
                return 0, ""
            case ["export", setting]:
                name, _, value = os.path.expandvars(setting).partition("=")
                self._patch.setenv(name, value)
                if name == "PYTHONPATH":
                    self._patch.syspath_prepend(value)
                return 0, ""
            case ["interfirm", *rest] if not {"|", ">", "<"} & set(rest):
                return self._interfirm(rest)
        done = subprocess.run(
            ["bash", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return done.returncode, done.stdout

    def _interfirm(self, words: list[str]) -> tuple[int, str]:
        """The command in this process: the same code without a new interpreter for each."""
        self._patch.setattr(session, "options", session.Options())
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = main.run(words)
        return code, output.getvalue()


@contextlib.contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    """A reader in a new folder that has the examples; networks that the guide leaves running are stopped at the end."""
    (folder / "examples").symlink_to(ROOT / "examples")
    try:
        with pytest.MonkeyPatch.context() as patch:
            yield Reader(folder, patch)
    finally:
        for found in folder.rglob("network.json"):
            supervise.stop(NetworkLayout.open(found.parent).homes()[::-1])
