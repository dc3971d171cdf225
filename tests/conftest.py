"""How tests are spread over workers: a file stays together, and clusters of real engines take turns."""

from __future__ import annotations

import pytest

GROUP = "xdist_group"


@pytest.hookimpl(tryfirst=True)  # before the workers read the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one file share what they set up; those that need the engine share the machine with no other cluster."""
    for item in items:
        if item.get_closest_marker(GROUP) is None:
            item.add_marker(getattr(pytest.mark, GROUP)(item.path.as_posix()))
