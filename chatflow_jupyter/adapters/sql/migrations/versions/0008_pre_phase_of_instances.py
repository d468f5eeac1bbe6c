"""The phase an instance stands in is a column of its own, for those who only ask where it stands.

Revision ID: 0008_pre
Revises: 0007_pre
"""

import json
from contextlib import suppress

import sqlalchemy as sa
from alembic import op

revision = "0008_pre"
down_revision = "0007_pre"

DAMAGED = (AttributeError, LookupError, TypeError, ValueError)


def upgrade() -> None:
    op.add_column("instances", sa.Column("phase", sa.Text(), nullable=True))
    bind = op.get_bind()
    stored = bind.exec_driver_sql("SELECT tenant_id, instance_id, state FROM instances").fetchall()
    for tenant, instance, state in stored:
        with suppress(*DAMAGED):  # a row that cannot be read stays as it is, and holds up no other
            phase = json.loads(state)["phase"]
            bind.execute(
                sa.text("UPDATE instances SET phase = :phase WHERE tenant_id = :t AND instance_id = :i"),
                {"phase": None if phase is None else str(phase), "t": tenant, "i": instance},
            )
