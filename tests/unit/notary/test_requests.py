"""A request for the notary is the same from the builder's draft and from a signer's view that shows everything."""

from __future__ import annotations

import pytest
from tests.support.contracts.iou import contract as iou
from tests.support.ledger import ENGINE, Network
from tests.support.parties import party

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.contracts.language import Party
from interfirm.contracts.types import CreateCommand, ExerciseCommand
from interfirm.ledger import signing
from interfirm.ledger.verification import Verified
from interfirm.notary.requests import request_of, shows_all
from interfirm.notary.uniqueness.machine import transaction_of


class Case:
    """A debt that both sides forgive."""

    def __init__(self) -> None:
        self.network = Network("ann bob eve")
        self.ann, self.bob = party("ann"), party("bob")
        code = ENGINE.named("iou.Iou")
        made = iou.Iou(debtor=Party(self.ann.id), creditor=Party(self.bob.id), amount=iou.Money(1000, "EUR"))
        done = self.network.transact(CreateCommand(code.id, codec.plain(made)))
        self.draft = self.network.draft(ExerciseCommand(done.ref("Iou"), code.id, "forgive", []))
        self.signatures = [signing.sign(p.signer, p.id, self.draft.id) for p in (self.ann, self.bob)]

    def seen(self) -> Verified:
        """What a signer sees of it."""
        return self.network.members[self.bob.id].verify(self.network.whole_view(self.draft))


def test_a_signer_that_sees_everything_makes_the_request_that_the_builder_makes() -> None:
    case = Case()
    verified = case.seen()
    assert shows_all(verified)
    found = request_of(verified, case.signatures)
    assert found == request_of(case.draft, case.signatures, salts=case.network.salts)
    assert transaction_of(found) == case.draft.id


def test_a_signer_that_sees_a_part_cannot_make_a_request() -> None:
    case = Case()
    verified = case.seen()
    part = verified.replace(view=verified.view.replace(lines=(verified.view.lines[0].hash, *verified.view.lines[1:])))  # type: ignore[union-attr]
    with pytest.raises(Refusal, match=r"ledger\.partial"):
        request_of(part, case.signatures)
