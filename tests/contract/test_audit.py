"""The record of acts: written with the change or not at all, by position, chained, each tenant's apart."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from chatflow_jupyter.adapters.sql import audit
from chatflow_jupyter.adapters.sql.storage import DatabaseStateStorage
from chatflow_jupyter.domain.audit import MAX_TEXT, NOTHING_BEFORE, Act, AuditEnd
from chatflow_jupyter.domain.errors import ChatFlowError, Conflict, NotFound, SeqConflict
from chatflow_jupyter.domain.ids import Principal, WaiverId
from chatflow_jupyter.ports.audit import AuditFilter
from chatflow_jupyter.ports.records import Deprecation, Waiver
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import (
    ALICE,
    LOCAL,
    NOW,
    OTHER,
    OTHER_HASH,
    born,
    commit_of,
    definition_record,
    later,
    request_key,
    step,
    wfi,
)
from tests.contract.making_acts import act, full_act, recorded, rows_of
from tests.contract.making_schedules import moved, plan
from tests.contract.test_sql_schema import _instructions

WAIVER = Waiver(
    tenant_id=LOCAL,
    waiver_id=WaiverId("wvr_1"),
    name="review",
    phase="publish",
    feature_id=None,
    principal=ALICE,
    reason="typos",
    created_at=NOW,
    expires_at=later(60),
)
OLD = Deprecation(
    tenant_id=LOCAL, name="review", version="1.0.0", principal=ALICE, reason="old", deprecated_at=NOW
)


async def test_an_act_is_recorded_with_the_commit_that_makes_the_change(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    await state_storage.commit(replace(commit_of(step(instance)), act=full_act()))
    assert await recorded(state_storage) == [full_act()]


async def test_a_commit_without_an_act_records_nothing(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    await state_storage.commit(commit_of(step(instance)))
    assert await recorded(state_storage) == []
    assert await state_storage.audit_end(LOCAL) == AuditEnd(position=0, sha256=NOTHING_BEFORE)


async def test_a_commit_that_fails_records_nothing(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    first, second = step(instance), step(instance)
    await state_storage.commit(replace(commit_of(first, key=request_key()), act=act()))
    for late in (commit_of(second), commit_of(step(first.decision.instance), key=request_key())):
        with pytest.raises(ChatFlowError):
            await state_storage.commit(replace(late, act=act(verb="pause")))
    assert await recorded(state_storage) == [act()]


async def test_publishing_is_recorded_exactly_when_it_stores_something(state_storage: IStateStorage) -> None:
    published = act(verb="publish", kind="definition", subject="review@1.0.0", outcome="published")
    for _ in range(2):
        await state_storage.save_definition(definition_record(), published)
    with pytest.raises(Conflict):
        await state_storage.save_definition(definition_record(content_hash=OTHER_HASH), published)
    assert await recorded(state_storage) == [published]


async def test_a_deprecation_and_its_end_are_recorded_once_each(state_storage: IStateStorage) -> None:
    with pytest.raises(NotFound):
        await state_storage.save_deprecation(OLD, act())
    await state_storage.save_definition(definition_record())
    await state_storage.save_deprecation(OLD, act(verb="deprecate"))
    for moment in (later(1), later(2)):
        ended = await state_storage.withdraw_deprecation(
            LOCAL, "review", "1.0.0", moment, act(verb="undeprecate")
        )
        assert ended.withdrawn_at == later(1)
    with pytest.raises(NotFound):
        await state_storage.withdraw_deprecation(LOCAL, "review", "2.0.0", NOW, act())
    assert [each.verb for each in await recorded(state_storage)] == ["deprecate", "undeprecate"]


async def test_a_waiver_and_its_end_are_recorded_once_each(state_storage: IStateStorage) -> None:
    await state_storage.save_waiver(WAIVER, act(verb="waive"))
    for moment in (later(1), later(2)):
        ended = await state_storage.revoke_waiver(LOCAL, WAIVER.waiver_id, moment, act(verb="revoke"))
        assert ended.revoked_at == later(1)
    with pytest.raises(NotFound):
        await state_storage.revoke_waiver(LOCAL, WaiverId("wvr_2"), NOW, act())
    assert [each.verb for each in await recorded(state_storage)] == ["waive", "revoke"]


async def test_changes_of_schedules_are_recorded_with_them(state_storage: IStateStorage) -> None:
    nightly = plan("nightly")
    await state_storage.add_schedule(nightly, act(verb="add", kind="schedule"))
    with pytest.raises(Conflict):
        await state_storage.add_schedule(plan("nightly", sch="other"), act())
    paused = moved(nightly, paused=True)
    await state_storage.change_schedule(paused, act(verb="pause", kind="schedule"))
    with pytest.raises(SeqConflict):
        await state_storage.change_schedule(paused, act())
    await state_storage.change_schedule(moved(paused.after))
    assert [each.verb for each in await recorded(state_storage)] == ["add", "pause"]


async def test_reasons_are_cut(state_storage: IStateStorage) -> None:
    await state_storage.note_refusal(LOCAL, act(reason="ü" * (MAX_TEXT + 1)))
    await state_storage.note_refusal(LOCAL, act(verb="approve", reason="x" * MAX_TEXT))
    cut, whole = [each.reason for each in await recorded(state_storage)]
    assert cut == "ü" * (MAX_TEXT - 1) + "…"
    assert whole == "x" * MAX_TEXT


async def test_a_refusal_is_recorded_once_per_person_verb_and_what_it_was_about(
    state_storage: IStateStorage,
) -> None:
    refused = act(verb="approve", outcome="refused: not_an_approver")
    different: list[Act] = [
        refused,
        replace(refused, verb="reject"),
        replace(refused, principal=Principal("bob")),
        replace(refused, subject=wfi("b")),
        replace(refused, outcome="refused: another"),
    ]
    for _ in range(3):
        for each in different:
            await state_storage.note_refusal(LOCAL, replace(each, reason="again", at=later(1)))
    assert len(await recorded(state_storage)) == len(different)


async def test_listing_takes_every_given_field_and_pages(state_storage: IStateStorage) -> None:
    bob = Principal("bob")
    for number, (name, who, verb, at) in enumerate(
        [("a", ALICE, "retry", 5), ("b", bob, "retry", 0), ("a", bob, "pause", 1), ("a", ALICE, "pause", 9)]
    ):
        subject = act(name, principal=who, verb=verb, at=later(at), outcome=str(number))
        await state_storage.note_refusal(LOCAL, subject)

    async def positions(**wanted: object) -> list[int]:
        return [row.position for row in await rows_of(state_storage, **wanted)]

    assert await positions() == [4, 3, 2, 1]
    assert await positions(subject=wfi("a")) == [4, 3, 1]
    assert await positions(principal=bob) == [3, 2]
    assert await positions(verb="pause") == [4, 3]
    assert await positions(principal=bob, verb="pause") == [3]
    assert await positions(since=later(1)) == [4, 3, 1]  # the clock was set back behind the first
    assert await positions(since=later(10)) == []
    assert await positions(limit=2) == [4, 3]
    assert await positions(limit=2, before=3) == [2, 1]
    chain = [row.position for row in await state_storage.audit_chain(LOCAL, after=1, limit=2)]
    assert chain == [2, 3]


async def test_every_tenant_has_a_chain_of_its_own(state_storage: IStateStorage) -> None:
    await state_storage.note_refusal(LOCAL, act())
    await state_storage.note_refusal(OTHER, act())
    await state_storage.note_refusal(OTHER, act(verb="pause"))
    assert (await state_storage.audit_end(LOCAL)).position == 1
    assert len(await recorded(state_storage, OTHER)) == 2
    first, (theirs, _) = await state_storage.audit_chain(LOCAL), await state_storage.audit_chain(OTHER)
    assert first[0].act == theirs.act
    assert first[0].sha256 != theirs.sha256
    assert await state_storage.audit(LOCAL, AuditFilter(verb="pause")) == ()


async def test_of_many_who_record_at_once_no_two_share_a_position(state_storage: IStateStorage) -> None:
    instances = [await born(state_storage, f"r{number}") for number in range(20)]
    await asyncio.gather(
        *(
            state_storage.commit(replace(commit_of(step(each)), act=act(outcome=each.instance_id)))
            for each in instances
        ),
        *(state_storage.note_refusal(LOCAL, act(outcome=f"refused: {number}")) for number in range(20)),
    )
    assert len(await recorded(state_storage)) == 40


@pytest.mark.parametrize(
    "wanted",
    [
        AuditFilter(limit=5),
        AuditFilter(limit=5, before=6),
        AuditFilter(limit=5, subject=wfi("a")),
        AuditFilter(limit=5, principal=ALICE),
        AuditFilter(limit=5, verb="retry"),
        AuditFilter(limit=5, verb="fork"),
        AuditFilter(limit=5, verb="pause", principal=ALICE),
        AuditFilter(limit=5, since=later(1)),
    ],
)
async def test_a_page_takes_the_same_work_of_few_rows_and_of_many(
    sqlite_storage: DatabaseStateStorage, wanted: AuditFilter
) -> None:
    costs, others = [], act(principal=Principal("bob"), verb="pause")
    for count in (5, 1000):
        await sqlite_storage._database.write(
            lambda c, count=count: [audit.record(c, LOCAL, one) for one in [act(), others] * count]
        )
        costs.append(await _instructions(sqlite_storage, lambda: sqlite_storage.audit(LOCAL, wanted)))
    assert 0 < costs[1] <= costs[0] + 10


@pytest.mark.parametrize("further", [{}, {"before": 9}, {"since": NOW}, {"before": 9, "since": NOW}])
@pytest.mark.parametrize(
    ("asked", "by"),
    [
        ({}, "PRIMARY KEY"),
        ({"principal": ALICE}, "INDEX audit_by_principal"),
        ({"verb": "fork"}, "INDEX audit_by_verb"),
        ({"verb": "fork", "principal": ALICE}, "INDEX audit_by_principal_and_verb"),
        ({"subject": "s"}, "INDEX audit_by_subject"),
        ({"subject": "s", "principal": ALICE}, "INDEX audit_by_subject"),
        ({"subject": "s", "verb": "fork"}, "INDEX audit_by_subject"),
        ({"subject": "s", "verb": "fork", "principal": ALICE}, "INDEX audit_by_subject"),
    ],
)
async def test_every_filter_is_answered_by_the_index_of_what_has_the_fewest_rows_and_in_its_order(
    sqlite_storage: DatabaseStateStorage, asked: dict[str, Any], by: str, further: dict[str, Any]
) -> None:
    question = audit.question_for(LOCAL, AuditFilter(**asked, **further))

    def plan_of(connection: Any) -> list[str]:
        text = question.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        return [step[3] for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]

    first, *subquery = await sqlite_storage._database.read(plan_of)
    assert first.startswith(f"SEARCH audit USING {by} (tenant_id=?")
    assert ("position" in first) is bool(further), first
    assert all("SCALAR" in step or "COVERING INDEX audit_by_time" in step for step in subquery), subquery
