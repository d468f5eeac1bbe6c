"""As whom an attempt is to be run, and who started its instance.

Revision ID: 0008_pre
Revises: 0007_pre
"""

import sqlalchemy as sa
from alembic import op

revision = "0008_pre"
down_revision = "0007_pre"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("run_as", sa.Text(), nullable=False, server_default="starter"))
    op.add_column("attempts", sa.Column("starter", sa.Text(), nullable=True))
