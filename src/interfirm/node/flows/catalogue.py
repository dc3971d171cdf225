"""The stock flows by name. Those that a peer may open are named for what they answer."""

from __future__ import annotations

from interfirm.node.flows.claims import look_at_claims, watch_claims
from interfirm.node.flows.clock import compare_clocks
from interfirm.node.flows.deliver import (
    give_again,
    give_history,
    prove_claims,
    recover,
    share,
    take_delivery,
    take_shared,
)
from interfirm.node.flows.exercise import exercise
from interfirm.node.flows.machine import FlowCode
from interfirm.node.flows.respond import respond
from interfirm.node.flows.told import collect, listen, watch_contracts

FLOWS: dict[str, FlowCode] = {
    "exercise": exercise,
    "share": share,
    "look-at-claims": look_at_claims,
    "watch-claims": watch_claims,
    "watch-contracts": watch_contracts,
    "listen": listen,
    "collect": collect,
    "compare-clocks": compare_clocks,
    "recover": recover,
    "respond": respond,
    "take-delivery": take_delivery,
    "take-shared": take_shared,
    "prove-claims": prove_claims,
    "give-again": give_again,
    "give-history": give_history,
}

OPENED_BY_PEERS = frozenset({"respond", "take-delivery", "take-shared", "prove-claims", "give-again", "give-history"})
"""Only these may a peer's message open; everything else is asked for by the organisation's own people."""
