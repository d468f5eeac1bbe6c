"""Artifact rows and the blobs they refer to."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Text,
    and_,
    bindparam,
    delete,
    or_,
    select,
    update,
)

from chatflow_jupyter.domain.errors import Conflict, NotFound, SeqConflict
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, Sha256, TenantId
from chatflow_jupyter.ports.records import ArtifactRecord

from .attempts import attempt
from .definition_tables import definitions
from .dialects import Upsert
from .encoding import optional_us, to_us
from .leases import leased
from .rows import artifact_columns, artifact_of
from .schema import artifacts, blobs, journal
from .statements import Statement


def _touch(insert: Upsert) -> Executable:
    row = insert(blobs)
    touched: Executable = row.on_conflict_do_update(
        index_elements=["tenant_id", "sha256"],
        set_={"touched_at": row.excluded.touched_at},
        where=blobs.c.state == "live",
    )
    return touched


def _publish(insert: Upsert) -> Executable:
    row = insert(artifacts)
    replaced = {column.name: row.excluded[column.name] for column in artifacts.c if not column.primary_key}
    upsert: Executable = row.on_conflict_do_update(
        index_elements=["tenant_id", "attempt_id", "name"], set_=replaced
    )
    return upsert


def of_instance(named: str) -> tuple[ColumnElement[bool], ...]:
    """Return what limits artifacts to those of the instance given as parameter `named`, and of `tenant`.

    It is the range of its attempts' ids (`attempt_id`), for which the primary key serves. An index by
    instance SQLite would not use: it takes the tenant alone to mean ten rows.
    """
    instance = bindparam(named, type_=Text)
    return (
        artifacts.c.tenant_id == bindparam("tenant"),
        artifacts.c.attempt_id > instance.concat("."),
        artifacts.c.attempt_id < instance.concat("/"),  # the character after the dot
    )


_THIS_BLOB = (blobs.c.tenant_id == bindparam("tenant"), blobs.c.sha256 == bindparam("hash"))
_REFERENCED = or_(
    *(
        select(table.c.tenant_id)
        .where(table.c.tenant_id == blobs.c.tenant_id, column == blobs.c.sha256)
        .correlate(blobs)
        .exists()
        for table, column in (
            (artifacts, artifacts.c.sha256),
            (definitions, definitions.c.bundle_sha256),
            (journal, journal.c.sha256),
        )
    )
)
TOUCH_BLOB = Statement(_touch)
LIVE_BLOB = Statement(select(blobs.c.sha256).where(*_THIS_BLOB, blobs.c.state == "live"))
COLLECTABLE_BLOBS = Statement(
    select(blobs.c.sha256)
    .where(
        blobs.c.tenant_id == bindparam("tenant"),
        or_(blobs.c.state == "deleting", blobs.c.touched_at < bindparam("since")),
        ~_REFERENCED,
    )
    .order_by(blobs.c.touched_at, blobs.c.sha256)
    .limit(bindparam("most"))
)
TENANTS_WITH_BLOBS = Statement(select(blobs.c.tenant_id).distinct().order_by(blobs.c.tenant_id))
MARK_BLOB = Statement(update(blobs).where(*_THIS_BLOB).values(state="deleting"))
FORGET_BLOB = Statement(delete(blobs).where(*_THIS_BLOB, blobs.c.state == "deleting"))
PUBLISH_ARTIFACT = Statement(_publish)
ARTIFACTS_OF_INSTANCE = Statement(
    select(*artifacts.c)
    .where(*of_instance("instance"))
    .order_by(artifacts.c.phase, artifacts.c.attempt, artifacts.c.name)
)
ARTIFACT_OF_OTHER_PHASE = Statement(
    select(artifacts.c.name, artifacts.c.phase)
    .where(
        *of_instance("instance"),
        artifacts.c.phase != bindparam("but"),
        artifacts.c.deleted_at.is_(None),
    )
    .limit(1)
)
SET_DELETED = Statement(
    update(artifacts)
    .where(
        and_(
            artifacts.c.tenant_id == bindparam("tenant"),
            artifacts.c.attempt_id == bindparam("of_attempt"),
            artifacts.c.name == bindparam("named"),
        )
    )
    .values(deleted_at=bindparam("deleted_at"))
)


def touch(
    connection: Connection, tenant_id: TenantId, sha256: Sha256, size_bytes: int, now: datetime
) -> None:
    """Make sure a live blob row exists, touched at `now`; raises `Conflict` while it is being deleted."""
    done = TOUCH_BLOB.write(
        connection,
        tenant_id=tenant_id,
        sha256=sha256,
        size_bytes=size_bytes,
        state="live",
        touched_at=to_us(now),
    )
    if done == 0:
        raise Conflict(f"blob {sha256} is being deleted; try again later", code="blob_deleting")


def publish(connection: Connection, record: ArtifactRecord, fence: int | None) -> None:
    """Add or replace the row; raises `StaleFence`, `NotFound` without such an attempt, and `Conflict`."""
    if fence is None:
        attempt(connection, record.tenant_id, record.attempt_id)
    else:
        leased(connection, record.tenant_id, record.attempt_id, fence)
    if LIVE_BLOB.run(connection, tenant=record.tenant_id, hash=record.sha256).first() is None:
        raise Conflict(f"the bytes of artifact {record.name} are not stored", code="blob_missing")
    PUBLISH_ARTIFACT.write(connection, **artifact_columns(record))


def require_none(connection: Connection, tenant_id: TenantId, instance_id: InstanceId, *, but: str) -> None:
    """Raise `SeqConflict` when the instance has an artifact, not deleted, of another phase."""
    found = ARTIFACT_OF_OTHER_PHASE.one(connection, tenant=tenant_id, instance=instance_id, but=but)
    if found is not None:
        name, phase = found
        raise SeqConflict(f"instance {instance_id} has the artifact {name} of phase {phase}")


def artifacts_of(
    connection: Connection, tenant_id: TenantId, instance_id: InstanceId, include_deleted: bool
) -> tuple[ArtifactRecord, ...]:
    """Return the artifacts of an instance by phase, attempt and name."""
    rows = ARTIFACTS_OF_INSTANCE.run(connection, tenant=tenant_id, instance=instance_id)
    return tuple(artifact_of(row) for row in rows if include_deleted or row.deleted_at is None)


def set_deleted(
    connection: Connection,
    tenant_id: TenantId,
    attempt_id: AttemptId,
    name: str,
    deleted_at: datetime | None,
) -> None:
    """Soft-delete or restore; raises `NotFound`."""
    done = SET_DELETED.write(
        connection,
        tenant=tenant_id,
        of_attempt=attempt_id,
        named=name,
        deleted_at=optional_us(deleted_at),
    )
    if done == 0:
        raise NotFound(f"attempt {attempt_id} has no artifact {name}")


def collectable(
    connection: Connection, tenant_id: TenantId, untouched_since: datetime, limit: int
) -> tuple[Sha256, ...]:
    """Mark unreferenced blobs as deleting and return them."""
    rows = COLLECTABLE_BLOBS.run(connection, tenant=tenant_id, since=to_us(untouched_since), most=limit)
    hashes = tuple(Sha256(row.sha256) for row in rows)
    MARK_BLOB.write_many(connection, [{"tenant": tenant_id, "hash": sha256} for sha256 in hashes])
    return hashes


def tenants(connection: Connection) -> tuple[TenantId, ...]:
    """Return the tenants of all blobs."""
    return tuple(TenantId(row.tenant_id) for row in TENANTS_WITH_BLOBS.run(connection))


def forget(connection: Connection, tenant_id: TenantId, hashes: Collection[Sha256]) -> None:
    """Delete the rows of blobs marked as deleting."""
    FORGET_BLOB.write_many(connection, [{"tenant": tenant_id, "hash": sha256} for sha256 in hashes])
