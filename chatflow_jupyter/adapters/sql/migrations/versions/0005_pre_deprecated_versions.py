"""Versions of definitions that are not to be started any more.

Revision ID: 0005_pre
Revises: 0004_pre
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_pre"
down_revision = "0004_pre"


def upgrade() -> None:
    op.create_table(
        "deprecations",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("deprecated_at", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "name", "version"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "name", "version"],
            ["definitions.tenant_id", "definitions.name", "definitions.version"],
        ),
        sqlite_with_rowid=False,
    )
