"""Which process drives which tree."""

from sqlalchemy import Connection, Executable, bindparam, delete, null, select, update

from chatflow_jupyter.domain.decision import TimerKind
from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import InstanceId, OwnerId, TenantId
from chatflow_jupyter.ports.records import Owner, UnfinishedTree

from .dialects import Upsert
from .rows import owner_columns, owner_of
from .schema import HAS_OWNER, IS_BUSY, continuations, owners, timers, trees
from .statements import Statement

_THIS = (trees.c.tenant_id == bindparam("tenant"), trees.c.root_id == bindparam("root"))


def _kept(insert: Upsert) -> Executable:
    row = insert(owners)
    kept: Executable = row.on_conflict_do_update(
        index_elements=["owner_id"],
        set_={column.name: row.excluded[column.name] for column in owners.c if not column.primary_key},
    )
    return kept


REGISTER_OWNER = Statement(_kept)
REMOVE_OWNER = Statement(delete(owners).where(owners.c.owner_id == bindparam("owner")))
ABANDON_TREES = Statement(
    update(trees).where(trees.c.owner_id == bindparam("owner"), HAS_OWNER).values(owner_id=null())
)
SELECT_OWNERS = Statement(select(*owners.c).order_by(owners.c.registered_at, owners.c.owner_id))
OWNER_OF_TREE = Statement(select(trees.c.owner_id).where(*_THIS))
ADOPT_TREE = Statement(
    update(trees)
    .where(*_THIS, trees.c.owner_id.is_not_distinct_from(bindparam("instead_of")))
    .values(owner_id=bindparam("owner"))
)
UNFINISHED_TREES = Statement(
    select(trees.c.tenant_id, trees.c.root_id, trees.c.owner_id, trees.c.created_at, trees.c.born)
    .where(IS_BUSY)
    .union(
        *(
            select(trees.c.tenant_id, trees.c.root_id, trees.c.owner_id, trees.c.created_at, trees.c.born)
            .join_from(
                notes, trees, (trees.c.tenant_id == notes.c.tenant_id) & (trees.c.root_id == notes.c.root_id)
            )
            .where(wanted)
            for notes, wanted in (
                (timers, timers.c.kind == TimerKind.RETRY.value),
                (continuations, continuations.c.continuation_id > 0),
            )
        )
    )
    .order_by("created_at", "born", "root_id")
)


def register(connection: Connection, owner: Owner) -> None:
    """Add the process."""
    REGISTER_OWNER.write(connection, **owner_columns(owner))


def remove(connection: Connection, owner_id: OwnerId) -> None:
    """Remove the process; its trees have no owner from now on."""
    REMOVE_OWNER.write(connection, owner=owner_id)
    ABANDON_TREES.write(connection, owner=owner_id)


def registered(connection: Connection) -> tuple[Owner, ...]:
    """Return all processes."""
    return tuple(map(owner_of, SELECT_OWNERS.run(connection)))


def tree_owner(connection: Connection, tenant_id: TenantId, root_id: InstanceId) -> OwnerId | None:
    """Return who drives the tree; raises `NotFound`."""
    row = OWNER_OF_TREE.run(connection, tenant=tenant_id, root=root_id).first()
    if row is None:
        raise NotFound(f"no instance {root_id}")
    owner_id: OwnerId | None = row.owner_id
    return owner_id


def adopt(
    connection: Connection,
    tenant_id: TenantId,
    root_id: InstanceId,
    owner_id: OwnerId,
    instead_of: OwnerId | None,
) -> bool:
    """Change the owner if it is still `instead_of`; returns whether `owner_id` now has the tree."""
    ADOPT_TREE.write(connection, tenant=tenant_id, root=root_id, owner=owner_id, instead_of=instead_of)
    row = OWNER_OF_TREE.run(connection, tenant=tenant_id, root=root_id).first()
    return row is not None and row.owner_id == owner_id


def unfinished(connection: Connection) -> tuple[UnfinishedTree, ...]:
    """Return trees in which the engine has something to do, the oldest first."""
    return tuple(
        UnfinishedTree(tenant_id=row.tenant_id, root_id=row.root_id, owner_id=row.owner_id)
        for row in UNFINISHED_TREES.run(connection)
    )
