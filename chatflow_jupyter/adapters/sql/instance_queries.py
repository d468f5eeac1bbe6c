"""Reading instances, lists of them and trees."""

from sqlalchemy import Connection, Select, and_, bindparam, func, select

from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.domain.instance import ENDED, Instance
from chatflow_jupyter.ports.records import FeatureCount, InstanceFilter, Standing

from .encoding import from_us
from .parts import whole, without_family
from .schema import IS_ROOT, instances
from .statements import Statement

_COLUMNS = tuple(column for column in instances.c if column.name != "born")
_THIS = (instances.c.tenant_id == bindparam("tenant"), instances.c.instance_id == bindparam("instance"))

_SHOWN_PAUSED = and_(instances.c.paused, instances.c.status.not_in([status.value for status in ENDED]))

_ALIKE = (instances.c.name, instances.c.status, instances.c.paused, instances.c.waiting_reason)

COUNT_FEATURE = Statement(
    select(*_ALIKE, func.count().label("number"), func.max(instances.c.created_at).label("newest_at"))
    .where(
        instances.c.tenant_id == bindparam("tenant"), instances.c.feature_id == bindparam("feature"), IS_ROOT
    )
    .group_by(*_ALIKE)
)
SELECT_INSTANCE = Statement(select(*_COLUMNS).where(*_THIS))
SELECT_STANDING = Statement(
    select(
        instances.c.status,
        instances.c.paused,
        instances.c.waiting_reason,
        instances.c.phase,
        instances.c.seq,
    ).where(*_THIS)
)
SELECT_PLACE = Statement(
    select(
        instances.c.born,
        instances.c.root_id,
        instances.c.parent_id,
        instances.c.parent_phase,
        instances.c.child_index,
    ).where(*_THIS)
)
_NODES = (
    select(*_COLUMNS)
    .where(instances.c.tenant_id == bindparam("tenant"), instances.c.root_id == bindparam("root"))
    .order_by(instances.c.born, instances.c.instance_id)
    .limit(bindparam("most"))
)
NODES_OF_TREE = Statement(_NODES)
NODES_AFTER = Statement(
    _NODES.where(
        (instances.c.born > bindparam("born_then"))
        | ((instances.c.born == bindparam("born_then")) & (instances.c.instance_id > bindparam("last")))
    )
)


def instance(connection: Connection, tenant_id: TenantId, instance_id: InstanceId) -> Instance:
    """Return the instance; raises `NotFound`."""
    row = SELECT_INSTANCE.run(connection, tenant=tenant_id, instance=instance_id).first()
    if row is None:
        raise NotFound(f"no instance {instance_id}")
    return whole(connection, row)


def standing(connection: Connection, tenant_id: TenantId, instance_id: InstanceId) -> Standing:
    """Return where the instance stands from columns alone; raises `NotFound`."""
    row = SELECT_STANDING.run(connection, tenant=tenant_id, instance=instance_id).first()
    if row is None:
        raise NotFound(f"no instance {instance_id}")
    return Standing(
        instance_id=instance_id,
        status=_shown(row.status, row.paused),
        waiting_reason=row.waiting_reason,
        phase=row.phase,
        seq=row.seq,
    )


def _shown(status: str, paused: bool) -> str:
    return "paused" if paused and status not in ENDED else status


def listed(connection: Connection, tenant_id: TenantId, wanted: InstanceFilter) -> tuple[Instance, ...]:
    """Return matching roots, the newest first, or matching children by index."""
    query = select(*_COLUMNS).where(instances.c.tenant_id == tenant_id)
    if wanted.feature_id is not None:
        query = query.where(instances.c.feature_id == wanted.feature_id)
    if wanted.name is not None:
        query = query.where(instances.c.name == wanted.name)
    if wanted.waiting_reason is not None:
        query = query.where(instances.c.waiting_reason == wanted.waiting_reason)
    if wanted.phase is not None:
        query = query.where(instances.c.parent_phase == wanted.phase)
    if wanted.status == "paused":
        query = query.where(_SHOWN_PAUSED)
    elif wanted.status is not None:
        query = query.where(instances.c.status == wanted.status, ~_SHOWN_PAUSED)
    if wanted.parent_id is None:
        query = query.where(IS_ROOT).order_by(instances.c.born.desc(), instances.c.instance_id.desc())
    else:
        query = query.where(instances.c.parent_id == wanted.parent_id).order_by(
            instances.c.parent_phase, instances.c.child_index
        )
    if wanted.before is not None:
        place = SELECT_PLACE.run(connection, tenant=tenant_id, instance=wanted.before).first()
        if place is None or place.parent_id != wanted.parent_id:
            return ()
        query = _after(query, wanted, place.born, place.parent_phase, place.child_index)
    found = connection.execute(query.limit(wanted.limit)).all()
    read = whole if wanted.families else without_family
    return tuple(read(connection, row) for row in found)


def feature_counts(connection: Connection, tenant_id: TenantId, feature_id: str) -> tuple[FeatureCount, ...]:
    """Return how many roots of the feature stand how."""
    alike: dict[tuple[str, str, str], tuple[int, int]] = {}
    for row in COUNT_FEATURE.run(connection, tenant=tenant_id, feature=feature_id):
        where = row.name, _shown(row.status, row.paused), row.waiting_reason or ""
        number, newest = alike.get(where, (0, row.newest_at))
        alike[where] = number + row.number, max(newest, row.newest_at)
    return tuple(
        FeatureCount(
            name=name, status=shown, waiting_reason=reason or None, number=number, newest_at=from_us(newest)
        )
        for (name, shown, reason), (number, newest) in sorted(alike.items())
    )


def _after(
    query: Select[tuple[object, ...]], wanted: InstanceFilter, born: int, phase: str | None, index: int | None
) -> Select[tuple[object, ...]]:
    if wanted.parent_id is None:
        return query.where(
            (instances.c.born < born)
            | ((instances.c.born == born) & (instances.c.instance_id < wanted.before))
        )
    return query.where(
        (instances.c.parent_phase > phase)
        | ((instances.c.parent_phase == phase) & (instances.c.child_index > index))
    )


def nodes(
    connection: Connection, tenant_id: TenantId, root_id: InstanceId, after: InstanceId | None, limit: int
) -> tuple[Instance, ...]:
    """Return the nodes under a root in order of creation."""
    this = {"tenant": tenant_id, "root": root_id, "most": limit}
    if after is None:
        return tuple(whole(connection, row) for row in NODES_OF_TREE.run(connection, **this).all())
    place = SELECT_PLACE.run(connection, tenant=tenant_id, instance=after).first()
    if place is None or place.root_id != root_id:
        return ()
    rows = NODES_AFTER.run(connection, **this, born_then=place.born, last=after)
    return tuple(whole(connection, row) for row in rows.all())
