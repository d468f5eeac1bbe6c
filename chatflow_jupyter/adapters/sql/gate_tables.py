"""The tables of answers to gates and of waivers, beside those of `schema`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
)

from .dialects import clustered
from .schema import metadata

decisions = Table(
    "decisions",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("instance_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("phase", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=True),
    Column("data", Text, nullable=False),
    Column("shown", Text, nullable=True, comment="hash over the artifacts there were to see"),
    Column("claimed", Boolean, nullable=False, server_default=false(), comment="the name was not verified"),
    PrimaryKeyConstraint("tenant_id", "instance_id", "seq", "phase", "principal"),
    ForeignKeyConstraint(
        ["tenant_id", "instance_id"], ["instances.tenant_id", "instances.instance_id"], ondelete="CASCADE"
    ),
    **clustered(),
)

waivers = Table(
    "waivers",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("waiver_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("feature_id", Text, nullable=True),
    Column("principal", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger, nullable=True),
    PrimaryKeyConstraint("tenant_id", "waiver_id"),
    Index("waivers_by_gate", "tenant_id", "name", "phase", "expires_at"),
    **clustered(),
)
