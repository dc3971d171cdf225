"""An application that does not do what it should, behind a real engine.

    python -m tests.support.byzantine KIND CLUSTER-FOLDER NAME

KIND is `wrong-root` (its state is another), `stuffing` (its proposals hold garbage, one envelope twice, and what nobody
signed), `censoring` (it proposes nothing, and lets nothing in) or `lying` (it judges as the others do, and says that
nobody votes).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.notary.cometbft import abci
from interfirm.notary.cometbft.application import Application, Finalized
from interfirm.notary.cometbft.query import answer_query
from interfirm.notary.cometbft.types import Proven
from interfirm.notary.governance import constitution
from interfirm.runtime import validator

GARBAGE = b"nobody signed this"


class WrongRoot(Application):
    """Says that a block led to another state than it did."""

    def finalize(self, *arguments: Any, **more: Any) -> Finalized:
        return super().finalize(*arguments, **more).replace(app_hash=bytes(32))


class Stuffing(Application):
    """Proposes what no validator may accept."""

    def propose(self, transactions: Sequence[bytes], bytes_max: int, time: Instant) -> list[bytes]:
        return [GARBAGE, *transactions, *transactions]


class Censoring(Application):
    """Acts as if nobody had asked for anything."""

    def check(self, data: bytes, now: Instant) -> None:
        raise Refusal("envelope.censored", "not through this validator")

    def propose(self, transactions: Sequence[bytes], bytes_max: int, time: Instant) -> list[bytes]:
        return []


class Lying(Application):
    """Judges as it should."""


def lie(application: Application, path: str, data: bytes, height: int) -> Proven:
    """What is asked for, with its proof, but for the voters: there are none."""
    found = answer_query(application, path, data, height)
    if (path, data) == ("/store/governance/key", constitution.VOTERS):
        return found.replace(value=codec.encode(constitution.Voters()))
    return found


KINDS = {"wrong-root": WrongRoot, "stuffing": Stuffing, "censoring": Censoring, "lying": Lying}

if __name__ == "__main__":
    validator.Application = KINDS[sys.argv.pop(1)]  # type: ignore[misc]  # this process's application is another
    if validator.Application is Lying:
        abci.answer_query = lie  # and so is what it answers
    sys.exit(validator.main())
