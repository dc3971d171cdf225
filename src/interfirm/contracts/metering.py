"""Metering: contract source is checked, instrumented, compiled and run in a namespace of its own.

This gives determinism, a bound on steps and memory, and defence in depth. It is not a sandbox to be relied upon against
the code of strangers: isolation is a WebAssembly component that runs the same instrumented source.
"""

from __future__ import annotations
import __future__

import builtins
import sys
import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.contracts.functions import Functions
from interfirm.contracts.instrumentation import instrument
from interfirm.contracts.parsing import compile_tree
from interfirm.contracts.subset import check_source
from interfirm.contracts.vocabulary import BUILTINS

__all__ = ["Meter", "contained", "instrument", "load", "unload", "weigh"]

_BUILTINS = {name: getattr(builtins, name) for name in sorted(BUILTINS | {"property", "__build_class__"})}

_POSTPONED = __future__.annotations.compiler_flag


class Meter:
    """Counts the steps of contract code and how deeply its functions call each other; one per engine.

    The instrumented source writes `steps_left` and `calls_left` itself, because a call would cost as much as it counts.
    """

    __slots__ = ("calls_left", "steps_left", "steps_max")

    def __init__(self, steps: int = LIMITS.fuel_steps_max) -> None:
        self.start(steps)

    def start(self, steps: int) -> None:
        """Allow `steps` from here on."""
        self.steps_max = steps
        self.steps_left = steps
        self.calls_left = LIMITS.call_depth_max

    @property
    def used(self) -> int:
        """Steps paid since `start`; all of them after a refusal for want of steps."""
        return self.steps_max - self.steps_left

    @property
    def depth(self) -> int:
        """How many functions of contract code are running inside each other."""
        return LIMITS.call_depth_max - self.calls_left

    def burn(self, steps: int) -> None:
        """Pay; Refusal `contract.fuel` where too few are left."""
        self.steps_left -= steps
        if self.steps_left < 0:
            self.out()

    def out(self) -> None:
        """Refuse: `contract.fuel` where no steps are left, `contract.depth` where calls are nested too deeply."""
        if self.steps_left < 0:
            self.steps_left = 0
            raise Refusal("contract.fuel", "the contract's code took too many steps", steps_max=self.steps_max)
        raise Refusal("contract.depth", "calls are nested too deeply", depth_max=LIMITS.call_depth_max)


def weigh(value: Any, meter: Meter) -> None:
    """Pay for every part of a value, however often it is shared, before it is walked, hashed or encoded (clause 3.5).

    Raises Refusal `contract.fuel`, and `contract.depth` beyond LIMITS.depth_max levels (so also for a list in itself).
    """
    Functions(meter).weigh(value)


_FAULTS = (ArithmeticError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError)


class contained:  # noqa: N801 - reads as a statement: `with contained():`
    """Turn what contract code does wrong at run time into Refusal `contract.failed`, the same for every party.

    Only the kind of fault is told: Python's own words differ between versions.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        """Refuse what went wrong."""
        if isinstance(fault, RecursionError):
            raise Refusal("contract.depth", "calls are nested too deeply", depth_max=LIMITS.call_depth_max) from fault
        if isinstance(fault, _FAULTS) and not isinstance(fault, Refusal):
            raise Refusal("contract.failed", "the contract's code failed", reason=type(fault).__name__) from fault


def load(source: str, *, module: str, imports: Mapping[str, Any], meter: Meter) -> dict[str, Any]:
    """Check, instrument and run the source of one module; returns its namespace.

    `module` is a unique name, under which the module is found in sys.modules (as long as classes look up their
    annotations there, see `unload`); `imports` maps each module it may import from to its namespace, or to a Python
    module with `__all__`. Running it pays into `meter`, which was started. Names that begin with an underscore in the
    namespace are the engine's own. Raises Refusal `contract.subset`, `contract.import`, `contract.mutable`,
    `contract.fuel`, `contract.size`, `contract.depth`, `contract.operation`, `contract.failed`.
    """
    tree = instrument(check_source(source, module=module, imports_allowed=imports.keys()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile_tree(tree, f"<{module}>", flags=_POSTPONED)
    made = ModuleType(module)
    namespace = made.__dict__
    namespace["__builtins__"] = dict(_BUILTINS)
    namespace.update(Functions(meter).names(imports))
    sys.modules[module] = made
    try:
        with contained():
            exec(code, namespace)  # noqa: S102 - of checked, instrumented source; see the module's docstring
    except BaseException:
        unload(module)
        raise
    return namespace


def unload(module: str) -> None:
    """Forget a loaded module; its classes must not be used afterwards."""
    sys.modules.pop(module, None)
