"""Several legal entities at one address: who is let in where, and that nothing of one is seen at another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.api.groups import Group, a_group, asked, at
from tests.unit.api.rest.nodes import Client, FirmNode, cash, made

from interfirm.base.errors import Refusal
from interfirm.node.access import approvals, audit
from interfirm.node.access.staff import Staff
from interfirm.runtime.doors import Doors

CASH = "/v1/contracts/cash.Cash"
LARGE = [{"name": "cash", "template": "cash.Cash", "choice": "create", "roles": ["approver"]}]
HELD = {
    ("clerk",): {"firm0"},
    ("clerk@firm1",): {"firm1"},
    ("viewer", "clerk@firm2"): {"firm0", "firm2"},
    ("clerk@*",): {"firm0", "firm1", "firm2"},
    (): set(),
}
"""Where roles hold."""
QUERY = {"query": "{ cash_Cash { rows { amount { amount } } } }"}
READS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "who one is": ("GET", "/v1/me", {}),
    "a list": ("GET", CASH, {}),
    "GraphQL": ("POST", "/graphql", {"json": QUERY}),
    "the stream of changes": ("GET", "/v1/events", {"params": {"follow": "false", "after": "0"}}),
    "an export": ("POST", "/v1/operations/bulk.export", {"json": {"template": "cash.Cash", "format": "csv"}}),
    "templates": ("GET", "/v1/templates", {}),
}


@pytest.fixture(scope="module")
def three() -> Iterator[Group]:
    with a_group(3) as made_:
        yield made_


@pytest.fixture
def group() -> Iterator[Group]:
    with a_group() as made_:
        yield made_


@pytest.fixture
def entity(group: Group) -> FirmNode:
    return group.entities[0]


def code(answer: Any) -> str:
    return str(answer.json()["code"])


def root(group: Group, node: FirmNode) -> str:
    return "" if node is group.host else at(node, "")


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("roles", HELD, ids=lambda roles: " ".join(roles) or "no role")
def test_whoever_has_no_role_at_an_entity_is_not_known_there(three: Group, roles: tuple[str, ...], read: str) -> None:
    client = three.person("anna", *roles)
    method, path, more = READS[read]
    for node in (three.host, *three.entities):
        answer = client.request(method, root(three, node) + path, **more)
        if node.firm.name in HELD[roles]:
            assert answer.is_success, answer.text
        elif node is three.host:  # one's own node knows its people, and shows them nothing
            assert answer.status_code == 403 or not answer.json().get("data", answer.json()).get("cash_Cash"), (
                answer.text
            )
        else:
            assert answer.status_code == 401, answer.text
            assert "access.unknown-caller" in answer.text


def test_a_contract_of_one_entity_is_never_shown_at_another(group: Group, entity: FirmNode) -> None:
    anna = group.person("anna", "clerk@*")
    place = made(anna.post(at(entity, CASH), json=cash(entity)))
    assert place.startswith(at(entity, CASH))
    assert anna.get(place).status_code == 200
    inside = place.removeprefix(at(entity, ""))
    assert code(anna.get(inside)) == "vault.unknown"
    assert anna.get(CASH).json()["contracts"] == []
    assert anna.post("/graphql", json=QUERY).json()["data"]["cash_Cash"]["rows"] == []
    assert anna.get("/v1/events", params={"follow": "false", "after": "0"}).text.count("data:") == 0
    assert asked(group.host, "flows.list")["flows"] == []


def test_between_two_entities_of_a_group_is_the_ledger(group: Group, entity: FirmNode) -> None:
    anna = group.person("anna", "clerk@*")
    ref = made(anna.post(CASH, json=cash(group.host, owner=entity.firm.name))).rpartition("/")[2]
    shown = anna.get(at(entity, f"{CASH}/{ref}")).json()
    assert (shown["fields"]["owner"], shown["signatories"]) == (entity.firm.name, [group.host.firm.name])


def test_roles_are_what_the_entity_itself_says_they_are(group: Group, entity: FirmNode) -> None:
    narrow = {"name": "clerk", "about": "Reads only.", "operations": ["whoami", "contracts.*"],
              "rules": [{"template": "*", "read": True}]}  # fmt: skip
    asked(entity, "access.role-put", definition=narrow)
    anna = group.person("anna", "clerk@*")
    assert made(anna.post(CASH, json=cash(group.host)))
    assert code(anna.post(at(entity, CASH), json=cash(entity))) == "access.operation"


def test_an_entitys_own_person_is_another_than_the_hosts_of_the_same_name(group: Group, entity: FirmNode) -> None:
    ours, theirs = group.person("anna", "clerk@firm1"), group.person("anna", "clerk", at=entity)
    key = {"headers": {"Idempotency-Key": "one"}}
    both = [made(client.post(at(entity, CASH), json=cash(entity), **key)) for client in (ours, theirs)]
    assert len(set(both)) == 2
    names = [client.get(at(entity, "/v1/me")).json()["name"] for client in (ours, theirs)]
    assert names == ["firm0/anna", "anna"]
    assert [each["caller"] for each in asked(entity, "access.audit")["entries"] if each["door"] == "token"] == names
    assert [len(client.get(at(entity, "/v1/flows")).json()["flows"]) for client in (ours, theirs)] == [1, 1]
    assert theirs.get("/v1/me").status_code == 401
    people = asked(entity, "access.people")["people"]
    assert [(each["name"], each["roles"]) for each in people] == [("anna", ("clerk",)), ("firm0/anna", ("clerk",))]


def test_nobody_can_take_the_name_that_a_person_of_the_host_has_at_an_entity(three: Group) -> None:
    entity = three.entities[0]
    three.person("anna", "clerk@firm1")
    with pytest.raises(Refusal, match=r"^access\.name: "):
        asked(entity, "access.person-put", name="firm0/anna", roles=["auditor"])


def test_who_leaves_the_host_is_known_nowhere(group: Group, entity: FirmNode) -> None:
    anna = group.person("anna", "clerk@*")
    assert anna.get(at(entity, "/v1/me")).status_code == 200
    [token] = [each["id"] for each in asked(group.host, "access.tokens")["tokens"]]
    assert entity.port.known("firm0/anna", None, token).roles == ("clerk",)  # as webhooks that she made ask
    group.leaves("anna")
    for path in ("/v1/me", at(entity, "/v1/me"), at(entity, CASH)):
        assert anna.get(path).status_code == 401
    assert anna.post(at(entity, "/graphql"), json=QUERY).status_code == 401
    with pytest.raises(Refusal, match=r"^access\.unknown-caller: "):
        entity.port.known("firm0/anna", None, token)
    assert asked(entity, "access.people")["people"] == [
        {**asked(group.host, "access.people")["people"][0], "name": "firm0/anna", "roles": ("clerk",), "active": False}
    ]


def test_a_role_that_is_taken_away_at_the_host_holds_at_the_entity_no_more(three: Group) -> None:
    entity = three.entities[0]
    anna = three.person("anna", "viewer", "clerk@firm1")
    asked(three.host, "access.person-put", name="anna", roles=["viewer"])
    assert anna.get("/v1/me").json()["roles"] == ["viewer"]
    assert anna.get(at(entity, "/v1/me")).status_code == 401


def test_the_scopes_of_a_token_hold_at_every_entity(three: Group) -> None:
    entity = three.entities[0]
    anna = three.person("anna", "clerk@*", scopes=["whoami", "contracts.list"])
    for node in (three.host, entity):
        assert anna.get(root(three, node) + CASH).status_code == 200
        assert code(anna.post(root(three, node) + CASH, json=cash(node))) == "access.operation"
    assert anna.get("/v1/entities").status_code == 403


def test_four_eyes_of_an_entity_are_those_of_people_with_roles_there(group: Group, entity: FirmNode) -> None:
    asked(entity, "access.approvals-put", lines=LARGE)
    anna = group.person("anna", "clerk@firm1", "approver@firm1")
    bob, eve = group.person("bob", "approver@firm1"), group.person("eve", "approver", "viewer@firm1")
    pending = anna.post(at(entity, CASH), json=cash(entity)).json()["approval"]
    assert pending["asked_by"] == "firm0/anna"
    with entity.desk.vault.read() as turn:
        found = approvals.deciders(turn, approvals.get(turn, pending["id"]), entity.desk.staff.everybody(turn))
    assert [each.name for each in found] == ["firm0/bob"]
    path, yes = at(entity, f"/v1/approvals/{pending['id']}"), {"json": {"approve": True}}
    assert code(anna.post(path, **yes)) == "access.four-eyes"
    assert code(eve.post(path, **yes)) == "access.operation"
    assert code(bob.post(f"/v1/approvals/{pending['id']}", **yes)) == "access.operation"
    assert bob.post(path, **yes).status_code == 200
    assert len(anna.get(at(entity, CASH)).json()["contracts"]) == 1


def test_nothing_is_done_at_an_entity_for_somebody_who_left_the_host_meanwhile(group: Group, entity: FirmNode) -> None:
    asked(entity, "access.approvals-put", lines=LARGE)
    anna, bob = group.person("anna", "clerk@firm1"), group.person("bob", "approver@firm1")
    pending = anna.post(at(entity, CASH), json=cash(entity)).json()["approval"]
    group.leaves("anna")
    answer = bob.post(at(entity, f"/v1/approvals/{pending['id']}"), json={"approve": True})
    assert code(answer) == "access.approval"


def test_a_list_says_where_one_may_enter(three: Group) -> None:
    anna = three.person("anna", "viewer", "clerk@firm2")
    listed = anna.get("/v1/entities").json()["entities"]
    assert listed == [{"slug": "firm2", "name": "firm2 NV", "url": "https://node.firm.example/entities/firm2"}]
    assert anna.get(listed[0]["url"].removeprefix("https://node.firm.example") + "/v1/me").status_code == 200
    assert len(asked(three.host, "entities.list")["entities"]) == 2
    assert three.person("bob").get("/v1/entities").json() == {"entities": []}


def test_an_entitys_own_description_says_where_it_is(three: Group) -> None:
    entity = three.entities[0]
    anna = three.person("anna", "clerk@*")
    assert anna.get(at(entity, "/v1/openapi.json")).json()["servers"] == [{"url": "/entities/firm1"}]
    assert anna.get("/v1/openapi.json").json()["servers"] == [{"url": "/"}]


@pytest.mark.parametrize("path", ["/entities/firm9/v1/me", "/entities/firm1", "/entities//v1/me", "/entities/v1/me"])
def test_there_is_nothing_under_what_is_no_entitys_path(three: Group, path: str) -> None:
    assert code(three.person("anna", "clerk@*").get(path)) == "http.path"


def test_people_sign_in_at_the_host_alone(three: Group) -> None:
    entity = three.entities[0]
    stranger = Client(three.app, None)
    assert code(stranger.post(at(entity, "/v1/session"), json={"name": "a", "password": "b"})) == "http.path"
    asked(entity, "access.person-put", name="erp", roles=["clerk"])
    with pytest.raises(Refusal, match=r"^access\.hosted: "):
        asked(entity, "access.invite", person="erp")


def test_the_host_is_ready_when_all_of_its_entities_are(group: Group, entity: FirmNode) -> None:
    stranger = Client(group.app, None)
    assert stranger.get("/ready").status_code == stranger.get(at(entity, "/ready")).status_code == 200
    entity.storage.failure = Refusal("vault.storage", "the disk is full")
    assert stranger.get(at(entity, "/ready")).status_code == stranger.get("/ready").status_code == 503
    assert stranger.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("role", "refusal"),
    [
        ("clerk@firm9", "access.entity"), ("clerk@", "access.role"), ("@firm1", "access.role"),
        ("owner@firm1", "access.role"), ("nothing@firm1", "access.role"), ("nothing@*", "access.role"),
        ("clerk@firm1@firm1", "access.entity"),
    ],
)  # fmt: skip
def test_a_role_that_is_nowhere_is_refused(three: Group, role: str, refusal: str) -> None:
    with pytest.raises(Refusal, match=rf"^{refusal}: "):
        asked(three.host, "access.person-put", name="anna", roles=[role])


def test_an_entity_gives_no_roles_at_others(three: Group) -> None:
    entity = three.entities[0]
    for role in ("clerk@firm0", "clerk@firm1", "clerk@*"):
        with pytest.raises(Refusal, match=r"^access\.entity: "):
            asked(entity, "access.person-put", name="anna", roles=[role])


def test_a_role_of_an_entitys_own_is_given_there_and_not_elsewhere(group: Group, entity: FirmNode) -> None:
    own = {"name": "treasurer", "about": "Sees cash.", "operations": ["contracts.*", "whoami"],
           "rules": [{"template": "cash.Cash", "read": True}]}  # fmt: skip
    asked(entity, "access.role-put", definition=own)
    anna = group.person("anna", "treasurer@*")
    assert anna.get(at(entity, "/v1/me")).json()["roles"] == ["treasurer"]
    assert anna.get("/v1/me").status_code == 403  # known at the host, where there is no such role


def test_an_entity_that_is_sold_takes_no_people_along_and_its_log_holds(group: Group, entity: FirmNode) -> None:
    token = group.token("anna", "clerk@firm1")
    made(Client(group.app, token).post(at(entity, CASH), json=cash(entity)))
    entity.desk.staff = Staff(entity.desk.vault)  # as when its node is started by itself
    alone = Doors(entity)  # type: ignore[arg-type]  # a node in memory as the process
    with pytest.raises(Refusal, match=r"^access\.unknown-caller: "):
        alone.caller({"authorization": f"Bearer {token}"})
    assert asked(entity, "access.people")["people"] == []
    with entity.desk.vault.read() as turn:
        audit.check_chain(turn)
        assert [each.caller for each in audit.entries(turn)] == ["firm0/anna"]


def test_somebody_with_roles_at_an_entity_that_was_sold_can_still_leave(group: Group) -> None:
    anna = group.person("anna", "viewer", "clerk@firm1")
    group.host.desk.staff = Staff(group.host.desk.vault)
    asked(group.host, "access.person-put", name="anna", active=False)
    assert anna.get("/v1/me").status_code == 401


def test_the_host_learns_from_no_refusal_what_an_entity_holds(three: Group) -> None:
    """The same answer for a role that is not held, a token that is none, and a stranger."""
    entity = three.entities[0]
    stranger, forged = Client(three.app, None), Client(three.app, "ift_" + "0" * 16 + "_" + "0" * 64)
    answers = [c.get(at(entity, CASH)) for c in (three.person("anna", "clerk"), forged, stranger)]
    assert len({json.dumps(each.json(), sort_keys=True) for each in answers}) == 1
