"""A solo notary: judge a batch, write state, log and receipts in one commit, then answer (persist, then act).

The pure machine decides; this shell keeps its state, signs, and survives being killed between any two steps: a batch is
on the disk whole, with its receipts' proofs, or not at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import AgreedLimits
from interfirm.base.logtree import Frontier
from interfirm.base.signatures import Signer
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.ledger.receipts.cose import verify_tree_head
from interfirm.notary import machine
from interfirm.notary.abroad import anchor_of
from interfirm.notary.governance import epochs
from interfirm.notary.questions import state_it
from interfirm.notary.solo import receipts
from interfirm.notary.solo.checking import Checked
from interfirm.notary.solo.sqlite import Database
from interfirm.notary.state import ACCEPTED, Overlay
from interfirm.notary.types import Abroad, Answer, Asked, Block, Done, Genesis, Judged, Said, Tell, transaction_in
from interfirm.notary.uniqueness.machine import consumer_hash
from interfirm.notary.wire import Answered, Told, refused

POINTS = ("begun", "judged", "written", "committed")
"""The named steps of a batch, between any two of which the host may be killed."""


class BatchOutcome(Value, frozen=True):
    """What a batch led to: an answer with its proof to each request, what to tell whom, and the disk's fault if any."""

    answers: tuple[Answered, ...]
    tells: tuple[tuple[Tell, Told], ...] = ()
    fault: str | None = None


def _nothing(_: str) -> None:
    """What happens at a point in ordinary life."""


class SoloNotary:
    """The notary with this genesis, its state in the file at `path`. Not to be used by two threads at once."""

    def __init__(
        self, path: Path, signer: Signer, genesis: Genesis, abroad: Abroad, *, at: Callable[[str], None] = _nothing
    ) -> None:
        """Open or begin; Refusal `notary.signer` for another key than the genesis has, `notary.integrity`, and as
        `Database`. `at` is called at each of `POINTS`.
        """
        if signer.public != genesis.key:
            raise Refusal("notary.signer", "the signer is not the notary's", key=signer.public.key)
        self.genesis, self.anchor, self.id = genesis, anchor_of(genesis), machine.notary_id(genesis)
        self._signer, self._abroad, self._at = signer, abroad, at
        self._database = Database(path, genesis)
        try:
            self._frontier = self._read_log()
        except Refusal:
            self._database.close()
            raise

    @property
    def height(self) -> int:
        """The height of the last batch."""
        return machine.last_height(Overlay(self._database))

    @property
    def limits(self) -> AgreedLimits:
        """The limits by which the next batch is judged, which governance may have changed."""
        return epochs.parameters_next(self._database, self.genesis, self.height + 1).limits

    @property
    def size(self) -> int:
        """How many acceptances the log holds."""
        return self._frontier.size

    def submit_batch(self, requests: Sequence[Asked], time: Instant, *, checked: Checked | None = None) -> BatchOutcome:
        """Judge requests in order at a time; the answers are durable when this returns.

        Where the disk fails, everything stays as it was and each answer is the refusal `notary.storage`.
        """
        if not 0 < len(requests) <= self.limits.notary_batch_count_max:
            raise Refusal("notary.limit", "a batch has some requests, not too many", count=len(requests))
        try:
            outcome, frontier = self._write(tuple(requests), time, checked or Checked())
            self._database.commit()
        except sqlite3.Error as error:
            self._database.rollback()
            no = Refusal("notary.storage", "the notary could not write; nothing was accepted, send it again")
            return BatchOutcome(answers=(refused(no),) * len(requests), fault=str(error))
        except BaseException:
            self._database.rollback()
            raise
        self._frontier = frontier
        self._at("committed")
        return outcome

    def _write(self, requests: tuple[Asked, ...], time: Instant, checked: Checked) -> tuple[BatchOutcome, Frontier]:
        """All of a batch but its commit: what will be answered, and the log's frontier then."""
        self._database.begin(checked.keys(requests))
        self._at("begun")
        block = Block(height=self.height + 1, time=time, requests=requests)
        judged = machine.judge(
            self._database, block, genesis=self.genesis, abroad=self._abroad, check=checked.check,
            identify=checked.identify,
        )  # fmt: skip
        self._at("judged")
        frontier, proofs = self._write_log(judged.accepted)
        self._database.write_state(judged.changes)
        tells = self._write_beside(judged, requests)
        answers = tuple(self._prove(answer, proofs, block.height) for answer in judged.answers)
        self._at("written")
        return BatchOutcome(answers=answers, tells=tuple(tells)), frontier

    def _write_log(self, accepted: Sequence[Done]) -> tuple[Frontier, dict[bytes, bytes]]:
        """The frontier with these acceptances, and their receipts."""
        if not accepted:
            return self._frontier, {}
        frontier, batch = receipts.extend(self._frontier, accepted, self._signer, self.anchor)
        self._database.write_batch(batch)
        return frontier, receipts.receipts_of(batch, self._frontier, accepted)

    def _write_beside(self, judged: Judged, requests: Sequence[Asked]) -> list[tuple[Tell, Told]]:
        """Sealed views of new acceptances, and tells; both are forgotten in time."""
        now = judged.time
        until = now.plus_ms(judged.limits.sealed_keep_ms)
        fresh = {done.id for done in judged.accepted}
        brought = [(transaction_in(asked.request), done) for asked, done in zip(requests, judged.answers, strict=True)]
        sealed = [
            (consumer_hash(done.id), request.seals)
            for request, done in brought
            if request is not None and request.seals and isinstance(done, Done) and done.id in fresh
        ]
        self._database.prune(now)
        if sealed:
            self._database.write_seals(sealed, until)
        return self._database.write_tells(judged.tells, until)

    def _prove(self, answer: Answer, proofs: dict[bytes, bytes], height: int) -> Answered:
        if isinstance(answer, Said):
            statement = state_it(self._signer, self.id, answer)
            return Answered(answer=answer, receipt=self._receipt_said(answer), statement=statement)
        if isinstance(answer, Done):
            old = answer.height < height
            return Answered(answer=answer, receipt=self._old_receipt(answer) if old else proofs.get(answer.id, b""))
        return Answered(answer=answer)

    def _receipt_said(self, said: Said) -> bytes:
        """The receipt that goes with the word that an id was accepted, so that nobody can hold the result back."""
        if said.kind != "accepted" or said.answer is None:
            return b""
        done = self._database.get(ACCEPTED, said.subject)
        return b"" if done is None else self._old_receipt(codec.decode(done, Done))

    def _old_receipt(self, done: Done) -> bytes:
        """The receipt of an older acceptance, in the bytes it had at first; nothing for what is no acceptance."""
        batch = self._database.batch_at(done.height)
        if batch is None or done.id not in batch.ids:
            return b""
        return receipts.receipt_of(batch, done, self._database.node)

    def seals(self, consumer: bytes) -> bytes:
        """The sealed views kept for a consumer's hash, or nothing."""
        return self._database.seals(consumer)

    def listen(self, identity: bytes, after: int) -> tuple[Told, ...]:
        """What the identity is to be told beyond a number; what it has heard up to there is forgotten."""
        self._database.forget_tells(identity, after)
        return tuple(self._database.tells(identity, after, self.limits.tells_count_max))

    def close(self) -> None:
        """Close the file, so that another host may open it."""
        self._database.close()

    def _read_log(self) -> Frontier:
        """The frontier of the stored log; Refusal `notary.integrity` where it and the state do not agree."""
        last = self._database.batch_of(2**62)
        frontier = Frontier() if last is None else receipts.frontier_of(last.size, self._database.node)
        if frontier.size != machine.accepted_count(Overlay(self._database)):
            raise Refusal("notary.integrity", "state and log do not agree", log=frontier.size)
        if last is not None:
            head = verify_tree_head(last.head, anchor=self.anchor)
            _check_root(head.root, frontier.root, last.height)
        return frontier

    def check_all(self) -> None:
        """Read everything back: pages, every leaf and head, and each acceptance (Refusal `notary.integrity`)."""
        self._database.check_pages()
        frontier = Frontier()
        for batch in self._database.batches():
            frontier, nodes = frontier.extend(batch.leaves)
            if b"".join(node for _, _, node in nodes) != batch.nodes:
                raise Refusal("notary.integrity", "the log's nodes are not those of its leaves", height=batch.height)
            _check_root(verify_tree_head(batch.head, anchor=self.anchor).root, frontier.root, batch.height)
            for name, leaf in zip(batch.ids, batch.leaves, strict=True):
                self._check_leaf(name, leaf)
        count = self._database.count(ACCEPTED)
        if not frontier.size == count == self.size:
            raise Refusal("notary.integrity", "state and log do not agree", log=frontier.size, state=count)

    def _check_leaf(self, name: bytes, leaf: bytes) -> None:
        value = self._database.get(ACCEPTED, name)
        if value is None or codec.encode(receipts.leaf_of(codec.decode(value, Done))) != leaf:
            raise Refusal("notary.integrity", "an acceptance in the log is not in the state", id=name)


def _check_root(signed: bytes, found: bytes, height: int) -> None:
    if signed != found:
        raise Refusal("notary.integrity", "the log is not what was signed", height=height)
