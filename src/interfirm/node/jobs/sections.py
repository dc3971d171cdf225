"""What a node holds, section by section and page by page, as JSON lines for whoever leaves with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.contracts.packages import TemplateCode
from interfirm.ledger.proof import ReceiptBundle, prove_contract
from interfirm.ledger.types import Skeleton, View
from interfirm.ledger.verification import names_from
from interfirm.node.access import approvals, audit, people
from interfirm.node.desk import Desk
from interfirm.node.forms import jsonable, ref_text
from interfirm.node.jobs.columns import columns_of
from interfirm.node.reading import shown_flow
from interfirm.node.retention import store as retention
from interfirm.node.retention.sealed_file import shown_manifest
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import StoredContract, StoredTransaction

Lines = list[dict[str, Any]]
Page = Callable[[Desk, Turn, Any], tuple[Lines, Any]]
"""(desk, turn, where the last page ended or None) -> lines, and where the next begins or None."""
PAGE_ROWS = 100
TRANSACTIONS_PAGE_ROWS = 10
"""Each is verified again for its proofs."""


class Section(Value, frozen=True):
    """One file of JSON lines."""

    name: str
    about: str
    page: Page
    columns: tuple[str, ...] = ()
    """Those of the same as a table; empty for none."""


def sections(desk: Desk) -> list[Section]:
    """All sections of a node, in order."""
    return [*(_contracts(desk, code) for code in _templates(desk)), *_OTHERS]


def _templates(desk: Desk) -> list[TemplateCode]:
    return sorted(desk.engine.templates(), key=lambda code: (desk.template_name(code), code.id.package))


def _contracts(desk: Desk, code: TemplateCode) -> Section:
    path = desk.template_name(code)
    newest = desk.engine.named(path).id == code.id
    name = path if newest else f"{path}-{code.id.package.hex()[:16]}"
    about = f"contracts of {path}, whatever became of them" + ("" if newest else " (an earlier package)")

    def page(desk: Desk, turn: Turn, after: Any) -> tuple[Lines, Any]:
        page = desk.page(turn, code, status=None, after=after, limit=PAGE_ROWS)
        return [_contract(desk, turn, code, row) for row in page.rows], page.next_cursor

    about_columns = ("contract.ref", "contract.status", "contract.notary", "contract.time_ms")
    columns = (*about_columns, *columns_of(code.fields))
    return Section(name=f"contracts/{name}.jsonl", about=about, page=page, columns=columns)


def _contract(desk: Desk, turn: Turn, code: TemplateCode, stored: StoredContract) -> dict[str, Any]:
    shown = desk.shown(stored)
    fields = shown.pop("fields")
    moves = [*turn.moves_to(stored.ref), *turn.moves_from(stored.ref)]
    about = {**shown, "package": code.id.package.hex(), "time_ms": stored.time_ms,
             "created_as": ref_text(stored.created_as), "moves": [desk.step(move) for move in moves]}  # fmt: skip
    return {"contract": about, **fields}


def _transactions(desk: Desk, turn: Turn, after: Any) -> tuple[Lines, Any]:
    rows = turn.transactions(after=bytes.fromhex(after) if after else None, limit=TRANSACTIONS_PAGE_ROWS)
    following = rows[-1].id.hex() if len(rows) == TRANSACTIONS_PAGE_ROWS else None
    return [_transaction(desk, turn, row) for row in rows], following


def _transaction(desk: Desk, turn: Turn, stored: StoredTransaction) -> dict[str, Any]:
    plain: dict[str, Any] = jsonable(msgspec.to_builtins(stored, builtin_types=(bytes,)))
    if not stored.receipt:
        return plain
    receipt = ReceiptBundle(codec.decode(stored.skeleton, Skeleton), stored.receipt)
    return {**plain, "receipt_proof": codec.encode(receipt).hex(), **_proofs(desk, turn, stored)}


def _proofs(desk: Desk, turn: Turn, stored: StoredTransaction) -> dict[str, Any]:
    """A proof of each contract that a transaction made, as this node sees it."""
    names = names_from(desk.engine)
    try:
        verified = desk.books.verified(turn, codec.decode(stored.view, View))
    except Refusal as refusal:  # what the node holds and cannot prove is said, and does not hold up the rest
        return {"proofs": {}, "unproved": refusal.as_plain()}
    bundles = {
        index: prove_contract(verified, index, receipt=stored.receipt, names=names) for index in verified.created
    }
    return {"proofs": {str(index): codec.encode(bundle).hex() for index, bundle in bundles.items()}}


def _privates(desk: Desk, turn: Turn, after: Any) -> tuple[Lines, Any]:
    rows = turn.every_private(after=bytes.fromhex(after or ""), limit=PAGE_ROWS)
    lines = [
        {"commitment": row.commitment.hex(), "subject": row.subject, "salt": row.salt.hex(),
         "value": jsonable(codec.decode_plain(row.value))} for row in rows
    ]  # fmt: skip
    return lines, rows[-1].commitment.hex() if len(rows) == PAGE_ROWS else None


def _disclosed(desk: Desk, turn: Turn, _: Any) -> tuple[Lines, Any]:
    found = []
    for each in desk.books.disclosed(turn):
        code = desk.engine.template(each.template)
        contract = {"ref": ref_text(each.ref), "template": desk.template_name(code)}
        found.append({"contract": contract, **desk.fields(code, code.read(each.payload, each.origin.transaction))})
    return found, None


def _flows(desk: Desk, turn: Turn, after: Any) -> tuple[Lines, Any]:
    rows = turn.flows(after=after, limit=PAGE_ROWS)
    lines = [{**shown_flow(row), "asked_by": audit.asked_by(turn, row.id)} for row in rows]
    return lines, rows[-1].id if len(rows) == PAGE_ROWS else None


def _inbox(desk: Desk, turn: Turn, after: Any) -> tuple[Lines, Any]:
    rows = turn.inbox(state=None, after=after, limit=PAGE_ROWS)
    lines = [jsonable(msgspec.to_builtins(row, builtin_types=(bytes,))) for row in rows]
    return lines, rows[-1].id if len(rows) == PAGE_ROWS else None


def _audit(desk: Desk, turn: Turn, after: Any) -> tuple[Lines, Any]:
    rows = audit.entries(turn, after=after or 0, limit=PAGE_ROWS)
    lines: Lines = [{**_plain(row), "hash": row.hash().hex()} for row in rows]
    return lines, rows[-1].number if len(rows) == PAGE_ROWS else None


def _plain(value: Value) -> dict[str, Any]:
    found: dict[str, Any] = jsonable({name: getattr(value, name) for name in value.__struct_fields__})
    return found


def _people(desk: Desk, turn: Turn, _: Any) -> tuple[Lines, Any]:
    return [people.plain(person) for person in people.people(turn)], None


def _roles(desk: Desk, turn: Turn, _: Any) -> tuple[Lines, Any]:
    return [people.plain(role) for role in people.roles(turn)], None


def _matrix(desk: Desk, turn: Turn, _: Any) -> tuple[Lines, Any]:
    return [msgspec.to_builtins(line) for line in approvals.matrix(turn)], None


def _approvals(desk: Desk, turn: Turn, after: Any) -> tuple[Lines, Any]:
    """Those that wait first, then those that have ended."""
    ended, place = after or (False, None)
    rows = approvals.page(turn, ended=ended, after=place, limit=PAGE_ROWS)
    lines = [approvals.shown_pending(row) for row in rows]
    if len(rows) == PAGE_ROWS:
        return lines, (ended, rows[-1].id)
    return lines, None if ended else (True, None)


def _retention_rules(desk: Desk, turn: Turn, _: Any) -> tuple[Lines, Any]:
    return [msgspec.to_builtins(rule) for rule in retention.rules(turn).values()], None


def _legal_holds(desk: Desk, turn: Turn, _: Any) -> tuple[Lines, Any]:
    return [jsonable(msgspec.to_builtins(hold, builtin_types=(bytes,))) for hold in retention.holds(turn)], None


def _archives(desk: Desk, turn: Turn, _: Any) -> tuple[Lines, Any]:
    return [msgspec.json.decode(shown_manifest(archive)) for archive in retention.archives(turn)], None


def _section(name: str, about: str, page: Page) -> Section:
    return Section(name=f"{name}.jsonl", about=about, page=page)


_OTHERS: Iterable[Section] = (
    _section("disclosed", "contracts that others showed to this firm", _disclosed),
    _section("transactions", "transactions with views, receipts and proofs of what they made", _transactions),
    _section("private-values", "the values behind commitments, with their salts: personal data, in clear", _privates),
    _section("flows", "what was asked for, and what came of it", _flows),
    _section("inbox", "questions to people, and their answers", _inbox),
    _section("people", "who may sign in, without any secret", _people),
    _section("roles", "what roles allow", _roles),
    _section("approval-matrix", "who else must agree", _matrix),
    _section("approvals", "what waits for approvals, and what did", _approvals),
    _section("retention-rules", "how long what has ended is kept, and by which law", _retention_rules),
    _section("legal-holds", "what is kept whatever a rule says, and was", _legal_holds),
    _section("archives", "manifests of the sealed files into which old history went; the files lie apart", _archives),
    _section("audit", "the audit log; each entry has its hash and that of the one before", _audit),
)
