"""Business modules found by folder: nothing is registered by hand.

A module is a package with a `contract` module (its templates), and may have `commands` with `OPERATIONS` (name ->
operation of the node's desk), `FLOWS` (name -> flow that operations start), `JUDGES` (policies over proposals) and
`WATCHERS` (told of what is recorded). Modules are the folders of `interfirm.business`, those named by the entry point
group `interfirm.business`, and those a network's file names.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import pkgutil
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import interfirm.business
from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.contracts.packages import Package, bundle


class BusinessModule(Value, frozen=True):
    """One business: its name, its packages (dependencies first), and what it adds to a node."""

    name: str
    packages: tuple[Package, ...]
    operations: dict[str, Any]
    flows: dict[str, Any]
    judges: tuple[Any, ...]
    watchers: tuple[Any, ...]


def find_modules(more: Sequence[str] = ()) -> tuple[BusinessModule, ...]:
    """All business modules, by name; Refusal `module.missing` for a configured one that is not there."""
    folders = pkgutil.iter_modules(interfirm.business.__path__, "interfirm.business.")
    names = [info.name for info in folders if info.ispkg]
    names += [entry.value for entry in importlib.metadata.entry_points(group="interfirm.business")]
    found = []
    for name in [*sorted(names), *more]:
        contract = _import(f"{name}.contract", needed=name in more)
        if contract is not None:
            found.append(_module(name, contract))
    return tuple(found)


def _module(name: str, contract: ModuleType) -> BusinessModule:
    commands = _import(f"{name}.commands", needed=False)
    return BusinessModule(
        name=name,
        packages=bundle(contract),
        operations=dict(getattr(commands, "OPERATIONS", {})),
        flows=dict(getattr(commands, "FLOWS", {})),
        judges=tuple(getattr(commands, "JUDGES", ())),
        watchers=tuple(getattr(commands, "WATCHERS", ())),
    )


def _import(name: str, *, needed: bool) -> ModuleType | None:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        if needed:
            raise Refusal("module.missing", "there is no such business module", module=name)
        return None
    return importlib.import_module(name)
