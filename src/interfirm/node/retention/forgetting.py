"""Papers of a node's own work that a rule lets go: ended flows, decided questions and approvals, jobs that are over."""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import islice
from typing import Any

from interfirm.base.time import DAY_MS
from interfirm.node import kept
from interfirm.node.access import approvals
from interfirm.node.access.audit import forget_asker
from interfirm.node.desk import Desk
from interfirm.node.flows.machine import ENDED
from interfirm.node.jobs import store as jobs
from interfirm.node.jobs.ports import Slow
from interfirm.node.jobs.types import Step
from interfirm.node.retention import store
from interfirm.node.retention.types import PAPERS
from interfirm.node.vault.turn import Turn

PAGE_ROWS = 200


def forget_papers(desk: Desk) -> Generator[Step | Slow, Any, dict[str, int]]:
    """Forget them a page at a time; how many of each. Nothing while any hold is in force: papers tell of contracts."""
    found = dict.fromkeys(PAPERS, 0)
    for about in PAPERS:
        while count := _page(desk, about):
            found[about] += count
            yield Step()
    return found


def _page(desk: Desk, about: str) -> int:
    """Forget some of a kind; how many."""
    with desk.vault.turn() as turn:
        rule = store.rules(turn).get(about)
        if rule is None or rule.days is None or store.holds_in_force(turn):
            return 0
        return _FORGET[about](turn, desk.now_ms() - rule.days * DAY_MS)


def _flows(turn: Turn, before_ms: int) -> int:
    names = [name for state in ENDED for name in turn.old_flows(state, before_ms=before_ms, limit=PAGE_ROWS)]
    for name in names:
        turn.remove_flow(name)
        forget_asker(turn, name)
    return len(names)


def _inbox(turn: Turn, before_ms: int) -> int:
    names = turn.old_items(before_ms=before_ms, limit=PAGE_ROWS)
    for name in names:
        turn.remove_item(name)
    return len(names)


def _approvals(turn: Turn, before_ms: int) -> int:
    every = kept.every(turn, approvals.ENDED, approvals.Pending)
    names = list(islice((name for name, each in every if each.expires_ms < before_ms), PAGE_ROWS))
    for name in names:
        turn.blob_delete(approvals.ENDED, name)
    return len(names)


def _jobs(turn: Turn, before_ms: int) -> int:
    old = [job for job in jobs.jobs(turn) if job.state != "running" and job.changed_ms < before_ms]
    names = list(islice(old, PAGE_ROWS))
    for job in names:
        jobs.remove_job(turn, job)
    return len(names)


_FORGET: dict[str, Callable[[Turn, int], int]] = {
    "flows": _flows, "inbox": _inbox, "approvals": _approvals, "jobs": _jobs,
}  # fmt: skip
