"""Events, their positions, and the outbox, which holds positions only: its messages are made when read."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Executable, bindparam, delete, func, insert, select

from chatflow_jupyter.adapters.event_messages import TOPIC, event_message
from chatflow_jupyter.domain.events import StoredEvent
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.ports.records import OutboxRow, Transition

from .damage import DamagedRow
from .dialects import Upsert
from .rows import event_columns, event_of
from .schema import events, outbox, tenants
from .statements import Statement


def _reserve(insert_into: Upsert) -> Executable:
    row = insert_into(tenants)
    further = tenants.c.last_position + row.excluded.last_position
    reserved: Executable = row.on_conflict_do_update(
        index_elements=["tenant_id"], set_={"last_position": further}
    ).returning(tenants.c.last_position)
    return reserved


RESERVE_POSITIONS = Statement(_reserve)
INSERT_EVENT = Statement(insert(events))
ANNOUNCE_FROM = Statement(
    insert(outbox).from_select(
        ["tenant_id", "position"],
        select(events.c.tenant_id, events.c.position)
        .where(events.c.tenant_id == bindparam("tenant"), events.c.position >= bindparam("first"))
        .order_by(events.c.position),
    )
)
SELECT_OUTBOX = Statement(
    select(outbox.c.outbox_id, *events.c)
    .join_from(
        outbox, events, (events.c.tenant_id == outbox.c.tenant_id) & (events.c.position == outbox.c.position)
    )
    .order_by(outbox.c.outbox_id)
    .limit(bindparam("most"))
)
DELETE_MESSAGE = Statement(delete(outbox).where(outbox.c.outbox_id == bindparam("id")))

_LATER = (
    select(*events.c)
    .where(events.c.tenant_id == bindparam("tenant"), events.c.position > bindparam("seen"))
    .order_by(events.c.position)
    .limit(bindparam("most"))
)
_OF_INSTANCE = events.c.instance_id == bindparam("instance")
_OF_ROOT = events.c.root_id == bindparam("root")
EVENTS_OF_TENANT = Statement(_LATER)
EVENTS_OF_INSTANCE = Statement(_LATER.where(_OF_INSTANCE))
EVENTS_OF_TREE = Statement(_LATER.where(_OF_ROOT))
EVENTS_OF_NODE = Statement(_LATER.where(_OF_INSTANCE, _OF_ROOT))
LAST_OF_TREE = Statement(
    select(func.max(events.c.position)).where(events.c.tenant_id == bindparam("tenant"), _OF_ROOT)
)


def reserve(connection: Connection, tenant_id: TenantId, applied: Sequence[Transition]) -> int:
    """Take the tenant's next dense positions for the events of these transitions; returns the first."""
    count = sum(len(transition.decision.events) for transition in applied)
    row = RESERVE_POSITIONS.one(connection, tenant_id=tenant_id, last_position=count)
    assert row is not None
    last: int = row[0]
    return last - count + 1


def append(connection: Connection, tenant_id: TenantId, applied: Sequence[Transition], first: int) -> None:
    """Write the events from position `first` on, and announce them."""
    committed = [event for transition in applied for event in transition.decision.events]
    if committed:
        rows = [event_columns(event, position) for position, event in enumerate(committed, first)]
        INSERT_EVENT.write_many(connection, rows)
        ANNOUNCE_FROM.write(connection, tenant=tenant_id, first=first)


def later_events(
    connection: Connection,
    tenant_id: TenantId,
    instance_id: InstanceId | None,
    root_id: InstanceId | None,
    after: int,
    limit: int,
) -> tuple[StoredEvent, ...]:
    """Return events after a position, of one instance or one tree if given."""
    statement = EVENTS_OF_TENANT
    if instance_id is not None:
        statement = EVENTS_OF_INSTANCE if root_id is None else EVENTS_OF_NODE
    elif root_id is not None:
        statement = EVENTS_OF_TREE
    rows = statement.run(
        connection, tenant=tenant_id, instance=instance_id, root=root_id, seen=after, most=limit
    )
    return tuple(map(event_of, rows))


def last_event(connection: Connection, tenant_id: TenantId, root_id: InstanceId) -> int:
    """Return the position of the latest event of a tree, 0 without any."""
    row = LAST_OF_TREE.one(connection, tenant=tenant_id, root=root_id)
    last = None if row is None else row[0]
    if not isinstance(last, int | None):
        raise DamagedRow(f"table events: one of tree {root_id} has no number as its position")
    return last or 0


def unpublished(connection: Connection, limit: int) -> tuple[OutboxRow, ...]:
    """Return messages in order of commit."""
    return tuple(
        OutboxRow(
            outbox_id=row.outbox_id,
            tenant_id=row.tenant_id,
            topic=TOPIC,
            message=event_message(event_of(row).event),
        )
        for row in SELECT_OUTBOX.run(connection, most=limit)
    )


def delete_messages(connection: Connection, ids: Collection[int]) -> None:
    """Forget messages that were published."""
    DELETE_MESSAGE.write_many(connection, [{"id": each} for each in ids])
