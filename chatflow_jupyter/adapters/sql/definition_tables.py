"""The tables of published definitions, beside those of `schema`."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table

from .dialects import TEXT, clustered
from .schema import metadata

definitions = Table(
    "definitions",
    metadata,
    Column("tenant_id", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("version", TEXT, nullable=False),
    Column("content_hash", TEXT, nullable=False),
    Column("bundle_sha256", TEXT, nullable=False),
    Column("entry", TEXT, nullable=False),
    Column("definition", TEXT, nullable=False),
    Column("pins", TEXT, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "name", "version"),
    Index("definitions_by_bundle", "tenant_id", "bundle_sha256"),
)

deprecations = Table(
    "deprecations",
    metadata,
    Column("tenant_id", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("version", TEXT, nullable=False),
    Column("principal", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("deprecated_at", BigInteger, nullable=False),
    Column("withdrawn_at", BigInteger, nullable=True),
    PrimaryKeyConstraint("tenant_id", "name", "version"),
    ForeignKeyConstraint(
        ["tenant_id", "name", "version"],
        ["definitions.tenant_id", "definitions.name", "definitions.version"],
    ),
    **clustered(),
)
