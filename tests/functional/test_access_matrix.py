"""Who may do what with which contracts, at every door: each role, template, operation and row.

`access_matrix.json` says of every template what each role may: `r` read, `c` create, `x` make choices. A template that
has no entry there fails here, so that somebody decides about it before anybody is let in.
"""

from __future__ import annotations

import asyncio
import json
import typing
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.specimens import specimen
from tests.unit.api.graphql.doors import Asker, GraphNode
from tests.unit.api.graphql.sockets import Socket
from tests.unit.api.rest.nodes import FirmNode, business_engine, nodes

from interfirm.base.errors import Refusal
from interfirm.contracts.language import Party, Private
from interfirm.contracts.packages import TemplateCode
from interfirm.formats.tables import TableFormats
from interfirm.node import changes
from interfirm.node.access.roles import ROLES
from interfirm.node.access.types import Caller, Role, Rule
from interfirm.node.asking import Start
from interfirm.node.changes import Change
from interfirm.node.desk import Desk
from interfirm.node.forms import ref_text
from interfirm.node.jobs.catalogue import JOBS
from interfirm.node.jobs.runner import Runner
from interfirm.node.vault.types import StoredContract

MATRIX: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("access_matrix.json").read_text())
TEMPLATES = {business_engine().path_of(code.id): code for code in business_engine().templates()}


def own_rows(code: TemplateCode) -> str:
    """The filter for contracts whose first party, or one of whose parties, is $firm."""
    for name, kind in code.fields.items():
        if kind is Party:
            return json.dumps({name: {"_eq": "$firm"}})
        if kind == tuple[Party, ...]:
            return json.dumps({name: {"_contains": ["$firm"]}})
    raise AssertionError(f"no field of {code.id.name} says whose a contract is")


ROWS = Role(
    name="own", about="Everything with contracts of $firm, and nothing with others.",
    operations=("create", "exercise", "contracts.*", "changes.list", "bulk.export", "jobs.*"),
    rules=tuple(
        Rule(template=path, read=True, create=True, choices=("*",), rows=own_rows(code))
        for path, code in TEMPLATES.items()
    ),
)  # fmt: skip
ALL_ROLES = {role.name: role for role in (*ROLES, ROWS)}
MATRIX_OF_ROWS = "rcx"
PAGE_COUNT = 100
"""Of what is streamed at once."""


@pytest.fixture(scope="module")
def node() -> Iterator[FirmNode]:
    """A node with one contract of every template of its own firm, and one of another."""
    with nodes(2) as (one, other):
        with one.firm.vault.turn() as turn:
            for number, code in enumerate(TEMPLATES.values(), start=1):
                for offset, firm in ((0, one), (1_000, other)):
                    made = specimen(code, firm.firm.identity, number + offset)
                    turn.add_contract(made)
                    # a specimen has no proofs, and none are asked for by what is tried here
                    one.desk.books._disclosures[made.ref] = SimpleNamespace(  # type: ignore[assignment]
                        template=made.template, payload=made.payload, origin=made.ref
                    )
                    place = changes.last_number(turn) + 1
                    transaction = made.ref.transaction or b""
                    changes._note(
                        turn, Change(number=place, at_ms=1, transaction=transaction, made=(made.ref,), ended=())
                    )
        yield one


def held(node: FirmNode, code: TemplateCode, *, own: bool) -> StoredContract:
    number = 1 + list(TEMPLATES.values()).index(code) + (0 if own else 1_000)
    with node.firm.vault.read() as turn:
        found = turn.contract(specimen(code, bytes(32), number).ref)
    assert found is not None
    return found


def desk(node: FirmNode, role: str) -> Desk:
    variables = (("firm", node.firm.name),)
    node.client(role, ALL_ROLES[role], variables=variables)
    caller = Caller(name=role, roles=(role,), door="token", variables=variables)
    return node.desk.of(caller)


def refused(desk: Desk, name: str, **arguments: Any) -> str:
    """The code of the refusal; empty where the desk let it through, and missed only the choice's arguments."""
    try:
        desk.handle(name, arguments)
    except Refusal as refusal:
        return "" if refusal.code == "contract.arguments" else refusal.code
    return ""


def test_every_template_has_an_entry_for_every_role() -> None:
    assert sorted(MATRIX) == sorted(TEMPLATES), "decide who may what, in access_matrix.json"
    for path, entry in MATRIX.items():
        assert sorted(entry) == sorted(role.name for role in ROLES), path


def cases() -> list[Any]:
    of_roles = [(path, role, allowed) for path, entry in MATRIX.items() for role, allowed in entry.items()]
    of_rows = [(path, ROWS.name, MATRIX_OF_ROWS) for path in MATRIX]
    return [pytest.param(*each, id=f"{each[0]}-{each[1]}") for each in (*of_roles, *of_rows)]


def everything(role: str, allowed: str, *, own: bool) -> str:
    """What a role may with a contract of the own firm, or of another."""
    return allowed if own or role != ROWS.name else ""


@pytest.mark.parametrize("own", [True, False], ids=["own", "other"])
@pytest.mark.parametrize(("path", "role", "allowed"), cases())
def test_a_role_may_what_the_matrix_says_and_no_more(
    node: FirmNode, path: str, role: str, allowed: str, own: bool
) -> None:
    code, mine = TEMPLATES[path], desk(node, role)
    stored = held(node, code, own=own)
    may, ref = everything(role, allowed, own=own), ref_text(stored.ref)
    listed = "r" in allowed and ref in [
        row["ref"]
        for row in mine.handle("contracts.list", {"template": path})["contracts"]  # type: ignore[index]  # answered at once
    ]
    assert listed is ("r" in may)
    for operation in ("contracts.show", "contracts.history"):
        assert (refused(mine, operation, ref=ref) == "") is ("r" in may), operation
    if "r" not in allowed:
        assert refused(mine, "contracts.list", template=path).startswith("access.")
    fields = node.desk.forms.write(code.read(stored.payload, None))
    assert made(mine, path, fields) is ("c" in may)
    for choice in code.choices:
        assert (refused(mine, "exercise", ref=ref, choice=choice) == "") is ("x" in may), choice


def made(desk: Desk, path: str, fields: dict[str, Any]) -> bool:
    """Whether a flow would begin that makes such a contract."""
    code = TEMPLATES[path]
    private = {name for name, kind in code.fields.items() if Private in (kind, typing.get_origin(kind))}
    needed = {name: value for name, value in fields.items() if name in code.required}
    given = {n: {"value": "v", "subject": "s"} if n in private else value for n, value in needed.items()}
    try:
        return isinstance(desk.handle("create", {"template": path, "fields": given}), Start)
    except Refusal as refusal:
        if refusal.code in ("access.operation", "access.create"):
            return False
        raise


@pytest.mark.parametrize("role", [*(role.name for role in ROLES), ROWS.name])
def test_rest_shows_each_role_what_the_matrix_says(node: FirmNode, role: str) -> None:
    client = node.client(role, ALL_ROLES[role], variables=(("firm", node.firm.name),))
    for path, entry in MATRIX.items():
        allowed = entry.get(role, MATRIX_OF_ROWS)
        listed = client.get(f"/v1/contracts/{path}")
        if "r" not in allowed:
            assert listed.status_code in (403, 404), path
            assert client.get(
                f"/v1/contracts/{path}/{ref_text(held(node, TEMPLATES[path], own=True).ref)}"
            ).status_code in (403, 404)
            continue
        refs = {row["ref"] for row in listed.json()["contracts"]}
        for own in (True, False):
            ref = ref_text(held(node, TEMPLATES[path], own=own).ref)
            may = "r" in everything(role, allowed, own=own)
            assert (ref in refs) is may, path
            assert (client.get(f"/v1/contracts/{path}/{ref}").status_code == 200) is may, path


@pytest.mark.parametrize("role", [*(role.name for role in ROLES), ROWS.name])
def test_graphql_shows_each_role_what_the_matrix_says(node: FirmNode, role: str) -> None:
    door = GraphNode(node)
    client = Asker(door.app, node.client(role, ALL_ROLES[role], variables=(("firm", node.firm.name),)))
    for path, entry in MATRIX.items():
        allowed, name = entry.get(role, MATRIX_OF_ROWS), path.replace(".", "_")
        if "r" not in allowed:
            for field in (f"{name} {{ rows {{ _ref }} }}", f"{name}_aggregate {{ _count }}"):
                assert client.post(f"{{ {field} }}").json().get("data") is None, field
            continue
        refs = {row["_ref"] for row in client.data(f"{{ {name} {{ rows {{ _ref }} }} }}")[name]["rows"]}
        seen = {own: "r" in everything(role, allowed, own=own) for own in (True, False)}
        for own, may in seen.items():
            ref = ref_text(held(node, TEMPLATES[path], own=own).ref)
            assert (ref in refs) is may, path
            found = client.data(f'{{ {name}_by_pk(ref: "{ref}") {{ _ref }} }}')[f"{name}_by_pk"]
            assert (found is not None) is may, path
        counted = client.data(f"{{ {name}_aggregate {{ _count }} }}")[f"{name}_aggregate"]
        assert counted["_count"] == sum(seen.values()), path


def test_the_matrix_has_fewer_contracts_than_a_page() -> None:
    assert 2 * len(TEMPLATES) <= PAGE_COUNT


@pytest.mark.parametrize("role", [*(role.name for role in ROLES), ROWS.name])
def test_the_stream_of_events_tells_each_role_what_the_matrix_says(node: FirmNode, role: str) -> None:
    client = node.client(role, ALL_ROLES[role], variables=(("firm", node.firm.name),))
    answer = client.get("/v1/events", params={"after": 0, "follow": False})
    told = {
        (made["template"], made["ref"])
        for line in answer.text.splitlines()
        if line.startswith("data: {") and answer.status_code == 200
        for made in json.loads(line.removeprefix("data: ")).get("made", ())
    }
    assert told == visible(node, role)


@pytest.mark.parametrize("role", [*(role.name for role in ROLES), ROWS.name])
def test_graphql_streams_to_each_role_what_the_matrix_says(node: FirmNode, role: str) -> None:
    door = GraphNode(node)
    headers = node.client(role, ALL_ROLES[role], variables=(("firm", node.firm.name),)).headers

    async def streamed() -> set[tuple[str, str]]:
        found = set[tuple[str, str]]()
        socket = await Socket(door, dict(headers)).open()
        for path in MATRIX:
            field = f"{path.replace('.', '_')}_stream"
            query = f'subscription {{ {field}(after: "0", batch_size: {PAGE_COUNT}) {{ rows {{ _ref }} }} }}'
            await socket.follow(query, name=path)
            message = await socket.message()
            if message["type"] == "next":
                found |= {(path, row["_ref"]) for row in message["payload"]["data"][field]["rows"]}
                await socket.send(type="complete", id=path)
        await socket.leave()
        return found

    assert asyncio.run(asyncio.wait_for(streamed(), 60)) == visible(node, role)


@pytest.mark.parametrize("role", [*(role.name for role in ROLES), ROWS.name])
def test_each_role_exports_what_the_matrix_says(node: FirmNode, role: str, tmp_path: Path) -> None:
    mine, found = desk(node, role), set[tuple[str, str]]()
    runner = Runner(node.desk, JOBS, tables=TableFormats(), folder=tmp_path)
    for path in MATRIX:
        if refused(mine, "bulk.export", template=path, format="jsonl").startswith("access."):
            continue
        asked = mine.handle("bulk.export", {"template": path, "format": "jsonl"})
        found |= {(path, each["contract"]["ref"]) for each in exported(mine, runner, asked["job"]["id"])}  # type: ignore[index]
    assert found == visible(node, role)


def exported(desk: Desk, runner: Runner, job: str) -> list[dict[str, Any]]:
    """The contracts that a job's file holds."""
    runner.look()
    while (running := runner.due()) is not None:
        done = runner.step(running)
        if done.slow is not None:
            running.answer = done.slow.work()
    shown = desk.handle("jobs.show", {"id": job})
    assert shown["state"] == "done", shown["result"]  # type: ignore[index]  # answered at once
    piece = desk.handle("jobs.file", {"id": job, "offset": 0})
    assert piece["next"] is None  # type: ignore[index]
    return [json.loads(line) for line in bytes.fromhex(piece["data"]).splitlines()]  # type: ignore[index]


def visible(node: FirmNode, role: str) -> set[tuple[str, str]]:
    """All contracts, by template and ref, that the matrix lets a role read."""
    return {
        (path, ref_text(held(node, TEMPLATES[path], own=own).ref))
        for path, entry in MATRIX.items()
        for own in (True, False)
        if "r" in everything(role, entry.get(role, MATRIX_OF_ROWS), own=own)
    }


def test_whoever_shows_nothing_or_what_is_not_valid_sees_nothing(node: FirmNode) -> None:
    for path in MATRIX:
        assert node.stranger().get(f"/v1/contracts/{path}").status_code == 401
