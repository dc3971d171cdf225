"""Commands in, a forest of actions out: authority, order, canonical values, and answers instead of crashes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.support.contracts.iou import contract as c
from tests.support.ledger import ENGINE, NOW, create, exercise, ref_of, who
from tests.support.parties import parties
from tests.support.refusals import refused

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.money import Money
from interfirm.base.time import Instant, Window
from interfirm.contracts import interpreter, types
from interfirm.contracts.language import LANGUAGE_VERSION
from interfirm.contracts.packages import Engine, Package
from interfirm.contracts.types import (
    Action,
    Command,
    Contract,
    ContractRef,
    Create,
    CreateCommand,
    Exercise,
    ExerciseCommand,
    Fetch,
    TemplateId,
    walk,
)

ALICE, BOB, CAROL, BANK = parties("alice bob carol bank")
WINDOW = Window(lower=NOW, upper=NOW.plus_ms(1000))
T = bytes(range(32))

HEADER = """from __future__ import annotations

from interfirm.contracts.language import (
    Claim, Fallback, Money, Party, Private, Record, Ref, Template, Transaction, choice, require,
)

"""


def engine(source: str, *, name: str = "trial.thing") -> Engine:
    """An engine with one module of templates."""
    package = Package(
        name=name, language=LANGUAGE_VERSION, modules={f"{name}.contract": HEADER + source}, dependencies={}
    )
    return Engine([package])


def thing(made: Engine, name: str = "Thing") -> TemplateId:
    return made.named(name).id


class Book(dict[ContractRef, Contract]):
    """Contracts by ref; a missing one is a refusal."""

    def __missing__(self, ref: ContractRef) -> Contract:
        raise Refusal("test.unknown", "no such contract")


def run(
    *commands: Command, book: Book | None = None, on: Engine = ENGINE, window: Window = WINDOW, **options: Any
) -> Sequence[Action]:
    held = book if book is not None else Book()
    return interpreter.interpret(on, commands, lookup=lambda ref: held[ref], window=window, **options)


def held(*contracts: Any) -> tuple[Book, list[ContractRef]]:
    """A book of these contracts, and their refs."""
    book = Book()
    for i, value in enumerate(contracts):
        payload = codec.plain(value)
        book[ContractRef(T, i)] = Contract(template=ENGINE.named(type(value).__name__).id, payload=payload)
    return book, list(book)


def debt(minor: int = 100) -> Any:
    return c.Iou(who(ALICE), who(BOB), Money(minor, "EUR"))


def cash(owner: Any = ALICE, minor: int = 100) -> Any:
    return c.Cash(who(BANK), who(owner), Money(minor, "EUR"))


# actions ----------------------------------------------------------------------------------------------------------


def test_entries_are_numbered_parent_first() -> None:
    book, (iou, money) = held(debt(), cash())
    actions = run(exercise(iou, c.Iou.settle, cash=ref_of(money)), create(debt()), book=book, first_index=7)
    assert [action.index for action in walk(tuple(actions))] == [7, 8, 9, 10, 11]
    assert [type(action) for action in walk(tuple(actions))] == [Exercise, Fetch, Exercise, Create, Create]


def test_an_action_says_who_is_bound_who_sees_it_and_who_confirms() -> None:
    book, (money,) = held(cash())
    (action,) = run(exercise(money, c.Cash.move, to=who(BOB)), book=book)
    assert isinstance(action, Exercise)
    assert (action.controllers, action.signatories, action.observers) == ((ALICE.id,), (BANK.id,), (ALICE.id,))
    assert action.confirmers.parties == (ALICE.id,)
    assert action.informees == {ALICE.id, BANK.id}


def test_the_same_run_gives_the_same_actions_and_the_same_fuel() -> None:
    book, (iou, money) = held(debt(), cash())
    command = exercise(iou, c.Iou.settle, cash=ref_of(money))
    first, used = run(command, book=book), ENGINE.meter.used
    assert run(command, book=book) == first
    assert ENGINE.meter.used == used > 0


def test_a_part_of_a_run_costs_no_more_than_the_whole() -> None:
    book, (iou, money) = held(debt(), cash())
    run(exercise(iou, c.Iou.settle, cash=ref_of(money)), book=book)
    whole = ENGINE.meter.used
    run(exercise(money, c.Cash.move, to=who(BOB)), book=book)
    assert ENGINE.meter.used < whole


# authority --------------------------------------------------------------------------------------------------------


@refused("contract.authority-create")
def test_creating_in_a_choice_needs_the_authority_of_all_signatories() -> None:
    made = engine(STRANGER)
    book = Book({ContractRef(T, 0): Contract(thing(made), [[ALICE.id], [BOB.id]])})
    run(ExerciseCommand(ContractRef(T, 0), thing(made), "bind", []), book=book, on=made)


STRANGER = """
class Thing(Template):
    owner: Party
    stranger: Party

    def signatories(self):
        return [self.owner]

    def observers(self):
        return [self.stranger]

    @choice(by="owner")
    def bind(self, tx: Transaction) -> Ref[Thing]:
        return tx.create(Thing(owner=self.stranger, stranger=self.owner))

    @choice(by="owner")
    def use(self, tx: Transaction, other: Ref[Thing]) -> None:
        tx.exercise(other, Thing.done)

    @choice(by="owner")
    def done(self, tx: Transaction) -> None:
        pass

    @choice(by="owner")
    def read(self, tx: Transaction, other: Ref[Thing]) -> None:
        tx.fetch(Thing, other)
"""


@refused("contract.authority-exercise")
def test_exercising_in_a_choice_needs_the_authority_of_the_controllers() -> None:
    made = engine(STRANGER)
    book = Book(
        {
            ContractRef(T, 0): Contract(thing(made), [[ALICE.id], [BOB.id]]),
            ContractRef(T, 1): Contract(thing(made), [[BOB.id], [ALICE.id]]),
        }
    )
    run(ExerciseCommand(ContractRef(T, 0), thing(made), "use", [[T, 1]]), book=book, on=made)


@refused("contract.authority-fetch")
def test_reading_in_a_choice_needs_the_authority_of_a_stakeholder() -> None:
    made = engine(STRANGER)
    book = Book(
        {
            ContractRef(T, 0): Contract(thing(made), [[ALICE.id], [ALICE.id]]),
            ContractRef(T, 1): Contract(thing(made), [[BOB.id], [CAROL.id]]),
        }
    )
    run(ExerciseCommand(ContractRef(T, 0), thing(made), "read", [[T, 1]]), book=book, on=made)


def test_authority_is_not_handed_down_to_a_choice_below() -> None:
    """The creditor's authority over the debt is not there inside the cash that pays it."""
    book, (iou, money) = held(debt(), cash())
    (settled,) = run(exercise(iou, c.Iou.settle, cash=ref_of(money)), book=book)
    moved = settled.children[1]
    assert isinstance(moved, Exercise)
    assert BOB.id not in {*moved.controllers, *moved.signatories}


# order ------------------------------------------------------------------------------------------------------------


@refused("contract.consumed")
def test_a_contract_consumed_by_one_command_is_not_there_for_the_next() -> None:
    book, (iou,) = held(debt())
    run(exercise(iou, c.Iou.forgive), exercise(iou, c.Iou.forgive), book=book)


@refused("contract.consumed")
def test_a_contract_is_consumed_before_its_choice_runs() -> None:
    source = """
class Thing(Template):
    owner: Party

    def signatories(self):
        return [self.owner]

    @choice(by="owner")
    def twice(self, tx: Transaction) -> None:
        tx.fetch(Thing, tx.this(self))
"""
    made = engine(source)
    book = Book({ContractRef(T, 0): Contract(thing(made), [[ALICE.id]])})
    run(ExerciseCommand(ContractRef(T, 0), thing(made), "twice", []), book=book, on=made)


@refused("contract.template")
def test_a_ref_to_a_contract_of_another_template_is_refused() -> None:
    book, (money,) = held(cash())
    run(exercise(money, c.Iou.forgive), book=book)


@refused("contract.choice")
def test_an_unknown_choice_is_refused() -> None:
    book, (iou,) = held(debt())
    run(exercise(iou, c.Iou.forgive).replace(choice="signatories"), book=book)


@refused("contract.template")
def test_an_unknown_template_is_refused() -> None:
    run(create(debt()).replace(template=ENGINE.named("Iou").id.replace(name="Nothing")))


@refused("contract.package")
def test_an_unknown_package_is_refused() -> None:
    run(create(debt()).replace(template=TemplateId(package=T, name="Iou")))


@refused("contract.this")
def test_only_the_running_contract_has_a_ref_of_its_own() -> None:
    source = """
class Thing(Template):
    owner: Party
    number: int = 0

    def signatories(self):
        return [self.owner]

    @choice(by="owner")
    def other(self, tx: Transaction) -> None:
        tx.this(self.replace(number=1))
"""
    made = engine(source)
    book = Book({ContractRef(T, 0): Contract(thing(made), [[ALICE.id], 0])})
    run(ExerciseCommand(ContractRef(T, 0), thing(made), "other", []), book=book, on=made)


# values -----------------------------------------------------------------------------------------------------------


@refused("contract.require")
def test_ensure_holds_for_every_contract_made() -> None:
    run(create(debt(0)))


@refused("contract.require")
def test_ensure_holds_for_every_contract_described() -> None:
    interpreter.describe(ENGINE, ENGINE.named("Iou").id, codec.plain(debt(0)), index=0)


@refused("codec.shape")
def test_a_field_of_another_type_is_refused_where_a_choice_makes_the_contract() -> None:
    """Python would let it pass, and every later reader would refuse the contract."""
    source = """
class Thing(Template):
    owner: Party
    number: int = 0

    def signatories(self):
        return [self.owner]

    @choice(by="owner")
    def spoil(self, tx: Transaction) -> Ref[Thing]:
        return tx.create(self.replace(number="seven"))
"""
    made = engine(source)
    book = Book({ContractRef(T, 0): Contract(thing(made), [[ALICE.id], 0])})
    run(ExerciseCommand(ContractRef(T, 0), thing(made), "spoil", []), book=book, on=made)


@refused("codec.shape")
def test_an_argument_of_another_type_is_refused() -> None:
    book, (iou,) = held(debt())
    run(exercise(iou, c.Iou.remind, text="pay").replace(arguments=[7]), book=book)


@refused("contract.arguments")
def test_unknown_arguments_are_refused() -> None:
    exercise(ContractRef(T, 0), c.Iou.remind, words="pay")


@refused("contract.arguments")
def test_arguments_are_given_by_name() -> None:
    source = """
class Thing(Template):
    owner: Party

    def signatories(self):
        return [self.owner]

    @choice(by="owner", consuming=False)
    def call(self, tx: Transaction) -> None:
        tx.exercise(tx.this(self), Thing.take, 7)

    @choice(by="owner", consuming=False)
    def take(self, tx: Transaction, number: int = 0) -> None:
        pass
"""
    made = engine(source)
    book = Book({ContractRef(T, 0): Contract(thing(made), [[ALICE.id]])})
    run(ExerciseCommand(ContractRef(T, 0), thing(made), "call", []), book=book, on=made)


@refused("contract.choice")
def test_only_a_choice_can_be_exercised() -> None:
    source = """
class Thing(Template):
    owner: Party

    def signatories(self):
        return [self.owner]

    @choice(by="owner", consuming=False)
    def call(self, tx: Transaction) -> None:
        tx.exercise(tx.this(self), Thing.signatories)
"""
    made = engine(source)
    book = Book({ContractRef(T, 0): Contract(thing(made), [[ALICE.id]])})
    run(ExerciseCommand(ContractRef(T, 0), thing(made), "call", []), book=book, on=made)


@refused("value.range")
def test_a_stored_integer_has_64_bits() -> None:
    run(create(c.Basket(who(ALICE), {"a": 2**63})))


@refused("value.range")
def test_an_argument_has_64_bits() -> None:
    book, (iou,) = held(debt())
    run(exercise(iou, c.Iou.burn, steps=1).replace(arguments=[2**64 - 1]), book=book)


@refused("codec.value")
def test_a_float_is_no_argument() -> None:
    book, (iou,) = held(debt())
    run(exercise(iou, c.Iou.burn, steps=1).replace(arguments=[1.0]), book=book)


@refused("value.depth")
def test_a_value_is_not_nested_without_end() -> None:
    book, (iou,) = held(debt())
    deep: Any = 1
    for _ in range(LIMITS.payload_depth_max + 1):
        deep = [deep]
    run(exercise(iou, c.Iou.burn, steps=1).replace(arguments=deep), book=book)


def test_maps_read_alike_however_they_were_written() -> None:
    one, other = ({"aa": 1, "b": 2}, {"b": 2, "aa": 1})
    made = [run(create(c.Basket(who(ALICE), counts)))[0] for counts in (one, other)]
    assert [list(action.payload[1]) for action in made] == [["b", "aa"], ["b", "aa"]]  # type: ignore[union-attr]  # creates
    book, (basket,) = held(c.Basket(who(ALICE), {}))
    repacked = [run(exercise(basket, c.Basket.repack, counts=counts), book=book) for counts in (one, other)]
    assert repacked[0] == repacked[1]


@refused("contract.payload")
def test_a_payload_has_a_limit() -> None:
    run(create(c.Note(who(ALICE), (), "x" * (LIMITS.payload_bytes_max + 1))))


@refused("contract.parties")
def test_parties_of_a_contract_have_a_limit() -> None:
    crowd = tuple(c.Party(i.to_bytes(32, "big")) for i in range(LIMITS.parties_count_max + 1))
    run(create(c.Note(who(ALICE), crowd, "hello")))


@refused("contract.entries")
def test_actions_of_a_transaction_have_a_limit() -> None:
    run(create(debt()), first_index=LIMITS.entries_count_max)


@refused("contract.depth")
def test_choices_are_not_nested_without_end() -> None:
    source = """
class Thing(Template):
    owner: Party

    def signatories(self):
        return [self.owner]

    @choice(by="owner", consuming=False)
    def again(self, tx: Transaction, left: int) -> None:
        if left > 0:
            tx.exercise(tx.this(self), Thing.again, left=left - 1)
"""
    made = engine(source)
    book = Book({ContractRef(T, 0): Contract(thing(made), [[ALICE.id]])})
    command = ExerciseCommand(ContractRef(T, 0), thing(made), "again", [LIMITS.action_depth_max - 1])
    run(command, book=book, on=made)
    run(command.replace(arguments=[LIMITS.action_depth_max]), book=book, on=made)


@refused("contract.fuel")
def test_work_without_end_is_refused() -> None:
    book, (iou,) = held(debt())
    run(exercise(iou, c.Iou.burn, steps=10_000_000), book=book)


def test_a_run_within_the_steps_that_are_left_is_allowed() -> None:
    book, (iou,) = held(debt())
    run(exercise(iou, c.Iou.burn, steps=100), book=book)
    used = ENGINE.meter.used
    run(exercise(iou, c.Iou.burn, steps=100), book=book, steps_max=used)
    with pytest.raises(Refusal):
        run(exercise(iou, c.Iou.burn, steps=100), book=book, steps_max=used - 1)


@refused("contract.failed")
def test_what_the_code_does_wrong_is_an_answer() -> None:
    source = """
class Thing(Template):
    owner: Party

    def signatories(self):
        return [self.owner]

    @choice(by="owner")
    def fail(self, tx: Transaction) -> int:
        return (1,)[3]
"""
    made = engine(source)
    book = Book({ContractRef(T, 0): Contract(thing(made), [[ALICE.id]])})
    run(ExerciseCommand(ContractRef(T, 0), thing(made), "fail", []), book=book, on=made)


@refused("contract.failed")
def test_what_the_code_does_wrong_in_ensure_is_an_answer_too() -> None:
    source = """
class Thing(Template):
    owner: Party

    def signatories(self):
        return [self.owner]

    def ensure(self):
        require((1,)[3] == 1, "never")
"""
    made = engine(source)
    interpreter.describe(made, thing(made), [[ALICE.id]], index=0)


# roles ------------------------------------------------------------------------------------------------------------


def template(body: str, fields: str = "owner: Party") -> Engine:
    """A template with these fields and methods, bound by its owner unless the methods say otherwise."""
    lines = "\n".join("    " + line for line in body.strip().splitlines())
    bound = "" if "def signatories" in body else "\n    def signatories(self):\n        return [self.owner]\n"
    return engine(f"class Thing(Template):\n    {fields}\n{bound}\n{lines}\n")


def make(made: Engine, payload: Any) -> types.Create:
    (action,) = run(CreateCommand(thing(made), payload), on=made)
    assert isinstance(action, Create)
    return action


@refused("contract.signatories")
def test_a_contract_binds_somebody() -> None:
    make(template("def signatories(self):\n    return []"), [[ALICE.id]])


@refused("contract.confirmers")
def test_somebody_confirms() -> None:
    make(template("def confirmers(self):\n    return []"), [[ALICE.id]])


@refused("contract.controllers")
def test_somebody_makes_a_choice() -> None:
    made = template(
        '@choice(by="helper")\ndef act(self, tx: Transaction) -> None:\n    pass',
        "owner: Party\n    helper: Party | None = None",
    )
    book = Book({ContractRef(T, 0): Contract(thing(made), [[ALICE.id], None])})
    run(ExerciseCommand(ContractRef(T, 0), thing(made), "act", []), book=book, on=made)


@refused("contract.claim-owner")
def test_the_owner_of_a_claim_is_a_signatory() -> None:
    make(
        template(
            'def claims(self):\n    return [Claim(family="f", owner=self.other, key=("k",))]',
            "owner: Party\n    other: Party",
        ),
        [[ALICE.id], [BOB.id]],
    )


@refused("contract.claim-twice")
def test_one_contract_makes_one_claim_once() -> None:
    twice = 'def claims(self):\n    return [Claim(family="f", owner=self.owner, key=("k",))] * 2'
    make(template(twice), [[ALICE.id]])


@refused("contract.claims")
def test_claims_have_a_limit() -> None:
    many = 'def claims(self):\n    return [Claim(family="f", owner=self.owner, key=(n,)) for n in range(99)]'
    make(template(many), [[ALICE.id]])


def test_who_is_bound_does_not_depend_on_how_a_ref_is_written() -> None:
    """A stored local ref reads as a full one later; who decides by that would name other parties each time."""
    made = template(
        "def observers(self):\n    return [self.other] if self.about.transaction is None else []\n\n"
        '@choice(by="owner")\ndef act(self, tx: Transaction) -> bool:\n    return self.about.transaction is None',
        "owner: Party\n    other: Party\n    about: Ref[Thing]",
    )
    action = make(made, [[ALICE.id], [BOB.id], [None, 0]])
    book = Book({ContractRef(T, 0): Contract(thing(made), action.payload)})
    (later,) = run(ExerciseCommand(ContractRef(T, 0), thing(made), "act", []), book=book, on=made)
    assert isinstance(later, Exercise)
    assert later.observers == action.observers == (BOB.id,)
    assert later.result is False


# time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lower", "holds"), [(None, False), (Instant(99), False), (Instant(100), True), (Instant(101), True)]
)
def test_not_before_asks_the_lower_bound(lower: Instant | None, holds: bool) -> None:
    _time(c.Receivable.write_off, 100, Window(lower=lower, upper=Instant(10_000)), holds, "contract.not-before")


@pytest.mark.parametrize(("upper", "holds"), [(99, True), (100, True), (101, False)])
def test_before_asks_the_upper_bound(upper: int, holds: bool) -> None:
    _time(c.Receivable.pay_early, 100, Window(lower=None, upper=Instant(upper)), holds, "contract.before")


def _time(choice: Callable[..., Any], due: int, window: Window, holds: bool, code: str) -> None:
    book, (right,) = held(c.Receivable(who(ALICE), who(BOB), Money(1, "EUR"), Instant(due)))
    if holds:
        run(exercise(right, choice), book=book, window=window)
        return
    with pytest.raises(Refusal) as caught:
        run(exercise(right, choice), book=book, window=window)
    assert caught.value.code == code


def test_code_has_no_clock() -> None:
    from interfirm.contracts import language

    asked = {name for name in vars(language.Transaction) if not name.startswith("_")}
    assert asked == {"create", "exercise", "fetch", "not_before", "before", "this"}
