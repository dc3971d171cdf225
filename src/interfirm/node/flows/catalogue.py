"""The stock flows by name. Those that a peer may open are named for what they answer."""

from __future__ import annotations

from interfirm.node.flows.claims import look_at_claims, watch_claims
from interfirm.node.flows.clock import compare_clocks
from interfirm.node.flows.comparing import COMPARE, GIVE_LISTED, GIVE_SUMMARY, compare, give_listed, give_summary
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
from interfirm.node.flows.follow import sign_lock, take_move
from interfirm.node.flows.moves import change_notary
from interfirm.node.flows.recovery import give_moves, rebuild
from interfirm.node.flows.reservations import END, end_reservations
from interfirm.node.flows.respond import respond
from interfirm.node.flows.running import FlowCode
from interfirm.node.flows.told import collect, listen, watch_contracts
from interfirm.node.flows.unlocking import undo_lock

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
    "rebuild": rebuild,
    "change-notary": change_notary,
    "undo-lock": undo_lock,
    END: end_reservations,
    "respond": respond,
    "take-delivery": take_delivery,
    "take-shared": take_shared,
    "prove-claims": prove_claims,
    "give-again": give_again,
    "give-history": give_history,
    "sign-lock": sign_lock,
    "take-move": take_move,
    "give-moves": give_moves,
    COMPARE: compare,
    GIVE_SUMMARY: give_summary,
    GIVE_LISTED: give_listed,
}

OPENED_BY_PEERS = frozenset(
    {
        "respond", "take-delivery", "take-shared", "prove-claims", "give-again", "give-history", "sign-lock",
        "take-move", "give-moves", GIVE_SUMMARY, GIVE_LISTED,
    }
)  # fmt: skip
"""Only these may a peer's message open; everything else is asked for by the organisation's own people."""
