"""The tables of published definitions, beside those of `schema`."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table, Text

from .dialects import clustered
from .schema import metadata

definitions = Table(
    "definitions",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("bundle_sha256", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("pins", Text, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "name", "version"),
    Index("definitions_by_bundle", "tenant_id", "bundle_sha256"),
)

deprecations = Table(
    "deprecations",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("deprecated_at", BigInteger, nullable=False),
    Column("withdrawn_at", BigInteger, nullable=True),
    PrimaryKeyConstraint("tenant_id", "name", "version"),
    ForeignKeyConstraint(
        ["tenant_id", "name", "version"],
        ["definitions.tenant_id", "definitions.name", "definitions.version"],
    ),
    **clustered(),
)
