"""`notary show`: what a cluster knows under an id, a height, an organisation or a proposal."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import typer

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.cli import session
from interfirm.cli.govern import Folder, folder_of, identity_of, name_of, names_of, struct
from interfirm.notary.cometbft.client import settled_of
from interfirm.notary.cometbft.envelope import open_envelope
from interfirm.notary.governance.types import Proposal
from interfirm.notary.types import Done, Refused
from interfirm.notary.validators.machine import Member
from interfirm.runtime.cluster import ClusterLayout
from interfirm.runtime.cluster_govern import ClusterGovernment, government

FOUND_MAX, ID_DIGITS = 20, 64


def show(
    what: Annotated[str, typer.Argument(help="A height, an id in hex, or an organisation.")],
    folder: Folder = None,
) -> None:
    """Show a block, what became of an id, or an organisation: its record, account, vote, validators and requests."""
    layout = ClusterLayout.open(folder_of(folder))
    with government(layout) as governing:
        found = _found(what, governing)
    session.show(found, _table)


def _found(what: str, governing: ClusterGovernment) -> dict[str, Any]:
    if what.isdecimal() and len(what) < ID_DIGITS:
        return _block(int(what), governing)
    name = identity_of(what)
    by_id = _id(name, governing) if len(what) == ID_DIGITS else None
    return by_id or _organisation(name, governing)


def _block(height: int, governing: ClusterGovernment) -> dict[str, Any]:
    block = governing.rpc("block", height=height)["block"]
    results = governing.rpc("block_results", height=height)["txs_results"] or []
    header = block["header"]
    envelopes = [
        _envelope(height, index, base64.b64decode(data), results[index])
        for index, data in enumerate(block["data"]["txs"] or ())
    ]
    return {
        "kind": "block", "height": height, "time": header["time"], "proposer": header["proposer_address"],
        "root_before": header["app_hash"].lower(), "evidence": len(block["evidence"]["evidence"]),
        "envelopes": envelopes,
    }  # fmt: skip


def _envelope(height: int, index: int, data: bytes, result: dict[str, Any]) -> dict[str, Any]:
    settled = settled_of(height, index, result)
    if settled.outcome.refused:
        return {"index": index, "by": "", "refused": settled.outcome.refused, "requests": []}
    opened = open_envelope(data)
    requests = [
        {"kind": str(asked.request.__struct_config__.tag), "outcome": _outcome(answer)}
        for asked, answer in zip(opened.asked, settled.answers, strict=True)
    ]
    by = name_of(opened.envelope.signature.identity, names_of())
    return {"index": index, "by": by, "refused": "", "requests": requests}


def _outcome(answer: Any) -> str:
    if isinstance(answer, Refused):
        return f"refused: {answer.code}"
    return f"done: {answer.id.hex()}" if isinstance(answer, Done) else "answered"


def _id(name: bytes, governing: ClusterGovernment) -> dict[str, Any] | None:
    """What is known of a transaction, a proposal or anything else that was accepted under an id."""
    accepted = governing.said("accepted", name).answer
    if accepted is not None:
        return {"kind": "acceptance", "id": name.hex(), "height": accepted[0], "time_ms": accepted[1],
                "block": _block(accepted[0], governing)}  # fmt: skip
    proposal = governing.said("proposal", name).answer
    if proposal is not None:
        return {"kind": "proposal", **struct(codec.from_plain(proposal, Proposal))}
    package = governing.said("package", name).answer
    if package is not None:
        return {"kind": "package", "id": name.hex(), "name": package[1], "version": package[2],
                "approved": package[5], "revoked": package[6]}  # fmt: skip
    return None


def _organisation(identity: bytes, governing: ClusterGovernment) -> dict[str, Any]:
    names = names_of()
    record = governing.said("key", identity).answer
    voters = [bytes(each[0]) for each in governing.said("voters").answer[0]]
    members = codec.from_plain(governing.said("validators").answer, list[Member])
    if record is None and identity not in voters and not any(each.operator == identity for each in members):
        raise Refusal("notary.nothing", "the cluster knows nothing under this", what=identity)
    shown: dict[str, Any] = {
        "kind": "organisation", "name": name_of(identity, names), "identity": identity.hex(),
        "registered": record is not None, "rotations": record[1] if record else 0,
        "revoked": bool(record and record[4]), "votes": identity in voters,
        "account": governing.said("account", identity).answer,
        "validators": [each.key.hex() for each in members if each.operator == identity and each.power],
    }  # fmt: skip
    with suppress(Refusal):  # an engine without an index has nothing to search
        found = governing.rpc(
            "tx_search", query=f"asked.by='{identity.hex()}'", per_page=FOUND_MAX, order_by="desc", prove=False
        )
        shown["envelopes"] = int(found["total_count"])
        shown["last_heights"] = [int(each["height"]) for each in found["txs"]]
    return shown


def _table(found: dict[str, Any]) -> Any:
    if found["kind"] != "block":
        rows = [[name, session.text_of(value)] for name, value in found.items() if name not in ("kind", "block")]
        return session.table_of(found["kind"].capitalize(), ["What", "Is"], rows, empty="nothing")
    rows = [
        [each["index"], each["by"], request["kind"], request["outcome"]]
        for each in found["envelopes"]
        for request in each["requests"] or [{"kind": "no envelope", "outcome": each["refused"]}]
    ]
    title = f"Block {found['height']} of {found['time']}, proposed by {found['proposer'][:12]}"
    return session.table_of(title, ["Place", "By", "Request", "Outcome"], rows, empty=f"{title}: empty")


COMMANDS: dict[str, Callable[..., None]] = {"show": show}
"""The explorer, by name."""
