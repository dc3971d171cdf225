"""The guide for authors of business modules, followed from its first file to its last command.

The module lies in a folder outside the source tree and nothing else is edited, so this also shows that adding a folder
adds a business.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.console import ROOT, files_of, reader

from interfirm.base.errors import Refusal
from interfirm.contracts.packages import Engine, bundle
from interfirm.runtime.modules import find_modules

GUIDE = (ROOT / "docs" / "module-author.md").read_text()


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What the guide has imported here is forgotten at the end."""
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "warranties"]:
        del sys.modules[name]


@pytest.fixture
def outside(tmp_path: Path, forgotten: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The guide's files in a folder of their own, importable."""
    for name, body in files_of(GUIDE).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_guide_makes_a_business_that_running_nodes_know(tmp_path: Path, forgotten: None) -> None:
    with reader(tmp_path) as author:
        author.follow(GUIDE)


def test_a_module_outside_is_found_beside_the_built_in_ones(outside: Path) -> None:
    names = [module.name for module in find_modules(("warranties",))]
    assert names[-1] == "warranties"
    assert "interfirm.business.invoices" in names


def test_without_being_named_it_is_not_there(outside: Path) -> None:
    assert "warranties" not in [module.name for module in find_modules()]


def test_a_module_that_is_named_and_missing_is_refused() -> None:
    with pytest.raises(Refusal, match=r"module\.missing"):
        find_modules(("no_such_business",))


def test_code_outside_the_subset_is_refused_when_it_is_loaded(outside: Path) -> None:
    source = outside / "warranties" / "contract.py"
    source.write_text(source.read_text().replace("self.version + 1", "self.version / 1"))
    from warranties import contract  # type: ignore[import-not-found]  # the guide's

    with pytest.raises(Refusal, match=r"contract\.subset"):
        Engine(bundle(contract))


def test_the_guides_code_satisfies_the_type_checker(outside: Path) -> None:
    cache = f"--cache-dir={ROOT / '.mypy_cache' / 'guide'}"
    command = [sys.executable, "-m", "mypy", "--strict", cache, "warranties", "test_warranties.py"]
    done = subprocess.run(command, cwd=outside, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
