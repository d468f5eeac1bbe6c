"""Counters per tree, changed with every transition, so that its status is one row however large it is."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from chatflow_jupyter.adapters.unfinished_work import is_busy
from chatflow_jupyter.domain.errors import NotFound, SeqConflict
from chatflow_jupyter.domain.ids import InstanceId, OwnerId, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.tree import NodeClass, TreeStatus, node_class, tree_status
from chatflow_jupyter.domain.usage import MAX_CHILDREN_OF_TREE
from chatflow_jupyter.ports.records import Transition

from .encoding import optional_time, optional_us, to_us
from .schema import trees
from .statements import Statement

_THIS = (trees.c.tenant_id == bindparam("tenant"), trees.c.root_id == bindparam("root"))
_COUNTERS = ("busy", "asked", *(each.value for each in NodeClass))

INSERT_TREE = Statement(insert(trees))
ADD_TO_COUNTERS = Statement(
    update(trees)
    .where(*_THIS, trees.c.asked + bindparam("more_asked") <= MAX_CHILDREN_OF_TREE)
    .values({name: trees.c[name] + bindparam(f"more_{name}") for name in _COUNTERS})
)
SET_TIMES = Statement(
    update(trees).where(*_THIS).values(started_at=bindparam("started_at"), ended_at=bindparam("ended_at"))
)
SELECT_TREE = Statement(select(*trees.c).where(*_THIS))


@dataclass(kw_only=True)
class _Change:
    """What a commit changes about one tree."""

    counters: Counter[str] = field(default_factory=Counter)
    born: tuple[Instance, int] | None = None
    root: Instance | None = None


def count(
    connection: Connection,
    tenant_id: TenantId,
    applied: Sequence[Transition],
    position: int,
    owner_id: OwnerId | None,
) -> None:
    """Bring the counters up to date; a new tree gets `owner_id`."""
    for root_id, change in _changes(applied, position).items():
        counters = {name: change.counters[name] for name in _COUNTERS}
        if change.born is not None:
            root, born = change.born
            if counters["asked"] > MAX_CHILDREN_OF_TREE:
                raise SeqConflict(f"tree {root_id} has no room for {counters['asked']} children")
            INSERT_TREE.write(
                connection,
                tenant_id=tenant_id,
                root_id=root_id,
                born=born,
                created_at=to_us(root.created_at),
                owner_id=owner_id,
                started_at=optional_us(root.started_at),
                ended_at=optional_us(root.ended_at),
                **counters,
            )
            continue
        if any(counters.values()):
            more = {f"more_{name}": number for name, number in counters.items()}
            done = ADD_TO_COUNTERS.write(connection, tenant=tenant_id, root=root_id, **more)
            if done == 0 and counters["asked"]:
                raise SeqConflict(f"tree {root_id} has no room for {counters['asked']} more children")
        if change.root is not None:
            started_at, ended_at = change.root.started_at, change.root.ended_at
            SET_TIMES.write(
                connection,
                tenant=tenant_id,
                root=root_id,
                started_at=optional_us(started_at),
                ended_at=optional_us(ended_at),
            )


def _changes(applied: Sequence[Transition], position: int) -> dict[InstanceId, _Change]:
    changes: dict[InstanceId, _Change] = {}
    for transition in applied:
        before, after = transition.before, transition.decision.instance
        change = changes.setdefault(after.root_id, _Change())
        change.counters.update(_counted(after))
        change.counters["asked"] += transition.decision.asked
        if before is not None:
            change.counters.subtract(_counted(before))
            times = (before.started_at, before.ended_at)
            if after.instance_id == after.root_id and times != (after.started_at, after.ended_at):
                change.root = after
        elif after.parent is None:
            change.born = (after, position)
        position += len(transition.decision.events)
    return changes


def _counted(node: Instance) -> Iterator[str]:
    yield node_class(node).value
    if is_busy(node):
        yield "busy"


def status(connection: Connection, tenant_id: TenantId, root_id: InstanceId, now: datetime) -> TreeStatus:
    """Return the roll-up from one row; raises `NotFound`."""
    row = SELECT_TREE.run(connection, tenant=tenant_id, root=root_id).first()
    if row is None:
        raise NotFound(f"no instance {root_id}")
    counts = {each: getattr(row, each.value) for each in NodeClass}
    times = {"started_at": optional_time(row.started_at), "ended_at": optional_time(row.ended_at)}
    return tree_status(root_id, counts, **times, now=now)
