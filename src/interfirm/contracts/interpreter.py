"""The interpreter: commands in, a forest of actions out; re-run by every party that sees a part of the forest.

Authority (02-ledger): inside a choice it is the signatories of the contract the choice is made on plus those who make
it, and nothing else. At the top nothing is checked here: each top action says whose authority it needs, and the ledger
compares that with the listed signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.money import INTEGER_MAX
from interfirm.base.time import Day, Instant, Window
from interfirm.contracts import language
from interfirm.contracts.metering import Meter, contained, weigh
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
    Fetch,
    Plain,
    TemplateId,
)

Lookup = Callable[[ContractRef], Contract]
"""Finds an input by its ref, its payload in canonical form; raises Refusal where it is unknown."""


class ChoiceCode(Protocol):
    """One choice of a loaded template."""

    declared: language.Choice
    function: Callable[..., Any]

    def arguments_of(self, plain: Plain) -> dict[str, Any]:
        """Typed arguments by name from their plain list; Refusal `codec.shape`."""

    def arguments_plain(self, arguments: dict[str, Any]) -> Plain:
        """The plain list of typed arguments; Refusal `contract.arguments`."""


class TemplateCode(Protocol):
    """One template of a loaded package."""

    id: TemplateId
    cls: type[language.Template]
    choices: dict[str, Any]

    def read(self, payload: Plain, transaction: bytes | None) -> language.Template:
        """The contract of a stored payload; refs to (self, i) become (transaction, i)."""

    def reads_alike(self, transaction: bytes | None) -> bool:
        """Whether `read` and `deciding` give the same: nothing is private, and no ref depends on the transaction."""

    def deciding(self, payload: Plain) -> language.Template:
        """The contract as those of its methods see it that say who is bound: refs as stored, private fields blank."""


class Engine(Protocol):
    """The packages loaded together, sharing one meter (packages.py)."""

    meter: Meter

    def template(self, template: TemplateId) -> TemplateCode:
        """The loaded template; Refusal `contract.package` or `contract.template` where it is unknown."""

    def code_of(self, cls: type[language.Template]) -> TemplateCode:
        """The loaded template of a class that contract code named."""


class Interpretation:
    """One run. Contract code holds it only as `tx`; what it may not touch begins with an underscore."""

    __slots__ = (
        "_authority",
        "_consumed",
        "_created",
        "_depth",
        "_engine",
        "_lookup",
        "_next",
        "_nodes",
        "_running",
        "_window",
    )

    def __init__(self, engine: Engine, lookup: Lookup, window: Window, first_index: int) -> None:
        self._engine = engine
        self._lookup = lookup
        self._window = window
        self._next = first_index
        self._created: dict[int, Contract] = {}
        self._consumed: set[ContractRef] = set()
        self._authority: frozenset[bytes] | None = None
        self._nodes: list[Action] = []
        self._running: list[tuple[ContractRef, language.Template]] = []
        self._depth = 0

    # what contract code calls -----------------------------------------------------------------------------------

    def create(self, contract: language.Template) -> language.Ref[Any]:
        """See language.Transaction."""
        code = self._engine.code_of(type(contract))
        index = self._claim_index()
        action = _creation(code, self._stored(contract), index)
        self._need(action.signatories, "contract.authority-create", "creating needs all signatories", code.id.name)
        self._created[index] = Contract(template=code.id, payload=action.payload)
        self._nodes.append(action)
        return language.Ref(None, index)

    def exercise(self, ref: language.Ref[Any], choice: Callable[..., Any], /, *args: Any, **arguments: Any) -> Any:
        """See language.Transaction."""
        if args:
            raise Refusal("contract.arguments", "arguments of a choice are given by name", choice=choice.__name__)
        cls = getattr(choice, "template", None)
        if cls is None or not isinstance(getattr(choice, "choice", None), language.Choice):
            raise Refusal("contract.choice", "only a declared choice can be exercised", choice=str(choice)[:80])
        code = self._engine.code_of(cls)
        chosen = code.choices[choice.choice.name]  # type: ignore[attr-defined]  # the mark was checked above
        weigh(arguments, self._engine.meter)
        return self._run(_contract_ref(ref), code, chosen, _stored(chosen.arguments_plain(arguments)))

    def fetch(self, template: type[language.Template], ref: language.Ref[Any]) -> Any:
        """See language.Transaction."""
        code = self._engine.code_of(template)
        name = _contract_ref(ref)
        found = self._find(name, code)
        index = self._claim_index()
        signatories, observers = _stakeholders(code.deciding(found.payload))
        stakeholders = sorted({*signatories, *observers})
        held = stakeholders if self._authority is None else [p for p in stakeholders if p in self._authority]
        if not held:
            raise Refusal(
                "contract.authority-fetch", "reading needs one stakeholder's authority", template=code.id.name
            )
        self._nodes.append(
            Fetch(
                index=index,
                ref=name,
                template=code.id,
                controllers=tuple(held),
                signatories=signatories,
                observers=observers,
            )
        )
        return _instance(name, code, found)

    def not_before(self, moment: Instant | Day) -> None:
        """See language.Transaction."""
        wanted, lower = _instant(moment), self._window.lower
        if lower is None or lower < wanted:
            raise Refusal(
                "contract.not-before", "the transaction could be accepted too early", wanted=wanted, lower=lower
            )

    def before(self, moment: Instant | Day) -> None:
        """See language.Transaction."""
        wanted = _instant(moment)
        if self._window.upper > wanted:
            raise Refusal(
                "contract.before", "the transaction could be accepted too late", wanted=wanted, upper=self._window.upper
            )

    def this(self, contract: language.Template) -> language.Ref[Any]:
        """See language.Transaction."""
        ref, running = self._running[-1]
        if contract is not running:
            raise Refusal("contract.this", "only the contract whose choice is running is this one")
        return language.Ref(ref.transaction, ref.index)

    # the machine --------------------------------------------------------------------------------------------------

    def _command(self, command: Command) -> Action:
        self._nodes, self._authority = [], None
        code = self._engine.template(command.template)
        if isinstance(command, CreateCommand):
            self.create(codec.typed(_stored(command.payload), code.cls))
        else:
            chosen = code.choices.get(command.choice)
            if chosen is None:
                raise Refusal(
                    "contract.choice",
                    "the template has no such choice",
                    template=code.id.name,
                    choice=command.choice[:80],
                )
            self._run(command.ref, code, chosen, _stored(command.arguments))
        return self._nodes[0]

    def _run(self, ref: ContractRef, code: TemplateCode, chosen: ChoiceCode, arguments_plain: Plain) -> Any:
        found = self._find(ref, code)
        deciding = code.deciding(found.payload)
        made_in = found.created_in or ref.transaction
        contract = deciding if code.reads_alike(made_in) else code.read(found.payload, made_in)
        arguments = chosen.arguments_of(arguments_plain)
        index = self._claim_index()
        declared = chosen.declared
        controllers = _controllers(deciding, arguments, declared)
        self._need(controllers, "contract.authority-exercise", "exercising needs its controllers", declared.name)
        if declared.consuming:
            self._consumed.add(ref)
        signatories, observers = _stakeholders(deciding)
        result, children = self._body(ref, contract, chosen, arguments, frozenset(signatories) | frozenset(controllers))
        self._nodes.append(
            Exercise(
                index=index,
                ref=ref,
                template=code.id,
                choice=declared.name,
                consuming=declared.consuming,
                arguments=arguments_plain,
                result=self._stored(result),
                controllers=controllers,
                signatories=signatories,
                observers=observers,
                confirmers=_confirmers(deciding),
                children=children,
            )
        )
        return result

    def _body(
        self,
        ref: ContractRef,
        contract: language.Template,
        chosen: ChoiceCode,
        arguments: dict[str, Any],
        authority: frozenset[bytes],
    ) -> tuple[Any, tuple[Action, ...]]:
        """Run the choice's body one level down, in its own authority."""
        if self._depth >= LIMITS.action_depth_max:
            raise Refusal("contract.depth", "choices are nested too deeply", depth_max=LIMITS.action_depth_max)
        outer = (self._authority, self._nodes)
        self._authority, self._nodes = authority, []
        self._depth += 1
        self._running.append((ref, contract))
        try:
            result = chosen.function(contract, self, **arguments)
            return result, tuple(self._nodes)
        finally:
            self._running.pop()
            self._depth -= 1
            self._authority, self._nodes = outer

    def _find(self, ref: ContractRef, code: TemplateCode) -> Contract:
        if ref in self._consumed:
            raise Refusal("contract.consumed", "the contract was consumed earlier in this transaction", ref=_shown(ref))
        if ref.transaction is None and ref.index in self._created:
            found = self._created[ref.index]
        else:
            found = self._lookup(ref)
        if found.template != code.id:
            raise Refusal(
                "contract.template",
                "the ref names a contract of another template",
                ref=_shown(ref),
                expected=code.id.name,
                found=found.template.name,
            )
        return found

    def _stored(self, value: Any) -> Plain:
        """The plain form of what contract code made, which it pays for by its size."""
        weigh(value, self._engine.meter)
        return _stored(value)

    def _claim_index(self) -> int:
        index = self._next
        if index >= LIMITS.entries_count_max:
            raise Refusal("contract.entries", "too many actions", entries_count_max=LIMITS.entries_count_max)
        self._next = index + 1
        return index

    def _need(self, parties: Iterable[bytes], code: str, message: str, what: str) -> None:
        if self._authority is None:
            return
        missing = [p for p in parties if p not in self._authority]
        if missing:
            raise Refusal(code, message, what=what, missing=[p.hex()[:16] for p in missing])


def interpret(
    engine: Engine,
    commands: Sequence[Command],
    *,
    lookup: Lookup,
    window: Window,
    first_index: int = 0,
    steps_max: int = LIMITS.fuel_steps_max,
) -> tuple[Action, ...]:
    """Run commands and return the forest of what they do; entries are numbered from `first_index`, parent first.

    Raises Refusal with the code of the rule that was broken: `contract.*`, `codec.*`, `value.*`, and what contract
    code itself refuses (`contract.require`). Nothing is kept of a run that was refused.
    """
    engine.meter.start(steps_max)
    run = Interpretation(engine, lookup, window, first_index)
    with contained():
        return tuple(run._command(command) for command in commands)


def describe(
    engine: Engine,
    template: TemplateId,
    payload: Plain,
    *,
    index: int,
    steps_max: int = LIMITS.fuel_steps_max,
) -> Create:
    """Who is bound by, sees, confirms and claims with a contract of this payload; runs `ensure`.

    Raises Refusal as `interpret` does.
    """
    engine.meter.start(steps_max)
    with contained():
        return _creation(engine.template(template), _stored(payload), index)


def _creation(code: TemplateCode, payload: Plain, index: int) -> Create:
    """The action that creates a contract of this payload; reading it again checks the types of all its fields."""
    contract, template = code.deciding(payload), code.id
    contract.ensure()
    size = len(codec.encode_plain(payload))
    if size > LIMITS.payload_bytes_max:
        raise Refusal("contract.payload", "the payload is too large", bytes=size, bytes_max=LIMITS.payload_bytes_max)
    signatories, observers = _stakeholders(contract)
    if not signatories:
        raise Refusal("contract.signatories", "a contract binds someone", template=template.name)
    return Create(
        index=index,
        template=template,
        payload=payload,
        signatories=signatories,
        observers=observers,
        confirmers=_confirmers(contract),
        claims=_claims(contract, signatories),
    )


def _stakeholders(contract: language.Template) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    signatories = _ids(contract.signatories())
    return signatories, tuple(p for p in _ids(contract.observers()) if p not in signatories)


def _confirmers(contract: language.Template) -> Confirmers:
    parties = _ids(contract.confirmers())
    if not parties:
        raise Refusal("contract.confirmers", "someone confirms an exercise", template=type(contract).__name__)
    fallback = contract.fallback()
    if fallback is None:
        return Confirmers(parties=parties)
    return Confirmers(parties=parties, fallback=_ids(fallback.confirmers), since=fallback.since)


def _claims(contract: language.Template, signatories: tuple[bytes, ...]) -> tuple[ClaimKey, ...]:
    claims = tuple(contract.claims())
    if len(claims) > LIMITS.claims_count_max:
        raise Refusal("contract.claims", "too many claims", count=len(claims), count_max=LIMITS.claims_count_max)
    found = []
    for claim in claims:
        if claim.owner.id not in signatories:
            raise Refusal("contract.claim-owner", "a claim's owner is a signatory", family=claim.family)
        alpha = codec.encode_plain([claim.family, codec.plain(claim.key)])
        found.append(ClaimKey(family=claim.family, owner=claim.owner.id, alpha=alpha))
    if len(set(found)) != len(found):
        raise Refusal("contract.claim-twice", "one contract makes one claim once", template=type(contract).__name__)
    return tuple(found)


def _controllers(
    contract: language.Template, arguments: dict[str, Any], declared: language.Choice
) -> tuple[bytes, ...]:
    parties: list[language.Party] = []
    for name in declared.by:
        value = arguments[name] if name in arguments else getattr(contract, name)
        if value is not None:
            parties.extend(value if isinstance(value, tuple) else (value,))
    if not parties:
        raise Refusal("contract.controllers", "a choice is made by someone", choice=declared.name)
    return _ids(parties)


def _ids(parties: Iterable[language.Party]) -> tuple[bytes, ...]:
    found = {party.id for party in parties}
    if len(found) > LIMITS.parties_count_max:
        raise Refusal("contract.parties", "too many parties", count=len(found), count_max=LIMITS.parties_count_max)
    return tuple(sorted(found))


def _instance(ref: ContractRef, code: TemplateCode, found: Contract) -> language.Template:
    return code.read(found.payload, found.created_in or ref.transaction)


def _stored(value: Any) -> Plain:
    """The plain form of a value, as it reads after encoding: maps in canonical order, so that code everywhere
    iterates over them alike.
    """
    return _canonical(codec.plain(value), LIMITS.payload_depth_max)


def _canonical(plain: Plain, levels_left: int) -> Plain:
    kind = type(plain)
    if kind is list or kind is dict:
        if not levels_left:
            raise Refusal("value.depth", "the value is nested too deeply", depth_max=LIMITS.payload_depth_max)
        if kind is list:
            return [_canonical(item, levels_left - 1) for item in plain]
        return {name: _canonical(plain[name], levels_left - 1) for name in sorted(plain, key=_map_order)}
    if kind is int and not -INTEGER_MAX <= plain <= INTEGER_MAX:
        raise Refusal("value.range", "a stored integer has 64 bits", bits=plain.bit_length())
    if kind is float:
        raise Refusal("codec.value", "floats have no place in a block")
    return plain


def _map_order(name: str) -> tuple[int, bytes]:
    if not isinstance(name, str):
        raise Refusal("codec.value", "names of a map are text", kind=type(name).__name__)
    encoded = name.encode()
    return len(encoded), encoded


def _contract_ref(ref: language.Ref[Any]) -> ContractRef:
    return ContractRef(ref.transaction, ref.index)


def _instant(moment: Instant | Day) -> Instant:
    return moment.start() if isinstance(moment, Day) else moment


def _shown(ref: ContractRef) -> str:
    return f"{ref.transaction.hex() if ref.transaction else 'self'}:{ref.index}"
