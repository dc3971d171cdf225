"""`ask`: any operation of a node by its name, those of business modules included."""

from __future__ import annotations

from typing import Annotated

import typer

from interfirm.cli import session
from interfirm.cli.contracts import json_object
from interfirm.cli.waiting import watch


def ask(
    operation: Annotated[str, typer.Argument(help="Such as factoring.offer, payment.statement or templates.")],
    arguments: Annotated[str, typer.Argument(help="Its arguments as a JSON object.")] = "{}",
) -> None:
    """Ask a node for an operation by name: the way to those that have no command of their own."""
    found = watch(operation, **json_object(arguments))
    result = found.get("result") if "steps" in found else None
    made = isinstance(result, dict) and "transaction" in result
    session.show(found, (lambda flow: f"done, transaction {flow['result']['transaction']}") if made else None)
