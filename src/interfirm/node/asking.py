"""What is asked for before it is done: by the rules of the caller's roles, and by the firm's approval matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.contracts.types import Command, CreateCommand
from interfirm.node.access import approvals
from interfirm.node.access.approvals import Demand, Line, Pending, shown_pending
from interfirm.node.flows.messages import PrivateValue
from interfirm.node.flows.types import AnsweredPerson, AskedFlow, Event
from interfirm.node.reading import Reading, fields_of
from interfirm.node.services import Services
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.vault import Vault


class Start(Value, frozen=True):
    """Start this flow (or hand in this event), and answer with what it comes to."""

    event: Event
    privates: tuple[PrivateValue, ...] = ()
    demands: tuple[Demand, ...] = ()
    """What it would do, which the caller's roles and the firm's approval matrix have to allow."""
    approved: bool = False
    """Whether it was asked for before, allowed, and approved now."""


class Asking(Reading):
    """The asking half of a desk."""

    vault: Vault
    services: Services
    now_ms: Callable[[], int]

    def demands(self, commands: Sequence[Command]) -> tuple[Demand, ...]:
        """What commands would do; nothing where nobody asks."""
        with self.vault.read() as turn:
            if not self.is_asked(turn):
                return ()
            return tuple(self._demand(turn, command) for command in commands)

    def is_asked(self, turn: Turn) -> bool:
        """Whether anything is asked for before it is done: the owner may all, as long as there is no matrix."""
        return not self.permission.is_owner or bool(approvals.matrix(turn))

    def lines_for(self, demands: Sequence[Demand]) -> tuple[Line, ...]:
        """The lines of the firm's matrix that ask for approvals; raises as `check_demands`."""
        self.check_demands(demands)
        with self.vault.read() as turn:
            return approvals.lines_for(approvals.matrix(turn), demands)

    def _demand(self, turn: Turn, command: Command) -> Demand:
        code = self.engine.template(command.template)
        path = self.template_name(code)
        if isinstance(command, CreateCommand):
            return Demand(path, approvals.CREATE, fields_of(code.read(command.payload, None)))
        given = code.choices[command.choice].arguments_of(command.arguments)
        return Demand(path, command.choice, fields_of(self.contract(turn, command.ref)), given)

    def check_demands(self, demands: Sequence[Demand]) -> None:
        """Refuse (`access.create`, `access.choice`) what the caller's roles do not allow."""
        if self.permission.is_owner or not demands:
            return
        with self.vault.read() as turn:
            related = self.related(turn)
            for demand in demands:
                if demand.choice == approvals.CREATE:
                    self.permission.check_create(demand.template, demand.fields, related)
                else:
                    self.permission.check_choice(demand.template, demand.choice, demand.fields, related)

    def waiting(self, operation: str, start: Start) -> dict[str, Any] | None:
        """What waits for approvals now, as JSON; None where the matrix asks for none."""
        if not isinstance(start.event, AskedFlow | AnsweredPerson) or not start.demands:
            return None
        with self.vault.read() as turn:
            lines = approvals.lines_for(approvals.matrix(turn), start.demands)
            begun = isinstance(start.event, AskedFlow) and turn.flow(start.event.id) is not None
            if begun or not lines:
                return None
        asked = isinstance(start.event, AskedFlow)
        name = start.event.id if isinstance(start.event, AskedFlow) else start.event.item
        pending = Pending(
            id=name, asked_by=self.permission.caller.name, asked_ms=self.now_ms(), operation=operation,
            event=msgspec.msgpack.encode(start.event), kind="flow" if asked else "answer", lines=lines,
            demands=tuple((each.template, each.choice) for each in start.demands),
            shown={"does": [self._shown_demand(each) for each in start.demands]},
            expires_ms=self.now_ms() + LIMITS.approval_life_ms_max,
        )  # fmt: skip
        with self.vault.turn() as turn:
            known = approvals.find(turn, name)
            if known is None or known.state != "open":
                self.services.keep_privates(turn, start.privates)
                approvals.put(turn, pending)
        return {"approval": shown_pending(pending if known is None else known)}

    def _shown_demand(self, demand: Demand) -> dict[str, Any]:
        return {
            "template": demand.template, "choice": demand.choice, "fields": self.forms.write(demand.fields),
            "arguments": self.forms.write(demand.arguments),
        }  # fmt: skip
