"""The guide to GraphQL, typed from its first command to its last."""

from __future__ import annotations

from pathlib import Path

from .console import ROOT, reader


def test_the_guide_to_graphql_works_as_it_is_written(tmp_path: Path) -> None:
    with reader(tmp_path) as stranger:
        stranger.follow((ROOT / "docs" / "graphql.md").read_text())
