"""The guide to people, roles and approvals, typed from its first command to its last."""

from __future__ import annotations

from pathlib import Path

from .console import ROOT, reader


def test_the_guide_to_people_roles_and_approvals_works_as_it_is_written(tmp_path: Path) -> None:
    with reader(tmp_path) as stranger:
        stranger.follow((ROOT / "docs" / "people.md").read_text())
