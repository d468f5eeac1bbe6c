"""The tables of the audit, beside those of `schema`."""

from sqlalchemy import BigInteger, Boolean, Column, Index, PrimaryKeyConstraint, Table, Text

from .dialects import clustered
from .schema import metadata

audit = Table(
    "audit",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("principal", Text, nullable=False),
    Column("claimed", Boolean, nullable=False),
    Column("verb", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("about", Text, nullable=True),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("key", Text, nullable=True),
    Column("request_sha256", Text, nullable=True),
    Column("sha256", Text, nullable=False, comment="over the row before and this one"),
    PrimaryKeyConstraint("tenant_id", "position"),
    Index("audit_by_subject", "tenant_id", "subject", "position"),
    Index("audit_by_principal", "tenant_id", "principal", "position"),
    Index("audit_by_verb", "tenant_id", "verb", "position"),
    # Neither of both above ends a search for what one person hardly ever does, though everybody else does.
    Index("audit_by_principal_and_verb", "tenant_id", "principal", "verb", "position"),
    Index("audit_by_time", "tenant_id", "at"),
    **clustered(),
)

audit_ends = Table(
    "audit_ends",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id"),
    **clustered(),
)
