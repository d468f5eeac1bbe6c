"""What an instance holds of its children, in rows of its own: each is written when it changes, and only then.

A parent of ten thousand children changes with every end of one. Its row says how many parts there are.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from operator import is_not
from typing import Any

from sqlalchemy import Connection, Executable, Row, bindparam, case, delete, func, select

from chatflow_jupyter.domain.evolve import evolve
from chatflow_jupyter.domain.fan_out import known_children
from chatflow_jupyter.domain.instance import Instance, Spawned
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue

from .damage import DamagedRow, decodes
from .dialects import Upsert
from .encoding import from_json, to_json
from .instance_rows import instance_of
from .schema import instances, parts
from .statements import Statement

CHILD, SPAWNED = "child", "spawned"


def _put(insert_into: Upsert) -> Executable:
    row = insert_into(parts)
    upsert: Executable = row.on_conflict_do_update(
        index_elements=["tenant_id", "instance_id", "kind", "place"],
        set_={"name": row.excluded.name, "value": row.excluded.value},
    )
    return upsert


_OF_INSTANCE = (parts.c.tenant_id == bindparam("tenant"), parts.c.instance_id == bindparam("instance"))
PUT_PART = Statement(_put)
_FROM_PLACE = (parts.c.kind == bindparam("which"), parts.c.place >= bindparam("least"))
DROP_PARTS = Statement(delete(parts).where(*_OF_INSTANCE, *_FROM_PLACE))
SELECT_PARTS = Statement(select(*parts.c).where(*_OF_INSTANCE).order_by(parts.c.kind, parts.c.place))

STATES = select(instances.c.tenant_id, instances.c.instance_id, instances.c.state)
COUNT_PARTS = select(
    parts.c.tenant_id,
    parts.c.instance_id,
    func.sum(case((parts.c.kind == CHILD, 1), else_=0)).label("children"),
    func.sum(case((parts.c.kind == SPAWNED, 1), else_=0)).label("spawned"),
).group_by(parts.c.tenant_id, parts.c.instance_id)


def write(connection: Connection, before: Instance | None, after: Instance) -> None:
    """Write the parts in which `after` differs from what is stored, which is `before`."""
    known = {} if before is None else known_children(before)
    children = known_children(after)
    if children is not known:
        _write(connection, after, CHILD, _changed(known, children))
        _drop(connection, after, CHILD, len(children), len(known))
    old, new = () if before is None else before.spawned, after.spawned
    if new is not old:
        rows = ((n, one.key, [one.schema_ref, one.context]) for n, one in enumerate(new))
        _write(connection, after, SPAWNED, rows)
        _drop(connection, after, SPAWNED, len(new), len(old))


def _changed(known: JsonObject, children: JsonObject) -> Iterator[tuple[int, str, JsonValue]]:
    """Yield place, key and entry of what is another object than before, or stands in another place."""
    keys = [*children]
    first = len(known) if [*known] == keys[: len(known)] else 0
    changed = compress(range(first), map(is_not, children.values(), known.values()))
    for place in (*changed, *range(first, len(keys))):
        yield place, keys[place], children[keys[place]]


def _write(
    connection: Connection, instance: Instance, kind: str, rows: Iterable[tuple[int, str, object]]
) -> None:
    these = {"tenant_id": instance.tenant_id, "instance_id": instance.instance_id, "kind": kind}
    PUT_PART.write_many(
        connection,
        [{**these, "place": place, "name": name, "value": to_json(value)} for place, name, value in rows],
    )


def _drop(connection: Connection, instance: Instance, kind: str, now: int, before: int) -> None:
    if now < before:
        this = {"tenant": instance.tenant_id, "instance": instance.instance_id}
        DROP_PARTS.write(connection, **this, which=kind, least=now)


def whole(connection: Connection, row: Row[Any]) -> Instance:
    """Return the instance of a row, with its parts; most have none, and cost no further question."""
    instance = instance_of(row)
    apart = parts_told(row)
    if apart == (0, 0):
        return instance
    found = SELECT_PARTS.run(connection, tenant=instance.tenant_id, instance=instance.instance_id)
    read: dict[str, list[Part]] = {CHILD: [], SPAWNED: []}
    for part in map(part_of, found):
        read[part.kind].append(part)
    there = len(read[CHILD]), len(read[SPAWNED])
    if there != apart:
        raise DamagedRow(f"{_told(instance.tenant_id, instance.instance_id)}: {there} instead of {apart}")
    children: JsonObject = {part.name: part.value for part in read[CHILD]}
    spawned = (Spawned(schema_ref=one.schema_ref, key=one.name, context=one.value) for one in read[SPAWNED])
    variables = {**instance.variables, **({"children": children} if children else {})}
    return evolve(instance, {"variables": variables, "spawned": tuple(spawned)})


def missing(connection: Connection, most: int) -> list[str]:
    """Name at most `most` instances that have not as many parts as their rows say."""
    found = []
    counts = {
        (row.tenant_id, row.instance_id): (row.children, row.spawned)
        for row in connection.execute(COUNT_PARTS)
    }
    rows: Iterable[Row[Any]] = connection.execute(STATES)
    for row in rows:
        with suppress(DamagedRow):  # that is a fault of its own
            apart, there = parts_told(row), counts.get((row.tenant_id, row.instance_id), (0, 0))
            if apart != there:
                found.append(f"{_told(row.tenant_id, row.instance_id)}: {there} instead of {apart}")
        if len(found) >= most:
            break
    return found


def _told(tenant_id: str, instance_id: str) -> str:
    return f"table parts, rows of {tenant_id} {instance_id}: children heard of and asked for"


@decodes("instances", "tenant_id", "instance_id")
def parts_told(row: Row[Any]) -> tuple[int, int]:
    """Return how many parts its row says an instance has: children it heard of, and children asked for."""
    if '"apart":' not in row.state:
        return 0, 0
    children, spawned = from_json(row.state).get("apart", (0, 0))
    return int(children), int(spawned)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One child: `value` is what is known of its end, or the context it shall be born with."""

    kind: str
    name: str
    value: JsonObject
    schema_ref: str = ""


@decodes("parts", "tenant_id", "instance_id", "kind", "place")
def part_of(row: Row[Any]) -> Part:
    """Return what a row holds."""
    if not isinstance(row.place, int) or row.kind not in (CHILD, SPAWNED):
        raise ValueError("no place, or no such kind")
    value, schema_ref = from_json(row.value), ""
    if row.kind == SPAWNED:
        schema_ref, value = value
    if not (isinstance(value, Mapping) and isinstance(row.name, str)) or type(schema_ref) is not str:
        raise ValueError("no object, or no name")
    return Part(kind=row.kind, name=row.name, value=value, schema_ref=schema_ref)
