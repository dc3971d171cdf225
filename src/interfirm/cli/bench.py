"""`bench`: speed side by side with a peer or a limit in the same run; never timed in tests."""

from __future__ import annotations

import importlib
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from interfirm.base.errors import Refusal
from interfirm.cli import session

NAMES = ("transaction", "notary", "flow", "contract", "memory", "vault", "store", "receipts", "bulk", "api")
SOLO, COMETBFT = "solo", "cometbft"
FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"


def bench(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(NAMES)}, or all.")],
    host: Annotated[str, typer.Option(help="The notary's host, for `bench notary`: solo or cometbft.")] = SOLO,
    validators: Annotated[int, typer.Option(help="Validators of the cluster, with --host cometbft.")] = 7,
    seconds: Annotated[float, typer.Option(help="About how long each part of a cluster's run takes.")] = 10.0,
    outputs: Annotated[
        int, typer.Option(help="With --host cometbft: one validator's memory and cost with so many unspent outputs.")
    ] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Small counts, to see that it runs.")] = False,
) -> None:
    """Run a benchmark; figures are ratios to a peer or limit that runs beside it."""
    if host not in (SOLO, COMETBFT) or (host == COMETBFT and name != "notary"):
        raise Refusal("bench.host", "there is no such host, or this benchmark has none", host=host, name=name)
    signal.signal(signal.SIGTERM, _end)
    names = NAMES if name == "all" else (name,)
    found: list[dict[str, Any]] = []
    for each in names:
        if each not in NAMES:
            raise typer.BadParameter(f"there is no benchmark {each}; one of {', '.join(NAMES)}")
        if host == COMETBFT and outputs:
            found.append(load("outputs").run(outputs=outputs, quick=quick, seconds=seconds))
        elif host == COMETBFT:
            found.append(load("cluster").run(quick=quick, validators=validators, seconds=seconds))
        else:
            found.append(load(each).run(quick=quick))
    if session.options.json:
        session.show(found[0] if len(found) == 1 else {"benchmarks": found})
    else:
        for result in found:
            session.console.print(table(result))


def _end(number: int, _: object) -> None:
    """End as by an exception, so that folders and processes of the benchmark go with it."""
    raise SystemExit(128 + number)


def load(name: str) -> ModuleType:
    """The benchmark's module from the folder `benchmarks` of the source tree."""
    path = FOLDER / f"{name}.py"
    if not path.exists():
        raise Refusal("bench.missing", "benchmarks come with the source tree", path=str(path))
    if str(FOLDER.parent) not in sys.path:
        sys.path.insert(0, str(FOLDER.parent))
    return importlib.import_module(f"benchmarks.{name}")


def table(result: dict[str, Any]) -> Any:
    """A result for people: figures, peers, ratios, whether the target is met, and what limits it."""
    rows = [[k, str(v)] for part in ("figures", "peers", "ratios") for k, v in result.get(part, {}).items()]
    rows.append(["target met", str(result["target_met"])])
    rows.append(["limited by", str(result.get("limited_by", ""))])
    return session.table_of(f"bench {result['name']}", ["What", "Value"], rows, empty="")
