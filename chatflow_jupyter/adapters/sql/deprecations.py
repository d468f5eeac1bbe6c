"""Versions that are not to be started any more, and those that instances are pinned to."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Executable, Row, bindparam, func, select, update

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.domain.instance import ENDED
from chatflow_jupyter.ports.records import Deprecation, VersionUse

from . import audit
from .damage import decodes
from .definition_tables import deprecations
from .definitions import definition
from .dialects import Upsert
from .encoding import from_us, optional_time, optional_us, text, to_us
from .schema import instances
from .statements import Statement


def _put(insert: Upsert) -> Executable:
    row = insert(deprecations)
    kept = {column.name: row.excluded[column.name] for column in deprecations.c if not column.primary_key}
    upsert: Executable = row.on_conflict_do_update(index_elements=["tenant_id", "name", "version"], set_=kept)
    return upsert


_OF_TENANT = deprecations.c.tenant_id == bindparam("tenant")
_THIS = (
    _OF_TENANT,
    deprecations.c.name == bindparam("named"),
    deprecations.c.version == bindparam("exactly"),
)
_BY_VERSION = (instances.c.name, instances.c.version, instances.c.status)

PUT_DEPRECATION = Statement(_put)
WITHDRAW_DEPRECATION = Statement(
    update(deprecations)
    .where(*_THIS, deprecations.c.withdrawn_at.is_(None))
    .values(withdrawn_at=bindparam("now"))
    .returning(*deprecations.c)
)
SELECT_DEPRECATION = Statement(select(*deprecations.c).where(*_THIS))
DEPRECATIONS = Statement(
    select(*deprecations.c).where(_OF_TENANT).order_by(deprecations.c.name, deprecations.c.version)
)
_USE = (
    select(*_BY_VERSION, func.count().label("instances"))
    .where(instances.c.tenant_id == bindparam("tenant"))
    .group_by(*_BY_VERSION)
)
USE_OF_ALL = Statement(_USE)
USE_OF_ONE = Statement(_USE.where(instances.c.name == bindparam("named")))


def deprecation_columns(deprecation: Deprecation) -> dict[str, Any]:
    """Return the row of a deprecation."""
    fields = {name: getattr(deprecation, name) for name in Deprecation.__dataclass_fields__}
    return {
        **fields,
        "deprecated_at": to_us(deprecation.deprecated_at),
        "withdrawn_at": optional_us(deprecation.withdrawn_at),
    }


@decodes("deprecations", "tenant_id", "name", "version")
def deprecation_of(row: Row[Any]) -> Deprecation:
    """Return the deprecation of a row."""
    return Deprecation(
        tenant_id=row.tenant_id,
        name=row.name,
        version=row.version,
        principal=row.principal,
        reason=text(row.reason),
        deprecated_at=from_us(row.deprecated_at),
        withdrawn_at=optional_time(row.withdrawn_at),
    )


def save(connection: Connection, deprecation: Deprecation, act: Act | None) -> None:
    """Store it in place of an earlier one; raises `NotFound` when that version is not published."""
    definition(connection, deprecation.tenant_id, deprecation.name, deprecation.version)
    PUT_DEPRECATION.write(connection, **deprecation_columns(deprecation))
    audit.record(connection, deprecation.tenant_id, act)


def withdraw(
    connection: Connection, tenant_id: TenantId, name: str, version: str, now: datetime, act: Act | None
) -> Deprecation:
    """End the deprecation, unless that was done before; raises `NotFound`."""
    this = {"tenant": tenant_id, "named": name, "exactly": version}
    row = WITHDRAW_DEPRECATION.run(connection, **this, now=to_us(now)).first()
    if row is not None:
        audit.record(connection, tenant_id, act)
        return deprecation_of(row)
    row = SELECT_DEPRECATION.run(connection, **this).first()
    if row is None:
        raise NotFound(f"{name}@{version} is not deprecated")
    return deprecation_of(row)


def deprecations_of(connection: Connection, tenant_id: TenantId) -> tuple[Deprecation, ...]:
    """Return the tenant's deprecations by name and version."""
    return tuple(map(deprecation_of, DEPRECATIONS.run(connection, tenant=tenant_id)))


def versions_in_use(connection: Connection, tenant_id: TenantId, name: str | None) -> dict[str, VersionUse]:
    """Return how many instances each version has, from the index alone; no row of an instance is read."""
    found: dict[str, VersionUse] = {}
    rows = (
        USE_OF_ALL.run(connection, tenant=tenant_id)
        if name is None
        else USE_OF_ONE.run(connection, tenant=tenant_id, named=name)
    )
    for row in rows:
        if row.version is None:
            continue
        named = f"{row.name}@{row.version}"
        known = found.get(named, VersionUse(instances=0, unfinished=0))
        found[named] = VersionUse(
            instances=known.instances + row.instances,
            unfinished=known.unfinished + (0 if row.status in ENDED else row.instances),
        )
    return found
