"""Whatever is changed in a recorded chain is found, by who verifies it and by the check of the store."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatflow_jupyter.adapters.sql import audit, audit_tables, open_sqlite
from chatflow_jupyter.adapters.sql.row_faults import faults_of_database
from chatflow_jupyter.adapters.sql.storage import DatabaseStateStorage
from chatflow_jupyter.domain.audit import KINDS, VERBS, Act, AuditEnd, AuditRow, Chain, next_row
from chatflow_jupyter.domain.errors import StoreDamaged
from chatflow_jupyter.domain.ids import LOCAL_TENANT, Principal, Sha256
from chatflow_jupyter.services.audits import Audits
from tests.contract.conftest import StillClock
from tests.contract.making import LOCAL, OTHER, later
from tests.contract.making_acts import act, full_act
from tests.contract.test_sql_rows import TEXT, TIME, row

COLUMNS = [column.name for column in audit_tables.audit.c]
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64).map(Sha256)
ACTS = st.builds(
    Act,
    at=TIME,
    principal=TEXT.map(Principal),
    verb=st.sampled_from(VERBS),
    kind=st.sampled_from(KINDS),
    subject=TEXT,
    outcome=TEXT,
    claimed=st.booleans(),
    about=st.none() | TEXT,
    reason=st.none() | TEXT,
    key=st.none() | TEXT,
    request_sha256=st.none() | HASHES,
)


def chain_of(acts: list[Act]) -> list[AuditRow]:
    """These acts, recorded one after another."""
    end, rows = AuditEnd(), []
    for each in acts:
        rows.append(next_row(end, LOCAL_TENANT, each))
        end = AuditEnd(position=rows[-1].position, sha256=rows[-1].sha256)
    return rows


def fault_of(rows: list[AuditRow], left: AuditEnd) -> str | None:
    chain = Chain(LOCAL_TENANT)
    return chain.follow(rows) or chain.finish(left)


@given(st.lists(ACTS, min_size=1, max_size=5), ACTS, st.data())
def test_any_single_change_of_any_recorded_act_is_found(
    acts: list[Act], other: Act, data: st.DataObject
) -> None:
    rows = chain_of(acts)
    left = AuditEnd(position=len(rows), sha256=rows[-1].sha256)
    assert fault_of(rows, left) is None
    place = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from([field.name for field in fields(Act)]))
    changed = replace(rows[place].act, **{name: getattr(other, name)})
    harmed = [*rows[:place], replace(rows[place], act=changed), *rows[place + 1 :]]
    if changed == rows[place].act:
        assert fault_of(harmed, left) is None
    else:
        assert fault_of(harmed, left) is not None


@given(st.lists(ACTS, min_size=2, max_size=6), st.data())
def test_a_row_removed_repeated_swapped_or_cut_off_is_found(acts: list[Act], data: st.DataObject) -> None:
    rows = chain_of(acts)
    left = AuditEnd(position=len(rows), sha256=rows[-1].sha256)
    one, two = sorted(
        data.draw(st.lists(st.sampled_from(range(len(rows))), min_size=2, max_size=2, unique=True))
    )
    swapped = list(rows)
    swapped[one], swapped[two] = (
        replace(rows[two], position=one + 1),
        replace(rows[one], position=two + 1),
    )
    for harmed in (
        rows[:one] + rows[one + 1 :],
        list(rows[:one]) + [replace(each, position=each.position - 1) for each in rows[one + 1 :]],
        [*rows, replace(rows[one], position=len(rows) + 1)],
        swapped,
        rows[:two],
        [],
    ):
        assert fault_of(harmed, left) is not None


@given(ACTS)
def test_what_is_recorded_is_read_again(recorded: Act) -> None:
    (stored,) = chain_of([recorded])
    assert audit.audit_row_of(row(audit.audit_columns(stored))) == stored


def test_a_chain_written_anew_or_cut_together_with_its_end_is_found_by_who_noted_an_end() -> None:
    rows = chain_of([act(), act("b"), act("c")])
    noted = AuditEnd(position=3, sha256=rows[2].sha256)
    anew = chain_of([act(), act("b", principal=Principal("eve")), act("c")])
    for forged in (anew, rows[:2]):
        left = AuditEnd(position=len(forged), sha256=forged[-1].sha256)
        assert fault_of(forged, left) is None
        chain = Chain(LOCAL_TENANT, noted)
        assert (chain.follow(forged) or chain.finish(left)) is not None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "chatflow.db"


async def filled(file: Path, clock: StillClock) -> DatabaseStateStorage:
    """A store in which two tenants did some things."""
    storage = await open_sqlite(file, clock=clock)
    for number, each in enumerate([full_act(), act(), act("b"), full_act()]):
        await storage.note_refusal(LOCAL, replace(each, at=later(number), outcome=f"refused: {number}"))
    await storage.note_refusal(OTHER, act())
    return storage


def harms(rows: list[tuple[Any, ...]]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every column of every row of the tenant, made into something else; rows removed, copied and swapped."""
    for position, *_ in rows:
        for name in COLUMNS:
            this = f"WHERE tenant_id = 'local' AND position = {position}"
            yield f"UPDATE audit SET {name} = 'x' {this} AND {name} IS NOT 'x'", ()
            yield f"UPDATE audit SET {name} = 77 {this} AND {name} IS NOT 77", ()
            yield f"UPDATE audit SET {name} = x'ff41' {this}", ()
            if name in ("about", "reason", "key", "request_sha256"):
                yield f"UPDATE audit SET {name} = NULL {this} AND {name} IS NOT NULL", ()
        yield f"DELETE FROM audit WHERE tenant_id = 'local' AND position = {position}", ()
        listed = ", ".join("5" if name == "position" else name for name in COLUMNS)
        yield f"INSERT INTO audit SELECT {listed} FROM audit {this}", ()
    others = ", ".join(
        f"{name} = (SELECT o.{name} FROM audit o WHERE o.tenant_id = 'local' AND o.position = "
        "5 - audit.position)"
        for name in COLUMNS
        if name not in ("tenant_id", "position")
    )
    yield f"UPDATE audit SET {others} WHERE tenant_id = 'local'", ()
    yield "UPDATE audit_ends SET position = 3 WHERE tenant_id = 'local'", ()
    yield "UPDATE audit_ends SET position = 5 WHERE tenant_id = 'local'", ()
    yield "UPDATE audit_ends SET sha256 = ? WHERE tenant_id = 'local'", ("0" * 64,)
    yield "DELETE FROM audit_ends WHERE tenant_id = 'local'", ()
    yield "DELETE FROM audit WHERE tenant_id = 'local'", ()


async def test_every_change_of_a_stored_chain_is_found_and_nothing_is_built_on_it(
    file: Path, clock: StillClock
) -> None:
    storage = await filled(file, clock)
    audits, found = Audits(storage), 0
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        kept = {
            table: connection.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("audit", "audit_ends")
        }
        rows = connection.execute("SELECT position FROM audit WHERE tenant_id = 'local'").fetchall()
        for sql, values in harms(rows):
            if not connection.execute(sql, values).rowcount:
                continue
            found += 1
            verified = await audits.verify(LOCAL)
            assert verified.fault is not None, sql
            faults = await storage._database.read(lambda c: faults_of_database(c, 9))
            assert any("audit" in fault for fault in faults), sql
            if "tenant_id =" not in sql.split("WHERE")[0]:
                assert (await audits.verify(OTHER)).fault is None, sql
            for table, content in kept.items():
                connection.execute(f"DELETE FROM {table}")
                marks = ", ".join("?" * len(content[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", content)
            assert (await audits.verify(LOCAL)).fault is None
    assert found > 150
    await storage.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM audit_ends",
        "UPDATE audit_ends SET position = 3",
        "UPDATE audit_ends SET position = 'x'",
        "UPDATE audit_ends SET sha256 = x'00'",
    ],
)
async def test_nothing_is_recorded_behind_a_chain_whose_end_was_moved(
    file: Path, clock: StillClock, sql: str
) -> None:
    storage = await filled(file, clock)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(f"{sql} WHERE tenant_id = 'local'")
    with pytest.raises(StoreDamaged):
        await storage.note_refusal(LOCAL, act("new"))
    await storage.note_refusal(OTHER, act("new"))
    assert (await Audits(storage).verify(OTHER)).end.position == 2
    await storage.close()


async def test_a_chain_longer_than_a_page_is_followed_while_it_grows(file: Path, clock: StillClock) -> None:
    storage = await open_sqlite(file, clock=clock)
    await storage._database.write(lambda c: [audit.record(c, LOCAL, act()) for _ in range(2500)])
    assert (await Audits(storage).verify(LOCAL)).end == await storage.audit_end(LOCAL)
    original = storage.audit_chain

    async def grows(*given: Any, **named: Any) -> Any:
        rows = await original(*given, **named)
        if named["after"] == 2000:
            await storage.note_refusal(LOCAL, act("late"))
        return rows

    storage.audit_chain = grows  # type: ignore[method-assign]
    verified = await Audits(storage).verify(LOCAL)
    assert verified.fault is None
    assert verified.end.position == 2501
    await storage.close()
