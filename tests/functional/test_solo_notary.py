"""A solo notary on a real disk: durable before it answers, whole after being killed anywhere, one host at a time."""

from __future__ import annotations

import os
import resource
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.unit.notary.notaries import NOW, ORGS, A, B, C, Ledger, Notary, claim, claim_hash, create, exercise

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.base.logtree import Frontier, leaf_hash, verify_inclusion
from interfirm.base.signatures import Ed25519Signer
from interfirm.contracts.types import ContractRef
from interfirm.ledger.receipts.cose import verify_receipt, verify_receipt_of
from interfirm.ledger.types import Component
from interfirm.notary.abroad import Anchors, anchor_of
from interfirm.notary.machine import SEALS
from interfirm.notary.questions import check_statement
from interfirm.notary.solo import host, receipts
from interfirm.notary.solo.host import SoloHost
from interfirm.notary.solo.notary import POINTS, SoloNotary
from interfirm.notary.solo.verifiers import Verifiers
from interfirm.notary.types import Ask, Asked, Done, Notarise, Refused, Request, Subscribe, claim_key, ref_key
from interfirm.notary.uniqueness.machine import consumer_hash, transaction_of
from interfirm.notary.wire import (
    Answered,
    Collect,
    Collected,
    Heard,
    Listen,
    Told,
    Wanted,
    decode_answer,
    encode_answer,
    encode_request,
    expect,
)

PURE = Notary("solo")
"""Its genesis and key; the state lives in files here."""


def opened(folder: Path, at: Callable[[str], None] = lambda _: None) -> SoloNotary:
    return SoloNotary(folder / "notary.db", PURE.signer, PURE.genesis, Anchors([anchor_of(PURE.genesis)]), at=at)


def submit(notary: SoloNotary, *requests: Request, requester: bytes = A.id) -> tuple[Answered, ...]:
    return notary.submit_batch([Asked(requester=requester, request=request) for request in requests], NOW).answers


def accepted(answered: Answered) -> Done:
    """The acceptance in an answer, whose receipt must prove it."""
    done = expect(answered, Done)
    found = verify_receipt_of(done.id, answered.receipt, anchor=PURE.anchor).accepted
    assert (found.height, found.time_ms) == (done.height, done.time.ms)
    return done


def refused(answered: Answered) -> str:
    assert isinstance(answered.answer, Refused), answered
    assert (answered.receipt, answered.statement) == (b"", b"")
    return answered.answer.code


def begun(folder: Path, at: Callable[[str], None] = lambda _: None) -> SoloNotary:
    """A notary where the organisations are registered."""
    folder.mkdir(exist_ok=True)
    found = opened(folder, at)
    submit(found, *(org.registration(PURE.id) for org in ORGS))
    return found


@pytest.fixture
def notary(tmp_path: Path) -> Iterator[SoloNotary]:
    found = begun(tmp_path)
    yield found
    found.check_all()
    found.close()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(PURE.id)


def creates(ledger: Ledger, count: int) -> list[Notarise]:
    return [ledger.request(create(0, A)) for _ in range(count)]


def test_an_acceptance_comes_with_a_receipt_that_verifies_offline(notary: SoloNotary, ledger: Ledger) -> None:
    assert accepted(submit(notary, *creates(ledger, 1))[0]).height == 2


def test_no_other_answer_comes_with_a_receipt(notary: SoloNotary, ledger: Ledger) -> None:
    registration, no = submit(notary, A.registration(PURE.id), ledger.request(create(0, A), notary=digest("other")))
    assert (registration.receipt, registration.statement) == (b"", b"")
    assert refused(no) == "notary.other-notary"


@pytest.mark.parametrize("sizes", [[1], [256], [3, 1, 4, 1, 5, 9, 2, 6], [7, 8, 1]])
def test_the_same_request_again_gets_the_same_receipt_bytes_however_large_the_log_is(
    notary: SoloNotary, ledger: Ledger, sizes: list[int]
) -> None:
    kept: dict[bytes, tuple[Notarise, bytes]] = {}
    for size in sizes:
        requests = creates(ledger, size)
        for request, answered in zip(requests, submit(notary, *requests), strict=True):
            kept[accepted(answered).id] = (request, answered.receipt)
    for name, (request, receipt) in kept.items():
        again = submit(notary, request)[0]
        assert (accepted(again).id, again.receipt) == (name, receipt)
    assert notary.size == sum(sizes)


def test_the_same_request_twice_in_one_batch_is_one_leaf(notary: SoloNotary, ledger: Ledger) -> None:
    request = ledger.request(create(0, A))
    one, two = submit(notary, request, request)
    assert one == two
    assert notary.size == 1


def test_receipts_stay_the_same_over_a_restart(ledger: Ledger, tmp_path: Path) -> None:
    requests = creates(ledger, 5)
    notary = begun(tmp_path)
    first = submit(notary, *requests)
    notary.close()
    again = opened(tmp_path)
    assert submit(again, *requests) == first
    assert accepted(submit(again, *creates(ledger, 1))[0]).height == 4
    again.close()


def test_an_answer_to_a_question_is_a_signed_statement(notary: SoloNotary, ledger: Ledger) -> None:
    done = accepted(submit(notary, *creates(ledger, 1))[0])
    unspent, taken = submit(
        notary, Ask(kind="unspent", subject=done.id + bytes(4)), Ask(kind="accepted", subject=done.id)
    )
    said = check_statement(unspent.statement, PURE.id, PURE.signer.public)
    assert (said, said.answer) == (unspent.answer, True)
    assert verify_receipt(taken.receipt, anchor=PURE.anchor).transaction == done.id


def test_a_batch_is_judged_in_order_and_each_request_answered(notary: SoloNotary, ledger: Ledger) -> None:
    done = accepted(submit(notary, *creates(ledger, 1))[0])
    ref = ContractRef(done.id, 0)
    one, two, three = submit(
        notary, ledger.request(exercise(0, ref, A)), ledger.request(exercise(0, ref, A)), *creates(ledger, 1)
    )
    accepted(one)
    assert refused(two) == "notary.consumed"
    accepted(three)


def test_a_batch_has_some_requests_and_not_too_many(notary: SoloNotary) -> None:
    for count in (0, LIMITS.notary_batch_count_max + 1):
        with pytest.raises(Refusal) as refusal:
            submit(notary, *[Ask(kind="unspent", subject=bytes(36))] * count)
        assert refusal.value.code == "notary.limit"


def test_time_does_not_go_back_over_a_restart(notary: SoloNotary, tmp_path: Path) -> None:
    later = NOW.plus_ms(5_000)
    ask = Asked(requester=A.id, request=Ask(kind="unspent", subject=bytes(36)))
    notary.submit_batch([ask], later)
    said = notary.submit_batch([ask], NOW).answers[0].answer
    assert said.time == later  # type: ignore[union-attr] # a Said


def test_a_second_host_on_one_file_is_refused(notary: SoloNotary, tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refusal:
        opened(tmp_path)
    assert refusal.value.code == "notary.in-use"


def test_a_second_host_in_another_process_is_refused(notary: SoloNotary, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.functional.test_solo_notary import opened\n"
        "from interfirm.base.errors import Refusal\n"
        "try: opened(Path(sys.argv[1]))\n"
        "except Refusal as refusal: print(refusal.code)"
    )
    found = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "notary.in-use"


def test_another_network_genesis_or_key_is_refused_at_the_start(tmp_path: Path) -> None:
    begun(tmp_path).close()
    for genesis, signer, code in (
        (PURE.genesis.replace(network=digest("other")), PURE.signer, "notary.network"),
        (PURE.genesis.replace(label="other"), PURE.signer, "notary.genesis"),
        (PURE.genesis, Ed25519Signer(digest("other")), "notary.signer"),
    ):
        with pytest.raises(Refusal) as refusal:
            SoloNotary(tmp_path / "notary.db", signer, genesis, Anchors())
        assert refusal.value.code == code
    opened(tmp_path).close()


def test_a_file_that_is_no_notarys_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notary.db"
    path.write_bytes(b"not a database, certainly not one of a notary" * 100)
    with pytest.raises(Refusal) as refusal:
        opened(tmp_path)
    assert refusal.value.code == "notary.storage"
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE something (x)")
    other.close()
    with pytest.raises(Refusal) as refusal:
        opened(tmp_path)
    assert refusal.value.code == "notary.format"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refusal:
        opened(tmp_path / "nowhere")
    assert refusal.value.code == "notary.storage"


def test_only_the_notarys_user_may_read_its_file(notary: SoloNotary, tmp_path: Path) -> None:
    assert (tmp_path / "notary.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM log WHERE first = (SELECT max(first) FROM log)",
        "UPDATE log SET nodes = zeroblob(length(nodes)) WHERE first = (SELECT max(first) FROM log)",
        "UPDATE state SET value = x'00' WHERE key = x'6163636570746564'",
    ],
)
def test_a_log_and_a_state_that_do_not_agree_are_refused_at_the_start(
    tmp_path: Path, ledger: Ledger, damage: str
) -> None:
    notary = begun(tmp_path)
    for _ in range(2):
        submit(notary, *creates(ledger, 3))
    notary.close()
    with sqlite3.connect(tmp_path / "notary.db") as connection:
        assert connection.execute(damage).rowcount == 1
    connection.close()
    with pytest.raises(Refusal) as refusal:
        opened(tmp_path)
    assert refusal.value.code == "notary.integrity"


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM state WHERE rowid_key",
        "UPDATE log SET nodes = zeroblob(length(nodes)) WHERE first = 0",
        "UPDATE log SET head = (SELECT head FROM log WHERE first = 3) WHERE first = 0",
    ],
)
def test_a_full_check_finds_what_the_start_does_not_look_at(tmp_path: Path, ledger: Ledger, damage: str) -> None:
    notary = begun(tmp_path)
    first = [accepted(answered).id for answered in submit(notary, *creates(ledger, 3))]
    submit(notary, *creates(ledger, 3))
    notary.close()
    with sqlite3.connect(tmp_path / "notary.db") as connection:
        statement = damage.replace("rowid_key", f"key = x'{first[0].hex()}'")
        assert connection.execute(statement).rowcount == 1
    connection.close()
    again = opened(tmp_path)
    with pytest.raises(Refusal) as refusal:
        again.check_all()
    assert refusal.value.code == "notary.integrity"
    again.close()


def test_a_full_disk_accepts_nothing_and_says_so(notary: SoloNotary, ledger: Ledger) -> None:
    connection = notary._database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    requests = creates(ledger, 200)
    outcome = notary.submit_batch([Asked(requester=A.id, request=request) for request in requests], NOW)
    assert {refused(answered) for answered in outcome.answers} == {"notary.storage"}
    assert outcome.fault == "database or disk is full"
    connection.execute("PRAGMA max_page_count = 1000000")
    for answered in submit(notary, *requests):
        accepted(answered)


def test_a_disk_that_refuses_to_write_accepts_nothing(notary: SoloNotary, ledger: Ledger) -> None:
    """The file may not grow: the operating system's own error, met in the write-ahead log."""
    requests = creates(ledger, 200)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    try:
        answers = submit(notary, *requests)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, heard)
    assert {refused(answered) for answered in answers} == {"notary.storage"}
    for answered in submit(notary, *requests):
        accepted(answered)


def test_an_unexpected_fault_leaves_nothing_begun(tmp_path: Path, ledger: Ledger) -> None:
    def fail(point: str) -> None:
        if point == "written" and failing:
            raise RuntimeError(point)

    failing = False
    notary = begun(tmp_path, fail)
    failing = True
    request = ledger.request(create(0, A))
    with pytest.raises(RuntimeError):
        submit(notary, request)
    failing = False
    assert accepted(submit(notary, request)[0]).height == 2
    notary.check_all()
    notary.close()


def sealed(ledger: Ledger, seals: bytes) -> Notarise:
    """A transaction with a block of sealed views."""
    request = ledger.request(create(0, A))
    request = request.replace(components=(Component(name=SEALS, hash=digest("seals", seals)),), seals=seals)
    return request.replace(signatures=(A.sign(transaction_of(request)),))


def test_sealed_views_are_kept_under_the_consumers_hash_for_a_set_time(notary: SoloNotary, ledger: Ledger) -> None:
    done = accepted(submit(notary, sealed(ledger, b"sealed"))[0])
    consumer = consumer_hash(done.id)
    assert notary.seals(consumer) == b"sealed"
    assert notary.seals(done.id) == b""
    ask = Asked(requester=A.id, request=Ask(kind="unspent", subject=bytes(36)))
    notary.submit_batch([ask], NOW.plus_ms(LIMITS.sealed_keep_ms - 1))
    assert notary.seals(consumer) == b"sealed"
    notary.submit_batch([ask], NOW.plus_ms(LIMITS.sealed_keep_ms))
    assert notary.seals(consumer) == b""


def test_refused_transactions_leave_no_sealed_views(notary: SoloNotary, ledger: Ledger) -> None:
    request = sealed(ledger, b"sealed")
    assert refused(submit(notary, request.replace(signatures=()))[0]) == "notary.signature"
    assert notary.seals(consumer_hash(transaction_of(request))) == b""


class Wire:
    """A host as an identity reaches it."""

    def __init__(self, host: SoloHost) -> None:
        self.host = host

    def send(self, *requests: Wanted, requester: bytes = A.id) -> list[Answered]:
        blocks = [(requester, encode_request(request)) for request in requests]
        return [decode_answer(block) for block in self.host.handle_batch(blocks, NOW).answers]


@pytest.fixture
def wire(notary: SoloNotary) -> Wire:
    return Wire(SoloHost(notary))


def test_a_request_block_is_answered_by_a_block(wire: Wire, ledger: Ledger) -> None:
    accepted(wire.send(*creates(ledger, 1))[0])


@pytest.mark.parametrize(
    "data", [b"", b"junk", b"\xff" * 100, b"\x80", b"\x81\x63foo", encode_answer(Answered(answer=Collected(seals=b"")))]
)
def test_garbage_is_a_refusal_and_disturbs_nobody(wire: Wire, ledger: Ledger, data: bytes) -> None:
    good = encode_request(ledger.request(create(0, A)))
    answers = wire.host.handle_batch([(B.id, data), (A.id, good), (B.id, data)], NOW).answers
    first, second, third = map(decode_answer, answers)
    assert refused(first).startswith("codec.")
    accepted(second)
    assert first == third


def test_a_second_spelling_of_a_request_is_refused(wire: Wire, ledger: Ledger) -> None:
    good = encode_request(Ask(kind="key", subject=A.id))
    longer = good.replace(b"\x63ask", b"\x78\x03ask")
    assert longer != good
    assert refused(decode_answer(wire.host.handle(A.id, longer, NOW))) == "codec.not-canonical"


def test_a_request_over_the_size_limit_is_refused(wire: Wire) -> None:
    big = encode_request(Ask(kind="key", subject=bytes(LIMITS.transaction_bytes_max + LIMITS.sealed_bytes_max)))
    assert refused(decode_answer(wire.host.handle(A.id, big, NOW))) == "codec.size"


def test_the_rate_limit_counts_on_who_sends(wire: Wire, ledger: Ledger) -> None:
    wire.host._used[C.id] = (NOW.ms + 60_000) * LIMITS.requests_per_minute_max
    block = encode_request(ledger.request(create(0, A)))
    flooding, quiet = map(decode_answer, wire.host.handle_batch([(C.id, block), (A.id, block)], NOW).answers)
    assert refused(flooding) == "notary.rate"
    accepted(quiet)


def test_silent_requesters_are_forgotten(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "REQUESTERS_KEPT_MAX", 3)
    for number in range(6):
        wire.host.handle(digest("requester", number), b"", NOW.plus_ms(number * 120_000))
    assert len(wire.host._used) <= 3


def test_what_is_beyond_the_queue_is_refused_as_busy(wire: Wire) -> None:
    block = (A.id, b"junk")
    answers = wire.host.handle_batch([block] * (LIMITS.notary_queue_count_max + 1), NOW).answers
    assert [refused(decode_answer(answer)) for answer in answers[-2:]] == ["codec.malformed", "notary.busy"]


def test_more_than_a_batch_is_judged_in_several(wire: Wire, ledger: Ledger) -> None:
    count = LIMITS.notary_batch_count_max + 3
    heights = [accepted(answered).height for answered in wire.send(*creates(ledger, count))]
    assert heights == [2] * LIMITS.notary_batch_count_max + [3] * 3


def test_sealed_views_are_collected_over_the_wire(wire: Wire, ledger: Ledger) -> None:
    done = accepted(wire.send(sealed(ledger, b"sealed"))[0])
    known, unknown = wire.send(
        Collect(consumer=consumer_hash(done.id)), Collect(consumer=digest("none")), requester=C.id
    )
    assert expect(known, Collected).seals == b"sealed"
    assert expect(unknown, Collected).seals == b""


def told(answered: Answered) -> Sequence[Told]:
    return expect(answered, Heard).tells


def test_a_subscriber_is_told_until_it_says_that_it_has_heard(notary: SoloNotary, wire: Wire, ledger: Ledger) -> None:
    ref = ContractRef(accepted(submit(notary, *creates(ledger, 1))[0]).id, 0)
    wire.send(Subscribe(kind="ref", subject=ref_key(ref)), requester=C.id)
    done = accepted(wire.send(ledger.request(exercise(0, ref, A)))[0])
    for _ in range(2):
        (found,) = told(wire.send(Listen(after=0), requester=C.id)[0])
        assert (found.kind, found.subject, found.detail) == ("consumed", ref_key(ref), consumer_hash(done.id))
    assert not told(wire.send(Listen(after=0), requester=B.id)[0]), "it is told to nobody else"
    assert not told(wire.send(Listen(after=found.number), requester=C.id)[0])
    assert not told(wire.send(Listen(after=0), requester=C.id)[0])


def test_what_is_told_at_once_is_what_can_be_asked_for_later(notary: SoloNotary, ledger: Ledger) -> None:
    ref = ContractRef(accepted(submit(notary, *creates(ledger, 1))[0]).id, 0)
    submit(notary, Subscribe(kind="ref", subject=ref_key(ref)), requester=C.id)
    asked = Asked(requester=A.id, request=ledger.request(exercise(0, ref, A)))
    ((tell, now),) = notary.submit_batch([asked], NOW).tells
    assert tell.identity == C.id
    assert notary.listen(C.id, 0) == (now,)


def test_a_disk_that_cannot_be_read_is_a_refusal_for_who_looks(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(wire.host.notary._database, "seals", fail)
    assert refused(wire.send(Collect(consumer=digest("x")))[0]) == "notary.storage"


def test_a_closed_host_lets_another_open_the_file(tmp_path: Path, ledger: Ledger) -> None:
    first = SoloHost(begun(tmp_path), verifiers=Verifiers(1))
    accepted(Wire(first).send(*creates(ledger, 20))[0])
    first.close()
    second = SoloHost(opened(tmp_path))
    second.notary.check_all()
    second.close()


def test_a_claim_asked_for_again_and_again_waits_once(notary: SoloNotary, ledger: Ledger) -> None:
    accepted(submit(notary, ledger.request(create(0, A, claims=[claim(A, "1")])))[0])
    subject = claim_key(A.id, claim_hash(A, "1"))
    submit(notary, Subscribe(kind="claim", subject=subject), requester=B.id)
    ask = Ask(kind="claim", subject=subject)
    submit(notary, ask, ask, requester=C.id)
    submit(notary, ask, requester=C.id)
    (found,) = notary.listen(B.id, 0)
    assert found.kind == "claim-asked"
    assert notary.listen(B.id, found.number) == ()
    submit(notary, ask, requester=C.id)
    assert len(notary.listen(B.id, found.number)) == 1, "once it was heard, the next question is news"


@pytest.fixture
def verifiers() -> Iterator[Verifiers]:
    found = Verifiers(2)
    yield found
    found.close()


def test_verdicts_are_the_same_where_other_processes_verify(
    tmp_path: Path, notary: SoloNotary, verifiers: Verifiers, ledger: Ledger
) -> None:
    good = creates(ledger, 40)
    forged = [r.replace(signatures=(r.signatures[0].replace(signature=bytes(64)),)) for r in creates(ledger, 3)]
    misused = [r.replace(signatures=(A.sign(transaction_of(r), "withdrawal"),)) for r in creates(ledger, 2)]
    requests: list[Wanted] = [*good[:20], *forged, *misused, *good[20:], Ask(kind="key", subject=A.id)]
    twin = begun(tmp_path / "twin")
    try:
        here = Wire(SoloHost(notary, verifiers=verifiers)).send(*requests)
        assert here == Wire(SoloHost(twin)).send(*requests)
    finally:
        twin.close()
    codes = [refused(answered) for answered in here if isinstance(answered.answer, Refused)]
    assert codes == ["signature.invalid"] * 3 + ["signature.purpose"] * 2


def test_a_verifier_that_dies_is_done_without(notary: SoloNotary, verifiers: Verifiers, ledger: Ledger) -> None:
    host = Wire(SoloHost(notary, verifiers=verifiers))
    verifiers._workers[0]._process.kill()
    verifiers._workers[0]._process.wait()
    for answered in host.send(*creates(ledger, 64)):
        accepted(answered)


def test_verifiers_end_with_a_killed_host(tmp_path: Path) -> None:
    code = (
        "import sys, time; from interfirm.notary.solo.verifiers import Verifiers\n"
        "found = Verifiers(1); print(found._workers[0]._process.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        pid = int(host.stdout.readline())
        ended = os.pidfd_open(pid)
        host.kill()
    assert select.select([ended], [], [], 30)[0], "the process is gone"
    os.close(ended)


VICTIM = """
import os, signal, sys
from pathlib import Path
from tests.functional import test_solo_notary as here
from interfirm.notary.wire import expect
from interfirm.notary.types import Done

folder, point, batch = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = 0

def at(now):
    global seen
    seen += now == point
    if seen == batch:
        os.kill(os.getpid(), signal.SIGKILL)

notary = here.opened(folder, at)
ledger = here.Ledger(here.PURE.id)
here.submit(notary, *(org.registration(here.PURE.id) for org in here.ORGS))
for _ in range(3):
    for answered in here.submit(notary, *here.creates(ledger, 5)):
        print(expect(answered, Done).id.hex(), answered.receipt.hex(), flush=True)
"""


@pytest.mark.parametrize("batch", [1, 2, 4])
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_host_has_all_it_answered_and_nothing_by_halves(tmp_path: Path, point: str, batch: int) -> None:
    found = subprocess.run(
        [sys.executable, "-c", VICTIM, str(tmp_path), point, str(batch)], capture_output=True, text=True, check=False
    )
    assert found.returncode == -signal.SIGKILL, found.stderr
    answered = dict(line.split() for line in found.stdout.splitlines())
    notary = opened(tmp_path)
    try:
        notary.check_all()
        committed = batch if point == "committed" else batch - 1
        assert (notary.height, notary.size) == (committed, 5 * max(0, committed - 1))
        ledger = Ledger(PURE.id)
        submit(notary, *(org.registration(PURE.id) for org in ORGS))
        for request in creates(ledger, 15):
            again = submit(notary, request)[0]
            name = accepted(again).id.hex()
            assert answered.pop(name, again.receipt.hex()) == again.receipt.hex()
        assert not answered, "everything that was answered is there"
        notary.check_all()
    finally:
        notary.close()


def test_the_points_are_those_that_the_host_passes(tmp_path: Path) -> None:
    passed: list[str] = []
    notary = opened(tmp_path, passed.append)
    submit(notary, Ask(kind="key", subject=A.id))
    notary.close()
    assert tuple(passed) == POINTS


def test_a_path_proves_each_leaf_of_a_batch() -> None:
    """The rows a batch's paths are read from give the tree of RFC 9162, whatever came before."""
    frontier = Frontier()
    for height, size in enumerate([1, 2, 1, 3, 5, 8, 1, 13, 21, 64, 1], start=1):
        done = [Done(id=digest("leaf", height, i), height=height, time=NOW, registry_height=0) for i in range(size)]
        after, batch = receipts.extend(frontier, done, PURE.signer, PURE.anchor)
        rows = receipts._rows(batch, frontier)
        for place, leaf in enumerate(batch.leaves):
            index = batch.first + place
            path = receipts._path(rows, index)
            verify_inclusion(after.root, leaf_hash(leaf), index=index, size=after.size, path=path)
        frontier = after
