"""Alembic's environment: it runs in the transaction of `migrate.upgrade`."""

from alembic import context

from steelsight.ledger.database.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
context.run_migrations()
