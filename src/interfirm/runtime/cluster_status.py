"""What a cluster is doing: heights, roots of the state, who is down, and why it stands when it does."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.governance.epochs import LACKING
from interfirm.notary.governance.metadata import Governed
from interfirm.notary.types import Ask, Said
from interfirm.runtime.cluster import ClusterLayout, Place
from interfirm.runtime.cluster_parts import APPLICATION, ENGINE, PARTS, fault_of, running

STANDS_AFTER_MS = 10_000
"""A chain with empty blocks that made none for so long stands."""
ANSWER_TIMEOUT_S = 2.0
PAGE = 100


class ValidatorStatus(Value, frozen=True):
    """One validator: its processes, what its engine says, and what a process of it died of last."""

    name: str
    address: str
    power: int
    application: int | None
    engine: int | None
    answers: bool
    height: int = 0
    app_hash: str = ""
    block_ms: int = 0
    catching_up: bool = False
    peers: int = 0
    restarts: int = 0
    last: tuple[str, ...] = ()


class ClusterStatus(Value, frozen=True):
    """All validators of this folder, and the chain as far as they know it."""

    chain: str
    notary: str
    engine: str
    height: int
    block_age_ms: int
    power: int
    power_up: int
    power_needed: int
    stands: bool
    why: str
    validators: tuple[ValidatorStatus, ...]
    stopped: str = ""
    """The proposal by which the voters stopped it, in hex."""
    upgrade: str = ""
    """Which rules are to come, and when."""


class Chain(Value, frozen=True):
    """What one validator that answers knows of the whole: the power of all, and how it is governed."""

    power: int
    governed: Governed | None = None


def status_of(
    layout: ClusterLayout, *, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
) -> ClusterStatus:
    """The state of a cluster, as each of its validators on this machine tells it."""
    with ThreadPoolExecutor(max_workers=len(layout.places)) as pool:
        found = tuple(pool.map(lambda place: _validator(layout, place), layout.places))
    best = max(found, key=lambda each: each.height)
    return summary(layout, found, now_ms(), _chain(best.address) if best.answers else None)


def summary(
    layout: ClusterLayout, found: tuple[ValidatorStatus, ...], now_ms: int, chain: Chain | None = None
) -> ClusterStatus:
    """What the validators' words come to; where the chain stands, why."""
    power = sum(each.power for each in layout.genesis.validators) if chain is None else chain.power
    governed = None if chain is None else chain.governed
    upgrade = None if governed is None else governed.upgrade
    power_up = sum(each.power for each in found if each.answers)
    needed = power * 2 // 3 + 1
    age_ms = now_ms - max((each.block_ms for each in found), default=0)
    height = max((each.height for each in found), default=0)
    stands = height == 0 or age_ms > STANDS_AFTER_MS
    return ClusterStatus(
        chain=layout.chain_id, notary=layout.notary_id.hex(), engine=layout.file.engine, height=height,
        block_age_ms=age_ms if height else 0, power=power, power_up=power_up, power_needed=needed, stands=stands,
        why=_why(found, power_up, needed) if stands else "", validators=found,
        stopped="" if governed is None or governed.stopped is None else governed.stopped.hex(),
        upgrade="" if upgrade is None else f"{upgrade.name}: version {upgrade.version} from height {upgrade.height}",
    )  # fmt: skip


def _why(found: tuple[ValidatorStatus, ...], power_up: int, needed: int) -> str:
    down = [f"{each.name} ({_ailment(each)})" for each in found if not each.answers]
    behind = [each.name for each in found if each.answers and each.catching_up]
    alone = [each.name for each in found if each.answers and not each.peers and len(found) > 1]
    parts = []
    if power_up < needed:
        parts.append(f"validators with {power_up} votes answer and {needed} are needed; down: {', '.join(down)}")
    if behind:
        parts.append(f"still catching up: {', '.join(behind)}")
    if alone:
        parts.append(f"without any peer: {', '.join(alone)}")
    return "; ".join(parts) or "enough validators answer; it has not begun, or messages between them are lost"


def _ailment(each: ValidatorStatus) -> str:
    lacking = next((line for line in each.last if LACKING in line or "signing.behind" in line), "")
    if lacking:
        return LACKING if LACKING in lacking else "signing.behind"
    if each.application is None:
        return "no application"
    return "no engine" if each.engine is None else "its engine does not answer"


def _chain(address: str) -> Chain | None:
    rpc = Rpc(address, timeout_s=ANSWER_TIMEOUT_S)
    try:
        power, page, known, total = 0, 0, 0, 1
        while known < total:
            page += 1
            found = rpc.call("validators", page=page, per_page=PAGE)
            power += sum(int(each["voting_power"]) for each in found["validators"])
            known, total = known + len(found["validators"]), int(found["total"])
        return Chain(power=power, governed=_governed(rpc))
    except Refusal:
        return None
    finally:
        rpc.close()


def _governed(rpc: Rpc) -> Governed | None:
    question = codec.encode(Ask(kind="governance", subject=b""))
    response = rpc.call("abci_query", path="/ask", data=question.hex(), height=0, prove=False)["response"]
    if response.get("code"):
        return None
    said = codec.decode(base64.b64decode(response["value"]), Said)
    return codec.from_plain(said.answer, Governed)


def _validator(layout: ClusterLayout, place: Place) -> ValidatorStatus:
    home = layout.home(place)
    faults = {part: fault_of(home, part) for part in PARTS}
    latest = max(faults.values(), key=lambda fault: fault.at_ms)
    own = ValidatorStatus(
        name=place.name, address=place.rpc, power=1, application=running(home, APPLICATION),
        engine=running(home, ENGINE), answers=False, restarts=sum(fault.restarts for fault in faults.values()),
        last=latest.last,
    )  # fmt: skip
    rpc = Rpc(place.rpc, timeout_s=ANSWER_TIMEOUT_S)
    try:
        return _asked(own, rpc.call("status"), rpc.call("net_info"))
    except Refusal:
        return own
    finally:
        rpc.close()


def _asked(own: ValidatorStatus, status: dict[str, Any], net: dict[str, Any]) -> ValidatorStatus:
    sync = status["sync_info"]
    return own.replace(
        answers=True, power=int(status["validator_info"]["voting_power"]), height=int(sync["latest_block_height"]),
        app_hash=sync["latest_app_hash"].lower(), block_ms=_ms(sync["latest_block_time"]),
        catching_up=sync["catching_up"], peers=int(net["n_peers"]),
    )  # fmt: skip


def _ms(text: str) -> int:
    """The engine writes nanoseconds, which Python's own reader does not take."""
    seconds, _, rest = text.rstrip("Z").partition(".")
    return int(datetime.fromisoformat(f"{seconds}+00:00").timestamp()) * 1000 + int((rest + "000")[:3])
