"""Run by Alembic: migrates over the connection that `upgrade` was given."""

from alembic import context

from chatflow_jupyter.adapters.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
