"""Moves of contracts between notaries, and under which ref a contract that moved was created."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what is needed for contracts that moved; none of an older vault did."""
    op.add_column("contracts", sa.Column("origin_transaction_id", sa.LargeBinary))
    op.add_column("contracts", sa.Column("origin_entry_index", BIG))
    op.create_table(
        "moves", sa.Column("number", BIG, nullable=False, primary_key=True, autoincrement=False), _bytes("lock"),
        _bytes("transaction_id"), _integer("entry_index"), _bytes("origin"), _bytes("target"), _integer("until_ms"),
        _bytes("nonce"), _bytes("lock_receipt"), _bytes("import_receipt"),
        sa.Column("status", sa.Text, nullable=False), _integer("time_ms"),
        sa.UniqueConstraint("lock", name="uq_moves_lock"),
    )  # fmt: skip
    op.create_index("ix_moves_transaction_id_entry_index", "moves", ["transaction_id", "entry_index"])


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False)
