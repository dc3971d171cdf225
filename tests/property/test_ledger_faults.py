"""Planted faults keep the tests of the ledger honest: each rule is switched off in turn, and somebody must notice.

Every refusal of the pure core has a directed attack (tests/support/refusals.py) that ends in it; with the rule switched
off, one of these attacks must no longer end so. The rules that alone keep the honest from believing or giving what is
not so are switched off under the generator of worlds too, which must find a world that breaks the property.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from types import ModuleType

import pytest
from tests.support.faults import codes_of, switched_off
from tests.support.refusals import ATTACKS
from tests.support.worlds import Broken, World

from interfirm.contracts import interpreter, packages, privacy
from interfirm.contracts.types import Action, Exercise
from interfirm.ledger import authority, builder, history, moves, proof, signing, tree, verification
from interfirm.ledger.tree import Node
from interfirm.notary import machine as notary
from interfirm.notary.claims import machine as claims
from interfirm.notary.moves import machine as notary_moves
from interfirm.notary.uniqueness import machine as uniqueness

THEMES = [
    "ledger.test_claims", "ledger.test_history", "ledger.test_inputs", "ledger.test_proof", "ledger.test_signers",
    "ledger.test_transactions", "ledger.test_views", "ledger.test_building", "contracts.test_interpreter",
    "contracts.test_packages", "contracts.test_privacy",
]  # fmt: skip
for theme in THEMES:
    importlib.import_module(f"tests.unit.{theme}")

CORE = (verification, authority, moves, history, proof, signing, tree, builder, interpreter, packages, privacy)
"""Every rule of these has a directed attack."""
NOTARY = (uniqueness, claims, notary_moves, notary)
"""Of these the rules that the ledger's attacks meet; the notary's own tests are beside it."""


def rules() -> Iterator[tuple[ModuleType, str]]:
    for module in CORE:
        for code in codes_of(module):
            yield module, code
    for module in NOTARY:
        for code in codes_of(module):
            if code in ATTACKS:
                yield module, code


def name(value: object) -> str:
    return value.__name__.removeprefix("interfirm.") if isinstance(value, ModuleType) else str(value)


@pytest.mark.parametrize(("module", "code"), list(rules()), ids=name)
def test_a_rule_switched_off_lets_an_attack_through(module: ModuleType, code: str) -> None:
    assert code in ATTACKS, f"no directed attack ends in {code}"
    with switched_off(module, code):
        assert not all(_still_refused(attack) for attack in ATTACKS[code])


def _still_refused(attack: object) -> bool:
    try:
        attack()  # type: ignore[operator]  # a test without arguments
    except BaseException:  # whatever it is: it is not the refusal that the attack must end in
        return False
    return True


# the generator's ----------------------------------------------------------------------------------------------------

Fault = tuple[tuple[ModuleType, tuple[str, ...]], ...]
"""Rules switched off together: several where one rule stands behind another."""

FOUND_BY_WORLDS: list[Fault] = [
    ((verification, ("ledger.id",)),),
    ((verification, ("ledger.scope",)),),
    ((verification, ("ledger.unverified",)),),
    ((verification, ("ledger.history",)),),
    ((verification, ("ledger.payload", "ledger.output-proof")),),
    ((verification, ("ledger.consumed-twice",)), (uniqueness, ("notary.consumed-twice",))),
    ((authority, ("ledger.authority",)),),
    ((authority, ("ledger.confirmers",)), (uniqueness, ("notary.confirmers",))),
    ((interpreter, ("contract.consumed",)),),
    ((uniqueness, ("notary.confirmers",)),),
    ((uniqueness, ("notary.consumed",)),),
    ((uniqueness, ("notary.too-early",)),),
    ((uniqueness, ("notary.too-late",)),),
    ((notary, ("notary.signature",)),),
    ((notary, ("notary.key",)),),
    ((claims, ("claim.taken",)),),
    ((notary_moves, ("move.statement",)),),
]
WORLDS_COUNT_MAX = 1_000


@pytest.mark.parametrize(
    "fault", FOUND_BY_WORLDS, ids=lambda fault: "+".join(code for _, codes in fault for code in codes)
)
def test_worlds_find_that_a_rule_is_missing(fault: Fault) -> None:
    assert any(_breaks(seed, fault) for seed in range(WORLDS_COUNT_MAX))


def _breaks(seed: int, fault: Fault) -> bool:
    with ExitStack() as off:
        for module, codes in fault:
            off.enter_context(switched_off(module, *codes))
        broken, world = _run(seed)
    return broken or bool(world.judge())


def _run(seed: int) -> tuple[bool, World]:
    world = World(seed)
    try:
        world.steps(8)
    except Broken:
        return True, world
    return False, world


def _signatories_pass_for_controllers(action: Action, signers: Collection[bytes]) -> bool:
    vouched = action.signatories if isinstance(action, Exercise) else ()
    return all(party in signers or party in vouched for party in authority.needed_at_top(action))


def _nothing_added(tops: Sequence[Node], roots: Sequence[Node], signers: object) -> tuple[Node, ...]:
    return tuple(tops)


OTHERWISE: list[tuple[ModuleType, str, object]] = [
    (authority, "carried", _signatories_pass_for_controllers),
    (authority, "completed", _nothing_added),
]
"""Rules that are no refusal of their own, each with how it could be wrong."""


@pytest.mark.parametrize(("module", "rule", "wrong"), OTHERWISE, ids=[rule for _, rule, _ in OTHERWISE])
def test_worlds_find_that_a_rule_is_another(
    module: ModuleType, rule: str, wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = False
    for seed in range(WORLDS_COUNT_MAX):
        with monkeypatch.context() as patched:
            patched.setattr(module, rule, wrong)
            broken, world = _run(seed)
        found = broken or bool(world.judge())
        if found:
            break
    assert found
