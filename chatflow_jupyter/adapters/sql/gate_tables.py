"""The tables of answers to gates and of waivers, beside those of `schema`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    false,
)

from .dialects import TEXT, clustered
from .schema import metadata

decisions = Table(
    "decisions",
    metadata,
    Column("tenant_id", TEXT, nullable=False),
    Column("instance_id", TEXT, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("phase", TEXT, nullable=False),
    Column("principal", TEXT, nullable=False),
    Column("decision", TEXT, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("reason", TEXT, nullable=True),
    Column("data", TEXT, nullable=False),
    Column("shown", TEXT, nullable=True, comment="hash over the artifacts there were to see"),
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
    Column("tenant_id", TEXT, nullable=False),
    Column("waiver_id", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("phase", TEXT, nullable=False),
    Column("feature_id", TEXT, nullable=True),
    Column("principal", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger, nullable=True),
    PrimaryKeyConstraint("tenant_id", "waiver_id"),
    Index("waivers_by_gate", "tenant_id", "name", "phase", "expires_at"),
    **clustered(),
)
