"""What an instance holds of its children, in rows of its own: each is written when it changes, and only then.

A parent of ten thousand children changes with every end of one. Its row says how many parts there are. While
a phase has children, what earlier phases handed over is apart too.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from operator import is_not
from typing import Any, TypeAlias

from sqlalchemy import Connection, Executable, Row, bindparam, case, delete, func, select

from chatflow_jupyter.domain.evolve import evolve
from chatflow_jupyter.domain.fan_out import known_children
from chatflow_jupyter.domain.instance import Instance, Spawned
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue

from .damage import DamagedRow, decodes
from .dialects import Upsert
from .encoding import from_json, to_json
from .instance_rows import instance_of, variables_apart
from .schema import instances, parts
from .statements import Statement

CHILD, SPAWNED, VARIABLE = KINDS = "child", "spawned", "variable"
Told: TypeAlias = tuple[int, int, int]  # how many of each
NO_PARTS: Told = 0, 0, 0


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
_PARTS = select(*parts.c).where(*_OF_INSTANCE).order_by(parts.c.kind, parts.c.place)
SELECT_PARTS = Statement(_PARTS)
SELECT_VARIABLES = Statement(_PARTS.where(parts.c.kind == VARIABLE))
COUNT_VARIABLES = Statement(select(func.count()).where(*_OF_INSTANCE, parts.c.kind == VARIABLE))

STATES = select(instances.c.tenant_id, instances.c.instance_id, instances.c.state)
COUNT_PARTS = select(
    parts.c.tenant_id,
    parts.c.instance_id,
    func.sum(case((parts.c.kind == CHILD, 1), else_=0)).label("children"),
    func.sum(case((parts.c.kind == SPAWNED, 1), else_=0)).label("spawned"),
    func.sum(case((parts.c.kind == VARIABLE, 1), else_=0)).label("variables"),
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
    if after.fan_out is not None or (before is not None and before.fan_out is not None):
        stored, variables = _stored_variables(connection, before), variables_apart(after)
        _write(connection, after, VARIABLE, _changed(stored, variables))
        _drop(connection, after, VARIABLE, len(variables), len(stored))


def _stored_variables(connection: Connection, before: Instance | None) -> JsonObject:
    """Return the variables of `before` that are parts: none when an earlier version wrote its row."""
    variables = {} if before is None else variables_apart(before)
    if before is None or not variables:
        return {}
    this = {"tenant": before.tenant_id, "instance": before.instance_id}
    counted = COUNT_VARIABLES.one(connection, **this)
    return variables if counted == (len(variables),) else {}


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
    return _with_parts(connection, row, SELECT_PARTS, parts_told(row))


def without_family(connection: Connection, row: Row[Any]) -> Instance:
    """Return the instance of a row, without what it knows of its children."""
    return _with_parts(connection, row, SELECT_VARIABLES, (0, 0, parts_told(row)[2]))


def _with_parts(connection: Connection, row: Row[Any], these: Statement, told: Told) -> Instance:
    instance = instance_of(row)
    if told == NO_PARTS:
        return instance
    read: dict[str, list[Part]] = {CHILD: [], SPAWNED: [], VARIABLE: []}
    for part in map(part_of, these.run(connection, tenant=row.tenant_id, instance=row.instance_id)):
        read[part.kind].append(part)
    there = len(read[CHILD]), len(read[SPAWNED]), len(read[VARIABLE])
    if there != told:
        raise DamagedRow(f"{_told(instance.tenant_id, instance.instance_id)}: {there} instead of {told}")
    children: JsonObject = {part.name: part.value for part in read[CHILD]}
    spawned = (Spawned(schema_ref=one.schema_ref, key=one.name, context=one.value) for one in read[SPAWNED])
    apart = {part.name: part.value for part in read[VARIABLE]}
    variables = {**instance.variables, **apart, **({"children": children} if children else {})}
    return evolve(instance, {"variables": variables, "spawned": tuple(spawned)})


def missing(connection: Connection, most: int) -> list[str]:
    """Name at most `most` instances that have not as many parts as their rows say."""
    found = []
    counts = {
        (row.tenant_id, row.instance_id): (row.children, row.spawned, row.variables)
        for row in connection.execute(COUNT_PARTS)
    }
    rows: Iterable[Row[Any]] = connection.execute(STATES)
    for row in rows:
        with suppress(DamagedRow):  # that is a fault of its own
            apart, there = parts_told(row), counts.get((row.tenant_id, row.instance_id), NO_PARTS)
            if apart != there:
                found.append(f"{_told(row.tenant_id, row.instance_id)}: {there} instead of {apart}")
        if len(found) >= most:
            break
    return found


def _told(tenant_id: str, instance_id: str) -> str:
    return f"table parts, rows of {tenant_id} {instance_id}: children heard of, asked for, and variables"


@decodes("instances", "tenant_id", "instance_id")
def parts_told(row: Row[Any]) -> Told:
    """Return how many parts its row says an instance has: children heard of, asked for, and variables."""
    if '"apart":' not in row.state:
        return NO_PARTS
    children, spawned, *more = from_json(row.state).get("apart", NO_PARTS)
    (variables,) = more or (0,)  # earlier versions kept every variable in the row
    return int(children), int(spawned), int(variables)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One child: `value` is what is known of its end, or the context it shall be born with. Or a variable."""

    kind: str
    name: str
    value: JsonObject
    schema_ref: str = ""


@decodes("parts", "tenant_id", "instance_id", "kind", "place")
def part_of(row: Row[Any]) -> Part:
    """Return what a row holds."""
    if not isinstance(row.place, int) or row.kind not in KINDS:
        raise ValueError("no place, or no such kind")
    value, schema_ref = from_json(row.value), ""
    if row.kind == SPAWNED:
        schema_ref, value = value
    if not (isinstance(value, Mapping) and isinstance(row.name, str)) or type(schema_ref) is not str:
        raise ValueError("no object, or no name")
    return Part(kind=row.kind, name=row.name, value=value, schema_ref=schema_ref)
