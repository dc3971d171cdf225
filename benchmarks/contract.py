"""What metering costs: the factoring sale, re-executed with fuel counters and size guards, and as plain Python."""

from __future__ import annotations

import importlib
from typing import Any

from tests.unit.business.ledger import engine
from tests.unit.business.scenario import L_ACCOUNT, B, L, Play, S, day

from benchmarks.common import microseconds, result
from interfirm.base.errors import Refusal
from interfirm.base.time import Window
from interfirm.business.factoring.contract import Offer
from interfirm.contracts.interpreter import interpret
from interfirm.contracts.metering import Meter
from interfirm.contracts.packages import Engine, TemplateCode

AIM = 3.0


class PlainEngine:
    """The same templates as their authors import them: no counters, no guards."""

    def __init__(self, metered: Engine) -> None:
        self.meter = Meter()
        self._by_id: dict[Any, TemplateCode] = {}
        self._by_class: dict[type, TemplateCode] = {}
        for code in metered.templates():
            module = importlib.import_module(code.source_module)
            cls = getattr(module, code.id.name)
            plain = TemplateCode(code.id, cls, code.source_module)
            self._by_id[code.id] = self._by_class[cls] = plain

    def template(self, template: Any) -> TemplateCode:
        """See interpreter.Engine."""
        return self._by_id[template]

    def code_of(self, cls: type) -> TemplateCode:
        """See interpreter.Engine."""
        return self._by_class[cls]


def run(*, quick: bool = False) -> dict[str, Any]:
    """The result, JSON-ready."""
    count = 5 if quick else 60
    play = Play()
    opened = play.facility()
    receivable = play.to_acceptance().receivable
    assert receivable is not None
    cash = play.cash(L, "200000.00", day(10, 1))
    offer, word = play.offer(receivable, opened), play.verify(receivable)
    command = play.ledger.command(
        offer, Offer.take, exposure=opened.exposure, verification=word, cash=cash, account=L_ACCOUNT, parties_number=1,
        order_number=1, on_=day(10, 8),
    )  # fmt: skip
    window = Window(day(10, 8).start(), day(10, 9).start())
    metered_engine, plain_engine = engine(), PlainEngine(engine())

    def metered() -> None:
        interpret(metered_engine, [command], lookup=play.ledger.lookup, window=window)

    def plain() -> None:
        interpret(plain_engine, [command], lookup=play.ledger.lookup, window=window)

    metered()
    fuel = metered_engine.meter.used
    try:
        with_meter, without = microseconds(metered, count=count), microseconds(plain, count=count)
    except Refusal as refusal:  # pragma: no cover - a benchmark that cannot run says why
        raise SystemExit(str(refusal)) from refusal
    ratio = with_meter / without
    return result(
        "contract",
        figures={"metered_us": with_meter, "fuel_steps": fuel, "signers": len((S, B, L))},
        peers={"plain_python_us": without},
        ratios={"metered_to_plain": ratio},
        met=ratio < AIM,
        limited_by="the counter at every block and call, and guarded arithmetic; both run the same interpreter",
    )
