"""Whether this organisation signs what it has re-executed: an automatic rule, or a person's inbox.

By default a confirmer that is no controller of its view's top action confirms: it delegated or agreed before, and
refusing is a named policy, not silence. Where it is itself a controller, a person is asked, unless a rule says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.contracts.types import Action, Create, Exercise
from interfirm.ledger.verification import Verified


class Verdict(StrEnum):
    """What a rule says."""

    SIGN = "sign"
    ASK = "ask"
    DECLINE = "decline"


class Rule(Value, frozen=True):
    """For a template and choice (`*` for any; `create` for a creation): what to do, and a name for people."""

    template: str
    choice: str
    verdict: Verdict
    name: str


class Ruling(Value, frozen=True):
    """A verdict with the name of the rule it comes from."""

    verdict: Verdict
    rule: str


Judge = Callable[[Verified, bytes], Ruling | None]
"""A business's own rule over a whole verified view, for (view, own identity); None where it has no opinion."""


class Policy:
    """Rules in order; the first that fits decides. Judges of business modules come before the default."""

    def __init__(self, rules: Sequence[Rule] = (), judges: Sequence[Judge] = ()) -> None:
        self.rules = list(rules)
        self.judges = list(judges)

    def rule_on(self, verified: Verified, me: bytes) -> Ruling:
        """The strictest ruling over all tops of the view: decline before ask before sign."""
        for judge in self.judges:
            ruling = judge(verified, me)
            if ruling is not None:
                return ruling
        rulings = [self._top(action, me) for action in verified.actions]
        for verdict in (Verdict.DECLINE, Verdict.ASK):
            for ruling in rulings:
                if ruling.verdict is verdict:
                    return ruling
        return rulings[0]

    def _top(self, action: Action, me: bytes) -> Ruling:
        name = action.choice if isinstance(action, Exercise) else type(action).__name__.lower()
        for rule in self.rules:
            if rule.template in ("*", action.template.name) and rule.choice in ("*", name):
                return Ruling(verdict=rule.verdict, rule=rule.name)
        decides = action.signatories if isinstance(action, Create) else action.controllers
        if me in decides:
            return Ruling(verdict=Verdict.ASK, rule="a person decides what is done in our name")
        return Ruling(verdict=Verdict.SIGN, rule="confirm what others may do")

    def rule_on_move(self, template: str, *, own: bool) -> Ruling:
        """Whether a contract may move to another notary; the choice is called `change-notary` in rules.

        Without a rule, the network's notaries are as good as each other, and of an organisation's `own` notary a
        person decides.
        """
        for rule in self.rules:
            if rule.template in ("*", template) and rule.choice in ("*", "change-notary"):
                return Ruling(verdict=rule.verdict, rule=rule.name)
        if own:
            return Ruling(verdict=Verdict.ASK, rule="a person decides about another organisation's own notary")
        return Ruling(verdict=Verdict.SIGN, rule="the network's notaries are as good as each other")


def declined(ruling: Ruling) -> Refusal:
    """The refusal of a declining rule."""
    return Refusal("policy.declined", "declined by policy", rule=ruling.rule)
