"""The table of outcomes that may be reused, beside those of `schema`."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from .dialects import clustered
from .schema import metadata

kept_outcomes = Table(
    "kept_outcomes",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("key", Text, nullable=False, comment="SHA-256 over the inputs"),
    Column("instance_id", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("risk", Integer, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "key"),
    ForeignKeyConstraint(["tenant_id", "instance_id"], ["instances.tenant_id", "instances.instance_id"]),
    Index("kept_outcomes_by_expiry", "tenant_id", "expires_at"),
    **clustered(),
)
