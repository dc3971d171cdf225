"""Every checker is kept honest by a bug planted in the production code that it alone must find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from interfirm.contracts.packages import Engine, Package, bundle
from interfirm.contracts.types import ContractRef
from interfirm.ledger import builder
from interfirm.ledger.builder import Draft
from interfirm.ledger.types import View
from interfirm.node.books import Books
from interfirm.node.flows.machine import FlowEngine
from interfirm.node.records import Records
from interfirm.node.vault.turn import Turn
from interfirm.notary.claims import machine as claims
from interfirm.notary.state import REFS, Overlay
from interfirm.notary.types import ref_key
from interfirm.notary.uniqueness import machine as uniqueness
from interfirm.sim.faults import climate
from interfirm.sim.run import Report, live
from interfirm.sim.trade import contract as trade
from interfirm.sim.trade.people import Trade, trade_engine
from interfirm.sim.world import World


def worlds_until(found: str, *, faults: str, seeds: Sequence[int], engine: Engine | None = None) -> Report:
    """The first of these worlds in which the checker finds something."""
    for seed in seeds:
        with World(seed, engine or trade_engine(), firms=4, faults=climate(faults)) as world:
            report = live(Trade(world, transactions=20))
        if report.checkers[found]:
            assert not report.passed
            return report
    raise AssertionError(f"{found} found nothing in {len(seeds)} worlds")


def test_a_notary_that_forgets_what_was_consumed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[bytes, bytes] = {}
    active = uniqueness.active

    def forgetful(ref: ContractRef, state: Overlay) -> bytes:
        value = state.get(REFS, ref_key(ref))
        if value is not None and value[:1] == uniqueness.CONSUMED:
            return kept[ref_key(ref)]
        return kept.setdefault(ref_key(ref), active(ref, state))

    monkeypatch.setattr(uniqueness, "active", forgetful)
    worlds_until("single spend", faults="storm", seeds=range(12))


def test_a_notary_that_gives_a_claim_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_check_free", lambda opening, state: None)
    worlds_until("no claim twice", faults="none", seeds=range(30))


def test_a_node_that_does_not_record_consumption_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Records, "_consume", lambda records, turn, verified, now_ms: None)
    worlds_until("vaults agree", faults="none", seeds=range(2))


def test_a_contract_that_makes_money_is_found() -> None:
    packages = {package.name: package for package in bundle(trade)}
    cash = _patched(packages["interfirm.business.cash"], "rest = self.amount - amount", "rest = self.amount")
    needs = {**packages["interfirm.sim.trade"].dependencies, cash.name: cash.id}
    spoilt = packages["interfirm.sim.trade"].replace(dependencies=needs)
    worlds_until("amounts conserved", faults="none", seeds=range(4), engine=Engine([cash, spoilt]))


def _patched(package: Package, old: str, new: str) -> Package:
    modules = {name: source.replace(old, new) for name, source in package.modules.items()}
    assert modules != package.modules
    return package.replace(modules=modules)


def test_a_builder_that_shows_everybody_everything_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def generous(books: Books, turn: Turn, draft: Draft, party: bytes) -> View:
        return builder.view_from(draft, draft.roots, books._inputs(turn, draft, draft.roots))

    monkeypatch.setattr(Books, "view", generous)
    worlds_until("nothing leaked", faults="none", seeds=range(8))


def test_an_engine_that_loses_answers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = FlowEngine._answered

    def deaf(engine: FlowEngine, request: bytes, answer: bytes) -> Any:
        return None if request[0] % 4 == 0 else answered(engine, request, answer)

    monkeypatch.setattr(FlowEngine, "_answered", deaf)
    worlds_until("everyone answered", faults="none", seeds=range(2))
