"""The tables. Every key and index of tenant data starts with `tenant_id`.

`timers`, `continuations`, `outbox` and `due_schedules` are dispatch tables: ids and times, read across
tenants. Times are whole microseconds since 1970 in UTC. JSON is text: what is asked for has a column of
its own.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.sql.elements import TextClause

from .dialects import GROWING_ID, TEXT, clustered, growing, only, put_conditions_on_indexes

metadata = MetaData()
put_conditions_on_indexes(metadata)

REVISION = "0013_pre"
"""The newest migration: what these tables are."""

# Conditions of partial indexes: queries must repeat them word for word, so they stand here once.
IS_QUEUED: TextClause = text("status = 'queued'")
IS_LEASED: TextClause = text("status = 'leased'")
IS_OPEN: TextClause = text("status IN ('queued', 'leased')")
IS_ROOT: TextClause = text("parent_id IS NULL")
IS_BUSY: TextClause = text("busy > 0")
HAS_OWNER: TextClause = text("owner_id IS NOT NULL")


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, TEXT, nullable=null)


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _time(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _of_instance() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["tenant_id", "instance_id"], ["instances.tenant_id", "instances.instance_id"], ondelete="CASCADE"
    )


tenants = Table(
    "tenants",
    metadata,
    _text("tenant_id"),
    Column("last_position", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id"),
    **clustered(),
)

instances = Table(
    "instances",
    metadata,
    _text("tenant_id"),
    _text("instance_id"),
    _text("root_id"),
    _text("parent_id", null=True),
    _text("parent_phase", null=True),
    Column("child_index", Integer, nullable=True),
    _text("feature_id", null=True),
    _text("name"),
    Column("born", BigInteger, nullable=False, comment="position of the first event"),
    _time("created_at"),
    Column("seq", BigInteger, nullable=False),
    _text("status"),
    _text("waiting_reason", null=True),
    Column("paused", Boolean, nullable=False),
    _text("phase", null=True),
    Column("version", TEXT, nullable=True, comment="NULL where a row of an older home could not be read"),
    Column("birth", Text, nullable=False, comment="JSON: what hardly ever changes after creation"),
    Column("state", Text, nullable=False, comment="JSON: the rest"),
    PrimaryKeyConstraint("tenant_id", "instance_id"),
    Index("instances_by_root", "tenant_id", "root_id", "born"),
    Index(
        "instances_by_parent",
        *("tenant_id", "parent_id", "parent_phase", "child_index"),
        unique=True,
        **only(text("parent_id IS NOT NULL")),
    ),
    Index("instances_by_version", "tenant_id", "name", "version", "status"),
    Index("roots", "tenant_id", "born", **only(IS_ROOT)),
    Index("roots_by_feature", "tenant_id", "feature_id", "born", **only(IS_ROOT)),
)

attempts = Table(
    "attempts",
    metadata,
    _text("tenant_id"),
    _text("attempt_id"),
    _text("instance_id"),
    _text("root_id"),
    _text("phase"),
    _number("number"),
    _text("notebook"),
    _text("kernel", null=True),
    _text("parameters"),
    Column("timeout_sec", Float, nullable=True),
    _text("status"),
    Column("fence", BigInteger, nullable=False),
    Column("queue_number", BigInteger, nullable=False, comment="grows with every attempt of the tenant"),
    _time("queued_at"),
    _text("runner_id", null=True),
    _text("owner_id", null=True),
    _time("lease_expires_at", null=True),
    _time("started_at", null=True),
    _time("ended_at", null=True),
    _text("progress", null=True),
    _text("failure", null=True),
    Column("run_as", Text, nullable=False, server_default="starter"),
    Column("starter", Text, nullable=True, comment="who started the instance"),
    PrimaryKeyConstraint("tenant_id", "attempt_id"),
    _of_instance(),
    Index("attempts_by_instance", "tenant_id", "instance_id", "queue_number"),
    Index("queued_attempts", "tenant_id", "queued_at", "queue_number", **only(IS_QUEUED)),
    Index(
        "leased_attempts",
        *("tenant_id", "lease_expires_at"),
        **only(IS_LEASED),
    ),
    Index("open_attempts", "tenant_id", "root_id", **only(IS_OPEN)),
)

request_keys = Table(
    "request_keys",
    metadata,
    _text("tenant_id"),
    _text("principal"),
    _text("key"),
    _text("request_sha256"),
    _text("answer"),
    _time("expires_at"),
    PrimaryKeyConstraint("tenant_id", "principal", "key"),
    Index("request_keys_by_expiry", "tenant_id", "expires_at"),
    **clustered(),
)

trees = Table(
    "trees",
    metadata,
    _text("tenant_id"),
    _text("root_id"),
    Column("born", BigInteger, nullable=False),
    _time("created_at"),
    _text("owner_id", null=True),
    _time("started_at", null=True),
    _time("ended_at", null=True),
    Column("busy", Integer, nullable=False, comment="nodes that give the engine something to do"),
    Column("asked", Integer, nullable=False, server_default=text("0"), comment="children asked for so far"),
    *(
        _number(node_class)
        for node_class in ("created", "running", "waiting", "failed", "tolerated", "terminated", "completed")
    ),
    PrimaryKeyConstraint("tenant_id", "root_id"),
    ForeignKeyConstraint(["tenant_id", "root_id"], ["instances.tenant_id", "instances.instance_id"]),
    Index("busy_trees", "tenant_id", "born", **only(IS_BUSY)),
    Index("trees_by_owner", "tenant_id", "owner_id", **only(HAS_OWNER)),
    **clustered(),
)

parts = Table(
    "parts",
    metadata,
    _text("tenant_id"),
    _text("instance_id"),
    Column("kind", Text, nullable=False, comment="child: known of its end; spawned: asked for; variable"),
    _number("place"),
    Column("name", Text, nullable=False, comment="the child's key"),
    Column("value", Text, nullable=False, comment="JSON"),
    PrimaryKeyConstraint("tenant_id", "instance_id", "kind", "place"),
    _of_instance(),
)

usage = Table(
    "usage",
    metadata,
    _text("tenant_id"),
    _text("instance_id"),
    Column("spent_sec", Float, nullable=False, comment="by it and all below it"),
    Column("children", BigInteger, nullable=False, comment="asked for by it and all below it"),
    Column("max_children", BigInteger, nullable=True),
    PrimaryKeyConstraint("tenant_id", "instance_id"),
    _of_instance(),
    **clustered(),
)

events = Table(
    "events",
    metadata,
    _text("tenant_id"),
    Column("position", BigInteger, nullable=False),
    _text("event_id"),
    _text("type"),
    _number("version"),
    _text("instance_id"),
    _text("root_id"),
    Column("seq", BigInteger, nullable=False),
    Column("place", Integer, nullable=False, comment="index within the transition"),
    _time("at"),
    _text("principal"),
    _text("phase", null=True),
    Column("attempt", Integer, nullable=True),
    _text("data"),
    PrimaryKeyConstraint("tenant_id", "position"),
    Index("events_by_instance", "tenant_id", "instance_id", "position"),
    Index("events_by_root", "tenant_id", "root_id", "position"),
    **clustered(),
)

outbox = Table(
    "outbox",
    metadata,
    Column("outbox_id", GROWING_ID, primary_key=True),
    _text("tenant_id"),
    Column("position", BigInteger, nullable=False),
    **growing(),
)

continuations = Table(
    "continuations",
    metadata,
    Column("continuation_id", GROWING_ID, primary_key=True),
    _text("tenant_id"),
    _text("instance_id"),
    _text("root_id"),
    _text("kind"),
    _text("about", null=True),
    _of_instance(),
    **growing(),
)

timers = Table(
    "timers",
    metadata,
    _text("tenant_id"),
    _text("instance_id"),
    _text("kind"),
    _text("root_id"),
    _time("due_at"),
    PrimaryKeyConstraint("tenant_id", "instance_id", "kind"),
    _of_instance(),
    Index("timers_by_due", "due_at"),
    **clustered(),
)

blobs = Table(
    "blobs",
    metadata,
    _text("tenant_id"),
    _text("sha256"),
    Column("size_bytes", BigInteger, nullable=False),
    _text("state"),
    _time("touched_at"),
    PrimaryKeyConstraint("tenant_id", "sha256"),
    Index("blobs_by_touch", "tenant_id", "touched_at"),
    **clustered(),
)

artifacts = Table(
    "artifacts",
    metadata,
    _text("tenant_id"),
    _text("attempt_id"),
    _text("name"),
    _text("instance_id"),
    _text("phase"),
    _number("attempt"),
    _text("kind"),
    _text("media_type"),
    _text("sha256"),
    Column("size_bytes", BigInteger, nullable=False),
    _time("created_at"),
    _time("deleted_at", null=True),
    PrimaryKeyConstraint("tenant_id", "attempt_id", "name"),
    ForeignKeyConstraint(["tenant_id", "attempt_id"], ["attempts.tenant_id", "attempts.attempt_id"]),
    ForeignKeyConstraint(["tenant_id", "sha256"], ["blobs.tenant_id", "blobs.sha256"]),
    Index("artifacts_by_blob", "tenant_id", "sha256"),
    **clustered(),
)

journal = Table(
    "journal",
    metadata,
    _text("tenant_id"),
    _text("instance_id"),
    _text("phase"),
    _text("name"),
    _text("attempt_id"),
    _text("value"),
    _text("sha256", null=True),
    _time("created_at"),
    PrimaryKeyConstraint("tenant_id", "instance_id", "phase", "name"),
    _of_instance(),
    Index("journal_by_blob", "tenant_id", "sha256"),
    **clustered(),
)

owners = Table(
    "owners",
    metadata,
    _text("owner_id"),
    _text("host"),
    _text("boot_id"),
    _number("pid"),
    Column("started_ticks", BigInteger, nullable=False),
    _text("kind"),
    _time("registered_at"),
    PrimaryKeyConstraint("owner_id"),
    **clustered(),
)
