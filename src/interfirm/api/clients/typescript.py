"""A client in TypeScript, of one file that needs nothing beside `fetch` (browsers, Node.js 18, Deno, Bun)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from interfirm.api.clients.model import Argument, Method, Model, Named, Spelling, fields_of, type_name

_HEAD = """\
// A client of one node ({title}), written by `interfirm api client typescript`. Needs nothing but `fetch`.
//
//     const node = new Client("http://127.0.0.1:8443", "ift_...");
//     await node.cash_Cash.list({{ limit: 10 }});
//
// Amounts are texts with their currency, never numbers. What changes something is sent under an idempotency key, so
// that it is done once however often it is tried. A refusal is thrown as `Refused`, with its code.

/** The node said no, with a stable code and the values. */
export class Refused extends Error {{
  readonly status: number;
  readonly code: string;
  readonly values: Record<string, unknown>;

  constructor(status: number, problem: Record<string, unknown>) {{
    super(`${{problem["code"] ?? status}}: ${{problem["title"] ?? ""}}`);
    this.status = status;
    this.code = String(problem["code"] ?? "");
    this.values = (problem["values"] ?? {{}}) as Record<string, unknown>;
  }}
}}

interface Asked_ {{
  verb: string;
  path: string;
  query?: Record<string, unknown>;
  body?: Record<string, unknown>;
  data?: Uint8Array;
  keyed?: boolean;
  request?: string | undefined;
  waitS?: number | undefined;
  raw?: boolean;
}}

const TRIES = 3;

/** Sends requests. */
class Asker_ {{
  constructor(private readonly url: string, private readonly token: string) {{}}

  async ask<T>(asked: Asked_): Promise<T> {{
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(asked.query ?? {{}}))
      if (value !== undefined) query.set(name, typeof value === "object" ? JSON.stringify(value) : String(value));
    const headers: Record<string, string> = {{ Authorization: `Bearer ${{this.token}}` }};
    if (asked.keyed) headers["Idempotency-Key"] = asked.request ?? crypto.randomUUID();
    if (asked.waitS !== undefined) headers["Prefer"] = asked.waitS ? `wait=${{asked.waitS}}` : "respond-async";
    if (asked.data) headers["Content-Type"] = "application/octet-stream";
    else if (asked.body) headers["Content-Type"] = "application/json";
    const text = query.toString();
    const url = this.url.replace(/\\/+$/, "") + asked.path + (text ? `?${{text}}` : "");
    const body = asked.data ?? (asked.body ? JSON.stringify(asked.body) : null);
    const sent = {{ method: asked.verb, headers, body: body as BodyInit | null }};
    const answer = await this.answer(url, sent, asked.keyed || asked.verb === "GET" ? TRIES : 1);
    if (asked.raw) return new Uint8Array(await answer.arrayBuffer()) as T;
    const found = await answer.text();
    return (found ? JSON.parse(found) : undefined) as T;
  }}

  private async answer(url: string, sent: RequestInit, tries: number): Promise<Response> {{
    for (;;) {{
      tries -= 1;
      try {{
        const answer = await fetch(url, sent);
        if (answer.ok) return answer;
        const problem = await answer.json().catch(() => ({{}}));
        if (answer.status !== 503 || !tries) throw new Refused(answer.status, problem as Record<string, unknown>);
      }} catch (error) {{
        if (error instanceof Refused || !tries) throw error;
      }}
      await new Promise((done) => setTimeout(done, 1000));
    }}
  }}
}}

const part_ = (text: string): string => encodeURIComponent(text).replaceAll("%3A", ":");
"""


def write(model: Model) -> str:
    """The text of the client."""
    parts = [_HEAD.format(title=model.title), *(_type(each) for each in model.types)]
    for group in model.groups:
        methods = [_method(method) for method in model.methods if method.group == group]
        begun = "  constructor(private readonly asker: Asker_) {}\n"
        parts.append(f"/** {group} */\nclass {type_name(group)}_ {{\n{begun}" + "".join(methods) + "}\n")
    groups = [f"  readonly {_name(group)}: {type_name(group)}_;" for group in model.groups]
    made = [f"    this.{_name(group)} = new {type_name(group)}_(this.asker);" for group in model.groups]
    own = [_method(method) for method in model.methods if not method.group]
    parts.append("\n".join([
        "/** One node, as whoever shows the token may use it. */", "export class Client {",
        "  private readonly asker: Asker_;", *groups, "", "  constructor(url: string, token: string) {",
        "    this.asker = new Asker_(url, token);", *made, "  }", *own, "}", "",
    ]))  # fmt: skip
    return "\n".join(parts)


def _type(named: Named) -> str:
    schema = named.schema
    about = f"/** {_comment(schema['description'])} */\n" if schema.get("description") else ""
    if "properties" not in schema:
        return f"{about}export type {named.name} = {kind(schema)};\n"
    needed = schema.get("required", ())
    fields = [f"  {json.dumps(name)}{'' if name in needed else '?'}: {kind(of)};"
              for name, of in schema["properties"].items()]  # fmt: skip
    return "\n".join([f"{about}export interface {named.name} {{", *fields, "}\n"])


def _union(texts: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(texts))


def _literal(values: Iterable[object]) -> str:
    return _union(json.dumps(value) for value in values)


TYPESCRIPT = Spelling(
    plain={"string": "string", "integer": "number", "boolean": "boolean", "null": "null"}, array="Array<{}>",
    table="Record<string, {}>", unknown="unknown", union=_union, literal=_literal,
)  # fmt: skip
kind = TYPESCRIPT.kind


def _comment(text: str) -> str:
    return text.replace("*/", "* /")


def _name(text: str) -> str:
    return re.sub(r"\W", "_", text)


def _method(method: Method) -> str:
    """A method: parts of the path, bytes, then one object with everything else that has a name."""
    fields, query = list(fields_of(method)), method.query
    given = [f"{_name(each.name)}: string" for each in method.within]
    given += ["data: Uint8Array"] if method.body == {} else []
    named = [*_declared(fields), *_declared(query)]
    named += ["request?: string"] * method.keyed + ["wait_s?: number"] * method.waits
    if named:
        optional = not any(each.required for each in (*fields, *query))
        given.append(f"given: {{ {'; '.join(named)} }}" + (" = {}" if optional else ""))
    returned = _union(kind(each) for each in method.returned) or "Uint8Array"
    asked = [f'verb: "{method.verb}"', f"path: {_path(method)}", *_sent(method, fields)]
    return (
        f"\n  /** {_comment(method.about or method.name)} */\n"
        f"  async {_name(method.name)}({', '.join(given)}): Promise<{returned}> {{\n"
        f"    return this.asker.ask<{returned}>({{ {', '.join(asked)} }});\n  }}\n"
    )


def _sent(method: Method, fields: list[Argument]) -> Iterator[str]:
    if method.query:
        yield f"query: {{ {_pairs(method.query)} }}"
    if method.body:
        yield f"body: {{ {_pairs(fields)} }}"
    elif method.body is not None:
        yield "data"
    if method.keyed:
        yield "keyed: true, request: given.request"
    if method.waits:
        yield "waitS: given.wait_s"
    if not method.returned:
        yield "raw: true"


def _declared(arguments: Iterable[Argument]) -> list[str]:
    return [f"{_name(each.name)}{'' if each.required else '?'}: {kind(each.schema)}" for each in arguments]


def _pairs(arguments: Iterable[Argument]) -> str:
    return ", ".join(
        "...given.more" if each.name == "more" else f"{json.dumps(each.name)}: given.{_name(each.name)}"
        for each in arguments
    )


def _path(method: Method) -> str:
    text = re.sub(r"\{(\w+)\}", lambda found: "${part_(" + _name(found[1]) + ")}", method.path)
    return f"`{text}`" if method.within else f'"{text}"'
