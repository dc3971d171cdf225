"""What is documented is a valid document, fits what the forms read and write, and is what requests are judged by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from interfirm.api.rest.judging import faults
from interfirm.api.rest.schemas import Schemas
from interfirm.base.limits import LIMITS
from interfirm.base.money import Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day, Instant
from interfirm.contracts.language import Attachment, Hash, Party, Private, Ref
from interfirm.node.forms import Forms

from .nodes import Client, FirmNode, business_engine, cash, made, nodes

ME = Party(bytes(32))
VALUES: list[tuple[Any, Any]] = [
    (Party, ME), (Money, Money(-100_005, "EUR")), (Money, Money(7, "JPY")), (Day, Day.of(2026, 10, 5)),
    (UnitPrice, UnitPrice(62_500_001, 6, "EUR")), (Quantity, Quantity(1_000, 1, "C62")), (Rate, Rate(850_000)),
    (Instant, Instant(1_767_600_000_001)), (Hash, Hash(bytes(range(32)))), (Ref, Ref(bytes(32), 3)), (bool, True),
    (int, -(2**63)), (str, "text"), (bytes, b"\x00\xff"), (tuple[int, ...], (1, 2)), (int | None, None),
    (dict[str, bool], {"a": True}),
    (Attachment, Attachment(content=Hash(bytes(32)), media_type="text/plain", size_bytes=1, name="a")),
]  # fmt: skip


class NoNames:
    """Names of nobody but one."""

    def name_of(self, identity: bytes) -> str:
        return identity.hex()

    def identity_of(self, name: str) -> bytes:
        return bytes.fromhex(name)


@pytest.fixture(scope="module")
def node() -> Iterator[FirmNode]:
    with nodes(1) as found:
        yield found[0]


@pytest.fixture(scope="module")
def clerk(node: FirmNode) -> Client:
    return node.client("ann", "clerk")


@pytest.fixture(scope="module")
def document(clerk: Client) -> dict[str, Any]:
    found: dict[str, Any] = clerk.get("/v1/openapi.json").json()
    return found


@pytest.mark.parametrize("role", ["clerk", "viewer", "administrator", "operator"])
def test_the_document_is_valid_for_every_role(node: FirmNode, role: str) -> None:
    found = node.client(f"a-{role}", role).get("/v1/openapi.json").json()
    assert list(OpenAPIV31SpecValidator(found).iter_errors()) == []


def test_every_template_and_choice_is_documented(document: dict[str, Any]) -> None:
    engine = business_engine()
    for code in engine.templates():
        path = f"/v1/contracts/{engine.path_of(code.id)}"
        assert set(document["paths"][path]) == {"get", "post"}
        for choice in code.choices:
            assert set(document["paths"][f"{path}/{{ref}}/{choice}"]) == {"post"}


def test_business_operations_are_documented_by_name(document: dict[str, Any]) -> None:
    about = document["paths"]["/v1/operations/invoice.import"]["post"]["summary"]
    assert about.startswith("Issue the invoice in a UBL file")


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_what_is_written_fits_its_schema_and_is_read_again(kind: Any, value: Any) -> None:
    schemas = Schemas()
    forms = Forms(NoNames(), _no_commit)  # type: ignore[arg-type] # only names are asked for
    written = forms.write(value)
    assert faults(schemas.of(kind, "out"), written, schemas.components) == []
    assert faults(schemas.of(kind, "in"), written, schemas.components) == []
    assert forms.read(kind, written, at="it", privates=[]) == value


def _no_commit(*_: Any) -> Any:
    raise AssertionError


def test_a_private_value_goes_in_with_its_subject_and_comes_out_as_a_commitment() -> None:
    schemas = Schemas()
    kind = Private[str] | None
    going_in = {"value": "a contact", "subject": "a person"}
    assert faults(schemas.of(kind, "in"), going_in, {}) == []
    assert faults(schemas.of(kind, "out"), "00" * 32, {}) == []
    assert faults(schemas.of(kind, "out"), going_in, {}) != []
    assert faults(schemas.of(kind, "in"), "00" * 32, {}) != []


def test_what_is_shown_is_what_is_documented(node: FirmNode, clerk: Client, document: dict[str, Any]) -> None:
    path = made(clerk.post("/v1/contracts/cash.Cash", json=cash(node)))
    components = document["components"]["schemas"]
    for asked, of in ((path, "/v1/contracts/cash.Cash/{ref}"), ("/v1/contracts/cash.Cash",) * 2, ("/v1/flows",) * 2,
                      ("/v1/me",) * 2, ("/v1/templates",) * 2):  # fmt: skip
        schema = document["paths"][of]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert faults(schema, clerk.get(asked).json(), components) == []


def test_a_preview_is_what_is_documented(node: FirmNode, clerk: Client, document: dict[str, Any]) -> None:
    components = document["components"]["schemas"]
    preview = clerk.post("/v1/contracts/cash.Cash?dry_run=true", json=cash(node)).json()
    assert faults(components["Preview"], preview, components) == []


@pytest.mark.parametrize(("schema", "value", "reason"), [
    ({"type": "integer", "minimum": 1}, 0, "is too small or too large"), ({"type": "integer"}, True, "is no integer"),
    ({"type": "integer"}, 1.0, "is no integer"), ({"type": "string", "maxLength": 1}, "ab", "is too short or too long"),
    ({"type": "string", "pattern": "^a$"}, "a\n", "is not written as ^a$"), ({"enum": [1]}, True, None),
    ({"type": "string", "format": "date"}, "2026-02-30", "is no date"), ({"type": "array", "maxItems": 0}, [1], None),
    ({"type": "string", "format": "date-time"}, "2026-02-03T00:00:00", "is no date-time"),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1, "is no string"),
    ({"type": "object", "additionalProperties": {"type": "string"}}, {"a/~": 1}, "is no string"),
])  # fmt: skip
def test_what_does_not_fit_is_said(schema: dict[str, Any], value: Any, reason: str | None) -> None:
    found = faults(schema, value, {})
    assert len(found) == 1
    assert reason in (None, found[0]["reason"])


def test_faults_have_their_place_and_are_not_too_many() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    assert faults(schema, {"a/~": 1}, {})[0]["at"] == "/a~1~0"
    assert len(faults({"type": "array", "items": {"type": "string"}}, [1] * 1_000, {})) == LIMITS.findings_count_max
