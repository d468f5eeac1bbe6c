"""Who did what: a chain of rows per tenant, and where each ends.

Revision ID: 0009_pre
Revises: 0008_pre
"""

import sqlalchemy as sa
from alembic import op

revision = "0009_pre"
down_revision = "0008_pre"


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("claimed", sa.Boolean(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("request_sha256", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False, comment="over the row before and this one"),
        sa.PrimaryKeyConstraint("tenant_id", "position"),
        sqlite_with_rowid=False,
    )
    for name, column in (
        ("audit_by_subject", "subject"),
        ("audit_by_principal", "principal"),
        ("audit_by_verb", "verb"),
    ):
        op.create_index(name, "audit", ["tenant_id", column, "position"], unique=False)
    op.create_index("audit_by_time", "audit", ["tenant_id", "at"], unique=False)
    op.create_table(
        "audit_ends",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
        sqlite_with_rowid=False,
    )
