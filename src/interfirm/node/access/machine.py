"""What a caller may do: the rules of all of the caller's roles together. Pure.

Rules add up: a contract may be read that one rule lets be read, a choice made that one rule allows on it. A field that
a rule hides stays hidden, unless another rule shows it of every contract of the template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from interfirm.base.errors import Refusal, check
from interfirm.node.access.roles import EVERYBODY
from interfirm.node.access.types import OWNER, OWNER_ROLE, Caller, Role, Rule
from interfirm.node.vault.where import EVERYTHING, AnyOf, Fields, Where, holds

RowRule = Callable[[str, str, Mapping[str, str]], Where]
"""(template, JSON of a filter, the caller's variables) -> which contracts; Refusal `access.rule` for what is none."""


class Permission:
    """What one caller may do. Templates are named `folder.Name`; `rows` reads the filters of rules."""

    def __init__(self, caller: Caller, roles: Sequence[Role], rows: RowRule) -> None:
        self.caller = caller
        self.roles = tuple(roles)
        self._rows = rows

    @cached_property
    def is_owner(self) -> bool:
        """Whether the caller may all that the node can do."""
        return OWNER_ROLE in self.caller.roles and self.caller.scopes is None

    def may(self, operation: str) -> bool:
        """Whether an operation may be asked for by its name."""
        return may(self.caller, self.roles, operation)

    def check_operation(self, operation: str) -> None:
        """Refuse (`access.operation`) an operation that is not allowed."""
        check(self.may(operation), "access.operation", "your roles do not allow this", operation=operation[:80],
              roles=list(self.caller.roles))  # fmt: skip

    def readable(self, template: str) -> Where | None:
        """Which contracts of a template may be read; None where none may."""
        return self._where(template, [rule for rule in self._rules(template) if rule.read])

    def hidden(self, template: str) -> frozenset[str]:
        """The fields of a template that are not shown, nor used to filter or sort."""
        rules = [rule for rule in self._rules(template) if rule.read]
        openly = [frozenset(rule.hidden) for rule in rules if rule.rows == "{}"]
        hidden = frozenset[str]().union(*(rule.hidden for rule in rules))
        return hidden.intersection(*openly) if openly else hidden

    def may_create(self, template: str) -> bool:
        """Whether some contracts of a template may be made."""
        return any(rule.create for rule in self._rules(template))

    def choices(self, template: str) -> frozenset[str]:
        """The choices that may be made on some contracts of a template; `*` for every one."""
        return frozenset(choice for rule in self._rules(template) for choice in rule.choices)

    def is_readable(self, template: str, fields: Mapping[str, Any], related: Fields) -> bool:
        """Whether the contract with these typed fields may be read."""
        where = self.readable(template)
        return where is not None and holds(where, fields, related)

    def check_create(self, template: str, fields: Mapping[str, Any], related: Fields) -> None:
        """Refuse (`access.create`) to make the contract with these typed fields, unless a rule allows it."""
        where = self._where(template, [rule for rule in self._rules(template) if rule.create])
        allowed = where is not None and holds(where, fields, related)
        check(allowed, "access.create", "your roles do not let you make this contract", template=template,
              roles=list(self.caller.roles))  # fmt: skip

    def check_choice(self, template: str, choice: str, fields: Mapping[str, Any], related: Fields) -> None:
        """Refuse (`access.choice`) a choice on the contract with these typed fields, unless a rule allows it."""
        fitting = [rule for rule in self._rules(template) if choice in rule.choices or "*" in rule.choices]
        where = self._where(template, fitting)
        allowed = where is not None and holds(where, fields, related)
        check(allowed, "access.choice", "your roles do not let you make this choice here", template=template,
              choice=choice[:80], roles=list(self.caller.roles))  # fmt: skip

    def check_fields(self, template: str, names: Iterable[str]) -> None:
        """Refuse (`access.field`) to filter or sort by a field that is hidden."""
        for name in names:
            shown = name.removeprefix("-") not in self.hidden(template)
            check(shown, "access.field", "your roles do not show you this field", template=template, field=name[:80])

    def _rules(self, template: str) -> list[Rule]:
        if OWNER_ROLE in self.caller.roles:
            return [_EVERYTHING]
        return [rule for role in self.roles for rule in role.rules if rule.template in ("*", template)]

    def _where(self, template: str, rules: Sequence[Rule]) -> Where | None:
        if not rules:
            return None
        if any(rule.rows == "{}" for rule in rules):
            return EVERYTHING
        known = {"caller": self.caller.name, **dict(self.caller.variables)}
        parts = [part for rule in rules if (part := self._part(template, rule, known)) is not None]
        return AnyOf(tuple(parts)) if parts else None

    def _part(self, template: str, rule: Rule, known: Mapping[str, str]) -> Where | None:
        """The contracts that one rule is about; None where a rule for every template asks what this one has not."""
        try:
            return self._rows(template, rule.rows, known)
        except Refusal as refusal:
            if rule.template == "*" and refusal.code == "access.rule":
                return None
            raise


def may(caller: Caller, roles: Iterable[Role], operation: str) -> bool:
    """Whether a caller with these roles may ask for an operation by its name."""
    if caller.scopes is not None and not _names(caller.scopes, operation):
        return False
    if _names(EVERYBODY, operation):
        return True
    return OWNER_ROLE in caller.roles or any(_names(role.operations, operation) for role in roles)


_EVERYTHING = Rule(template="*", read=True, create=True, choices=("*",))


def _no_rows(template: str, rows: str, variables: Mapping[str, str]) -> Where:
    raise Refusal("access.rule", "the owner has no rules about rows", template=template, rows=rows[:200])


ALLOWED = Permission(OWNER, (), _no_rows)
"""What the user who runs the node may do."""


def _names(patterns: Iterable[str], operation: str) -> bool:
    return any(operation.startswith(p[:-1]) if p.endswith("*") else operation == p for p in patterns)
