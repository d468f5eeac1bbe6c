"""`IContinuations`: the engine's notes and clocks."""

from dataclasses import replace

from chatflow_jupyter.domain.decision import Continuation, ContinuationKind, TimerChange, TimerKind
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import LOCAL, OTHER, birth, born, commit_of, later, new_instance, step, wfi


async def noted(storage: IStateStorage, name: str, tenant_id: TenantId = LOCAL) -> Instance:
    instance = new_instance(name, tenant_id=tenant_id)
    note = Continuation(instance_id=instance.instance_id, kind=ContinuationKind.FAN_OUT)
    await storage.commit(commit_of(birth(instance, continuations=(note,))))
    return instance


async def timed(
    storage: IStateStorage,
    name: str,
    due_sec: float,
    kind: TimerKind = TimerKind.RETRY,
    tenant_id: TenantId = LOCAL,
) -> Instance:
    instance = new_instance(name, tenant_id=tenant_id)
    timer = TimerChange(kind=kind, due_at=later(due_sec))
    await storage.commit(commit_of(birth(instance, timers=(timer,))))
    return instance


async def test_continuations_come_the_oldest_first_from_all_tenants(state_storage: IStateStorage) -> None:
    for name, tenant_id in (("b", LOCAL), ("a", OTHER), ("c", LOCAL)):
        await noted(state_storage, name, tenant_id)
    rows = await state_storage.continuations()
    assert [row.continuation.instance_id for row in rows] == [wfi("b"), wfi("a"), wfi("c")]
    assert [row.tenant_id for row in rows] == [LOCAL, OTHER, LOCAL]
    assert list(rows[:2]) == list(await state_storage.continuations(limit=2))


async def test_continuations_go_on_behind_the_one_with_an_id_that_may_be_gone(
    state_storage: IStateStorage,
) -> None:
    for name in ("a", "b", "c"):
        await noted(state_storage, name)
    first, second, third = await state_storage.continuations()
    assert list(await state_storage.continuations(limit=1, after=first.continuation_id)) == [second]
    await state_storage.drop_continuations([second.continuation_id])
    assert list(await state_storage.continuations(after=second.continuation_id)) == [third]
    assert list(await state_storage.continuations(after=third.continuation_id)) == []


async def test_dropped_continuations_are_gone(state_storage: IStateStorage) -> None:
    await noted(state_storage, "a")
    await noted(state_storage, "b")
    first, second = await state_storage.continuations()
    await state_storage.drop_continuations([first.continuation_id, 999_999])
    assert list(await state_storage.continuations()) == [second]


async def test_the_id_of_a_continuation_grows_and_is_never_given_again(state_storage: IStateStorage) -> None:
    seen = []
    for name in ("a", "b", "c"):
        await noted(state_storage, name)
        (row,) = await state_storage.continuations()
        seen.append(row.continuation_id)
        await state_storage.drop_continuations([row.continuation_id])
    assert seen == sorted(set(seen))


async def test_timers_due_at_or_before_now_come_the_earliest_first(state_storage: IStateStorage) -> None:
    await timed(state_storage, "a", 20)
    await timed(state_storage, "b", 10, TimerKind.GATE_EXPIRY, OTHER)
    await timed(state_storage, "c", 30)
    due = await state_storage.due_timers(later(20))
    assert [(timer.instance_id, timer.kind, timer.due_at) for timer in due] == [
        (wfi("b"), TimerKind.GATE_EXPIRY, later(10)),
        (wfi("a"), TimerKind.RETRY, later(20)),
    ]
    assert list(await state_storage.due_timers(later(20), limit=1)) == list(due[:1])


async def test_due_timers_go_on_behind_one_that_may_be_gone_also_within_a_moment(
    state_storage: IStateStorage,
) -> None:
    for name, tenant_id in (("a", OTHER), ("b", LOCAL), ("c", LOCAL), ("d", LOCAL)):
        await timed(state_storage, name, 10 if name != "d" else 20, tenant_id=tenant_id)
    due = await state_storage.due_timers(later(20))
    assert due[-1].instance_id == wfi("d")
    for number, timer in enumerate(due):
        assert list(await state_storage.due_timers(later(20), limit=2, after=timer)) == list(
            due[number + 1 : number + 3]
        )
        await state_storage.drop_timer(timer)
        assert list(await state_storage.due_timers(later(20), after=timer)) == list(due[number + 1 :])


async def test_next_due_is_the_earliest_timer_or_none(state_storage: IStateStorage) -> None:
    assert await state_storage.next_due() is None
    await timed(state_storage, "a", 20)
    await timed(state_storage, "b", 10)
    assert await state_storage.next_due() == later(10)


async def test_dropping_a_timer_deletes_exactly_that_one(state_storage: IStateStorage) -> None:
    instance = await timed(state_storage, "a", 10)
    await timed(state_storage, "b", 10)
    other_kind = TimerChange(kind=TimerKind.GATE_EXPIRY, due_at=later(10))
    await state_storage.commit(commit_of(step(instance, parts={"timers": (other_kind,)})))
    timers = await state_storage.due_timers(later(10))
    dropped = next(each for each in timers if each.instance_id == wfi("a") and each.kind is TimerKind.RETRY)
    await state_storage.drop_timer(dropped)
    left = await state_storage.due_timers(later(10))
    assert {(each.instance_id, each.kind) for each in left} == {
        (wfi("a"), TimerKind.GATE_EXPIRY),
        (wfi("b"), TimerKind.RETRY),
    }


async def test_a_timer_set_anew_in_between_stays(state_storage: IStateStorage) -> None:
    instance = await timed(state_storage, "a", 10)
    (old,) = await state_storage.due_timers(later(10))
    anew = TimerChange(kind=TimerKind.RETRY, due_at=later(15))
    await state_storage.commit(commit_of(step(instance, parts={"timers": (anew,)})))
    await state_storage.drop_timer(old)
    assert await state_storage.due_timers(later(15)) == (replace(old, due_at=later(15)),)


async def test_clearing_a_timer_that_is_not_set_is_fine(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    cleared = tuple(TimerChange(kind=kind, due_at=None) for kind in TimerKind)
    await state_storage.commit(commit_of(step(instance, parts={"timers": cleared})))
    assert await state_storage.next_due() is None
