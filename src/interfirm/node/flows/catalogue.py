"""The stock flows by name. Those that a peer may open are named for what they answer."""

from __future__ import annotations

from interfirm.node.flows.deliver import give_again, prove_claims, recover, share, take_delivery, take_shared
from interfirm.node.flows.exercise import exercise
from interfirm.node.flows.machine import FlowCode
from interfirm.node.flows.respond import respond

FLOWS: dict[str, FlowCode] = {
    "exercise": exercise,
    "share": share,
    "recover": recover,
    "respond": respond,
    "take-delivery": take_delivery,
    "take-shared": take_shared,
    "prove-claims": prove_claims,
    "give-again": give_again,
}

OPENED_BY_PEERS = frozenset({"respond", "take-delivery", "take-shared", "prove-claims", "give-again"})
"""Only these may a peer's message open; everything else is asked for by the organisation's own people."""
