"""What subtrees have used of their limits: one row per instance that has any, changed with every commit.

Trees without limits have no row here. How many children were asked for in a tree stands in its own row.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, insert, or_, select, update

from chatflow_jupyter.domain.errors import NotFound, SeqConflict
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.domain.usage import Usage, Used
from chatflow_jupyter.ports.records import Transition

from .damage import DamagedRow, decodes
from .schema import trees, usage
from .statements import Statement

_THIS = (usage.c.tenant_id == bindparam("tenant"), usage.c.instance_id == bindparam("instance"))

_ASKED = bindparam("asked", type_=BigInteger)

INSERT_USAGE = Statement(insert(usage))
ADD_TO_USAGE = Statement(
    update(usage)
    .where(
        *_THIS,
        or_(
            _ASKED == 0,
            usage.c.max_children.is_(None),
            usage.c.children + _ASKED <= usage.c.max_children,
        ),
    )
    .values(spent_sec=usage.c.spent_sec + bindparam("spent"), children=usage.c.children + _ASKED)
)
SELECT_USAGE = Statement(select(*usage.c).where(*_THIS))
SELECT_ASKED = Statement(
    select(trees.c.asked).where(
        trees.c.tenant_id == bindparam("tenant"), trees.c.root_id == bindparam("root")
    )
)


def count(connection: Connection, tenant_id: TenantId, applied: Sequence[Transition]) -> None:
    """Count what was spent and asked for; raises `SeqConflict` where there is no room for children."""
    more: dict[InstanceId, Usage] = {}
    for transition in applied:
        decision, instance = transition.decision, transition.decision.instance
        if transition.before is None and instance.limits != instance.lineage:
            own = instance.limits[-1]
            INSERT_USAGE.write(
                connection,
                tenant_id=tenant_id,
                instance_id=instance.instance_id,
                spent_sec=0.0,
                children=0,
                max_children=own.max_children,
            )
        if decision.spent_sec or decision.asked:
            more |= Used(of=more).and_also(instance.limits, decision.spent_sec, decision.asked).of
    for instance_id, each in more.items():
        done = ADD_TO_USAGE.write(
            connection,
            tenant=tenant_id,
            instance=instance_id,
            asked=each.children,
            spent=each.spent_sec,
        )
        if done == 0:
            _of(connection, tenant_id, instance_id)
            raise SeqConflict(f"{instance_id} has no room for {each.children} more children")


def used(
    connection: Connection, tenant_id: TenantId, root_id: InstanceId, by: Collection[InstanceId]
) -> Used:
    """Return what was used of the limits of these instances; raises `NotFound`."""
    tree = SELECT_ASKED.one(connection, tenant=tenant_id, root=root_id)
    if tree is None:
        raise NotFound(f"no instance {root_id}")
    known = {instance_id: _of(connection, tenant_id, instance_id) for instance_id in by}
    return Used(of=known, in_tree=tree[0])


def _of(connection: Connection, tenant_id: TenantId, instance_id: InstanceId) -> Usage:
    row = SELECT_USAGE.run(connection, tenant=tenant_id, instance=instance_id).first()
    if row is None:
        raise DamagedRow(f"table usage, row {tenant_id} {instance_id}: it is missing")
    return usage_of(row)


@decodes("usage", "tenant_id", "instance_id")
def usage_of(row: Row[Any]) -> Usage:
    """Return what a row says was used."""
    spent_sec, children, most = row.spent_sec, row.children, row.max_children
    if not isinstance(spent_sec, (int, float)) or not isinstance(children, int):
        raise ValueError("spent_sec or children is no number")
    if not (most is None or isinstance(most, int)):
        raise ValueError("max_children is no number")
    return Usage(spent_sec=float(spent_sec), children=children)
