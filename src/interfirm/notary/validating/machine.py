"""Re-executing whole transactions: code from approved packages, inputs from this notary's own acceptances.

What is refused here has effects that any notary would take: signed by all who confirm, unspent, in time. Accepted, it
is vouched for: its commands lead to these effects, and what it rests on was re-executed here as well, or is signed for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from interfirm.base import codec, vrf
from interfirm.base.errors import Refusal
from interfirm.contracts import language
from interfirm.contracts.packages import Engine, Package, TemplateCode
from interfirm.contracts.types import ContractRef, Create, TemplateId
from interfirm.ledger.history import verify_history
from interfirm.ledger.types import ConsumeEntry, CreateEntry, Disclosure, LineOpening, Passed, Shown, View
from interfirm.ledger.verification import Verified, verify_view
from interfirm.notary.governance.parameters import VALIDATES_ALL
from interfirm.notary.packages.machine import check_approved
from interfirm.notary.registry.machine import record_of
from interfirm.notary.state import ACCEPTED, PACKAGES, VALIDATED, Overlay
from interfirm.notary.types import Abroad, Notarise, NotariseWhole, ref_key

PUBLISHED, SOURCE = b"published", b"source"
YES = b"\x01"
_LOADED = Engine()
"""Packages that were needed so far; what a package means follows from its id, so that it is loaded once."""


# packages ------------------------------------------------------------------------------------------------------------


def publish(package: Package, state: Overlay) -> bytes:
    """Keep the source of an approved package; again is harmless. Returns its id.

    Refusals `package.unknown` for one, or a dependency, that is not approved; `package.source` for a dependency without
    source; `contract.*` for what cannot be loaded.
    """
    check_approved(package.id, state)
    for dependency in package.dependencies.values():
        _load(dependency, state)
    _LOADED.load(package)
    if state.get(PACKAGES, PUBLISHED + package.id) is None:
        state.put(PACKAGES, PUBLISHED + package.id, YES)
        state.put(PACKAGES, SOURCE + package.id, codec.encode(package))
    return package.id


def _load(package: bytes, state: Overlay) -> set[bytes]:
    """Have an approved package at hand, with all that it depends on; the ids of these."""
    check_approved(package, state)
    state.need(PACKAGES, PUBLISHED + package, "package.source", "the package's source was not published")
    found = _LOADED.packages.get(package)
    if found is None:
        data = state.need(PACKAGES, SOURCE + package, "package.source", "the package's source was not published")
        found = codec.decode(data, Package)
    closure = {package}.union(*(_load(each, state) for each in found.dependencies.values()))
    _LOADED.load(found)
    return closure


class _Approved:
    """An engine (interpreter.Engine) of those packages that a transaction names, and what these depend on.

    All of them are loaded before it runs: loading counts steps too, and what one validator had at hand before must make
    no difference.
    """

    def __init__(self, views: Iterable[View], state: Overlay) -> None:
        self._known: set[bytes] = set()
        for package in sorted(set[bytes]().union(*map(_named, views))):
            self._known |= _load(package, state)
        self.meter = _LOADED.meter

    def template(self, template: TemplateId) -> TemplateCode:
        """See interpreter.Engine."""
        self._check(template)
        return _LOADED.template(template)

    def code_of(self, cls: type[language.Template]) -> TemplateCode:
        """See interpreter.Engine."""
        code = _LOADED.code_of(cls)
        self._check(code.id)
        return code

    def _check(self, template: TemplateId) -> None:
        if template.package not in self._known:
            raise Refusal("contract.package", "the transaction does not name this package", package=template.package)


def _named(view: View) -> set[bytes]:
    """The packages of the templates that a view's commands and inputs name."""
    found = {each.template.package for each in view.inputs}
    waiting = list(view.roots)
    while waiting:
        branch = waiting.pop()
        if isinstance(branch, Passed):
            waiting += branch.children
        elif isinstance(branch, Shown):
            found.add(branch.command.template.package)
    return found


# transactions --------------------------------------------------------------------------------------------------------


class Word:
    """What the notary knows itself, as `verification.World`."""

    def __init__(self, state: Overlay, notary: bytes, abroad: Abroad) -> None:
        self._state, self._notary, self._abroad = state, notary, abroad
        self.shown = frozenset[ContractRef]()
        """What the history that came with a request shows to be valid."""

    def trusted(self, notary: bytes) -> None:
        """See World: whose word is taken is known by the receipt, which what comes from elsewhere brings."""

    def accepted(self, receipt: bytes, transaction: bytes, network: bytes, notary: bytes) -> None:
        """See World: of its own acceptances it needs no receipt."""
        if notary == self._notary:
            self._state.need(ACCEPTED, transaction, "receipt.none", "this notary accepted nothing of this id")
        elif self._abroad.receipt(notary, receipt) != transaction:
            raise Refusal("receipt.transaction", "the receipt is for another id", transaction=transaction)

    def claim_output(self, owner: bytes, alpha: bytes, proof: bytes) -> bytes:
        """See World."""
        return vrf.vrf_verify(record_of(owner, self._state).vrf, alpha, proof)

    def known_valid(self, ref: ContractRef) -> bool:
        """See World: it has re-executed the transaction that made the contract, now or then."""
        return ref in self.shown or (
            ref.transaction is not None and self._state.get(VALIDATED, ref.transaction) is not None
        )

    def remembered(self, ref: ContractRef) -> Disclosure | None:
        """See World: payloads are not kept."""
        return None


def validate(whole: NotariseWhole, transaction: bytes, *, word: Word, network: bytes, state: Overlay) -> None:
    """Refuse what does not re-execute to the transaction that is asked for; keep that it did.

    Refusal `ledger.partial` for a view that hides a part, `package.*`, and as `verify_history` and `verify_view`: above
    all `ledger.id`, where the commands lead to other effects.
    """
    request, view = whole.notarise, whole.view
    engine = _Approved((*(each.view for each in whole.history), view), state)
    word.shown = verify_history(whole.history, engine=engine, world=word, network=network)
    verified = verify_view(view, engine=engine, world=word, network=network, transaction=transaction)
    shown = len(verified.nodes) == len(request.entries) and all(isinstance(each, LineOpening) for each in view.lines)
    if not shown:
        raise Refusal("ledger.partial", "what is re-executed is shown whole", shown=len(verified.nodes))
    state.put(VALIDATED, transaction, YES)
    for entry in request.entries:
        if isinstance(entry, ConsumeEntry) and entry.ref.transaction is not None:
            key = ref_key(entry.ref)
            if state.get(VALIDATED, key) is not None:
                state.put(VALIDATED, key, None)
    for index in _guarded(verified, request, state):
        state.put(VALIDATED, ref_key(ContractRef(transaction, index)), YES)


def _guarded(verified: Verified, request: Notarise, state: Overlay) -> Iterator[int]:
    """The contracts made that stay, of templates whose contracts are used in re-executed transactions only."""
    gone = {
        each.ref.index for each in request.entries if isinstance(each, ConsumeEntry) and each.ref.transaction is None
    }
    for node in verified.nodes:
        action = node.action
        if isinstance(action, Create) and isinstance(node.entry, CreateEntry) and action.index not in gone:
            package = check_approved(action.template.package, state)
            if action.template.name in package.validated:
                yield action.index


def check_partial(request: Notarise, state: Overlay, *, mode: int) -> None:
    """Refuse (`notary.validating`) a transaction that must be re-executed and came without what that needs."""
    if mode == VALIDATES_ALL:
        raise Refusal("notary.validating", "this notary re-executes transactions; bring all of it")
    for index, entry in enumerate(request.entries):
        if isinstance(entry, CreateEntry) or entry.ref.transaction is None:
            continue
        if state.get(VALIDATED, ref_key(entry.ref)) is not None:
            raise Refusal("notary.validating", "contracts of this template are used in re-executed transactions only",
                          entry=index)  # fmt: skip
