"""A turn: all that one turn of the node's loop reads and writes, in one database transaction."""

from __future__ import annotations

from interfirm.node.vault.archived import Archived
from interfirm.node.vault.blobs import Privates
from interfirm.node.vault.contracts import Contracts
from interfirm.node.vault.erasure import Erasure
from interfirm.node.vault.flows import Flows
from interfirm.node.vault.locks import Locks
from interfirm.node.vault.moves import Moves
from interfirm.node.vault.relations import Relations
from interfirm.node.vault.transactions import Transactions


class Turn(Archived, Transactions, Relations, Contracts, Moves, Locks, Flows, Privates, Erasure):
    """One database transaction with everything a vault keeps.

    Its methods see what was written before in the same turn. When the database fails, the Refusal (`vault.storage`,
    `vault.damaged`, `vault.busy`) ends the turn, whoever catches it: nothing of it is committed.
    """
