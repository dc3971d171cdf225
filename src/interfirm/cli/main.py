"""The command's entry: options, sub-commands, exit codes; a user's mistake never ends in a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from interfirm.base.errors import Refusal
from interfirm.cli import node_life, session  # noqa: F401 - node_life's commands are node_app's
from interfirm.cli.api import app as api_app
from interfirm.cli.approvals import app as approvals_app
from interfirm.cli.archive import app as archive_app
from interfirm.cli.ask import ask
from interfirm.cli.bench import bench
from interfirm.cli.books import app as books_app
from interfirm.cli.bulk import app as bulk_app
from interfirm.cli.contracts import app as contracts_app
from interfirm.cli.contracts import create, exercise
from interfirm.cli.demo import demo
from interfirm.cli.doctor import doctor
from interfirm.cli.export_all import export_all
from interfirm.cli.flows import app as flows_app
from interfirm.cli.inbox import app as inbox_app
from interfirm.cli.invoice import app as invoice_app
from interfirm.cli.jobs import app as jobs_app
from interfirm.cli.network import app as network_app
from interfirm.cli.node import app as node_app
from interfirm.cli.notary import app as notary_app
from interfirm.cli.people import app as people_app
from interfirm.cli.privacy import app as privacy_app
from interfirm.cli.proof import app as proof_app
from interfirm.cli.recover import recover
from interfirm.cli.report import app as report_app
from interfirm.cli.retention import app as retention_app
from interfirm.cli.retention import hold_app
from interfirm.cli.sim import sim

app = typer.Typer(
    name="interfirm",
    help="Firms share business facts as if they kept one set of books, while each keeps its own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for name, group in (
    ("network", network_app),
    ("node", node_app),
    ("notary", notary_app),
    ("invoice", invoice_app),
    ("report", report_app),
    ("inbox", inbox_app),
    ("flows", flows_app),
    ("contracts", contracts_app),
    ("bulk", bulk_app),
    ("jobs", jobs_app),
    ("people", people_app),
    ("approvals", approvals_app),
    ("api", api_app),
    ("books", books_app),
    ("privacy", privacy_app),
    ("proof", proof_app),
    ("retention", retention_app),
    ("hold", hold_app),
    ("archive", archive_app),
):
    app.add_typer(group, name=name)
app.command()(demo)
app.command()(create)
app.command()(exercise)
app.command()(ask)
app.command()(recover)
app.command()(sim)
app.command()(bench)
app.command()(doctor)
app.command()(export_all)


@app.callback()
def options(
    network: Annotated[
        Path | None, typer.Option("--network", "-n", help="Folder of the network (or INTERFIRM_NETWORK).")
    ] = None,
    firm: Annotated[str, typer.Option("--as", help="The firm whose node answers.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Answer programs: JSON alone on standard output.")] = False,
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for others, before exit code 4 says so.")] = 60,
) -> None:
    """Exit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 waiting for someone."""
    session.options.network = network or session.default_network()
    session.options.firm = firm or session.options.firm
    session.options.json = as_json or session.options.json
    session.options.wait_s = wait


def _forward(arguments: list[str]) -> list[str]:
    """Let `--json`, `--as FIRM` and `--wait SECONDS` stand anywhere: they are moved before the command."""
    front: list[str] = []
    rest: list[str] = []
    takes_json = bool(arguments) and arguments[0] in ("demo",)
    i = 0
    while i < len(arguments):
        word = arguments[i]
        if word == "--json" and not takes_json:
            front.append(word)
        elif word in ("--as", "--network", "-n", "--wait") and i + 1 < len(arguments):
            front += [word, arguments[i + 1]]
            i += 1
        else:
            rest.append(word)
        i += 1
    return front + rest


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with its code."""
    words = sys.argv[1:] if arguments is None else arguments
    sys.exit(run(words))


def run(words: list[str]) -> int:
    """Run the command; its exit code."""
    try:
        code = app(_forward(words), standalone_mode=False)
        return code if isinstance(code, int) else session.DONE
    except typer.Exit as exit_:
        return exit_.exit_code
    except TyperException as error:
        show = getattr(error, "show", None)  # Typer's own errors know how to show usage
        show() if show is not None else session.errors.print(str(error))
        return session.USAGE
    except (typer.Abort, KeyboardInterrupt):
        session.errors.print("stopped")
        return session.FAILED
    except Refusal as refusal:
        return session.refuse(refusal)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return session.FAILED
    except Exception as failure:  # a bug, or the world's fault: say what to do with it
        session.errors.print(f"[bold red]failed[/] {type(failure).__name__}: {failure}", highlight=False)
        if os.environ.get("INTERFIRM_DEBUG"):
            traceback.print_exc()
        else:
            session.errors.print("[dim]INTERFIRM_DEBUG=1 shows where[/]")
        return session.FAILED
