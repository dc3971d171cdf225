"""`api`: clients of a node in other programs' languages, and a page for those who write them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interfirm.base.errors import Refusal
from interfirm.cli import session

app = typer.Typer(help="Clients and descriptions of a node's REST interface.", no_args_is_help=True)


@app.command()
def client(
    language: Annotated[str, typer.Argument(help="python or typescript.")],
    document: Annotated[Path, typer.Argument(help="The node's /v1/openapi.json; - reads standard input.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; standard output without it.")] = None,
) -> None:
    """Write a client of a node, in one file, from what it says of its interface to whoever will use it."""
    from interfirm.api.clients import python, typescript
    from interfirm.api.clients.model import model_of

    writers = {"python": python.write, "typescript": typescript.write}
    if language not in writers:
        raise Refusal("client.language", "a client is written in one of these", language=language, known=list(writers))
    _write(writers[language](model_of(session.json_file(document))), out)


@app.command()
def page(
    document: Annotated[Path, typer.Argument(help="The node's /v1/openapi.json; - reads standard input.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; standard output without it.")] = None,
) -> None:
    """Write a page for people (HTML) of every request that a node takes from whoever its document was shown to."""
    from interfirm.api.clients import page as html
    from interfirm.api.clients.model import model_of

    _write(html.write(model_of(session.json_file(document))), out)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text)
    except OSError as error:
        raise Refusal("file.write", "the file cannot be written", path=str(out), reason=error.strerror or "") from error
    session.show({"written": str(out), "lines": text.count("\n")}, lambda d: f"{d['written']}: {d['lines']} lines")
