"""The artifacts of an instance are a range of the primary key; the index by instance served nobody.

Revision ID: 0012_pre
Revises: 0011_pre
"""

from alembic import op

revision = "0012_pre"
down_revision = "0011_pre"


def upgrade() -> None:
    op.drop_index("artifacts_by_instance", "artifacts")
