"""Acts of one verb by one principal are found in an index of their own.

Revision ID: 0013_pre
Revises: 0012_pre
"""

from alembic import op

revision = "0013_pre"
down_revision = "0012_pre"


def upgrade() -> None:
    op.create_index(
        "audit_by_principal_and_verb", "audit", ["tenant_id", "principal", "verb", "position"], unique=False
    )
