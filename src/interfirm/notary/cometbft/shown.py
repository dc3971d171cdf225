"""Blocks and results as the engine's RPC shows them in JSON, read into values; nothing of them is verified (pure)."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.logtree import Frontier, inclusion_proof
from interfirm.ledger.receipts.chain import LightBlock, result_bytes
from interfirm.ledger.receipts.cometbft import InResult, done_in

FOR_THE_BLOCK = 2
"""The engine's flag of a vote for a block; the others are absent, or for no block."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def light_block_of(signed: dict[str, Any], validators: Sequence[dict[str, Any]]) -> LightBlock:
    """A block from the engine's JSON: signed header, and validators; Refusal `rpc.answer` for another shape."""
    try:
        commit = signed["commit"]
        parts = commit["block_id"]["parts"]
        votes = [_vote(each) for each in commit["signatures"]]
        plain = [
            _header(signed["header"]),
            [int(commit["round"]), int(parts["total"]), bytes.fromhex(parts["hash"]), votes],
            [[base64.b64decode(each["pub_key"]["value"]), int(each["voting_power"])] for each in validators],
        ]
        block = codec.from_plain(plain, LightBlock)
        named = (bytes.fromhex(commit["block_id"]["hash"]), int(commit["height"]))
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable(repr(error)) from error
    if named != (block.header.hash, block.header.height):
        raise unreadable("the commit is of another block")
    return block


def unreadable(reason: str) -> Refusal:
    """The refusal of an answer of another shape."""
    return Refusal("rpc.answer", "the validator's answer is not what the engine says", reason=reason[:200])


def _header(shown: dict[str, Any]) -> list[Any]:
    last = shown["last_block_id"]
    hashes = (
        "last_commit_hash", "data_hash", "validators_hash", "next_validators_hash", "consensus_hash", "app_hash",
        "last_results_hash", "evidence_hash", "proposer_address",
    )  # fmt: skip
    return [
        int(shown["version"]["block"]), int(shown["version"].get("app", 0)), shown["chain_id"], int(shown["height"]),
        nanoseconds(shown["time"]),
        [bytes.fromhex(last["hash"]), int(last["parts"]["total"]), bytes.fromhex(last["parts"]["hash"])],
        *(bytes.fromhex(shown[name]) for name in hashes),
    ]  # fmt: skip


def _vote(shown: dict[str, Any]) -> list[Any] | None:
    if shown["block_id_flag"] != FOR_THE_BLOCK:
        return None
    return [nanoseconds(shown["timestamp"]), base64.b64decode(shown["signature"])]


def nanoseconds(text: str) -> int:
    """A time as the engine writes it (RFC 3339, UTC, up to nine decimals) in nanoseconds since 1970; or ValueError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(text[:60])
    seconds = int((datetime.fromisoformat(found[1]).replace(tzinfo=UTC) - _EPOCH).total_seconds())
    return seconds * 1_000_000_000 + int((found[2] or "").ljust(9, "0"))


def result_with(transaction: bytes, results: Sequence[dict[str, Any]]) -> InResult:
    """The result that accepted a transaction, with its path; Refusal `receipt.outcome` where none did, `rpc.answer`."""
    plain = _results(results)
    for index, each in enumerate(plain):
        if each["code"] == 0 and _accepts(each["data"], transaction):
            return _with_path(index, plain)
    raise Refusal("receipt.outcome", "no result of this block accepts the transaction", transaction=transaction)


def result_at(index: int, results: Sequence[dict[str, Any]]) -> InResult:
    """The result of the transaction at a place of its block, with its path; Refusal `rpc.answer`."""
    plain = _results(results)
    if not 0 <= index < len(plain):
        raise unreadable("a block with fewer results than transactions")
    return _with_path(index, plain)


def _results(shown: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        return [_result(each) for each in shown]
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable(repr(error)) from error


def _with_path(index: int, plain: list[dict[str, Any]]) -> InResult:
    nodes = {place[:2]: place[2] for place in Frontier().extend(result_bytes(**each) for each in plain)[1]}
    path = inclusion_proof(lambda level, at: nodes[level, at], index=index, size=len(plain))
    return InResult(index=index, count=len(plain), path=path, **plain[index])


def _result(shown: dict[str, Any]) -> dict[str, Any]:
    return {
        "code": int(shown["code"]), "data": base64.b64decode(shown["data"] or ""),
        "gas_wanted": int(shown["gas_wanted"]), "gas_used": int(shown["gas_used"]),
    }  # fmt: skip


def _accepts(data: bytes, transaction: bytes) -> bool:
    try:
        return done_in(data, transaction).id == transaction
    except Refusal:
        return False
