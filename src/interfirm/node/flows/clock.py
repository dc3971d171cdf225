"""Whether this node's clock is right: the notary's dated word, between two looks at the own clock."""

from __future__ import annotations

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.node.flows.context import Context
from interfirm.node.services import Services
from interfirm.notary.types import Ask, Said
from interfirm.notary.wire import expect, read_answer

TOLERANCE_MS = 60_000
"""How far a node's clock may lie from its notary's before people are told."""


class ClocksCompared(Value, frozen=True):
    """The notary's time, and this node's before it asked and after it heard; ms since 1970."""

    before_ms: int
    notary_ms: int
    after_ms: int

    @property
    def ahead_ms(self) -> int:
        """How far this node's clock is surely ahead of the notary's; negative where it is behind."""
        return max(0, self.before_ms - self.notary_ms) + min(0, self.after_ms - self.notary_ms)


async def compare_clocks(ctx: Context, arguments: bytes) -> ClocksCompared:
    """Ask the notary for something dated, to learn its time."""
    services: Services = ctx.services
    with ctx.step("Ask the notary"), ctx.may_cancel():
        before_ms = await ctx.now()
        question = Ask(kind="key", subject=services.books.keys.identity)
        said = expect(read_answer(await ctx.notary(services.default_notary, question)), Said)
        return ClocksCompared(before_ms=before_ms, notary_ms=said.time.ms, after_ms=await ctx.now())


def check_clock(seen: ClocksCompared) -> ClocksCompared:
    """Refuse (`clock.differs`) a clock too far from the notary's: its windows will be refused."""
    if abs(seen.ahead_ms) > TOLERANCE_MS:
        raise Refusal(
            "clock.differs", "this node's clock differs from its notary's; set it right",
            ahead_ms=seen.ahead_ms, node=str(Instant(seen.after_ms)), notary=str(Instant(seen.notary_ms)),
            tolerance_ms=TOLERANCE_MS,
        )  # fmt: skip
    return seen
