"""The first tables of a vault."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables in an empty database."""
    _ledger()
    _flows()
    _others()


def _ledger() -> None:
    op.create_table(
        "transactions", _integer("number", key=True), _bytes("id"), _bytes("view"), _bytes("skeleton"),
        _bytes("receipt"), _text("status"), _bytes("notary"), _text("flow"), _integer("height"), _integer("time_ms"),
        sa.UniqueConstraint("id", name="uq_transactions_id"),
    )  # fmt: skip
    op.create_table(
        "template_tables", _integer("number", key=True), _bytes("package"), _text("template"), _text("package_name"),
        _text("table_name"), _integer("layout"),
        sa.UniqueConstraint("package", "template", name="uq_template_tables_package_template"),
        sa.UniqueConstraint("table_name", name="uq_template_tables_table_name"),
    )  # fmt: skip
    op.create_table(
        "contracts", _integer("number", key=True), _bytes("transaction_id"), _integer("entry_index"),
        sa.Column("template", BIG, sa.ForeignKey("template_tables.number"), nullable=False), _bytes("payload"),
        _bytes("payload_seed"), _bytes("confirmers_salt"), _bytes("entry"), _bytes("notary"), _text("status"),
        sa.Column("consumer", sa.LargeBinary), _bytes("signatories"), _bytes("observers"),
        sa.Column("known_valid", sa.Boolean, nullable=False), _integer("time_ms"),
        sa.UniqueConstraint("transaction_id", "entry_index", name="uq_contracts_transaction_id_entry_index"),
    )  # fmt: skip
    op.create_index("ix_contracts_consumer", "contracts", ["consumer"])
    op.create_table(
        "soft_locks", _bytes("transaction_id", key=True), _integer("entry_index", key=True), _text("holder"),
        _integer("until_ms"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("ix_soft_locks_holder", "soft_locks", ["holder"])


def _flows() -> None:
    op.create_table(
        "flows", _text("id", key=True), _text("kind"), _bytes("arguments"), _text("state"), _bytes("progress"),
        _bytes("result"), _integer("started_ms"), _integer("changed_ms"), _text("parent"),
    )  # fmt: skip
    op.create_index("ix_flows_state_started_ms_id", "flows", ["state", "started_ms", "id"])
    op.create_index("ix_flows_started_ms_id", "flows", ["started_ms", "id"])
    op.create_table(
        "journal", _text("flow", key=True), _integer("n", key=True), _bytes("entry"), sqlite_with_rowid=False
    )
    op.create_table(
        "timers", _text("flow", key=True), _text("key", key=True), _integer("at_ms"), sqlite_with_rowid=False
    )
    op.create_index("ix_timers_at_ms", "timers", ["at_ms"])
    op.create_table(
        "notary_requests", _bytes("id", key=True), _text("flow"), _bytes("notary"), _bytes("request"),
        _integer("attempts"), _integer("next_ms"),
    )  # fmt: skip
    op.create_index("ix_notary_requests_next_ms", "notary_requests", ["next_ms"])
    op.create_table(
        "inbox", _text("id", key=True), _text("flow"), _text("kind"), _bytes("summary"), _integer("created_ms"),
        _text("state"), _text("reason"),
    )  # fmt: skip
    op.create_index("ix_inbox_state_created_ms_id", "inbox", ["state", "created_ms", "id"])
    op.create_index("ix_inbox_created_ms_id", "inbox", ["created_ms", "id"])


def _others() -> None:
    op.create_table(
        "blobs", _text("space", key=True), _bytes("key", key=True), _bytes("value"), sqlite_with_rowid=False
    )
    op.create_table("privates", _bytes("commitment", key=True), _text("subject"), _bytes("value"), _bytes("salt"))
    op.create_index("ix_privates_subject", "privates", ["subject"])


def _bytes(name: str, *, key: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False, primary_key=key)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, primary_key=key)


def _integer(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False, primary_key=key, autoincrement=False)
