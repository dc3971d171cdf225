"""Rules about rows: JSON filters that a role is written with, as trees over a template's fields."""

from __future__ import annotations

import json
from collections.abc import Mapping

from interfirm.base.errors import Refusal
from interfirm.contracts.packages import Engine, TemplateCode
from interfirm.node.forms import Forms
from interfirm.node.vault.where import Where


def read_rule(code: TemplateCode, rows: str, forms: Forms, engine: Engine, variables: Mapping[str, str]) -> Where:
    """The contracts of a template that a rule is about; Refusal `access.rule` where the filter is none.

    A rule for every template (`*`) that filters refuses for those without its fields, and so shows none of them.
    """
    try:
        given = json.loads(rows)
    except ValueError as error:
        raise Refusal("access.rule", "a rule about rows is a filter in JSON", rows=rows[:200]) from error
    from interfirm.node.vault.filters import read_where

    try:
        return read_where(code, given, forms, engine, variables)
    except Refusal as refusal:
        raise Refusal("access.rule", "a rule about rows does not fit the template", template=code.id.name,
                      rows=rows[:200], rule=refusal.code) from refusal  # fmt: skip
