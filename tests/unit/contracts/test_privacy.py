"""Private fields are on the ledger only as commitments, and decide nothing about who is bound or what holds."""

from __future__ import annotations

import pytest
from tests.support.contracts.iou import contract as c
from tests.support.ledger import ENGINE, create, exercise, who
from tests.support.parties import parties
from tests.support.refusals import refused
from tests.support.scenes import network

from interfirm.base.errors import Refusal
from interfirm.contracts import interpreter
from interfirm.contracts.language import LANGUAGE_VERSION, Party, Private
from interfirm.contracts.packages import Engine, Package
from interfirm.contracts.privacy import blank

ALICE, BOB = parties("alice bob")
COMMITMENT = Private(bytes(range(32)))

SOURCE = """from __future__ import annotations

from interfirm.contracts.language import Claim, Fallback, Instant, Party, Private, Record, Template, choice, require


class Base(Template):
    owner: Party
    reader: Party
    name: Private[str]

    def signatories(self):
        return [self.owner]


class Card(Record):
    secret: Private[str]
    public: str


class Thing(Base):
    card: Card
    maybe: Private[int] | None = None

    def label(self):
        return self.name

    METHOD
"""


def load(method: str) -> Engine:
    """An engine with a template that has private fields of its own, inherited and optional, and this method."""
    source = SOURCE.replace("METHOD", method.strip().replace("\n", "\n    "))
    modules = {"firm.private.contract": source}
    return Engine([Package(name="firm.private", language=LANGUAGE_VERSION, modules=modules, dependencies={})])


DECIDING = {
    "signatories": "return [self.owner] if self.name.commitment else []",
    "observers": "return [self.reader] if self.name.commitment else []",
    "confirmers": "return [self.owner] if self.name.commitment else []",
    "fallback": "return Fallback(confirmers=(self.owner,), since=Instant(0)) if self.name.commitment else None",
    "claims": 'return [Claim(family="f", owner=self.owner, key=(self.name.commitment,))]',
    "ensure": 'require(len(self.name.commitment) == 32, "never")',
}


@pytest.mark.parametrize("name", DECIDING)
def test_no_deciding_method_may_touch_a_private_field(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        load(f"def {name}(self):\n    {DECIDING[name]}")
    assert caught.value.code == "contract.private"
    assert caught.value.values["field"] == "name"


@refused("contract.private")
def test_an_optional_private_field_counts() -> None:
    load('def ensure(self):\n    require(self.maybe is None, "never")')


@refused("contract.private")
def test_a_method_on_the_way_counts() -> None:
    load('def ensure(self):\n    require(self.label() is not None, "never")')


@refused("contract.private")
def test_the_whole_contract_may_not_be_handed_on() -> None:
    load('def ensure(self):\n    require(self == self, "never")')


@refused("contract.private")
def test_a_private_field_is_no_controller() -> None:
    load('@choice(by="name")\ndef act(self, tx):\n    pass')


def test_the_open_part_of_a_record_may_decide() -> None:
    load('def ensure(self):\n    require(self.card.public != "", "never")')


def test_what_no_reading_of_the_source_finds_is_still_blank() -> None:
    """A copy of the contract is not the contract, so the check of the source lets it pass; there is nothing in it."""
    engine = load("def observers(self):\n    return [Party(self.replace().name.commitment)]")
    described = interpreter.describe(
        engine, engine.named("Thing").id, [[ALICE.id], [BOB.id], [bytes(range(32))], [[bytes(32)], "x"], None], index=0
    )
    assert described.observers == (bytes(32),)


def test_the_ledger_holds_the_commitment_and_a_choice_copies_it() -> None:
    net = network()
    made = net.transact(create(c.Person(who(ALICE), who(BOB), COMMITMENT, "BE"))).ref("Person")
    handed = net.transact(exercise(made, c.Person.hand_on, to=who(BOB))).ref("Person")
    assert net.disclosures[handed].payload[2] == [COMMITMENT.commitment]


def test_the_engine_says_which_fields_are_private() -> None:
    assert ENGINE.named("Person").private_fields == ["name"]


def test_blank_leaves_everything_else_alone() -> None:
    person = c.Person(who(ALICE), who(BOB), COMMITMENT, "BE")
    assert blank(person) == c.Person(who(ALICE), who(BOB), Private(bytes(32)), "BE")
    assert blank((1, "a", [COMMITMENT], {"k": COMMITMENT})) == (
        1, "a", [Private(bytes(32))], {"k": Private(bytes(32))},
    )  # fmt: skip
    assert blank(Party(ALICE.id)) == Party(ALICE.id)
