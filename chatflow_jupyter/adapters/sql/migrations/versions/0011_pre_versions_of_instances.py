"""The version an instance is pinned to is a column of its own, so that those of a version can be counted.

Revision ID: 0011_pre
Revises: 0010_pre
"""

import sqlalchemy as sa
from alembic import op

revision = "0011_pre"
down_revision = "0010_pre"

COLUMN = sa.Column(
    "version", sa.Text(), nullable=True, comment="NULL where a row of an older home could not be read"
)


def upgrade() -> None:
    op.add_column("instances", COLUMN)
    # In the database, which hands no row over: one that cannot be read stays as it is, and holds up no other.
    # What is no version stays out: text that is none in UTF-8 would keep the rows of others from being read.
    op.execute(
        "UPDATE instances SET version = json_extract(birth, '$.version') WHERE json_valid(birth) "
        "AND json_extract(birth, '$.version') NOT GLOB '*[^-+.0-9A-Za-z]*'"
    )
    op.create_index(
        "instances_by_version", "instances", ["tenant_id", "name", "version", "status"], unique=False
    )
