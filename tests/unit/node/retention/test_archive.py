"""What rules let go moves into an archive, where it still proves what it proved; the vault forgets nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import Limits
from interfirm.ledger.proof import ProofBundle, verify_proof
from interfirm.node import kept
from interfirm.node.access import approvals
from interfirm.node.retention import archiving, store
from interfirm.node.retention.checking import checked
from interfirm.node.retention.sealed_file import ArchiveReader
from interfirm.node.retention.types import PAPERS

from .harness import KEY, Keeper, transaction_of


def refused(keeper: Keeper, operation: str, **arguments: object) -> Refusal:
    with pytest.raises(Refusal) as found:
        keeper.ask(operation, **arguments)
    return found.value


def test_what_ended_moves_into_an_archive_and_what_is_in_use_stays(one: Keeper) -> None:
    ended, living = one.every_ref()[:2], one.every_ref()[2:]
    result = one.archived()["result"]
    assert (result["archives"], result["transactions"], result["contracts"]) == ([1], 4, 2)
    assert result["stays"] == {"newest": 1}
    assert one.every_ref() == living
    (file,) = one.files()
    assert {transaction_of(ref) for ref in ended} < {each.id for each in one.held_in(file)}
    assert one.ask("archive.list")["archives"][0]["file"] == file.name


def test_without_a_rule_everything_is_kept_for_ever(one: Keeper) -> None:
    before = one.transactions()
    one.ask("retention.remove", about="*")
    assert one.archived()["result"]["stays"] == {"rule": 4, "newest": 1}
    one.lets_go(days=None)
    assert one.archived()["result"]["archives"] == []
    assert one.transactions() == before
    assert one.files() == []


def test_a_template_s_own_rule_counts_before_the_one_for_all(one: Keeper) -> None:
    one.lets_go(days=None, about="trade.Draft")
    assert one.archived()["result"]["archives"] == []
    one.ask("retention.remove", about="trade.Draft")
    assert one.archived()["result"]["archives"] == [1]


def test_what_ended_too_lately_stays(one: Keeper) -> None:
    one.lets_go(days=500)
    assert one.archived()["result"]["archives"] == []
    one.lets_go(days=30)
    assert one.archived(before="2020-01-01T00:00:00Z")["result"]["archives"] == []


def test_a_dry_run_only_counts(one: Keeper) -> None:
    before = one.transactions()
    found = one.archived(dry_run=True)["result"]
    assert (found["transactions"], found["contracts"], found["templates"]) == (4, 2, {"trade.Draft": 2})
    assert one.transactions() == before
    assert not one.archives.exists()


def test_what_made_an_active_contract_stays_with_all_that_it_came_from(firms: list[Keeper]) -> None:
    one, other = firms
    draft = one.draft(1)
    bill = other.chooses(draft, "accept")
    other.chooses(one.draft(2), "reject")
    one.draft(3)
    one.lets_go()
    result = one.archived()["result"]
    assert draft in one.every_ref()
    assert [transaction_of(ref) for ref in one.every_ref("trade.Bill")] == [transaction_of(bill)]
    assert result["contracts"] == 1
    assert result["stays"] == {"active": 1, "needed": 1, "newest": 1}


def test_the_ancestors_of_cash_stay_where_somebody_else_must_believe_it(firms: list[Keeper]) -> None:
    one, other = firms
    amount = {"amount": "10.00", "currency": "EUR"}
    issued = one.does("create", template="cash.Cash", fields={"issuer": "firm0", "owner": "firm1", "amount": amount})
    ref = f"{(issued.transaction or b'').hex()}:0"
    moved = other.chooses(ref, "move", to="firm0", amount=amount)
    one.draft(1)
    one.lets_go()
    assert one.archived()["result"]["archives"] == []
    assert {transaction_of(ref), transaction_of(moved)} <= {transaction_of(each) for each in one.every_ref("cash.Cash")}


def test_what_is_archived_is_told_to_who_may_read_of_archives(one: Keeper) -> None:
    ref = one.every_ref()[0]
    one.archived()
    found = refused(one, "contracts.show", ref=ref)
    assert (found.code, found.values["archive"]) == ("vault.archived", 1)
    assert refused(one, "proof.export", ref=ref).code == "vault.archived"
    assert refused(one, "proof.receipt", transaction=transaction_of(ref).hex()).code == "vault.archived"
    assert one.ask("archive.show", transaction=transaction_of(ref).hex())["archive"] == 1


def test_an_archive_is_verified_and_proves_without_the_node(one: Keeper) -> None:
    refs = one.every_ref()[:2]
    one.archived()
    reader = one.reader()
    with ArchiveReader(one.files()[0], KEY) as archive:
        assert len(list(checked(archive.transactions(), reader))) == 4
    held = next(each for each in one.held_in(one.files()[0]) if each.id == transaction_of(refs[0]))
    data = codec.encode(reader.proof(held, 0))
    proved = verify_proof(codec.decode(data, ProofBundle), accepted=reader.accepted)
    assert (proved.fields["number"], proved.complete) == ("1", True)


def test_the_proof_is_the_one_that_the_node_gave_before(one: Keeper) -> None:
    ref = one.every_ref()[0]
    before = one.ask("proof.export", ref=ref)["bundle"]
    one.archived()
    held = next(each for each in one.held_in(one.files()[0]) if each.id == transaction_of(ref))
    assert codec.encode(one.reader().proof(held, 0)).hex() == before


def test_a_changed_contract_in_an_archive_does_not_hold(one: Keeper) -> None:
    one.archived()
    held = next(each for each in one.held_in(one.files()[0]) if each.contracts)
    lie = held.contracts[0].replace(payload_seed=bytes(32))
    with pytest.raises(Refusal) as found:
        list(checked([held.replace(contracts=(lie,))], one.reader()))
    assert (found.value.code, found.value.values["rule"]) == ("archive.transaction", "archive.contract")
    with pytest.raises(Refusal) as found:
        list(checked([held.replace(id=bytes(32))], one.reader()))
    assert found.value.values["rule"] == "ledger.id"


@pytest.mark.parametrize("place", [0, 30, 60, 400, -1])
def test_a_changed_byte_is_noticed(one: Keeper, place: int) -> None:
    one.archived()
    (file,) = one.files()
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
    found = one.restored(file)["result"]
    assert found["code"] in ("archive.format", "archive.key", "archive.damaged")


def test_an_archive_that_was_cut_is_noticed(one: Keeper) -> None:
    one.archived()
    (file,) = one.files()
    whole = file.read_bytes()
    size = int.from_bytes(whole[44:48], "big")
    for cut in (10, 44 + 4 + size, len(whole) - 1):
        file.write_bytes(whole[:cut])
        assert one.restored(file)["result"]["code"].startswith("archive."), cut
    assert one.every_ref() != []


def test_nothing_of_an_archive_can_be_read_without_the_key(one: Keeper) -> None:
    one.archived()
    (file,) = one.files()
    assert b"Draft" not in file.read_bytes()
    with pytest.raises(Refusal) as found:
        ArchiveReader(file, b"x" * 32)
    assert found.value.code == "archive.key"


def test_each_archive_names_the_one_before(one: Keeper, firms: list[Keeper]) -> None:
    one.archived()
    firms[1].chooses(one.draft(4), "reject")
    one.draft(5)
    one.archived()
    with one.desk.vault.read() as turn:
        first, second = store.archives(turn)
    assert (first.head.number, second.head.number, second.head.before) == (1, 2, first.hash)
    assert [each["before"] for each in one.ask("archive.list")["archives"]] == ["00" * 32, first.hash.hex()]


def test_much_becomes_several_archives(one: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "LIMITS", Limits(archive_transactions_count_max=3))
    result = one.archived()["result"]
    assert (result["archives"], result["transactions"]) == ([1, 2], 4)
    assert [len(one.held_in(file)) for file in one.files()] == [3, 1]


# killed ---------------------------------------------------------------------------------------------------------------


def test_killed_at_any_point_nothing_is_lost_and_nothing_half_moved(
    one: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "PAGE_ROWS", 2)
    monkeypatch.setattr(archiving, "LIMITS", Limits(archive_transactions_count_max=2))
    before = one.transactions()
    for steps in range(1, 60):
        if steps == 1:
            job = one.ask("archive.create", folder=str(one.archives))["job"]["id"]
        for _ in range(steps):
            one.step()
        one.restarted()  # what the job had in memory is gone
        with one.desk.vault.read() as turn:
            recorded = [each.file for each in store.archives(turn)]
        archived = {each.id for name in recorded for each in one.held_in(one.archives / name)}
        assert one.transactions() | archived == before
        assert not one.transactions() & archived
        if one.show(job)["state"] != "running":
            break
    assert one.show(job)["state"] == "done"
    assert len(archived) == 4


def test_a_run_that_is_cancelled_takes_nothing_more_out(one: Keeper) -> None:
    before = one.transactions()
    job = one.ask("archive.create", folder=str(one.archives))["job"]["id"]
    for _ in range(4):
        one.step()
    one.ask("jobs.cancel", id=job)
    while one.step():
        pass
    assert one.transactions() == before
    assert list(one.archives.glob(".*")) == []


def test_a_folder_that_cannot_be_written_is_refused_and_nothing_moves(one: Keeper, tmp_path: Path) -> None:
    before = one.transactions()
    (tmp_path / "a file").write_text("")
    job = one.archived(folder=str(tmp_path / "a file"))
    assert (job["state"], job["result"]["code"]) == ("refused", "archive.write")
    assert one.transactions() == before


def test_a_hold_that_comes_while_the_file_is_written_keeps_what_it_covers(one: Keeper) -> None:
    ref = one.every_ref()[0]
    one.ask("archive.create", folder=str(one.archives))
    for _ in range(7):
        one.step()
    one.ask("holds.place", name="case", reason="a claim", refs=[ref])
    while one.step():
        pass
    assert ref in one.every_ref()
    assert len(one.every_ref()) == 2


# putting back ---------------------------------------------------------------------------------------------------------


def test_what_is_put_back_is_as_it_was(one: Keeper) -> None:
    def shown() -> object:
        with one.desk.vault.read() as turn:
            kept = [(number, each) for number, each in turn.numbered_transactions(after=0, limit=100)]
            made = [turn.numbered_contracts(each.id) for _, each in kept]
        lists = [one.desk.handle("contracts.list", {"template": "trade.Draft", "status": "all"})]
        return kept, made, lists

    before = shown()
    one.archived()
    assert shown() != before
    assert one.restored(one.files()[0])["state"] == "done"
    assert shown() == before
    assert one.ask("archive.list")["archives"][0]["restored_ms"] is not None
    assert one.ask("contracts.show", ref=one.every_ref()[0])["status"] == "consumed"


def test_putting_back_twice_is_harmless(one: Keeper) -> None:
    before = one.transactions()
    one.archived()
    for _ in range(2):
        assert one.restored(one.files()[0])["state"] == "done"
        assert one.transactions() == before


def test_numbers_are_not_given_twice(one: Keeper, firms: list[Keeper]) -> None:
    one.archived()
    firms[1].chooses(one.draft(4), "reject")
    one.restored(one.files()[0])
    one.draft(5)
    with one.desk.vault.read() as turn:
        numbers = [number for number, _ in turn.numbered_transactions(after=0, limit=100)]
    assert len(numbers) == len(set(numbers)) == 8


def test_another_node_s_archive_is_not_put_back(firms: list[Keeper], one: Keeper, tmp_path: Path) -> None:
    other = firms[1]
    other.lets_go()
    other.archived()
    one.archived()
    found = one.restored(other.files()[0])["result"]
    assert found["code"] == "archive.foreign"
    copied = shutil.copy(one.files()[0], tmp_path / "copy.sealed")
    assert one.restored(Path(copied))["state"] == "done"


# what is late or again ------------------------------------------------------------------------------------------------


def test_a_transaction_is_not_recorded_again_after_it_was_archived(one: Keeper, firms: list[Keeper]) -> None:
    one.archived()
    before = one.transactions()
    held = one.held_in(one.files()[0])
    books = one.desk.books
    verified = one.reader().verified(held[0])
    with one.desk.vault.turn() as turn:
        books.records.add(turn, verified, held[0].receipt, flow="again", now_ms=1)
    assert one.transactions() == before


def test_papers_are_forgotten_by_their_own_rules(one: Keeper) -> None:
    for about in PAPERS:
        one.lets_go(about=about)
    pending = approvals.Pending(
        id="old", asked_by="anna", asked_ms=1, operation="create", event=b"", kind="flow", demands=(), lines=(),
        shown={}, expires_ms=2, state="expired",
    )  # fmt: skip
    with one.desk.vault.turn() as turn:
        kept.put(turn, approvals.ENDED, b"old", pending)
    count = len(one.desk.handle("flows.list", {})["flows"])
    assert one.archived()["result"]["forgotten"]["flows"] == count > 0
    assert one.desk.handle("flows.list", {})["flows"] == []
    with one.desk.vault.read() as turn:
        assert turn.blobs("asked-by") == turn.blobs(approvals.ENDED) == []
    one.later_ms *= 2
    assert one.archived()["result"]["forgotten"]["jobs"] == 1


def test_who_leaves_takes_rules_holds_and_manifests_along(one: Keeper, tmp_path: Path) -> None:
    one.ask("holds.place", name="case", reason="a claim", party="firm1", template="trade.Bill")
    one.archived()
    folder = tmp_path / "left"
    assert one.until_done(one.ask("bulk.export-all", folder=str(folder))["job"]["id"])["state"] == "done"
    lines = {name: [msgspec.json.decode(line) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]
             for name in ("retention-rules", "legal-holds", "archives")}  # fmt: skip
    assert [each["about"] for each in lines["retention-rules"]] == ["*"]
    assert [each["name"] for each in lines["legal-holds"]] == ["case"]
    assert [each["file"] for each in lines["archives"]] == [file.name for file in one.files()]


def test_two_runs_at_once_are_refused(one: Keeper) -> None:
    one.ask("archive.create", folder=str(one.archives))
    assert refused(one, "archive.create", folder=str(one.archives)).code == "archive.running"
    assert refused(one, "archive.restore", file=str(one.archives)).code == "archive.running"
