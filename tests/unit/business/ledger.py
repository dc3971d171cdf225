"""A ledger in memory for tests of business modules: it interprets, then judges as ledger and notary do at the top."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any, Concatenate, ParamSpec, TypeVar

import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.hashing import digest
from interfirm.base.time import Window
from interfirm.base.values import Value
from interfirm.business.agreements import contract as agreements
from interfirm.business.cash import contract as cash
from interfirm.business.companies import contract as companies
from interfirm.business.factoring import contract as factoring
from interfirm.business.invoices import contract as invoices
from interfirm.business.payments import contract as payments
from interfirm.business.receivables import contract as receivables
from interfirm.contracts.interpreter import interpret
from interfirm.contracts.language import Day, Party, Ref, Template, Transaction
from interfirm.contracts.packages import Engine, bundle
from interfirm.contracts.types import (
    Action,
    ClaimKey,
    Command,
    Confirmers,
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

T = TypeVar("T", bound=Template)
P = ParamSpec("P")
R = TypeVar("R")
MODULES: tuple[ModuleType, ...] = (companies, cash, payments, agreements, receivables, invoices, factoring)


def party(name: str) -> Party:
    """A party for a name."""
    return Party(digest("test-party", name))


@cache
def engine() -> Engine:
    """All business packages, loaded once; the dependencies of each come before it."""
    loaded = Engine()
    for module in MODULES:
        for package in bundle(module):
            loaded.load(package)
    return loaded


class Outcome(Value, frozen=True):
    """What a transaction did."""

    transaction: bytes
    actions: tuple[Action, ...]
    result: Any
    """Of the last command: the ref of a create, the typed result of an exercise."""


class Ledger:
    """Active contracts, claims taken, and every transaction."""

    def __init__(self) -> None:
        self.contracts: dict[ContractRef, Contract] = {}
        self.claims: set[ClaimKey] = set()
        self.history: list[Outcome] = []

    def create(self, contract: Template, *, signed: Iterable[Party], on: Day) -> Any:
        """Create at the top; returns the ref."""
        code = engine().named(_qualified(type(contract)))
        return self.submit([CreateCommand(code.id, codec.plain(contract))], signed=signed, on=on).result

    def exercise(
        self,
        ref: Ref[T],
        choice: Callable[Concatenate[T, Transaction, P], R],
        *,
        signed: Iterable[Party],
        on: Day,
        **arguments: Any,
    ) -> R:
        """Exercise a choice at the top; returns its result with refs that later commands can use."""
        return self.submit([self.command(ref, choice, **arguments)], signed=signed, on=on).result  # type: ignore[no-any-return]  # typed by the choice

    def command(self, ref: Ref[Any], choice: Any, **arguments: Any) -> ExerciseCommand:
        """The command of an exercise."""
        # `on` is the day of the transaction here; a choice's own argument of that name is written `on_`
        arguments = {name.rstrip("_"): value for name, value in arguments.items()}
        code = engine().named(_qualified(choice.template))
        chosen = code.choices[choice.choice.name]
        return ExerciseCommand(_ref(ref), code.id, choice.choice.name, chosen.arguments_plain(arguments))

    def submit(self, commands: list[Command], *, signed: Iterable[Party], on: Day) -> Outcome:
        """Interpret, judge as the ledger's top and a notary do, and apply; a refusal leaves nothing behind."""
        window = Window(on.start(), on.plus(1).start())
        signers = frozenset(one.id for one in signed)
        actions = interpret(engine(), commands, lookup=self.lookup, window=window)
        claims = self._judge(actions, signers, window)
        transaction = digest("test-transaction", len(self.history))
        self._apply(actions, transaction)
        self.claims |= claims
        outcome = Outcome(transaction, actions, _result(actions[-1], transaction))
        self.history.append(outcome)
        return outcome

    def lookup(self, ref: ContractRef) -> Contract:
        """An active contract."""
        if ref not in self.contracts:
            raise Refusal("notary.consumed", "the contract is not active", ref=ref.index)
        return self.contracts[ref]

    def get(self, template: type[T], ref: Ref[T]) -> T:
        """An active contract as its author's class, with refs that later commands can use."""
        found = self.lookup(_ref(ref))
        contract: T = _absolute(codec.from_plain(found.payload, template), ref.transaction)
        return contract

    def active(self, template: type[T]) -> list[T]:
        """All active contracts of a template."""
        id_ = engine().named(_qualified(template)).id
        return [
            _absolute(codec.from_plain(found.payload, template), ref.transaction)
            for ref, found in self.contracts.items()
            if found.template == id_
        ]

    def refs(self, template: type[T]) -> list[Ref[T]]:
        """The refs of all active contracts of a template."""
        id_ = engine().named(_qualified(template)).id
        return [Ref(ref.transaction, ref.index) for ref, found in self.contracts.items() if found.template == id_]

    def only(self, template: type[T]) -> T:
        """The one active contract of a template."""
        (found,) = self.active(template)
        return found

    def _judge(self, actions: tuple[Action, ...], signers: frozenset[bytes], window: Window) -> set[ClaimKey]:
        claims: set[ClaimKey] = set()
        for top in actions:
            needed = top.signatories if isinstance(top, Create) else top.controllers
            check(signers.issuperset(needed), "ledger.authority", "a top action lacks a signature")
        for action in walk(actions):
            if isinstance(action, Exercise):
                _check_confirmers(action.confirmers, signers, window, action.choice)
            if isinstance(action, Create):
                for claim in action.claims:
                    check(claim.owner in signers, "ledger.claim-owner", "a claim's owner signs", family=claim.family)
                    taken = claim in self.claims or claim in claims
                    check(not taken, "notary.claim-taken", "the claim is taken", family=claim.family)
                    claims.add(claim)
        return claims

    def _apply(self, actions: tuple[Action, ...], transaction: bytes) -> None:
        for action in walk(actions):
            if isinstance(action, Exercise) and action.consuming:
                self.contracts.pop(_named(action.ref, transaction), None)
            if isinstance(action, Create):
                self.contracts[ContractRef(transaction, action.index)] = Contract(action.template, action.payload)
        # a contract made and consumed in one transaction is consumed by a node that stands before its create
        for action in walk(actions):
            if isinstance(action, Exercise) and action.consuming:
                self.contracts.pop(_named(action.ref, transaction), None)


def seen_by(outcome: Outcome, viewer: Party) -> list[Action]:
    """The actions that a party sees: those it is an informee of, and everything below them."""

    def visible(action: Action) -> list[Action]:
        if viewer.id in action.informees:
            return walk((action,))
        return [inner for child in action.children for inner in visible(child)]

    return [action for top in outcome.actions for action in visible(top)]


def shown(action: Action) -> str:
    """An action in short: its kind, template and choice."""
    match action:
        case Create(template=template):
            return f"create {template.name}"
        case Exercise(template=template, choice=choice):
            return f"{template.name}.{choice}"
        case Fetch(template=template):
            return f"fetch {template.name}"


def numbers_in(actions: Iterable[Action]) -> set[int]:
    """Every integer that a viewer of these actions could read in payloads, arguments and results."""
    found: set[int] = set()

    def collect(plain: Any) -> None:
        if isinstance(plain, int) and not isinstance(plain, bool):
            found.add(plain)
        elif isinstance(plain, list):
            for item in plain:
                collect(item)
        elif isinstance(plain, dict):
            collect(list(plain.values()))

    for action in actions:
        match action:
            case Create(payload=payload):
                collect(payload)
            case Exercise(arguments=arguments, result=result):
                collect([arguments, result])
            case Fetch():
                pass
    return found


def template_id(template: type[Template]) -> TemplateId:
    """The id of a template in the loaded packages."""
    return engine().named(_qualified(template)).id


def _check_confirmers(needed: Confirmers, signers: frozenset[bytes], window: Window, choice: str) -> None:
    late = needed.since is not None and window.lower is not None and window.lower >= needed.since
    enough = signers.issuperset(needed.parties) or (late and signers.issuperset(needed.fallback))
    check(enough, "ledger.confirmer", "a confirmer has not signed", choice=choice)


def _qualified(template: type[Template]) -> str:
    return f"{template.__module__.split('.')[-2]}.{template.__name__}"


def _ref(ref: Ref[Any]) -> ContractRef:
    return ContractRef(ref.transaction, ref.index)


def _named(ref: ContractRef, transaction: bytes) -> ContractRef:
    return ref if ref.transaction is not None else ContractRef(transaction, ref.index)


def _result(action: Action, transaction: bytes) -> Any:
    if isinstance(action, Create):
        return Ref(transaction, action.index)
    if isinstance(action, Fetch):
        return None
    code = engine().template(action.template)
    function = code.choices[action.choice].function
    kind = _returned(function)
    return None if kind is None else _absolute(codec.from_plain(action.result, kind), transaction)


def _returned(function: Any) -> Any:
    kind = typing.get_type_hints(function).get("return")
    return None if kind is type(None) else kind


def _absolute(value: Any, transaction: bytes | None) -> Any:
    """`value` with refs to contracts of the same transaction named by it."""
    if isinstance(value, Ref):
        return Ref(transaction, value.index) if value.transaction is None else value
    if isinstance(value, tuple):
        return tuple(_absolute(item, transaction) for item in value)
    if hasattr(value, "__struct_fields__"):
        return value.replace(**{name: _absolute(getattr(value, name), transaction) for name in value.__struct_fields__})
    return value


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """The block is refused, with exactly this reason (the message of the rule, or the code where it has a dot)."""
    with pytest.raises(Refusal) as caught:
        yield
    refusal = caught.value
    assert reason in (refusal.message, refusal.code), str(refusal)
