"""The tutorial, typed from its first command to its last."""

from __future__ import annotations

from pathlib import Path

import pytest

from .console import ROOT, Command, check_shown, commands_of, files_of, reader

BLOCK = """Some text.

```python made/code.py
x = 1
```

```console
$ echo one
one
$ echo a \\
b
a ...
```

```console exit=3
$ interfirm nothing
```
"""


def test_the_tutorial_works_as_it_is_written(tmp_path: Path) -> None:
    with reader(tmp_path) as stranger:
        stranger.follow((ROOT / "docs" / "tutorial.md").read_text())


def test_commands_and_files_are_found_in_a_guide() -> None:
    assert files_of(BLOCK) == {"made/code.py": "x = 1\n"}
    assert list(commands_of(BLOCK)) == [
        Command(line=8, text="echo one", shown=("one",), exit=0),
        Command(line=10, text="echo a \\\nb", shown=("a ...",), exit=0),
        Command(line=16, text="interfirm nothing", shown=(), exit=3),
    ]


def test_what_is_shown_may_leave_out_text_and_lines() -> None:
    check_shown(("head", "...", "port ... ok"), "head\nx\ny\n\nport   4711   ok\n")


@pytest.mark.parametrize("shown", [("other",), ("head",), ("head", "tail", "more"), ()])
def test_an_output_that_differs_is_found(shown: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError, match="the guide shows"):
        check_shown(shown, "head\ntail\n")


def test_a_command_that_ends_otherwise_is_found(tmp_path: Path) -> None:
    with reader(tmp_path) as stranger, pytest.raises(AssertionError, match="ended with 1"):
        stranger.follow("```console\n$ false\n```\n")
