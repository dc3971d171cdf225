"""The operations that every node has, by name; business modules add their own."""

from __future__ import annotations

from interfirm.node import (
    changes,
    desk_access,
    desk_approvals,
    desk_bulk,
    desk_contracts,
    desk_flows,
    desk_ledger,
    desk_operate,
    desk_retention,
    desk_signin,
    webhooks,
)
from interfirm.node.arguments import ARGUMENTS, takes
from interfirm.node.desk import Operation

_EVERY: dict[str, Operation] = {
    **desk_contracts.OPERATIONS,
    **changes.OPERATIONS,
    **webhooks.OPERATIONS,
    **desk_flows.OPERATIONS,
    **desk_ledger.OPERATIONS,
    **desk_access.OPERATIONS,
    **desk_signin.OPERATIONS,
    **desk_approvals.OPERATIONS,
    **desk_bulk.OPERATIONS,
    **desk_operate.OPERATIONS,
    **desk_retention.OPERATIONS,
}
OPERATIONS: dict[str, Operation] = {
    name: takes(ARGUMENTS[name])(operation) if name in ARGUMENTS else operation for name, operation in _EVERY.items()
}
"""See the module."""
