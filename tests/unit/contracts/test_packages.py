"""Packages: named by what they say, loaded only with what they name, and unable to change each other."""

from __future__ import annotations

import ast
import gc
from typing import Any

import pytest
from tests.support.contracts.iou import contract
from tests.support.ledger import NOW, who
from tests.support.parties import party
from tests.support.refusals import refused

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.contracts import interpreter
from interfirm.contracts.language import LANGUAGE_VERSION
from interfirm.contracts.packages import Engine, Package, bundle
from interfirm.contracts.types import Contract, ContractRef, CreateCommand, ExerciseCommand

ALICE = party("alice")
HEADER = "from __future__ import annotations\n\n"
LANGUAGE = "from interfirm.contracts.language import Party, Record, Ref, Template, Transaction, choice, require\n\n"

PAPER = """
class Paper(Template):
    owner: Party

    def signatories(self):
        return [self.owner]

    @choice(by="owner")
    def hand(self, tx: Transaction, to: Party) -> None:
        pass
"""


def package(
    *sources: tuple[str, str], name: str = "firm.paper", dependencies: tuple[Package, ...] = (), imports: str = ""
) -> Package:
    """A package of modules by their last name."""
    return Package(
        name=name,
        language=LANGUAGE_VERSION,
        modules={f"{name}.{module}": HEADER + imports + LANGUAGE + source for module, source in sources},
        dependencies={each.name: each.id for each in dependencies},
    )


def paper(source: str = PAPER) -> Package:
    return package(("contract", source))


# names ------------------------------------------------------------------------------------------------------------


def test_an_id_covers_name_language_source_and_dependencies() -> None:
    one = paper()
    others = [
        one.replace(name="firm.other"),
        one.replace(language=LANGUAGE_VERSION + 1),
        one.replace(modules={name: source + "\n" for name, source in one.modules.items()}),
        one.replace(modules={name + "s": source for name, source in one.modules.items()}),
        one.replace(dependencies={"firm.dep": digest("dep")}),
    ]
    assert len({each.id for each in [one, *others]}) == len(others) + 1


def test_a_bundle_of_an_importable_module_is_the_same_each_time() -> None:
    first, second = bundle(contract), bundle(contract)
    assert [each.id for each in first] == [each.id for each in second]
    assert first[0].name == "tests.support.contracts.iou"


def test_loading_twice_is_harmless() -> None:
    made = Engine([paper()])
    assert made.load(paper()) == paper().id
    assert len(made.templates()) == 1


def test_two_engines_give_one_template_the_same_id_and_count_the_same_steps() -> None:
    used = set()
    for engine in (Engine([paper()]), Engine([paper()])):
        command = CreateCommand(template=engine.named("Paper").id, payload=[[ALICE.id]])
        interpreter.interpret(engine, [command], lookup=_nothing, window=interpreter_window())
        used.add((command.template, engine.meter.used))
    assert len(used) == 1


def interpreter_window() -> Any:
    from interfirm.base.time import Window

    return Window(lower=None, upper=NOW)


def _nothing(ref: ContractRef) -> Contract:
    raise Refusal("test.unknown", "no such contract")


# what a package may be --------------------------------------------------------------------------------------------


@refused("contract.package")
def test_another_language_version_is_refused() -> None:
    Engine([paper().replace(language=LANGUAGE_VERSION + 1)])


@refused("contract.package")
def test_a_module_of_another_folder_is_refused() -> None:
    one = paper()
    Engine([one.replace(modules={"interfirm.contracts.language": next(iter(one.modules.values()))})])


@refused("contract.package")
def test_a_dependency_that_is_not_loaded_is_refused() -> None:
    Engine([package(("contract", PAPER), dependencies=(package(("contract", PAPER), name="firm.dep"),))])


@refused("contract.package")
def test_a_dependency_under_another_name_is_refused() -> None:
    dep = package(("contract", PAPER), name="firm.dep")
    Engine([dep, paper().replace(dependencies={"firm.other": dep.id})])


@refused("contract.package")
def test_modules_that_import_each_other_in_a_circle_are_refused() -> None:
    a, b = "from firm.paper.b import Paper\n", "from firm.paper.a import Paper\n"
    one = package(("a", ""), imports=a)
    other = package(("b", ""), imports=b)
    Engine([one.replace(modules={**one.modules, **other.modules})])


@refused("contract.package")
def test_two_modules_with_one_template_are_refused() -> None:
    Engine([package(("a", PAPER), ("b", PAPER))])


@refused("contract.syntax")
def test_source_that_does_not_parse_is_refused() -> None:
    Engine([paper("class Paper(:\n")])


@refused("contract.subset")
def test_an_import_beyond_language_and_dependencies_is_refused() -> None:
    Engine([package(("contract", PAPER), imports="from os import path\n")])


def test_a_refused_package_leaves_nothing_behind() -> None:
    made = Engine([paper()])
    with pytest.raises(Refusal):
        made.load(package(("contract", PAPER), ("other", PAPER), name="firm.more"))
    assert [code.id.name for code in made.templates()] == ["Paper"]
    assert len(made.packages) == 1


def test_what_a_dependency_declares_can_be_used() -> None:
    dep = package(("contract", PAPER), name="firm.dep")
    imports = "from firm.dep.contract import Paper\n"
    source = """
class Folder(Template):
    owner: Party
    paper: Ref[Paper]

    def signatories(self):
        return [self.owner]

    @choice(by="owner")
    def empty(self, tx: Transaction) -> None:
        tx.exercise(self.paper, Paper.hand, to=self.owner)
"""
    made = Engine([dep, package(("contract", source), name="firm.top", dependencies=(dep,), imports=imports)])
    book = {
        ContractRef(bytes(32), 0): Contract(made.named("Folder").id, [[ALICE.id], [bytes(32), 1]]),
        ContractRef(bytes(32), 1): Contract(made.named("Paper").id, [[ALICE.id]]),
    }
    command = ExerciseCommand(ContractRef(bytes(32), 0), made.named("Folder").id, "empty", [])
    (action,) = interpreter.interpret(made, [command], lookup=book.__getitem__, window=interpreter_window())
    assert action.children[0].template.package == dep.id


# templates --------------------------------------------------------------------------------------------------------


@refused("contract.choice")
def test_a_template_cannot_take_the_choice_of_another() -> None:
    """It would change what the other package's choice means, for everybody who loads both."""
    dep = package(("contract", PAPER), name="firm.dep")
    source = """
class Thief(Template):
    owner: Party
    hand = Paper.hand

    def signatories(self):
        return [self.owner]
"""
    imports = "from firm.dep.contract import Paper\n"
    Engine([dep, package(("contract", source), name="firm.top", dependencies=(dep,), imports=imports)])


def test_a_template_under_a_second_name_is_one_template() -> None:
    made = Engine([paper(PAPER + "\nCopy = Paper\n")])
    assert [code.id.name for code in made.templates()] == ["Paper"]


def test_a_template_of_a_dependency_is_not_declared_again() -> None:
    dep = package(("contract", PAPER), name="firm.dep")
    imports = "from firm.dep.contract import Paper\n"
    made = Engine([dep, package(("contract", "X = 1\n"), name="firm.top", dependencies=(dep,), imports=imports)])
    assert [(code.id.package, code.id.name) for code in made.templates()] == [(dep.id, "Paper")]


@refused("contract.controllers")
def test_a_choice_is_made_by_fields_or_arguments_that_exist() -> None:
    Engine([paper(PAPER.replace('by="owner"', 'by="nobody"'))])


@refused("contract.controllers")
def test_a_controller_that_is_both_field_and_argument_is_refused() -> None:
    """Who reads `by="owner"` thinks of the field; an argument of that name would let anybody be it."""
    Engine([paper(PAPER.replace("to: Party", "owner: Party"))])


@refused("contract.arguments")
def test_every_argument_has_a_type() -> None:
    Engine([paper(PAPER.replace("to: Party", "to"))])


@refused("contract.fields")
def test_fields_have_a_limit() -> None:
    fields = "\n".join(f"    field{i}: int = 0" for i in range(200))
    Engine([paper(PAPER.replace("    owner: Party\n", "    owner: Party\n" + fields + "\n"))])


@refused("contract.template")
def test_an_unknown_name_is_refused() -> None:
    Engine([paper()]).named("Nothing")


def test_refs_inside_records_tuples_lists_and_maps_are_read_as_full_ones() -> None:
    source = """
class Part(Record):
    paper: Ref[Paper]


class Box(Template):
    owner: Party
    part: Part
    several: tuple[Ref[Paper], ...]
    named: dict[str, Ref[Paper]]
    listed: list[Ref[Paper]]
    none: Ref[Paper] | None = None

    def signatories(self):
        return [self.owner]
"""
    code = Engine([paper(PAPER + source)]).named("Box")
    local = [None, 3]
    box: Any = code.read([[ALICE.id], [local], [local], {"a": local}, [local], None], digest("t"))
    assert {box.part.paper, *box.several, *box.named.values(), *box.listed} == {contract.Ref(digest("t"), 3)}
    assert who(ALICE).id == box.owner.id


def test_what_else_a_process_does_with_source_does_not_disturb_loading() -> None:
    def parses(phase: str, _: dict[str, int]) -> None:
        ast.parse("deeper(than((((this)))))")

    before = gc.get_threshold()
    gc.callbacks.append(parses)
    gc.set_threshold(5)
    try:
        assert Engine(bundle(contract)).named("Iou")
        assert gc.isenabled()
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(parses)
