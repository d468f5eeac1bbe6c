"""What an instance holds of its children: read as decided, written where it changed, missed when gone."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chatflow_jupyter.adapters.sql import DatabaseStateStorage
from chatflow_jupyter.adapters.sql.row_faults import faults_of_database
from chatflow_jupyter.domain.errors import StoreDamaged
from chatflow_jupyter.domain.instance import FanOut, Instance, Spawned
from chatflow_jupyter.ports.records import InstanceFilter
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import LOCAL, born, commit_of, step

ENTRY: dict[str, Any] = {"status": "completed", "seq": 3, "leaf": {"n": 1, "ä": [None, 2.5]}}
FAN_OUT = FanOut(total=2, started=2, ended=1)
ASKED = tuple(Spawned(schema_ref="leaf", key=f"k{n}", context={"n": n}) for n in range(5))


async def changed(storage: IStateStorage, before: Instance, **fields: Any) -> Instance:
    """Commit it and return what is stored, which reads as decided everywhere."""
    change = step(before, **fields)
    await storage.commit(commit_of(change))
    after = await storage.instance(LOCAL, before.instance_id)
    assert after == change.decision.instance
    assert after in await storage.instances(LOCAL, InstanceFilter())
    assert after in await storage.tree(LOCAL, before.root_id)
    assert list(after.variables) == list(change.decision.instance.variables)
    return after


def children_of(instance: Instance) -> dict[str, Any]:
    children: Any = instance.variables["children"]
    return dict(children)


async def test_ends_of_children_are_read_as_they_were_heard_and_in_that_order(
    state_storage: IStateStorage,
) -> None:
    parent = await born(state_storage)
    first = {"zebra": ENTRY, "audit": {**ENTRY, "status": "failed"}}
    parent = await changed(
        state_storage, parent, variables={"plan": {"n": 1}, "children": first, "later": {}}
    )
    more = {**children_of(parent), "middle": ENTRY}
    parent = await changed(state_storage, parent, variables={**parent.variables, "children": more})
    again = {**more, "audit": {**ENTRY, "seq": 9}}
    parent = await changed(state_storage, parent, variables={**parent.variables, "children": again})
    assert list(children_of(parent)) == ["zebra", "audit", "middle"]
    parent = await changed(state_storage, parent, spent_sec=2.0)
    turned = dict(reversed(children_of(parent).items()))
    parent = await changed(state_storage, parent, variables={"children": turned})
    assert list(children_of(parent)) == ["middle", "audit", "zebra"]
    parent = await changed(state_storage, parent, variables={"children": {"audit": ENTRY}})
    await changed(state_storage, parent, variables={"plan": {}})


async def test_children_that_were_asked_for_are_kept_until_they_are_not_any_more(
    state_storage: IStateStorage,
) -> None:
    parent = await born(state_storage, spawned=ASKED[:2])
    parent = await changed(state_storage, parent, spawned=ASKED)
    parent = await changed(state_storage, parent, variables={"children": {"k0": ENTRY}})
    parent = await changed(state_storage, parent, spawned=ASKED[3:])
    parent = await changed(state_storage, parent, spawned=())
    await changed(state_storage, parent, variables={})


async def test_variables_that_are_called_children_and_are_none_stay_what_they_are(
    state_storage: IStateStorage,
) -> None:
    parent = await born(state_storage)
    for odd in ({}, [1, 2], None, "text"):
        parent = await changed(state_storage, parent, variables={"children": odd, "x": '"apart":'})


async def test_what_earlier_phases_handed_over_is_read_as_it_was_while_children_end_and_after(
    state_storage: IStateStorage,
) -> None:
    parent = await born(state_storage)
    handed: dict[str, Any] = {
        "plan": {"items": [1, {"ä": None}]},
        "trigger": {"x": 1},
        "odd": [1],
        "none": None,
    }
    parent = await changed(state_storage, parent, variables=handed, fan_out=FAN_OUT)
    parent = await changed(state_storage, parent, variables={**handed, "children": {"k0": ENTRY}})
    more = {**parent.variables, "trigger": {"x": 2}, "later": {"n": 1}}
    parent = await changed(state_storage, parent, variables=more)
    turned = dict(reversed(parent.variables.items()))
    parent = await changed(state_storage, parent, variables=turned)
    parent = await changed(state_storage, parent, variables={"trigger": {}, "children": {"k0": ENTRY}})
    parent = await changed(state_storage, parent, variables={"plan": {"n": 2}})
    parent = await changed(state_storage, parent, fan_out=None)
    await changed(state_storage, parent, fan_out=FAN_OUT, variables={"plan": {"n": 3}})


async def test_without_their_families_instances_are_listed_with_what_they_handed_over(
    state_storage: IStateStorage,
) -> None:
    parent = await born(state_storage)
    handed = {"plan": {"items": [1, 2]}, "children": {"k0": ENTRY}}
    await changed(state_storage, parent, variables=handed, fan_out=FAN_OUT, spawned=ASKED)
    (bare,) = await state_storage.instances(LOCAL, InstanceFilter(families=False))
    assert (bare.variables, bare.spawned) == ({**handed, "children": {}}, ())


@pytest.mark.parametrize("heard", [{}, {"children": {"k0": ENTRY}}])
async def test_a_row_in_which_an_earlier_version_kept_every_variable_loses_none(
    sqlite_storage: DatabaseStateStorage, heard: dict[str, Any]
) -> None:
    parent = await born(sqlite_storage)
    handed = {"plan": {"items": [1, 2]}, "trigger": {"x": 1}, **heard}
    parent = await changed(sqlite_storage, parent, variables=handed, fan_out=FAN_OUT)
    as_before = {**handed, "children": {}} if heard else handed
    told = {"apart": [len(heard), 0]} if heard else {}

    def as_it_was_written(connection: Any) -> None:
        row = connection.exec_driver_sql("SELECT state FROM instances").one()
        state = {**json.loads(row.state), "variables": as_before}
        del state["apart"]
        connection.exec_driver_sql("UPDATE instances SET state = ?", (json.dumps({**state, **told}),))
        connection.exec_driver_sql("DELETE FROM parts WHERE kind = 'variable'")

    await sqlite_storage._database.write(as_it_was_written)
    assert await sqlite_storage._database.read(lambda c: faults_of_database(c, 20)) == []
    assert await sqlite_storage.instance(LOCAL, parent.instance_id) == parent
    parent = await changed(sqlite_storage, parent, spent_sec=1.0)
    await changed(sqlite_storage, parent, fan_out=None)


async def wide(storage: DatabaseStateStorage, count: int) -> Instance:
    parent = await born(storage, f"p{count}")
    children = {f"k{n}": {**ENTRY, "seq": n} for n in range(count)}
    handed = {"plan": {"items": [*range(count)]}, "trigger": {}, "children": children}
    await storage.commit(commit_of(step(parent, variables=handed, spawned=ASKED, fan_out=FAN_OUT)))
    return await storage.instance(LOCAL, parent.instance_id)


async def test_the_end_of_one_of_a_thousand_writes_as_much_as_the_end_of_one_of_ten(
    sqlite_storage: DatabaseStateStorage,
) -> None:
    written = []
    for count in (10, 1000):
        parent = await wide(sqlite_storage, count)
        children = {**children_of(parent), "k5": {**ENTRY, "seq": 99_999}}
        variables = {**parent.variables, "children": children}
        statements = await texts_written(sqlite_storage, parent, variables)
        written.append(sum(map(len, statements)))
        assert sum("INSERT INTO parts" in text for text in statements) == 1
    assert abs(written[1] - written[0]) < 100, "but for the length of a number"


async def texts_written(
    storage: DatabaseStateStorage, parent: Instance, variables: dict[str, Any]
) -> list[str]:
    """Return every statement of one transition with its values, as SQLite saw it."""
    texts: list[str] = []

    def trace(connection: Any, callback: Any) -> None:
        connection.connection.dbapi_connection.set_trace_callback(callback)

    await storage._database.write(lambda c: trace(c, texts.append))
    await storage.commit(commit_of(step(parent, variables=variables)))
    await storage._database.write(lambda c: trace(c, None))
    return texts


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("DELETE FROM parts WHERE kind = 'child' AND place = 1", r"\(2, 5, 2\) instead of \(3, 5, 2\)"),
        ("DELETE FROM parts WHERE kind = 'spawned'", r"\(3, 0, 2\) instead of \(3, 5, 2\)"),
        ("UPDATE parts SET value = '[' WHERE place = 1 AND kind = 'child'", "child 1: "),
        ("UPDATE parts SET value = '3' WHERE place = 1 AND kind = 'child'", "child 1: .*no object"),
        ("UPDATE parts SET value = '[1, {}]' WHERE place = 2 AND kind = 'spawned'", "spawned 2: "),
        ("UPDATE parts SET kind = 'cousin' WHERE kind = 'child'", "cousin 0: .*no such kind"),
        ("DELETE FROM parts WHERE kind = 'variable'", r"\(3, 5, 0\) instead of \(3, 5, 2\)"),
        ("UPDATE parts SET value = '[1]' WHERE kind = 'variable'", "variable 0: .*no object"),
    ],
)
async def test_parts_that_are_not_what_was_stored_are_named_when_read_and_by_the_check(
    sqlite_storage: DatabaseStateStorage, damage: str, says: str
) -> None:
    parent = await wide(sqlite_storage, 3)
    other = await born(sqlite_storage, "other")
    await sqlite_storage._database.write(lambda c: c.exec_driver_sql(damage))
    with pytest.raises(StoreDamaged, match=f"table parts.*{says}"):
        await sqlite_storage.instance(LOCAL, parent.instance_id)
    assert await sqlite_storage.instance(LOCAL, other.instance_id) == other
    faults = await sqlite_storage._database.read(lambda c: faults_of_database(c, 20))
    assert faults
    assert all("table parts" in fault for fault in faults)


async def test_a_sound_store_has_no_faults(sqlite_storage: DatabaseStateStorage) -> None:
    parent = await wide(sqlite_storage, 3)
    await sqlite_storage.commit(commit_of(step(replace(parent), spawned=())))
    assert await sqlite_storage._database.read(lambda c: faults_of_database(c, 20)) == []
