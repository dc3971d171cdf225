"""Audit what interfirm depends on: `audit.py` by what lies here, `audit.py --known-faults` also by what is known of it.

Without a network: everything locked comes from a registry and is named by its hash, and what is installed with
interfirm may be given on under Apache-2.0. With one: uv asks the OSV database for faults known of the locked versions.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NAME = "interfirm"
FITTING = re.compile(
    r"(0BSD|Apache(-|[ ]Software[ ]|[ ]License|[ ]2\.0).*|(3-Clause[ ])?BSD.*|ISC([ ]License.*)?|MIT(-0|[ ]License)?"
    r"|MPL-2\.0|PSF-2\.0|Python-2\.0|Unlicense|Zlib)",
    re.IGNORECASE | re.VERBOSE,
)
"""Licences of works that may be used and given on together with one under Apache-2.0, as packages write them."""
DECIDED = {"psycopg": "docs/adr/0036", "psycopg-binary": "docs/adr/0036"}
"""Others that were decided on: a library under LGPL-3.0 that its users choose and may replace."""


def locked(path: Path = ROOT / "uv.lock") -> dict[str, dict[str, Any]]:
    """The packages of the lock file, by name."""
    return {each["name"]: each for each in tomllib.loads(path.read_text())["package"]}


def installed_with(packages: Mapping[str, Mapping[str, Any]], name: str = NAME) -> set[str]:
    """What is installed with a package, whatever extras are asked for, and without what only its developers need."""
    found, waiting = set[str](), [name]
    while waiting:
        package = packages[waiting.pop()]
        extras = package.get("optional-dependencies", {}).values()
        names = {each["name"] for each in (*package.get("dependencies", ()), *(e for extra in extras for e in extra))}
        waiting.extend(names - found)
        found |= names
    return found - {name}


def unnamed(packages: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What the lock file takes from elsewhere than a registry, or does not name by a hash."""
    for name, package in packages.items():
        if name == NAME:
            continue
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        if "registry" not in package["source"] or not files:
            yield f"{name}: it comes from no registry"
        elif not all(file.get("hash", "").startswith("sha256:") for file in files):
            yield f"{name}: a file is not named by its hash"


def unnamed_modules(path: Path) -> Iterator[str]:
    """The same of a lock file of npm."""
    for name, package in json.loads(path.read_text())["packages"].items():
        if name and not package.get("integrity", "").startswith("sha512-"):
            yield f"{path.relative_to(ROOT)}: {name} is not named by its hash"


def unfitting(names: Iterable[str]) -> Iterator[str]:
    """Packages that are installed here and may not be given on with a work under Apache-2.0, or do not say."""
    for name in sorted(names):
        try:
            about = metadata(name)
        except PackageNotFoundError:
            continue  # not for this system
        kinds = [each.rpartition("::")[2].strip() for each in about.get_all("Classifier") or () if "License" in each]
        said = about.get("License-Expression") or _one_line(about.get("License") or "") or " OR ".join(kinds)
        if name not in DECIDED and not fits(said):
            yield f"{name}: {said or 'it names no licence'}"


def fits(said: str) -> bool:
    """Whether a licence, or one of several that may be chosen, fits; of several that hold together all must."""
    choices = [choice.strip(" ()").split(" AND ") for choice in said.split(" OR ")]
    return any(all(FITTING.fullmatch(each.strip(" ()")) for each in choice) for choice in choices)


def _one_line(text: str) -> str:
    """A licence's name; whole texts of licences name none."""
    return "" if "\n" in text.strip() or len(text) > 60 else text.strip()


def findings() -> list[str]:
    """All that is wrong, a line each."""
    packages = locked()
    modules = [path for room in ("benchmarks", "tests") for path in sorted((ROOT / room).rglob("package-lock.json"))]
    return [
        *unnamed(packages), *(line for path in modules for line in unnamed_modules(path)),
        *unfitting(installed_with(packages)),
    ]  # fmt: skip


def main(arguments: list[str]) -> int:
    """Print what is wrong; 0 where nothing is."""
    wrong = findings()
    for line in wrong:
        print(line)
    if "--known-faults" in arguments:
        asked = [str(ROOT / ".venv/bin/uv"), "audit", "--frozen", "--preview-features", "audit-command"]
        return subprocess.run(asked, cwd=ROOT, check=False).returncode or bool(wrong)
    print(f"{len(wrong)} findings; `make audit` also asks which faults are known of the locked versions")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
