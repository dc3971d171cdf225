"""How Alembic runs the scripts: on the vault's own connection, inside its transaction."""

from __future__ import annotations

from alembic import context

from interfirm.node.vault.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True,
    transactional_ddl=True,
)  # fmt: skip
with context.begin_transaction():
    context.run_migrations()
