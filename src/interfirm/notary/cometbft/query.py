"""What can be asked of one validator about the committed state: values with proofs, and answers without (pure)."""

from __future__ import annotations

import re

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.notary import questions
from interfirm.notary.cometbft.application import Application
from interfirm.notary.cometbft.types import Proven
from interfirm.notary.state import SPACES, Overlay
from interfirm.notary.types import Ask

_STORE = re.compile(r"/store/([a-z]+)/key\Z")


def answer_query(application: Application, path: str, data: bytes, height: int) -> Proven:
    """The answer to a query at a height (0: the last one).

    - `/store/SPACE/key` of a key: its value, with proof operations up to the app hash
    - `/ask` of an `Ask` as a block: what the notary says, as a block; believed only by who trusts this validator

    - `/tells` of an envelope with a `Listen`: `Heard`
    - `/seals` of a consumer's hash: the block of sealed views, none if there is none (any more)

    Refusal `query.path`, and as `StateStore.prove` and `questions.answer`.
    """
    store = application.store
    found = _STORE.match(path)
    if found and found[1] in SPACES:
        return store.prove(found[1], data, height or store.height)
    if path == "/ask":
        judged = application.judged_height
        said = questions.answer(codec.decode(data, Ask), Overlay(store, application.limits), judged, application.now)
        return Proven(value=codec.encode(said), height=judged, operations=())
    if path == "/tells":
        return Proven(value=codec.encode(application.listen(data)), height=store.height, operations=())
    if path == "/seals":
        return Proven(value=store.seals(data) or None, height=store.height, operations=())
    raise Refusal("query.path", "there is nothing to ask for under this path", path=path[:80])
