"""Idempotency keys by when they expire: those that did are found without reading all the others.

Revision ID: 0003_pre
Revises: 0002_pre
"""

from alembic import op

revision = "0003_pre"
down_revision = "0002_pre"


def upgrade() -> None:
    op.create_index("request_keys_by_expiry", "request_keys", ["tenant_id", "expires_at"], unique=False)
