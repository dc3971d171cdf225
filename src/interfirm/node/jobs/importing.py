"""The job that imports a table: every row a new contract, or a choice on the contract that a column names.

The table is read whole before anything is done, so that a broken file does nothing. Rows are then read, interpreted by
themselves and put into transactions of several rows with the same signers. A transaction that is refused is tried again
in halves, so that one bad row is found and the others are done.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.time import Day, Instant, Window
from interfirm.base.values import Value
from interfirm.contracts.interpreter import describe
from interfirm.contracts.packages import TemplateCode
from interfirm.contracts.types import ClaimKey, Command, ContractRef, Create, walk
from interfirm.ledger.authority import required_signers
from interfirm.node.desk import day_window
from interfirm.node.flows.messages import PrivateValue
from interfirm.node.flows.types import AskedFlow
from interfirm.node.forms import ref_of
from interfirm.node.jobs.claims_sqlite import Claims
from interfirm.node.jobs.mapping import CellError, RowReader, read_mapping
from interfirm.node.jobs.ports import Slow, Work
from interfirm.node.jobs.settling import Settling, flow_of
from interfirm.node.jobs.types import Batch, RowError, Step
from interfirm.node.vault.turn import Turn

CHECKED_ROWS = 25
"""Rows of one slice of a dry run: some tens of milliseconds."""
VAULT_ROWS = 100
"""Contracts of the vault that one slice of a dry run looks at for what they claim."""
REF = "ref"
"""The key by which a column names contracts by their refs."""


class ImportArguments(Value, frozen=True, forbid_unknown_fields=True):
    """What to import, and how."""

    document: str
    """SHA-256 of the file, in hex."""
    name: str
    format: str
    template: str
    mapping: dict[str, Any] = {}
    choice: str = ""
    """Empty: rows are new contracts."""
    key_column: str = ""
    """The column that names the contract to choose on."""
    key_field: str = REF
    """The field that the column holds, or `ref`."""
    dry_run: bool = False
    batch: int = 25
    note: str = ""
    notary: str | None = None


class Made(Value, frozen=True):
    """A row that can be done."""

    row: int
    command: Command
    privates: tuple[PrivateValue, ...]
    signers: frozenset[bytes]
    window: tuple[tuple[str, Any], ...]
    """The arguments that say when the transaction may be accepted."""
    claims: tuple[ClaimKey, ...] = ()


def importing(work: Work) -> Generator[Step | Slow, Any, None]:
    """See the module, and ports.JobCode."""
    asked = msgspec.json.decode(work.arguments, type=ImportArguments)
    total = yield Slow(lambda: _counted(work, asked))
    yield Step(total=total)
    rows = Rows(work, asked)
    settling = Settling(work)
    done_to = work.cursor.get("row", 1)
    with _table(work, asked) as table, closing(_claims(work, asked)) as claims:
        rows.begin(next(table)[1])
        todo = itertools.dropwhile(lambda row: row[0] <= done_to, table)
        while chunk := list(itertools.islice(todo, CHECKED_ROWS if asked.dry_run else asked.batch)):
            yield from settling.until_fewer_than(LIMITS.job_flows_count_max)
            made, errors = rows.checked(chunk)
            if asked.dry_run and any(each.claims for each in made):
                yield from _vault_claims(work, asked, claims)
                errors += rows.claimed(made, claims)
            taken = [] if asked.dry_run else list(rows.batches(made))
            yield settling.took(
                taken, Step(done=len(chunk) if asked.dry_run else len(errors), cursor={"row": chunk[-1][0]},
                            errors=tuple(errors)),
            )  # fmt: skip
    yield from settling.until_fewer_than(1)
    yield Step(result={"rows": total, "dry_run": asked.dry_run})


@contextlib.contextmanager
def _table(work: Work, asked: ImportArguments) -> Iterator[Iterator[tuple[int, list[str]]]]:
    stream: BinaryIO
    with work.desk.vault.attachment_open(bytes.fromhex(asked.document)) as stream:
        yield work.tables.read(asked.format, stream)


def _claims(work: Work, asked: ImportArguments) -> Claims:
    """What rows claim: kept by a dry run alone, as the notary decides where something is done."""
    return Claims(work.folder / f"{work.id}.claims" if asked.dry_run else Path(":memory:"))


def _vault_claims(work: Work, asked: ImportArguments, claims: Claims) -> Generator[Step, Any, None]:
    """Learn once what contracts of this template have claimed, whoever may see them: a claim is taken for all."""
    after, known = None, claims.knows_vault
    while not known:
        with work.desk.vault.read() as turn:
            page = turn.select(asked.template, status=None, after=after, limit=VAULT_ROWS)
        for row in page.rows:
            claims.of_vault(describe(work.desk.engine, row.template, row.payload, index=0).claims)
        after = page.next_cursor
        if after is None:
            claims.vault_is_known()
            return
        yield Step()


def _counted(work: Work, asked: ImportArguments) -> int:
    """How many rows the table has; refuses one that cannot be read to its end."""
    with _table(work, asked) as table:
        return sum(1 for _ in table) - 1


class Rows:
    """Makes commands of rows, and transactions of commands."""

    def __init__(self, work: Work, asked: ImportArguments) -> None:
        self._work = work
        self._asked = asked
        self._code: TemplateCode = work.desk.engine.named(asked.template)

    def begin(self, header: Sequence[str]) -> None:
        """Fit the mapping to the table; Refusal `bulk.*`, `contract.choice`."""
        asked = self._asked
        if asked.choice:
            check(asked.choice in self._code.choices, "contract.choice", "the template has no such choice",
                  choice=asked.choice[:80], choices=list(self._code.choices))  # fmt: skip
            check(asked.key_column in header, "bulk.key", "a choice needs the column that names its contract",
                  key=asked.key_column[:80], columns=list(header))  # fmt: skip
        kinds = self._code.choices[asked.choice].parameters if asked.choice else self._code.fields
        beside = frozenset({asked.key_column} if asked.choice else ())
        self._reader = RowReader(header, read_mapping(asked.mapping), kinds, beside=beside)
        self._key = list(header).index(asked.key_column) if asked.choice else -1

    def checked(self, chunk: Sequence[tuple[int, list[str]]]) -> tuple[list[Made], list[RowError]]:
        """The rows that can be done, and why the others cannot."""
        made: list[Made] = []
        errors: list[RowError] = []
        with self._work.desk.vault.read() as turn:
            for number, cells in chunk:
                try:
                    made.append(self._made(turn, number, cells))
                except CellError as error:
                    reason = f"this is not a value of the field's type ({error.expected})"
                    errors.append(RowError(row=number, code="form.value", reason=reason, column=error.column,
                                           value=error.value[:200]))  # fmt: skip
                except Refusal as refusal:
                    errors.append(self._error(number, cells, refusal))
        return made, errors

    def _made(self, turn: Turn, number: int, cells: Sequence[str]) -> Made:
        desk, asked = self._work.desk, self._asked
        fields = self._reader.fields(cells)
        privates: list[PrivateValue] = []
        window: dict[str, Any] = {}
        command: Command
        if asked.choice:
            ref = self._found(turn, cells[self._key].strip())
            command = desk.exercise_command(turn, ref, asked.choice, fields, privates)
            if "on" in self._code.choices[asked.choice].parameters:
                window = day_window(Day.parse(fields["on"]) if fields.get("on") else desk.today())
        else:
            command = desk.create_command(asked.template, fields, privates)
        desk.check_demands(desk.demands([command]))
        upper = desk.now_ms() + desk.services.window_ms
        lower = Day.parse(window["not_before"][:10]) if window else desk.today()
        within = Window(lower=lower.start(), upper=Instant(upper))
        actions = desk.books.plan(turn, [command], within).actions
        signers = frozenset(required_signers(actions, within))
        claims = tuple(key for action in walk(actions) if isinstance(action, Create) for key in action.claims)
        return Made(row=number, command=command, privates=tuple(privates), signers=signers, claims=claims,
                    window=tuple(window.items()))  # fmt: skip

    def claimed(self, made: Sequence[Made], claims: Claims) -> list[RowError]:
        """The rows that claim what was claimed before."""
        errors: list[RowError] = []
        for each in made:
            try:
                claims.check_free(each.claims, each.row)
            except Refusal as refusal:
                if not refusal.code.startswith("bulk."):
                    raise
                errors.append(RowError(row=each.row, code=refusal.code, reason=refusal.message,
                                       values=refusal.as_plain()["values"]))  # fmt: skip
        return errors

    def _found(self, turn: Turn, key: str) -> ContractRef:
        """The one active contract that a key names; Refusal `bulk.key`."""
        desk, asked = self._work.desk, self._asked
        if asked.key_field == REF:
            return ref_of(key)
        where = desk.wanted(asked.template, {asked.key_field: key})
        rows = desk.page(turn, asked.template, where=where, limit=2).rows
        check(len(rows) == 1, "bulk.key", "the key names no active contract, or several", field=asked.key_field,
              found=len(rows))  # fmt: skip
        return rows[0].ref

    def _error(self, number: int, cells: Sequence[str], refusal: Refusal) -> RowError:
        plain: Mapping[str, Any] = refusal.as_plain()
        place = self._reader.column_of(str(refusal.values.get("field", "")))
        if refusal.code == "bulk.key":
            place = self._key
        elif refusal.values.get("name") in cells:  # an organisation that is not known
            place = list(cells).index(refusal.values["name"])
        return RowError(
            row=number, code=refusal.code, reason=refusal.message, values=plain["values"],
            column="" if place is None else self._reader.header[place], value="" if place is None else cells[place],
        )  # fmt: skip

    def batches(self, made: Sequence[Made]) -> Iterator[tuple[Batch, list[PrivateValue]]]:
        """Rows of the same signers and window, each time one transaction."""
        groups: dict[Any, list[Made]] = {}
        for each in made:
            groups.setdefault((each.signers, each.window), []).append(each)
        for group in groups.values():
            yield self._batch(group), [private for each in group for private in each.privates]

    def _batch(self, group: Sequence[Made]) -> Batch:
        asked = self._asked
        rows = tuple(each.row for each in group)
        flow = flow_of(self._work.id, rows)
        start = self._work.desk.submit(
            [each.command for each in group], request=flow, note=asked.note or f"rows of {asked.name}",
            arguments={**dict(group[0].window), "notary": asked.notary},
        )  # fmt: skip
        assert isinstance(start.event, AskedFlow)
        return Batch(flow=flow, rows=rows, arguments=start.event.arguments)
