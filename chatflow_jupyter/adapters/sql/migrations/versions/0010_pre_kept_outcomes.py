"""Outcomes that may be reused, by the hash of the inputs they were made from.

Revision ID: 0010_pre
Revises: 0009_pre
"""

import sqlalchemy as sa
from alembic import op

revision = "0010_pre"
down_revision = "0009_pre"

OF_INSTANCE = (["tenant_id", "instance_id"], ["instances.tenant_id", "instances.instance_id"])


def upgrade() -> None:
    op.create_table(
        "kept_outcomes",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="SHA-256 over the inputs"),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("risk", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
        sa.ForeignKeyConstraint(*OF_INSTANCE),
        sqlite_with_rowid=False,
    )
    op.create_index("kept_outcomes_by_expiry", "kept_outcomes", ["tenant_id", "expires_at"], unique=False)
