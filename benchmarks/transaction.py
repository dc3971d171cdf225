"""What a transaction costs: interpret, build and sign with two signers; verify in full.

The limit beside it is the verification of the same two signatures alone. Figures to beat, quoted and not run: Corda
4.10 builds and signs 387, verifies 776 transactions a second on this kind of machine.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

from tests.support.contracts.iou import contract as iou
from tests.support.ledger import ENGINE, Network
from tests.support.parties import party

from benchmarks.common import microseconds, result, two_signatures_microseconds
from interfirm.base import codec
from interfirm.contracts.language import Party
from interfirm.contracts.types import CreateCommand, ExerciseCommand
from interfirm.ledger import signing
from interfirm.ledger.types import View
from interfirm.ledger.verification import verify_view

CORDA_BUILD, CORDA_VERIFY = 387, 776
AIM = 0.5
DIFFERENT = 700
"""Transactions that are verified in turn, so that nothing which is kept of one serves it again."""


def run(*, quick: bool = False) -> dict[str, Any]:
    """The result, JSON-ready."""
    count = 20 if quick else 300
    network = Network("ann bob")
    ann, bob = party("ann"), party("bob")
    code = ENGINE.named("iou.Iou")
    made = iou.Iou(debtor=Party(ann.id), creditor=Party(bob.id), amount=iou.Money(1000, "EUR"))
    done = network.transact(CreateCommand(code.id, codec.plain(made)))
    forgive = ExerciseCommand(done.ref("Iou"), code.id, "forgive", [])

    def build() -> Any:
        draft = network.draft(forgive)
        return draft, [signing.sign(p.signer, p.id, draft.id) for p in (ann, bob)]

    drafts = [build() for _ in range(DIFFERENT)]
    views = cycle([(codec.encode(network.whole_view(draft)), signatures) for draft, signatures in drafts])
    viewer = network.members[bob.id]

    def verify() -> None:
        data, signatures = next(views)
        view = codec.decode(data, View)
        found = verify_view(view, engine=ENGINE, world=viewer, network=view.header.network)
        for signature in signatures:
            signing.check_signature(signature, found.id)

    built, verified = microseconds(build, count=count), microseconds(verify, count=count)
    limit = two_signatures_microseconds(count=count * 4)
    ratio = limit / verified
    rates = {"build_and_sign_per_s": 1e6 / built, "full_verify_per_s": 1e6 / verified}
    return result(
        "transaction",
        figures={"build_and_sign_us": built, "full_verify_us": verified, **rates},
        peers={"two_signatures_alone_us": limit, "corda_build_per_s": CORDA_BUILD, "corda_verify_per_s": CORDA_VERIFY},
        ratios={
            "verify_to_signatures_alone": ratio,
            "build_to_corda": rates["build_and_sign_per_s"] / CORDA_BUILD,
            "verify_to_corda": rates["full_verify_per_s"] / CORDA_VERIFY,
        },
        met=ratio >= AIM and rates["build_and_sign_per_s"] > CORDA_BUILD and rates["full_verify_per_s"] > CORDA_VERIFY,
        limited_by="Python between the signatures: decoding, re-execution, about 40 hashes, authority checks",
    )
