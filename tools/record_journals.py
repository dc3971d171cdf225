"""Record a journal of every stock flow, from a simulated world with a fixed seed: tests/vectors/journals.

`python tools/record_journals.py` (or `make journals`) records all worlds, `... moves` only that one. Recorded journals
are what running nodes may have on their disks, so they are recorded again only when JOURNAL_VERSION changes or the
recorded business does; a test replays them through the code of today. A flow that comes later gets a world of its own.
"""

from __future__ import annotations

import gzip
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.journals import FOLDER, Journal, Recording, described, save, watched

from interfirm.base import codec
from interfirm.base.money import Money
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.business.cash.contract import Cash
from interfirm.contracts.language import Party, Private, Ref, Template
from interfirm.contracts.packages import bundle
from interfirm.contracts.types import Command, ContractRef, CreateCommand, ExerciseCommand
from interfirm.ledger.private import commit_private
from interfirm.ledger.signing import sign
from interfirm.ledger.types import ConfirmersOpening
from interfirm.node.flows.catalogue import FLOWS, OPENED_BY_PEERS
from interfirm.node.flows.claims import LookArguments, WatchArguments
from interfirm.node.flows.comparing import COMPARE, GIVE_LISTED, GIVE_SUMMARY, SLACK_MS, CompareArguments
from interfirm.node.flows.deliver import RecoverArguments, ShareArguments
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.machine import ENDED, FlowEngine
from interfirm.node.flows.messages import HistoryWanted, PrivateValue
from interfirm.node.flows.moves import MoveArguments
from interfirm.node.flows.recovery import RebuildArguments
from interfirm.node.flows.store import FlowStore
from interfirm.node.flows.types import (
    JOURNAL_VERSION,
    AskedFlow,
    Awaited,
    FlowMessage,
    HeardMessage,
)
from interfirm.node.flows.unlocking import LockedContract
from interfirm.node.vault.types import FlowRecord
from interfirm.notary.moves.machine import LOCK, id_of
from interfirm.notary.types import Asked, Lock
from interfirm.sim.firm import SimFirm
from interfirm.sim.trade import contract
from interfirm.sim.trade.contract import Bill, Draft, Offer
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import ASK_ALL, SIGN_ALL, World

SEED, FIRMS = 20_260_105, 3
LONG_MS = 10 * 60_000


class Tape:
    """Everything that the flows of one firm asked for and wrote."""

    def __init__(self) -> None:
        self.requests: dict[str, list[str]] = {}
        self.entries: dict[str, list[bytes]] = {}
        self.records: dict[str, FlowRecord] = {}

    def shown(self, flow: str, request: Awaited) -> None:
        """A flow asks for something."""
        self.requests.setdefault(flow, []).append(described(request))


class TapedStore(FlowStore):
    """A store that keeps a copy on tape."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self._tape = tape

    def put(self, record: FlowRecord) -> None:
        """See FlowStore."""
        super().put(record)
        self._tape.records[record.id] = record

    def append(self, flow: str, n: int, entry: bytes) -> None:
        """See FlowStore."""
        super().append(flow, n, entry)
        entries = self._tape.entries.setdefault(flow, [])
        assert len(entries) == n, "nobody is killed while recording"
        entries.append(entry)


class TapedEngine(FlowEngine):
    """An engine whose flows are taped."""

    def __init__(self, services: Any, tape: Tape) -> None:
        code = {kind: watched(flow, tape.shown) for kind, flow in FLOWS.items()}
        super().__init__(code, services, opened_by_peers=OPENED_BY_PEERS)
        self._store = TapedStore(tape)


class Scene:
    """Three firms that do, one after the other, all that stock flows are for."""

    name, notaries = "", 1

    def __init__(self, world: World) -> None:
        self.world = world
        self.supplier, self.debtor, self.lender = world.firms
        self._asked = 0

    def play(self) -> None:
        """See the class."""
        cash = self._exercise(self.supplier, self._create(self._cash(900)))
        draft = Draft(self._of(self.supplier), self._of(self.debtor), eur(1000), "B-1", "a-mark")
        drafted = self._exercise(self.supplier, self._create(draft))
        accept = ExerciseCommand(ref=drafted, template=self._template(Draft), choice="accept", arguments=[])
        self._ask(self.debtor, "look-at-claims", LookArguments(commands=(accept,)))
        bill = ContractRef(self._exercise(self.debtor, accept).transaction, 1)
        self._watch_claim()
        self._sell(bill, cash)
        self._withhold()
        self._ask(self.debtor, "recover", RecoverArguments(peer=self.supplier.identity))
        self._ask(self.debtor, "compare-clocks", None)
        wanted = FlowMessage(session=b"give history 001", number=0, flow="give-history", body=codec.encode(
            HistoryWanted(transaction=bill.transaction or b"")))  # fmt: skip
        self.supplier.hear(HeardMessage(peer=self.debtor.identity, message=wanted))
        self.world.run(LONG_MS)

    def _withhold(self) -> None:
        """The lender gives its cash away, and who issued it does not hear so from the lender."""
        network = self.world.around.network
        send, apart = network.send, {self.supplier.identity, self.lender.identity}
        more = self._exercise(self.supplier, self._create(self._cash(5)))
        network.send = lambda sender, peer, frame: None if {sender, peer} == apart else send(sender, peer, frame)  # type: ignore[method-assign]  # a line that is cut
        arguments = [codec.plain(self._of(self.debtor)), codec.plain(eur(5))]
        self._exercise(
            self.lender,
            ExerciseCommand(ref=more, template=self._template(Cash), choice="move", arguments=arguments),
        )
        network.send = send  # type: ignore[method-assign]  # and mended
        self.world.run(LONG_MS)

    def _cash(self, minor: int) -> Cash:
        return Cash(self._of(self.supplier), self._of(self.lender), eur(minor))

    def _sell(self, bill: ContractRef, cash: ContractRef) -> None:
        value, salt = "because of the rent", bytes(range(32))
        private = PrivateValue(commitment=commit_private(salt, value), subject="rent", value=value, salt=salt)
        offer = Offer(
            self._of(self.supplier), self._of(self.lender), _ref(bill), eur(900), "another-mark",
            Private(private.commitment),
        )  # fmt: skip
        offered = self._exercise(self.supplier, self._create(offer), privates=(private,))
        self._ask(self.supplier, "share", ShareArguments(refs=(bill,), to=self.lender.identity))
        arguments = [codec.plain(_ref(cash))]
        self._exercise(
            self.lender,
            ExerciseCommand(ref=offered, template=self._template(Offer), choice="take", arguments=arguments),
        )

    def _watch_claim(self) -> None:
        with self.debtor.reading() as turn:
            (looked,) = [flow for flow in turn.flows() if flow.kind == "look-at-claims"]
        (seen,) = msgspec.msgpack.decode(looked.result)
        self._ask(self.supplier, "watch-claims", WatchArguments(claims=(seen["claim"],)))

    def _exercise(self, firm: SimFirm, command: Command, privates: tuple[PrivateValue, ...] = ()) -> ContractRef:
        """The first contract that a command makes."""
        name = self._ask(firm, "exercise", ExerciseArguments(commands=(command,)), privates)
        with firm.reading() as turn:
            record = turn.flow(name)
        assert record is not None
        assert record.state == "done", msgspec.msgpack.decode(record.result)
        return ContractRef(msgspec.msgpack.decode(record.result)["transaction"], 0)

    def _ask(self, firm: SimFirm, kind: str, arguments: Any, privates: tuple[PrivateValue, ...] = ()) -> str:
        self._asked += 1
        name = f"{self._asked:02}-{kind}"
        encoded = b"" if arguments is None else msgspec.msgpack.encode(arguments)
        firm.ask(AskedFlow(id=name, kind=kind, arguments=encoded), privates)
        self.world.run(LONG_MS)
        return name

    def _create(self, made: Template) -> CreateCommand:
        return CreateCommand(template=self._template(type(made)), payload=codec.plain(made))

    def _template(self, cls: type[Template]) -> Any:
        return self.world.engine.named(f"{'cash' if cls is Cash else 'trade'}.{cls.__name__}").id

    @staticmethod
    def _of(firm: SimFirm) -> Party:
        return Party(firm.identity)


class MovesScene(Scene):
    """A draft that two confirm moves to another notary; so does cash, which its issuer is told of."""

    name, notaries = "moves", 2

    def play(self) -> None:
        """See the class."""
        draft = Draft(self._of(self.debtor), self._of(self.supplier), eur(1000), "B-1", "a-mark")
        other = self.world.notaries[1].notary.id
        drafted = self._exercise(self.debtor, self._create(draft))
        self._ask(self.debtor, "change-notary", MoveArguments(ref=drafted, to=other))
        self._ask(self.lender, "change-notary", MoveArguments(
            ref=self._exercise(self.supplier, self._create(self._cash(900))), to=other))  # fmt: skip


class RecoveryScene(MovesScene):
    """The lender asks everybody again for what it shares with them."""

    name = "recovery"

    def play(self) -> None:
        """See the class."""
        super().play()
        peers = (self.supplier.identity, self.debtor.identity)
        self._ask(self.lender, "rebuild", RebuildArguments(peers=peers))


class ClaimsScene(Scene):
    """A bill is made away from the home of its number's owner, which holds the number there first."""

    name, notaries = "claims", 2

    def play(self) -> None:
        """See the class."""
        supplier, debtor = self._of(self.supplier), self._of(self.debtor)
        bill = Bill(supplier=supplier, debtor=debtor, holder=supplier, amount=eur(1000), number="B-1")
        asked = ExerciseArguments(commands=(self._create(bill),), notary=self.world.notaries[1].notary.id)
        self._ask(self.supplier, "exercise", asked)


class UnlockingScene(MovesScene):
    """Cash is locked and its lock's terms are lost; it is usable again."""

    name = "unlocking"

    def play(self) -> None:
        """See the class."""
        ref = self._exercise(self.supplier, self._create(self._cash(900)))
        home, other = self.world.notaries
        with self.lender.reading() as turn:
            shown = self.lender.services.books.disclosure(turn, ref)
            confirmers = self.lender.services.books.described(turn, ref).confirmers
        opening = ConfirmersOpening(entry=0, salt=shown.confirmers_salt, confirmers=confirmers)
        until = Instant(home.clock_ms() + LONG_MS // 10)
        lock = Lock(ref=ref, to=other.notary.id, until=until, nonce=bytes(32), opening=opening, signatures=())
        keys = self.lender.firm.keys
        signature = sign(keys.signer, keys.identity, id_of(lock, home.notary.id), purpose=LOCK)
        asked = Asked(requester=keys.identity, request=lock.replace(signatures=(signature,)))
        home.solo.submit_batch([asked], Instant(home.clock_ms()))
        self._ask(self.lender, "undo-lock", LockedContract(notary=home.notary.id, ref=ref))


class ComparingScene(Scene):
    """Cash that one side lost is found by comparing books."""

    name, notaries = "comparing", 1

    def play(self) -> None:
        """See the class."""
        ref = self._exercise(self.supplier, self._create(self._cash(900)))
        self.world.agenda.after(2 * SLACK_MS, lambda: None)
        self.world.run(2 * SLACK_MS)
        with self.lender.vault.turn() as turn:
            turn.consume(ref, bytes(32))
        self._ask(self.lender, COMPARE, CompareArguments(peer=self.supplier.identity))


KINDS = {
    "moves": ("change-notary", "sign-lock", "take-move"),
    "recovery": ("rebuild", "give-moves"),
    "claims": ("end-reservations",),
    "unlocking": ("undo-lock",),
    "comparing": (COMPARE, GIVE_SUMMARY, GIVE_LISTED),
}
"""The flows that are recorded in a world of their own; all others are in the first."""
SCENES: tuple[type[Scene], ...] = (Scene, MovesScene, RecoveryScene, ClaimsScene, UnlockingScene, ComparingScene)


def eur(minor: int) -> Money:
    """Euro cents."""
    return Money(minor, "EUR")


def _ref(ref: ContractRef) -> Ref[Bill]:
    return Ref(ref.transaction, ref.index)


class _Taken(Value, frozen=True):
    firm: str
    record: FlowRecord
    tape: Tape


def longest(tapes: dict[str, Tape]) -> dict[str, _Taken]:
    """Of each kind of flow that ended well, the one with most in its journal."""
    found: dict[str, _Taken] = {}
    for firm, tape in tapes.items():
        for flow, record in tape.records.items():
            if record.state not in ENDED:
                continue
            before = found.get(record.kind)
            if before is None or len(tape.entries[flow]) > len(before.tape.entries[before.record.id]):
                found[record.kind] = _Taken(firm=firm, record=record, tape=tape)
    return found


def journal_of(taken: _Taken, world: str) -> Journal:
    """A tape as it is kept."""
    record, flow = taken.record, taken.record.id
    return Journal(
        journal_version=JOURNAL_VERSION, kind=record.kind, flow=flow, firm=taken.firm, started_ms=record.started_ms,
        ended_ms=record.changed_ms, arguments=record.arguments.hex(), requests=taken.tape.requests.get(flow, []),
        journal=[entry.hex() for entry in taken.tape.entries[flow]], state=record.state, result=record.result.hex(),
        world=world,
    )  # fmt: skip


def keep_vault(firm: SimFirm, folder: Path, scratch: Path) -> None:
    """A firm's vault as one small file."""
    copy = scratch / f"{firm.name}.db"
    connection = sqlite3.connect(firm._path)
    connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    (folder / f"{firm.name}.vault.gz").write_bytes(gzip.compress(copy.read_bytes(), mtime=0))


def record(scene: type[Scene]) -> None:
    """Record a world, and write what was recorded in place of what is there."""
    tapes: dict[str, Tape] = {}

    def taped(firm: SimFirm) -> FlowEngine:
        return TapedEngine(firm.services, tapes.setdefault(firm.name, Tape()))

    SimFirm._flows = taped  # type: ignore[method-assign]  # this program does nothing else
    folder, policies = FOLDER / scene.name, (ASK_ALL, SIGN_ALL, SIGN_ALL)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.*"):
        old.unlink()
    with (
        World(SEED, trade_engine(), firms=FIRMS, notaries=scene.notaries, policies=policies) as world,
        tempfile.TemporaryDirectory() as scratch,
    ):
        scene(world).play()
        for firm in world.firms:
            keep_vault(firm, folder, Path(scratch))
        names = [firm.name for firm in world.firms]
    packages = [codec.encode(package).hex() for package in bundle(contract)]
    made = Recording(seed=SEED, firms=names, notaries=scene.notaries, packages=packages, asking=names[:1])
    save(folder / "recording.json", made)
    found = longest(tapes)
    elsewhere = {kind for kinds in KINDS.values() for kind in kinds}
    wanted = KINDS.get(scene.name) or [kind for kind in FLOWS if kind not in elsewhere]
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise SystemExit(f"never ran to an end: {', '.join(missing)}")
    for kind in wanted:
        save(folder / f"{kind}.json", journal_of(found[kind], scene.name))
    print(f"{len(wanted)} journals in {folder}")


def main() -> None:
    """Record the worlds that are named, or all."""
    for scene in SCENES:
        if scene.name in sys.argv[1:] or not sys.argv[1:]:
            record(scene)


if __name__ == "__main__":
    main()
