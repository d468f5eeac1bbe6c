"""As whom an attempt is to be run, and who started its instance.

Revision ID: 0006_pre
Revises: 0005_pre
"""

import sqlalchemy as sa
from alembic import op

revision = "0006_pre"
down_revision = "0005_pre"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("run_as", sa.Text(), nullable=False, server_default="starter"))
    op.add_column("attempts", sa.Column("starter", sa.Text(), nullable=True))
