"""The guide to many contracts at once, typed from its first command to its last."""

from __future__ import annotations

from pathlib import Path

from .console import ROOT, reader


def test_the_guide_to_bulk_work_works_as_it_is_written(tmp_path: Path) -> None:
    with reader(tmp_path) as stranger:
        stranger.follow((ROOT / "docs" / "bulk.md").read_text())
