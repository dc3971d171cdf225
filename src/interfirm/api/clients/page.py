"""A page for people, of one file without scripts: every request that a node takes from them, as its document says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from interfirm.api.clients.model import Argument, Method, Model, Named, Spelling, fields_of

_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; color: #222;
  background: #fff }
h2 { border-bottom: 1px solid #ccc; margin-top: 3rem } h3 { margin: 2rem 0 .3rem }
code { font: 14px ui-monospace, monospace; overflow-wrap: anywhere } .verb { font-weight: bold }
table { border-collapse: collapse; width: 100% } nav { columns: 16rem } nav a { display: block }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #eee }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } a { color: #8bf }
  th, td, h2 { border-color: #444 } }
"""
_OWN = "The node itself"


def write(model: Model) -> str:
    """The text of the page."""
    groups = [group for group in ("", *model.groups) if any(method.group == group for method in model.methods)]
    return "\n".join([
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(model.title)}</title>',
        f'<meta name="viewport" content="width=device-width"><style>\n{_STYLE}</style></head>\n<body>',
        f"<h1>{escape(model.title)}</h1>", *map(_paragraph, model.about.split("\n\n") if model.about else ()),
        "<nav>", *(f'<a href="#{_place("group", group)}">{escape(group or _OWN)}</a>' for group in groups),
        '<a href="#types">Types</a></nav>', *(part for group in groups for part in _group(model, group)),
        '<h2 id="types">Types</h2>', *(_type(each) for each in model.types), "</body></html>\n",
    ])  # fmt: skip


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _place(kind: str, name: str) -> str:
    """Where something stands on the page; a type and a group may have one name."""
    return escape(f"{kind}-{name or 'node'}")


def _group(model: Model, group: str) -> Iterator[str]:
    yield f'<h2 id="{_place("group", group)}">{escape(group or _OWN)}</h2>'
    for method in model.methods:
        if method.group == group:
            yield from _method(method)


def _method(method: Method) -> Iterator[str]:
    yield f'<h3>{escape(method.about or method.name)}</h3>\n<p><code><span class="verb">{method.verb}</span>'
    yield f" {escape(method.path)}</code></p>"
    rows = [*_rows("path", method.within), *_rows("query", method.query)]
    rows += _rows("body", list(fields_of(method))) if method.body else []
    rows += [("body", "", "bytes", "needed")] if method.body == {} else []
    rows += [("header", "Idempotency-Key", "string", "")] * method.keyed
    rows += [("header", "Prefer", "<code>wait=SECONDS</code> or <code>respond-async</code>", "")] * method.waits
    if rows:
        yield _table(("where", "name", "type", ""), rows)
    yield f"<p>Answers {' or '.join(dict.fromkeys(map(kind, method.returned))) or 'bytes'}.</p>"


def _rows(where: str, arguments: Iterable[Argument]) -> list[tuple[str, ...]]:
    return [(where, escape(each.name), kind(each.schema), "needed" if each.required else "") for each in arguments]


def _type(named: Named) -> str:
    schema = named.schema
    about = _paragraph(schema["description"]) if schema.get("description") else ""
    heading = f'<h3 id="{_place("type", named.name)}">{escape(named.name)}</h3>\n{about}'
    if "properties" not in schema:
        return f"{heading}<p>{kind(schema)}{_told(schema)}</p>"
    needed = schema.get("required", ())
    rows = [
        (escape(name), kind(of) + _told(of), "needed" if name in needed else "", escape(of.get("description", "")))
        for name, of in schema["properties"].items()
    ]
    return heading + _table(("field", "type", "", ""), rows)


def _told(schema: Any) -> str:
    """The rules of a plain value, and what it may look like."""
    rules = [f"{rule} {schema[rule]}" for rule in ("format", "pattern", "maxLength", "minimum", "maximum", "maxItems")
             if rule in schema]  # fmt: skip
    rules += [f"such as {each}" for each in schema.get("examples", ())]
    return f" <small>{escape(', '.join(rules))}</small>" if rules else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    return "\n".join([
        f"<table><tr>{''.join(f'<th>{each}</th>' for each in head)}</tr>",
        *(f"<tr>{line}</tr>" for line in lines), "</table>",
    ])  # fmt: skip


def _union(texts: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(texts))


def _literal(values: Iterable[object]) -> str:
    return _union(f"<code>{escape(str(value))}</code>" for value in values)


_HTML = Spelling(
    plain={"string": "string", "integer": "integer", "boolean": "boolean", "null": "null"}, array="list of {}",
    table="table of {}", unknown="anything", union=_union, literal=_literal, named='<a href="#type-{0}">{0}</a>',
)  # fmt: skip
kind = _HTML.kind
