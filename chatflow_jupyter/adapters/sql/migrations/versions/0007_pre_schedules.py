"""Schedules, the log of their times, and the dispatch table that says which are due.

Revision ID: 0007_pre
Revises: 0006_pre
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_pre"
down_revision = "0006_pre"


OF_SCHEDULE = (["tenant_id", "schedule_id"], ["schedules.tenant_id", "schedules.schedule_id"])


def upgrade() -> None:
    _create_schedules()
    _create_their_log()
    _create_what_is_due()


def _create_schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("schedule_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("next_due_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("spec", sa.Text(), nullable=False, comment="JSON: what it starts and when, and the last"),
        sa.PrimaryKeyConstraint("tenant_id", "schedule_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "schedules_by_name",
        "schedules",
        ["tenant_id", "name"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
    )


def _create_their_log() -> None:
    op.create_table(
        "schedule_log",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("schedule_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("instance_id", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "schedule_id", "seq", "place"),
        sa.ForeignKeyConstraint(*OF_SCHEDULE),
        sqlite_with_rowid=False,
    )


def _create_what_is_due() -> None:
    op.create_table(
        "due_schedules",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("schedule_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "schedule_id"),
        sa.ForeignKeyConstraint(*OF_SCHEDULE),
        sqlite_with_rowid=False,
    )
    op.create_index("schedules_by_due", "due_schedules", ["due_at"], unique=False)
