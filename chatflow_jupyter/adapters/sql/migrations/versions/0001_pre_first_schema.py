"""The first schema. There are no downgrades: a copy of the file is kept before every upgrade.

Revision ID: 0001_pre
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001_pre"
down_revision = None

GROWING_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_blobs()
    _create_definitions()
    _create_events()
    _create_instances()
    _index_instances()
    _create_outbox()
    _create_owners()
    _create_request_keys()
    _create_tenants()
    _create_attempts()
    _index_attempts()
    _create_continuations()
    _create_decisions()
    _create_journal()
    _create_timers()
    _create_trees()
    _create_artifacts()


def _create_blobs() -> None:
    op.create_table(
        "blobs",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("touched_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "sha256"),
        sqlite_with_rowid=False,
    )
    op.create_index("blobs_by_touch", "blobs", ["tenant_id", "touched_at"], unique=False)


def _create_definitions() -> None:
    op.create_table(
        "definitions",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("bundle_sha256", sa.Text(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("pins", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "name", "version"),
    )
    op.create_index("definitions_by_bundle", "definitions", ["tenant_id", "bundle_sha256"], unique=False)


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("root_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False, comment="index within the transition"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "position"),
        sqlite_with_rowid=False,
    )
    op.create_index("events_by_instance", "events", ["tenant_id", "instance_id", "position"], unique=False)
    op.create_index("events_by_root", "events", ["tenant_id", "root_id", "position"], unique=False)


def _index_instances() -> None:
    op.create_index(
        "instances_by_parent",
        "instances",
        ["tenant_id", "parent_id", "parent_phase", "child_index"],
        unique=True,
        sqlite_where=sa.text("parent_id IS NOT NULL"),
    )
    op.create_index("instances_by_root", "instances", ["tenant_id", "root_id", "born"], unique=False)
    op.create_index(
        "roots", "instances", ["tenant_id", "born"], unique=False, sqlite_where=sa.text("parent_id IS NULL")
    )
    op.create_index(
        "roots_by_feature",
        "instances",
        ["tenant_id", "feature_id", "born"],
        unique=False,
        sqlite_where=sa.text("parent_id IS NULL"),
    )


def _create_instances() -> None:
    op.create_table(
        "instances",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("root_id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("parent_phase", sa.Text(), nullable=True),
        sa.Column("child_index", sa.Integer(), nullable=True),
        sa.Column("feature_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("born", sa.BigInteger(), nullable=False, comment="position of the first event"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("waiting_reason", sa.Text(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column(
            "birth", sa.Text(), nullable=False, comment="JSON: what hardly ever changes after creation"
        ),
        sa.Column("state", sa.Text(), nullable=False, comment="JSON: the rest"),
        sa.PrimaryKeyConstraint("tenant_id", "instance_id"),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("outbox_id", GROWING_ID, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("outbox_id"),
        sqlite_autoincrement=True,
    )


def _create_owners() -> None:
    op.create_table(
        "owners",
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_ticks", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id"),
        sqlite_with_rowid=False,
    )


def _create_request_keys() -> None:
    op.create_table(
        "request_keys",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "principal", "key"),
        sqlite_with_rowid=False,
    )


def _create_tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
        sqlite_with_rowid=False,
    )


def _index_attempts() -> None:
    op.create_index(
        "attempts_by_instance", "attempts", ["tenant_id", "instance_id", "queue_number"], unique=False
    )
    op.create_index(
        "leased_attempts",
        "attempts",
        ["tenant_id", "lease_expires_at"],
        unique=False,
        sqlite_where=sa.text("status = 'leased'"),
    )
    op.create_index(
        "open_attempts",
        "attempts",
        ["tenant_id", "root_id"],
        unique=False,
        sqlite_where=sa.text("status IN ('queued', 'leased')"),
    )
    op.create_index(
        "queued_attempts",
        "attempts",
        ["tenant_id", "queued_at", "queue_number"],
        unique=False,
        sqlite_where=sa.text("status = 'queued'"),
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("root_id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("notebook", sa.Text(), nullable=False),
        sa.Column("kernel", sa.Text(), nullable=True),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("timeout_sec", sa.Float(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column(
            "queue_number", sa.BigInteger(), nullable=False, comment="grows with every attempt of the tenant"
        ),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("runner_id", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "instance_id"], ["instances.tenant_id", "instances.instance_id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "attempt_id"),
    )


def _create_continuations() -> None:
    op.create_table(
        "continuations",
        sa.Column("continuation_id", GROWING_ID, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("root_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "instance_id"], ["instances.tenant_id", "instances.instance_id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("continuation_id"),
        sqlite_autoincrement=True,
    )


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "instance_id"], ["instances.tenant_id", "instances.instance_id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "instance_id", "seq", "phase", "principal"),
        sqlite_with_rowid=False,
    )


def _create_journal() -> None:
    op.create_table(
        "journal",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "instance_id"], ["instances.tenant_id", "instances.instance_id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "instance_id", "phase", "name"),
        sqlite_with_rowid=False,
    )
    op.create_index("journal_by_blob", "journal", ["tenant_id", "sha256"], unique=False)


def _create_timers() -> None:
    op.create_table(
        "timers",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("root_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "instance_id"], ["instances.tenant_id", "instances.instance_id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "instance_id", "kind"),
        sqlite_with_rowid=False,
    )
    op.create_index("timers_by_due", "timers", ["due_at"], unique=False)


def _create_trees() -> None:
    op.create_table(
        "trees",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("root_id", sa.Text(), nullable=False),
        sa.Column("born", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("busy", sa.Integer(), nullable=False, comment="nodes that give the engine something to do"),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("tolerated", sa.Integer(), nullable=False),
        sa.Column("terminated", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "root_id"], ["instances.tenant_id", "instances.instance_id"]),
        sa.PrimaryKeyConstraint("tenant_id", "root_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "busy_trees", "trees", ["tenant_id", "born"], unique=False, sqlite_where=sa.text("busy > 0")
    )
    op.create_index(
        "trees_by_owner",
        "trees",
        ["tenant_id", "owner_id"],
        unique=False,
        sqlite_where=sa.text("owner_id IS NOT NULL"),
    )


def _create_artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id", "attempt_id"], ["attempts.tenant_id", "attempts.attempt_id"]),
        sa.ForeignKeyConstraint(["tenant_id", "sha256"], ["blobs.tenant_id", "blobs.sha256"]),
        sa.PrimaryKeyConstraint("tenant_id", "attempt_id", "name"),
        sqlite_with_rowid=False,
    )
    op.create_index("artifacts_by_blob", "artifacts", ["tenant_id", "sha256"], unique=False)
    op.create_index("artifacts_by_instance", "artifacts", ["tenant_id", "instance_id"], unique=False)
