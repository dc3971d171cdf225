"""Checking an archive without node or network, and proving from it: transactions are run again, receipts verified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.vrf import vrf_verify
from interfirm.contracts.packages import Engine
from interfirm.contracts.types import ContractRef, Create
from interfirm.ledger.proof import ProofBundle, prove_contract
from interfirm.ledger.receipts.verify import verify_receipt_of
from interfirm.ledger.types import Disclosure, View
from interfirm.ledger.verification import Verified, names_from, verify_view
from interfirm.node.books import Directory
from interfirm.node.retention.types import ArchivedContract, ArchivedTransaction


class Reader:
    """A verification.World for what a node has recorded: receipts and claims are checked anew.

    That the history of each input holds is not asked for again: the node verified it before it recorded what used it,
    and the archive's root shows that nothing has changed since.
    """

    def __init__(self, engine: Engine, directory: Directory, network: bytes) -> None:
        self.engine, self.network = engine, network
        self._directory = directory

    def trusted(self, notary: bytes) -> None:
        """See verification.World."""
        self._directory.anchor(notary)

    def accepted(self, receipt: bytes, transaction: bytes, network: bytes, notary: bytes) -> None:
        """See verification.World."""
        check(network == self.network, "ledger.network", "a transaction of another network", network=network)
        verify_receipt_of(transaction, receipt, anchor=self._directory.anchor(notary))

    def claim_output(self, owner: bytes, alpha: bytes, proof: bytes) -> bytes:
        """See verification.World."""
        return vrf_verify(self._directory.vrf_key(owner), alpha, proof)

    def known_valid(self, ref: ContractRef) -> bool:
        """See verification.World, and the class."""
        return True

    def remembered(self, ref: ContractRef) -> Disclosure | None:
        """See verification.World."""
        return None

    def verified(self, held: ArchivedTransaction) -> Verified:
        """A transaction that holds, with its receipt and the contracts that it made.

        Raises Refusal `archive.contract` where a contract is not the one that it made, and those of the ledger and of
        receipts.
        """
        view = codec.decode(held.view, View)
        found = verify_view(view, engine=self.engine, world=self, network=self.network, transaction=held.id)
        self.accepted(held.receipt, held.id, view.header.network, held.notary)
        for each in held.contracts:
            _check_made(found, each)
        return found

    def proof(self, held: ArchivedTransaction, index: int) -> ProofBundle:
        """The proof of a contract that an archived transaction made; Refusal `proof.contract` where it made none."""
        return prove_contract(self.verified(held), index, receipt=held.receipt, names=names_from(self.engine))


def _check_made(found: Verified, held: ArchivedContract) -> None:
    made = found.created.get(held.index)
    action = None if made is None else made.action
    same = (
        made is not None
        and isinstance(action, Create)
        and (action.template, action.payload) == (held.template, held.payload)
        and (made.payload_seed, codec.encode(made.entry)) == (held.payload_seed, held.entry)
    )
    check(same, "archive.contract", "the transaction made another contract than the archive says", index=held.index)


def checked(transactions: Iterable[ArchivedTransaction], reader: Reader) -> Iterator[Verified]:
    """Each transaction verified; the Refusal of the first that does not hold names it."""
    for held in transactions:
        try:
            yield reader.verified(held)
        except Refusal as refusal:
            raise Refusal("archive.transaction", "a transaction of the archive does not hold", transaction=held.id,
                          rule=refusal.code, reason=refusal.message) from refusal  # fmt: skip
