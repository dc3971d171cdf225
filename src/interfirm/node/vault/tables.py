"""The vault's own tables as SQLAlchemy Core declares them; tables per template are made in `template_tables.py`.

`number` is given by the vault in the order of arrival: one writer, so no sequence is needed, and every list has a
total order that new rows only ever extend.
"""

from __future__ import annotations

import sqlalchemy as sa

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""64 bits; SQLite makes a row id only of a column declared INTEGER."""
NAMES = {"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
metadata = sa.MetaData(naming_convention=NAMES)


def _bytes(name: str, *, nullable: bool = False, key: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=nullable, primary_key=key)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, primary_key=key)


def _integer(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False, primary_key=key, autoincrement=False)


transactions = sa.Table(
    "transactions", metadata, _integer("number", key=True), _bytes("id"), _bytes("view"), _bytes("skeleton"),
    _bytes("receipt"), _text("status"), _bytes("notary"), _text("flow"), _integer("height"), _integer("time_ms"),
    sa.UniqueConstraint("id"),
)  # fmt: skip

templates = sa.Table(
    "template_tables", metadata, _integer("number", key=True), _bytes("package"), _text("template"),
    _text("package_name"), _text("table_name"), _integer("layout"),
    sa.UniqueConstraint("package", "template"), sa.UniqueConstraint("table_name"),
)  # fmt: skip

contracts = sa.Table(
    "contracts", metadata, _integer("number", key=True), _bytes("transaction_id"), _integer("entry_index"),
    sa.Column("template", BIG, sa.ForeignKey("template_tables.number"), nullable=False), _bytes("payload"),
    _bytes("payload_seed"), _bytes("confirmers_salt"), _bytes("entry"), _bytes("notary"), _text("status"),
    _bytes("consumer", nullable=True), _bytes("signatories"), _bytes("observers"),
    sa.Column("known_valid", sa.Boolean, nullable=False), _integer("time_ms"),
    _bytes("origin_transaction_id", nullable=True), sa.Column("origin_entry_index", BIG),
    sa.UniqueConstraint("transaction_id", "entry_index"), sa.Index(None, "consumer"),
)  # fmt: skip

moves = sa.Table(
    "moves", metadata, _integer("number", key=True), _bytes("lock"), _bytes("transaction_id"), _integer("entry_index"),
    _bytes("origin"), _bytes("target"), _integer("until_ms"), _bytes("nonce"), _bytes("lock_receipt"),
    _bytes("import_receipt"), _text("status"), _integer("time_ms"),
    sa.UniqueConstraint("lock"), sa.Index(None, "transaction_id", "entry_index"),
)  # fmt: skip

soft_locks = sa.Table(
    "soft_locks", metadata, _bytes("transaction_id", key=True), _integer("entry_index", key=True), _text("holder"),
    _integer("until_ms"), sa.Index(None, "holder"), sqlite_with_rowid=False,
)  # fmt: skip

flows = sa.Table(
    "flows", metadata, _text("id", key=True), _text("kind"), _bytes("arguments"), _text("state"), _bytes("progress"),
    _bytes("result"), _integer("started_ms"), _integer("changed_ms"), _text("parent"),
    sa.Index(None, "state", "started_ms", "id"), sa.Index(None, "started_ms", "id"),
)  # fmt: skip

journal = sa.Table(
    "journal", metadata, _text("flow", key=True), _integer("n", key=True), _bytes("entry"), sqlite_with_rowid=False
)

timers = sa.Table(
    "timers", metadata, _text("flow", key=True), _text("key", key=True), _integer("at_ms"), sa.Index(None, "at_ms"),
    sqlite_with_rowid=False,
)  # fmt: skip

notary_requests = sa.Table(
    "notary_requests", metadata, _bytes("id", key=True), _text("flow"), _bytes("notary"), _bytes("request"),
    _integer("attempts"), _integer("next_ms"), sa.Index(None, "next_ms"),
)  # fmt: skip

inbox = sa.Table(
    "inbox", metadata, _text("id", key=True), _text("flow"), _text("kind"), _bytes("summary"), _integer("created_ms"),
    _text("state"), _text("reason"), sa.Index(None, "state", "created_ms", "id"), sa.Index(None, "created_ms", "id"),
)  # fmt: skip

blobs = sa.Table(
    "blobs", metadata, _text("space", key=True), _bytes("key", key=True), _bytes("value"), sqlite_with_rowid=False
)

privates = sa.Table(
    "privates", metadata, _bytes("commitment", key=True), _text("subject"), _bytes("value"), _bytes("salt"),
    sa.Index(None, "subject"),
)  # fmt: skip
