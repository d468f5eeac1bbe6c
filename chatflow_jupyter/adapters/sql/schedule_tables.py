"""The tables of schedules, beside those of `schema`; `due_schedules` is a dispatch table."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.sql.elements import TextClause

from .dialects import clustered, only
from .schema import metadata

NOT_REMOVED: TextClause = text("removed_at IS NULL")


def _key() -> tuple[Column[str], Column[str]]:
    return Column("tenant_id", Text, nullable=False), Column("schedule_id", Text, nullable=False)


def _of_schedule() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["tenant_id", "schedule_id"], ["schedules.tenant_id", "schedules.schedule_id"]
    )


schedules = Table(
    "schedules",
    metadata,
    *_key(),
    Column("name", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("next_due_at", BigInteger, nullable=True),
    Column("removed_at", BigInteger, nullable=True),
    Column("spec", Text, nullable=False, comment="JSON: what it starts and when, and the last"),
    PrimaryKeyConstraint("tenant_id", "schedule_id"),
    Index("schedules_by_name", "tenant_id", "name", unique=True, **only(NOT_REMOVED)),
    **clustered(),
)

schedule_log = Table(
    "schedule_log",
    metadata,
    *_key(),
    Column("seq", BigInteger, nullable=False),
    Column("place", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=True),
    Column("instance_id", Text, nullable=True),
    Column("detail", Text, nullable=True),
    PrimaryKeyConstraint("tenant_id", "schedule_id", "seq", "place"),
    _of_schedule(),
    **clustered(),
)

due_schedules = Table(
    "due_schedules",
    metadata,
    *_key(),
    Column("due_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "schedule_id"),
    _of_schedule(),
    Index("schedules_by_due", "due_at"),
    **clustered(),
)
