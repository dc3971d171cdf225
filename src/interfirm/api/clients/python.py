"""A client in Python, of one file that needs nothing beside the standard library."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Iterable

from interfirm.api.clients.model import Argument, Method, Model, Named, Schema, Spelling, fields_of, type_name

_HEAD = '''"""A client of one node ({title}), written by `interfirm api client python`. Needs Python 3.11 alone.

    node = Client("http://127.0.0.1:8443", "ift_...")
    node.cash_Cash.list(limit=10)

Amounts are texts with their currency, never floats. What changes something is sent under an idempotency key, so that it
is done once however often it is tried. A refusal is raised as `Refused`, with its code.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any, Dict, List, Literal, NotRequired, TypeAlias, TypedDict, Union

TRIES = 3


class Refused(Exception):
    """The node said no, with a stable code and the values."""

    def __init__(self, status: int, problem: Dict[str, Any]) -> None:
        super().__init__(f"{{problem.get('code', status)}}: {{problem.get('title', '')}}")
        self.status = status
        self.code: str = problem.get("code", "")
        self.values: Dict[str, Any] = problem.get("values", {{}})
        self.problem = problem


class _Asker:
    """Sends requests."""

    def __init__(self, url: str, token: str, timeout_s: float) -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("a node is reached by http or https")
        self._url, self._token, self._timeout_s = url.rstrip("/"), token, timeout_s

    def ask(
        self, verb: str, path: str, *, query: Dict[str, Any], body: Any = None, data: bytes | None = None,
        request: str | None = None, keyed: bool = False, wait_s: int | None = None, raw: bool = False,
    ) -> Any:
        asked = {{name: _text(value) for name, value in query.items() if value is not None}}
        url = f"{{self._url}}{{path}}" + (f"?{{urllib.parse.urlencode(asked)}}" if asked else "")
        headers = {{"Authorization": f"Bearer {{self._token}}"}}
        if keyed:
            headers["Idempotency-Key"] = request or uuid.uuid4().hex
        if wait_s is not None:
            headers["Prefer"] = f"wait={{wait_s}}" if wait_s else "respond-async"
        if data is not None:
            headers["Content-Type"] = "application/octet-stream"
        elif body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body).encode()
        sent = urllib.request.Request(url, data=data, headers=headers, method=verb)
        answer = self._answer(sent, TRIES if keyed or verb == "GET" else 1)
        return answer if raw else json.loads(answer) if answer else None

    def _answer(self, sent: urllib.request.Request, tries: int) -> bytes:
        while True:
            tries -= 1
            try:
                with urllib.request.urlopen(sent, timeout=self._timeout_s) as answer:
                    found: bytes = answer.read()
                    return found
            except urllib.error.HTTPError as error:
                with error:
                    problem = _problem(error.read())
                if error.code != 503 or not tries:
                    raise Refused(error.code, problem) from None
            except (urllib.error.URLError, http.client.HTTPException, ConnectionError):
                if not tries:
                    raise
            time.sleep(1)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int)) else json.dumps(value)


def _part(value: str) -> str:
    return urllib.parse.quote(value, safe=":")


def _problem(data: bytes) -> Dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {{}}
    return found if isinstance(found, dict) else {{}}
'''
_CLIENT = '''
class Client:
    """One node, as whoever shows the token may use it."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 90) -> None:
        self._asker = _Asker(url, token, timeout_s)
{groups}
'''


def write(model: Model) -> str:
    """The text of the client."""
    parts = [_HEAD.format(title=model.title)]
    parts += [_type(each) for each in model.types]
    for group in model.groups:
        methods = [_method(method) for method in model.methods if method.group == group]
        made = "    def __init__(self, asker: _Asker) -> None:\n        self._asker = asker\n"
        parts.append(f'\nclass _{type_name(group)}:\n    """{group}."""\n\n{made}' + "".join(methods))
    groups = [f"        self.{_name(group)} = _{type_name(group)}(self._asker)" for group in model.groups]
    own = [_method(method) for method in model.methods if not method.group]
    parts.append(_CLIENT.format(groups="\n".join(groups)).rstrip("\n") + "\n" + "".join(own))
    return "\n".join(parts)


def _type(named: Named) -> str:
    schema = named.schema
    about = schema.get("description", "")
    comment = "".join(f"# {line}\n" for line in textwrap.wrap(about, 110))
    if "properties" not in schema:
        return f'{comment}{named.name}: TypeAlias = "{kind(schema)}"\n'
    fields = [f'    "{name}": "{_needed(kind(of), name, schema)}",' for name, of in schema["properties"].items()]
    return "\n".join([f'{comment}{named.name} = TypedDict("{named.name}", {{', *fields, "})\n"])


def _needed(text: str, name: str, schema: Schema) -> str:
    return text if name in schema.get("required", ()) else f"NotRequired[{text}]"


def _union(texts: Iterable[str]) -> str:
    found = list(dict.fromkeys(texts))
    return found[0] if len(found) == 1 else f"Union[{', '.join(found)}]"


def _literal(values: Iterable[object]) -> str:
    return f"Literal[{', '.join(repr(value) for value in values)}]"


PYTHON = Spelling(
    plain={"string": "str", "integer": "int", "boolean": "bool", "null": "None"}, array="List[{}]",
    table="Dict[str, {}]", unknown="Any", union=_union, literal=_literal,
)  # fmt: skip
kind = PYTHON.kind


def _name(text: str) -> str:
    found = re.sub(r"\W", "_", text)
    return f"{found}_" if keyword.iskeyword(found) else found


def _method(method: Method) -> str:
    """A method; its body is a set of keyword arguments where it is an object, and `data` where it is bytes."""
    given = [f"{_name(each.name)}: str" for each in method.within]
    fields = list(fields_of(method))
    given += ["data: bytes"] if method.body == {} else []
    named = [_optional(each) for each in (*fields, *method.query)]
    named += ["request: str | None = None"] * method.keyed + ["wait_s: int | None = None"] * method.waits
    arguments = ", ".join(["self", *given, *(["*", *named] if named else [])])
    returned = _returned(method)
    lines = [
        f"\n    def {_name(method.name)}({arguments}) -> {returned}:",
        f'        """{method.about or method.name}"""',
    ]
    call = [f'"{method.verb}"', _path(method), f"query={{{_pairs(method.query)}}}"]
    if method.body:
        lines += [f"        body: Dict[str, Any] = {{{_pairs(fields)}}}"]
        call.append("body={name: value for name, value in body.items() if value is not None}")
    call += ["data=data"] if method.body == {} else []
    call += ["keyed=True, request=request"] * method.keyed + ["wait_s=wait_s"] * method.waits
    call += ["raw=True"] * (not method.returned)
    lines += [f"        found: {returned} = self._asker.ask({', '.join(call)})", "        return found\n"]
    return "\n".join(lines)


def _optional(argument: Argument) -> str:
    text = kind(argument.schema)
    if argument.required:
        return f'{_name(argument.name)}: "{text}"'
    return f'{_name(argument.name)}: "Union[{text}, None]" = None'


def _pairs(arguments: Iterable[Argument]) -> str:
    return ", ".join(
        "**(more or {})" if each.name == "more" else f'"{each.name}": {_name(each.name)}' for each in arguments
    )


def _path(method: Method) -> str:
    text = re.sub(r"\{(\w+)\}", lambda found: "{_part(" + _name(found[1]) + ")}", method.path)
    return f'f"{text}"' if method.within else f'"{text}"'


def _returned(method: Method) -> str:
    if not method.returned:
        return "bytes"
    return f'"{_union(kind(each) for each in method.returned)}"'
