"""`IInstances.commit`: every part or none."""

from dataclasses import replace

import pytest

from chatflow_jupyter.domain.decision import (
    CancelAttempt,
    Continuation,
    ContinuationKind,
    EndAttempt,
    StartAttempt,
    TimerChange,
    TimerKind,
)
from chatflow_jupyter.domain.errors import ChatFlowError, KeyReused, NotFound, SeqConflict, StaleFence
from chatflow_jupyter.domain.events import EventType
from chatflow_jupyter.domain.ids import OwnerId
from chatflow_jupyter.domain.instance import (
    CurrentAttempt,
    Failure,
    FanOut,
    GateOutcome,
    PhaseRecord,
    PhaseState,
    Status,
    WaitingReason,
)
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.conftest import StillClock
from tests.contract.making import (
    ALICE,
    HASH,
    LOCAL,
    NO_ATTEMPT,
    NOW,
    RUNNER,
    birth,
    born,
    child_of,
    claimed,
    commit_of,
    event,
    later,
    new_instance,
    queued,
    request_key,
    running,
    started,
    step,
    wfi,
)


async def test_a_new_instance_reads_as_decided(state_storage: IStateStorage) -> None:
    instance = await born(
        state_storage, feature_id="PROJ-7", meta={"user_id": "ü", "n": [1, 2.5, None, True]}
    )
    assert await state_storage.instance(LOCAL, instance.instance_id) == instance


async def test_a_changed_instance_reads_as_decided(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    change = step(
        instance,
        status=Status.WAITING,
        waiting_reason=WaitingReason.CHILDREN,
        waiting_detail="3 children",
        paused=True,
        phase="files",
        phases={
            "static": PhaseRecord(state=PhaseState.SKIPPED, reason="off", started_at=NOW, ended_at=later(1)),
            "files": PhaseRecord(
                state=PhaseState.ACTIVE, attempts=2, failures=1, lost=1, cut_off=2, notebook_done=True
            ),
            "report": PhaseRecord(
                state=PhaseState.ACTIVE,
                approved=True,
                gate=GateOutcome(
                    by="people", at=later(1), principals=(ALICE, ALICE), reason="seen", shown=HASH
                ),
            ),
            "publish": PhaseRecord(state=PhaseState.ACTIVE, gate=GateOutcome(by="rule", at=NOW)),
        },
        attempt=CurrentAttempt(attempt_id=NO_ATTEMPT, number=1, started=True),
        fan_out=FanOut(total=3, started=2, ended=1, failed=1),
        variables={"static": {"high": 3}, "trigger": {"who": "ä"}},
        reported_risk=70,
        spent_sec=1.25,
        descendants=3,
        failure=Failure(code="cell_error", message="no", cell_index=0, ename="ValueError"),
        started_at=NOW,
        ended_at=later(2),
        updated_at=later(3),
    )
    await state_storage.commit(commit_of(change))
    assert await state_storage.instance(LOCAL, instance.instance_id) == change.decision.instance


async def test_phases_keep_their_order(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    record = PhaseRecord(state=PhaseState.SUCCEEDED)
    change = step(instance, phases={"zebra": record, "audit": record, "merge": record})
    await state_storage.commit(commit_of(change))
    found = await state_storage.instance(LOCAL, instance.instance_id)
    assert list(found.phases) == ["zebra", "audit", "merge"]


async def test_what_is_fixed_at_birth_can_be_changed_too(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    change = step(instance, context={"path": "/elsewhere"}, feature_id="PROJ-8", automation_level=100)
    await state_storage.commit(commit_of(change))
    assert await state_storage.instance(LOCAL, instance.instance_id) == change.decision.instance


async def test_queued_attempts_can_be_claimed(state_storage: IStateStorage) -> None:
    instance = await started(state_storage)
    attempt = await claimed(state_storage)
    expected = queued(instance)
    assert (attempt.attempt_id, attempt.instance_id) == (expected.attempt_id, instance.instance_id)
    assert (attempt.parameters, attempt.timeout_sec) == (expected.parameters, expected.timeout_sec)


async def test_a_started_attempt_has_its_time(state_storage: IStateStorage) -> None:
    instance = await started(state_storage)
    attempt = await claimed(state_storage)
    begun = StartAttempt(attempt_id=attempt.attempt_id, fence=attempt.fence, started_at=later(1))
    await state_storage.commit(commit_of(step(instance, parts={"attempts": (begun,)})))
    found = await state_storage.attempt(LOCAL, attempt.attempt_id)
    assert (found.status, found.started_at) == ("leased", later(1))


async def test_an_ended_attempt_has_its_status_time_and_failure(state_storage: IStateStorage) -> None:
    instance = await started(state_storage)
    attempt = await claimed(state_storage)
    failure = Failure(code="cell_error", message="boom", cell_index=2, traceback="Traceback …")
    ended = EndAttempt(
        attempt_id=attempt.attempt_id,
        fence=attempt.fence,
        status="failed",
        ended_at=later(2),
        failure=failure,
    )
    await state_storage.commit(commit_of(step(instance, parts={"attempts": (ended,)})))
    found = await state_storage.attempt(LOCAL, attempt.attempt_id)
    assert (found.status, found.ended_at, found.failure) == ("failed", later(2), failure)
    assert found.lease_expires_at is None


async def test_a_cancelled_attempt_has_a_higher_fence(state_storage: IStateStorage) -> None:
    instance = await started(state_storage)
    attempt = await claimed(state_storage)
    cancelled = CancelAttempt(attempt_id=attempt.attempt_id, ended_at=later(2))
    await state_storage.commit(commit_of(step(instance, parts={"attempts": (cancelled,)})))
    found = await state_storage.attempt(LOCAL, attempt.attempt_id)
    assert (found.status, found.ended_at) == ("cancelled", later(2))
    assert found.fence > attempt.fence


async def test_a_queued_attempt_can_be_cancelled_and_is_not_claimed(state_storage: IStateStorage) -> None:
    instance = await started(state_storage)
    cancelled = CancelAttempt(attempt_id=queued(instance).attempt_id, ended_at=later(2))
    await state_storage.commit(commit_of(step(instance, parts={"attempts": (cancelled,)})))
    assert await state_storage.claim(RUNNER, None, now=NOW, lease_expires_at=later(30)) is None


async def test_timers_are_set_set_anew_and_cleared(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    for due_at in (later(5), later(9), None):
        change = TimerChange(kind=TimerKind.RETRY, due_at=due_at)
        transition = step(instance, parts={"timers": (change,)})
        await state_storage.commit(commit_of(transition))
        instance = transition.decision.instance
        assert [timer.due_at for timer in await state_storage.due_timers(later(99))] == [due_at] * bool(
            due_at
        )


async def test_continuations_wait(state_storage: IStateStorage) -> None:
    instance = new_instance("a")
    note = Continuation(instance_id=instance.instance_id, kind=ContinuationKind.CHILD_ENDED, about=wfi("b"))
    await state_storage.commit(commit_of(birth(instance, continuations=(note,))))
    (row,) = await state_storage.continuations()
    assert (row.tenant_id, row.continuation) == (LOCAL, note)


async def test_consumed_continuations_are_gone(state_storage: IStateStorage) -> None:
    instance = new_instance("a")
    notes = [
        Continuation(instance_id=instance.instance_id, kind=kind)
        for kind in (ContinuationKind.FAN_OUT, ContinuationKind.PAUSE_CHILDREN)
    ]
    await state_storage.commit(commit_of(birth(instance, continuations=tuple(notes))))
    first, second = await state_storage.continuations()
    await state_storage.commit(commit_of(step(instance), consumed=(first.continuation_id,)))
    assert await state_storage.continuations() == (second,)


async def test_the_key_answers_from_now_on(state_storage: IStateStorage) -> None:
    await state_storage.commit(commit_of(birth(new_instance("a")), key=request_key()))
    stored = await state_storage.stored_answer(LOCAL, ALICE, "k")
    assert stored is not None
    assert (stored.request_sha256, stored.answer) == (HASH, {"instance_id": "first"})


async def test_creating_an_instance_that_exists_changes_nothing_about_it(
    state_storage: IStateStorage,
) -> None:
    parent = await born(state_storage)
    child = child_of(parent, 0)
    await state_storage.commit(commit_of(step(parent), birth(child, attempts=(queued(child),))))
    await claimed(state_storage)
    events = await state_storage.events(LOCAL)
    status = await state_storage.tree_status(LOCAL, parent.instance_id, NOW)
    again, new = replace(child, status=Status.FAILED), child_of(parent, 1)
    repeated = birth(
        again, attempts=(queued(again),), timers=(TimerChange(kind=TimerKind.RETRY, due_at=NOW),)
    )
    await state_storage.commit(commit_of(step(replace(parent, seq=2)), repeated, birth(new)))
    assert await state_storage.instance(LOCAL, child.instance_id) == child
    assert len(await state_storage.events(LOCAL)) == len(events) + 2
    assert await state_storage.due_timers(later(99)) == ()
    after = await state_storage.tree_status(LOCAL, parent.instance_id, NOW)
    assert after.total_nodes == status.total_nodes + 1


async def test_creating_an_attempt_that_exists_changes_nothing_about_it(state_storage: IStateStorage) -> None:
    instance = await started(state_storage)
    attempt = await claimed(state_storage)
    await state_storage.commit(commit_of(step(instance, parts={"attempts": (queued(instance),)})))
    assert await state_storage.attempt(LOCAL, attempt.attempt_id) == attempt


async def test_a_stored_seq_that_is_not_that_of_before_is_a_seq_conflict(
    state_storage: IStateStorage,
) -> None:
    instance = await born(state_storage)
    await state_storage.commit(commit_of(step(instance)))
    with pytest.raises(SeqConflict):
        await state_storage.commit(commit_of(step(instance, spent_sec=9.0)))
    assert (await state_storage.instance(LOCAL, instance.instance_id)).spent_sec == 0.0


@pytest.mark.parametrize("change", ["start", "end"])
@pytest.mark.parametrize("situation", ["queued", "other fence", "ended", "absent"])
async def test_an_attempt_not_leased_under_that_fence_is_stale(
    state_storage: IStateStorage, change: str, situation: str
) -> None:
    instance = await started(state_storage)
    attempt_id, fence = queued(instance).attempt_id, 1
    if situation in ("other fence", "ended"):
        fence = (await claimed(state_storage)).fence
    if situation == "ended":
        ended = EndAttempt(attempt_id=attempt_id, fence=fence, status="succeeded", ended_at=NOW)
        transition = step(instance, parts={"attempts": (ended,)})
        await state_storage.commit(commit_of(transition))
        instance = transition.decision.instance
    elif situation == "other fence":
        fence += 1
    elif situation == "absent":
        attempt_id = NO_ATTEMPT
    late = (
        StartAttempt(attempt_id=attempt_id, fence=fence, started_at=later(9))
        if change == "start"
        else EndAttempt(attempt_id=attempt_id, fence=fence, status="failed", ended_at=later(9))
    )
    with pytest.raises(StaleFence):
        await state_storage.commit(commit_of(step(instance, parts={"attempts": (late,)})))
    assert await state_storage.instance(LOCAL, instance.instance_id) == instance


async def test_an_existing_unexpired_key_is_taken(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    await state_storage.commit(commit_of(step(instance), key=request_key()))
    with pytest.raises(KeyReused) as refused:
        await state_storage.commit(
            commit_of(step(replace(instance, seq=2)), key=request_key(answer="second"))
        )
    assert refused.value.code == "key_taken"
    stored = await state_storage.stored_answer(LOCAL, ALICE, "k")
    assert stored is not None
    assert stored.answer == {"instance_id": "first"}


async def test_a_duplicate_that_also_lost_the_race_for_the_instance_hears_of_its_key(
    state_storage: IStateStorage,
) -> None:
    instance = await born(state_storage)
    await state_storage.commit(commit_of(step(instance), key=request_key()))
    with pytest.raises(KeyReused):
        await state_storage.commit(commit_of(step(instance), key=request_key()))


async def test_an_expired_key_is_given_again(state_storage: IStateStorage, clock: StillClock) -> None:
    instance = await born(state_storage)
    await state_storage.commit(commit_of(step(instance), key=request_key(expires_at=later(10))))
    clock.time = later(10)
    second = request_key(expires_at=later(20), answer="second")
    await state_storage.commit(commit_of(step(replace(instance, seq=2)), key=second))
    stored = await state_storage.stored_answer(LOCAL, ALICE, "k")
    assert stored is not None
    assert stored.answer == {"instance_id": "second"}


async def test_before_naming_an_instance_that_does_not_exist_is_not_found(
    state_storage: IStateStorage,
) -> None:
    with pytest.raises(NotFound):
        await state_storage.commit(commit_of(step(new_instance("a"))))


async def test_a_root_gets_its_owner(state_storage: IStateStorage) -> None:
    instance = await started(state_storage, owner_id=OwnerId("me"))
    assert await state_storage.owner_of(LOCAL, instance.instance_id) == OwnerId("me")


@pytest.mark.parametrize("reason", ["seq", "fence", "key", "absent"])
async def test_nothing_is_written_when_it_raises(state_storage: IStateStorage, reason: str) -> None:
    first = await started(state_storage, "a")
    second = await born(state_storage, "b")
    await state_storage.commit(commit_of(step(second), key=request_key("taken")))
    second = await state_storage.instance(LOCAL, second.instance_id)
    before = await everything(state_storage)
    fine = running("d", parent=None)
    note = Continuation(instance_id=second.instance_id, kind=ContinuationKind.FAN_OUT)
    timer = TimerChange(kind=TimerKind.RETRY, due_at=NOW)
    changed = step(second, status=Status.FAILED, parts={"continuations": (note,), "timers": (timer,)})
    late = StartAttempt(attempt_id=queued(first).attempt_id, fence=5, started_at=NOW)
    bad = {
        "seq": step(replace(first, seq=7)),
        "fence": step(first, parts={"attempts": (late,)}),
        "key": step(first),
        "absent": step(new_instance("nobody")),
    }[reason]
    key = request_key("taken" if reason == "key" else "fresh")
    with pytest.raises(ChatFlowError):
        await state_storage.commit(commit_of(fine, changed, bad, key=key))
    assert await everything(state_storage) == before
    assert await state_storage.stored_answer(LOCAL, ALICE, "fresh") is None


async def everything(storage: IStateStorage) -> list[object]:
    instances = [await storage.instance(LOCAL, wfi(name)) for name in ("a", "b")]
    return [
        instances,
        await storage.events(LOCAL),
        await storage.outbox(),
        await storage.continuations(),
        await storage.due_timers(later(99)),
        [await storage.tree_status(LOCAL, each.root_id, NOW) for each in instances],
        [await storage.attempts(LOCAL, each.instance_id) for each in instances],
        await storage.unfinished_trees(),
        await storage.attempts(LOCAL, wfi("d")),
    ]


async def test_an_accepted_trigger_is_announced_with_its_four_fields(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    after = replace(instance, seq=2)
    triggered = event(after, EventType.STEP_TRIGGERED, trigger_data={"approved": True}, decision="approve")
    await state_storage.commit(commit_of(step(instance, triggered)))
    *_, message = await state_storage.outbox()
    assert message.topic == "workflow-events"
    assert message.message == {
        "event_type": "STEP_TRIGGERED",
        "instance_id": instance.instance_id,
        "trigger_data": {"approved": True},
        "timestamp": NOW.isoformat(),
    }
