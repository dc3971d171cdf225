"""Directed attacks: a test that carries one out and sees it refused, by the code of the rule that it breaks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import pytest

from interfirm.base.errors import Refusal

Attack = Callable[[], None]

ATTACKS: dict[str, list[Attack]] = {}
"""Every directed attack by the code it must be refused with."""


def refused(code: str) -> Callable[[Attack], Attack]:
    """Mark a test whose body is an attack that must end in the Refusal of this code."""

    def mark(attack: Attack) -> Attack:
        @wraps(attack)
        def test() -> None:
            with pytest.raises(Refusal) as caught:
                attack()
            assert caught.value.code == code, f"refused by another rule: {caught.value}"

        ATTACKS.setdefault(code, []).append(test)
        return test

    return mark
