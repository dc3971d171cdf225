"""The roles that every node has from the beginning; a firm may change them and add its own."""

from __future__ import annotations

from interfirm.node.access.types import Role, Rule

_READING = (
    "whoami", "templates", "contracts.list", "contracts.show", "contracts.history", "contracts.binding",
    "disclosed.*", "invoice.list", "invoice.show", "invoice.export", "report.*", "proof.*", "flows.list", "flows.show",
    "inbox.list", "approvals.list", "bulk.export", "changes.list", "jobs.list", "jobs.show", "jobs.file", "jobs.cancel",
)  # fmt: skip
_WORKING = (
    "create",
    "exercise",
    "preview",
    "share",
    "documents.put",
    "bulk.*",
    "approvals.withdraw",
    "flows.cancel",
    "invoice.*",
    "factoring.*",
    "payment.*",
    "webhooks.new",
    "webhooks.list",
    "webhooks.delete",
    "webhooks.resume",
)
_KEEPING = ("retention.list", "holds.list", "archive.list", "archive.show")
_READ = Rule(template="*", read=True)
_WORK = Rule(template="*", read=True, create=True, choices=("*",))

EVERYBODY = ("session.*", "entities.list")
"""What everybody may do whom a door has recognised: see to one's own sessions and passkeys, and where one may enter."""

ROLES: tuple[Role, ...] = (
    Role(name="viewer", about="Reads all contracts and reports; changes nothing.", operations=_READING, rules=(_READ,)),
    Role(
        name="clerk", about="Makes contracts and choices within what approvals allow.",
        operations=(*_READING, *_WORKING), rules=(_WORK,),
    ),
    Role(
        name="approver", about="Reads, and decides what waits for a person.",
        operations=(*_READING, "inbox.decide", "approvals.decide"), rules=(_READ,),
    ),
    Role(
        name="auditor", about="Reads everything, proofs and the audit log included; changes nothing.",
        operations=(*_READING, *_KEEPING, "flows.all", "access.audit", "access.roles", "access.people"),
        rules=(_READ,),
    ),
    Role(
        name="administrator", about="Decides who may do what; sees no contracts.",
        operations=("whoami", "access.*"), rules=(),
    ),
    Role(
        name="records-manager",
        about="Decides how long what has ended is kept, and places legal holds; sees no contracts.",
        operations=("whoami", "retention.*", "holds.*", "archive.*", "jobs.show"), rules=(),
    ),
    Role(
        name="operator", about="Keeps the node running; sees flows and no contracts.",
        operations=(
            "whoami", "flows.*", "node.pause", "node.resume", "node.drain", "metrics", "status", "recover",
            "recover.all", "clock.compare",
        ), rules=(),
    ),
)  # fmt: skip
"""Deny by default: what is not named here, nobody but the owner may do."""
