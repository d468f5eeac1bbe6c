"""Hooks in force: called outside of a transition, perhaps again, and what they say is committed once."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.domain.errors import Conflict, InvalidInput
from chatflow_jupyter.domain.hooks import (
    Accept,
    Allow,
    Amend,
    Ask,
    AttemptAhead,
    Deny,
    SetRisk,
)
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, OwnerId
from chatflow_jupyter.domain.instance import Status, WaitingReason
from chatflow_jupyter.services.hook_calls import Hooks
from chatflow_jupyter.services.hook_runs import HookRuns, forget_moot
from tests.services.damage import damage
from tests.services.hooked import HookedWorld, failure_of, hook
from tests.services.world import ProcessDied, run

ONE = "name: one\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb}\n"
TYPED = ONE.replace(
    "phases:",
    "parameters: {type: object, properties: {n: {type: integer}}, required: [n]}\nphases:",
)
RETRYING = ONE.replace("one.ipynb}", "one.ipynb, retries: {max_attempts: 2}}")


@pytest.fixture
def world(tmp_path: Path) -> HookedWorld:
    return HookedWorld(folder=tmp_path)


def test_without_hooks_there_is_no_further_commit(world: HookedWorld) -> None:
    async def story() -> None:
        made = await world.new(ONE)
        assert made.seq == 1
        done = await world.work_on(made.instance_id)
        assert (done.status, done.seq) == (Status.COMPLETED, 3)

    run(story())


def test_a_hook_sees_the_attempt_and_what_it_amends_reaches_it(world: HookedWorld) -> None:
    seen: list[AttemptAhead] = []

    def before(attempt: AttemptAhead) -> Any:
        seen.append(attempt)
        return Amend(parameters={"n": 7, "extra": [1]}, reason="so")

    world.enabled = [hook("style", before=before), hook("cost", before=lambda it: seen.append(it) or Allow())]

    async def story() -> None:
        made = await world.new(TYPED, context={"n": 1})
        assert (made.status, made.waiting_reason) == (Status.WAITING, WaitingReason.HOOK)
        assert await world.ask_hooks() == 1
        lease = await world.must_lease()
        assert lease.attempt.parameters == {"n": 7, "extra": [1]}
        first, second = seen
        assert (first.phase, first.number, first.notebook) == ("one", 1, "one.ipynb")
        assert first.content == (world.folder / "templates/made/one.ipynb").read_bytes()
        assert first.parameters == {"n": 1}
        assert second.parameters == {"n": 7, "extra": [1]}
        await world.end(lease)
        assert (await world.now(made.instance_id)).status is Status.COMPLETED
        assert await world.verdicts(made.instance_id) == [
            ("style", "before", 1, "amend"),
            ("cost", "before", 1, "allow"),
        ]

    run(story())


@pytest.mark.parametrize(
    ("verdict", "code", "words"),
    [
        (Deny(reason="not on Fridays"), "denied", "hook style denied attempt 1: not on Fridays"),
        (Amend(parameters={"n": "text"}, reason="so"), "hook_failed", "is not of type 'integer'"),
        (Amend(parameters={"no name": 1}, reason="so"), "hook_failed", "no parameter can be called"),
        (Accept(), "hook_failed", "returned Accept, not one of Allow, Deny, Ask, Amend, SetRisk"),
        (None, "hook_failed", "returned NoneType"),
        (SetRisk(risk=101, reason=""), "hook_failed", "from 0 to 100"),
        (Deny(reason="x" * 1001), "hook_failed", "at most 1000 characters"),
        (Deny(reason="\0"), "hook_failed", "NUL"),
    ],
)
def test_what_stops_an_attempt_fails_its_phase_and_a_retry_asks_again(
    world: HookedWorld, verdict: Any, code: str, words: str
) -> None:
    answers = [verdict, Allow()]
    later: list[Any] = []
    world.enabled = [
        hook("style", before=lambda _: answers.pop(0)),
        hook("later", before=lambda it: later.append(it) or Allow()),
    ]

    async def story() -> None:
        made = await world.new(TYPED, context={"n": 1})
        await world.ask_hooks()
        failed = await world.now(made.instance_id)
        assert failed.status is Status.FAILED
        assert failure_of(failed)[0] == code
        assert words in failure_of(failed)[1]
        assert await world.storage.attempts(LOCAL_TENANT, made.instance_id) == ()
        await world.trigger(made.instance_id)
        await world.ask_hooks()
        assert await world.lease() is not None

    run(story())


def test_a_failure_under_the_policy_open_is_noted_and_lets_pass(world: HookedWorld) -> None:
    def before(_: AttemptAhead) -> Any:
        raise KeyError("gone")

    world.enabled = [hook("style", policy="open", before=before), hook("cost", before=lambda _: Allow())]

    async def story() -> None:
        made = await world.new(ONE)
        await world.ask_hooks()
        assert await world.lease() is not None
        assert await world.verdicts(made.instance_id) == [
            ("style", "before", 1, "broken"),
            ("cost", "before", 1, "allow"),
        ]

    run(story())


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("nothing to say")


@pytest.mark.parametrize(
    "raised", [StopIteration(), SystemExit(3), KeyboardInterrupt(), RecursionError(), Speechless()]
)
def test_whatever_a_hook_raises_ends_its_thread_only(world: HookedWorld, raised: BaseException) -> None:
    def before(_: AttemptAhead) -> Any:
        raise raised

    world.enabled = [hook("style", before=before)]

    async def story() -> None:
        made = await world.new(ONE)
        await world.ask_hooks()
        code, message = failure_of(await world.now(made.instance_id))
        assert code == "hook_failed"
        assert type(raised).__name__ in message

    run(story())


class Trap(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")


def test_a_verdict_that_cannot_be_read_is_a_failure_of_its_hook(world: HookedWorld) -> None:
    world.enabled = [hook("style", before=lambda _: Amend(parameters=Trap(n=1), reason="a trap"))]

    async def story() -> None:
        made = await world.new(ONE)
        await world.ask_hooks()
        code, message = failure_of(await world.now(made.instance_id))
        assert (code, "no items" in message) == ("hook_failed", True)

    run(story())


def test_what_a_hook_returned_and_changes_later_is_not_changed_here(world: HookedWorld) -> None:
    parameters: dict[str, Any] = {"list": [1]}
    world.enabled = [hook("style", before=lambda _: Amend(parameters=parameters, reason="so"))]

    async def story() -> None:
        made = await world.new(ONE)
        await world.ask_hooks()
        parameters["list"].append(2)
        clearance = (await world.now(made.instance_id)).phases["one"].clearance
        assert clearance is not None
        assert clearance.parameters == {"list": [1]}
        assert (await world.must_lease()).attempt.parameters == {"list": [1]}

    run(story())


def test_a_bundle_that_is_gone_is_what_a_hook_failed_of(world: HookedWorld) -> None:
    world.enabled = [hook("style", before=lambda _: Allow())]

    async def story() -> None:
        made = await world.new(ONE)
        kept = dict(world.bytes_.objects)
        world.bytes_.objects.clear()
        await world.ask_hooks()
        code, message = failure_of(await world.now(made.instance_id))
        assert code == "hook_failed"
        assert "there is no notebook to look at" in message
        world.bytes_.objects.update(kept)
        await world.trigger(made.instance_id)
        await world.ask_hooks()
        assert await world.lease() is not None

    run(story())


def test_a_hook_that_takes_too_long_is_named_and_nobody_waits_for_its_thread(tmp_path: Path) -> None:
    never = threading.Event()
    world = HookedWorld(folder=tmp_path, timeout_sec=0.1)
    world.enabled = [hook("slow", before=lambda _: never.wait())]

    async def story() -> None:
        made = await world.new(ONE)
        await world.ask_hooks()
        assert failure_of(await world.now(made.instance_id)) == (
            "hook_failed",
            "hook slow failed: it took longer than 0.1 s; mend or disable it, then retry",
        )

    run(story())
    assert any(thread.name == "hook slow" and thread.daemon for thread in threading.enumerate())
    never.set()


def test_what_a_hook_asks_is_asked_of_people_without_any_gate_and_once(world: HookedWorld) -> None:
    reasons = ["is that so?", "is that so?", "really?"]
    world.enabled = [hook("style", before=lambda _: Ask(reason=reasons.pop(0)))]

    async def story() -> None:
        made = await world.new(RETRYING)
        await world.ask_hooks()
        asks = await world.now(made.instance_id)
        assert asks.waiting_reason is WaitingReason.APPROVAL
        assert asks.waiting_detail == "hook style asks: is that so?"
        await world.trigger(made.instance_id, decision="approve")
        await world.end(await world.must_lease(), failure="cell_error")
        await world.ask_hooks()  # the same question about the next attempt: it was answered
        lease = await world.must_lease()
        assert lease.attempt.number == 2
        await world.end(lease, failure="cell_error")
        await world.trigger(made.instance_id)
        await world.ask_hooks()
        assert (await world.now(made.instance_id)).waiting_detail == "hook style asks: really?"

    run(story())


def test_the_risk_a_hook_sees_makes_the_automation_level_ask(world: HookedWorld) -> None:
    world.enabled = [hook("style", before=lambda _: SetRisk(risk=80, reason="it deploys"))]

    async def story() -> None:
        made = await world.new(ONE.replace("100", "70"))
        await world.ask_hooks()
        asks = await world.now(made.instance_id)
        assert asks.waiting_detail == "risk 80 reaches the automation level 70"

    run(story())


def test_a_process_that_dies_at_the_commit_has_called_them_again_and_one_verdict_stands(
    world: HookedWorld,
) -> None:
    calls: list[int] = []
    world.enabled = [hook("style", before=lambda it: calls.append(it.number) or Allow())]

    async def story() -> None:
        made = await world.new(ONE)
        world.storage.die_after_commit = True
        with pytest.raises(ProcessDied):
            await world.ask_hooks()
        world.wire(world.storage)
        assert await world.ask_hooks() == 0
        assert calls == [1]
        assert await world.verdicts(made.instance_id) == [("style", "before", 1, "allow")]

    run(story())


def test_two_processes_that_call_them_at_once_record_one_verdict(world: HookedWorld) -> None:
    world.enabled = [hook("style", before=lambda _: Allow())]

    async def story() -> None:
        made = await world.new(ONE)
        rows = await world.storage.continuations()
        world.storage.before_commit = lambda: world.runs.answer(rows[0], world.dispatcher.apply_note)
        await world.runs.answer(rows[0], world.dispatcher.apply_note)
        assert await world.verdicts(made.instance_id) == [("style", "before", 1, "allow")]
        assert await world.lease() is not None

    run(story())


def test_hooks_of_a_tree_that_somebody_else_drives_are_left_to_them(world: HookedWorld) -> None:
    world.enabled = [hook("style", before=lambda _: Deny(reason="never"))]

    async def story() -> None:
        made = await world.new(ONE, owner_id=OwnerId("own_other"))
        runs = HookRuns(world.storage, world.hooks, world.artifacts, world.pinned, owner_id=OwnerId("own_me"))
        (row,) = await world.storage.continuations()
        await runs.answer(row, world.dispatcher.apply_note)
        assert (await world.now(made.instance_id)).waiting_reason is WaitingReason.HOOK
        assert await world.storage.continuations() == (row,)

    run(story())


def test_the_notes_are_answered_beside_each_other(world: HookedWorld) -> None:
    together = threading.Barrier(2, timeout=20)

    def before(_: AttemptAhead) -> Any:
        together.wait()
        return Allow()

    world.enabled = [hook("style", before=before)]

    async def story() -> None:
        made = [await world.new(ONE), await world.new(ONE)]
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(world.runs.run(world.dispatcher.apply_note))
            await world.dispatcher.step()
            await world.dispatcher.step()  # they are being answered: nothing is called twice
            while await world.storage.continuations():
                await world.storage.wait_for_change(world.storage.change_token(), 0.05)
            running.cancel()
        for one in made:
            assert await world.verdicts(one.instance_id) == [("style", "before", 1, "allow")]

    run(story())


def test_a_paused_instance_keeps_what_hooks_say_and_goes_on_when_resumed(world: HookedWorld) -> None:
    world.enabled = [hook("style", before=lambda _: Allow())]

    async def story() -> None:
        made = await world.new(ONE)
        await world.orchestrator.pause(LOCAL_TENANT, made.instance_id, LOCAL_PRINCIPAL)
        await world.ask_hooks()
        assert await world.lease() is None
        await world.orchestrator.resume(LOCAL_TENANT, made.instance_id, LOCAL_PRINCIPAL)
        assert await world.lease() is not None
        assert len(await world.verdicts(made.instance_id)) == 1

    run(story())


def test_what_waits_for_hooks_can_be_ended_also_when_none_can_be_loaded(world: HookedWorld) -> None:
    world.enabled = [hook("style", before=lambda _: Allow())]

    async def story() -> None:
        made = await world.new(ONE)

        def load() -> Any:
            raise InvalidInput("the plugin 'style' is not installed")

        world.orchestrator._hooks = Hooks(load, timeout_sec=1).plan
        with pytest.raises(InvalidInput, match="not installed"):
            await world.trigger(made.instance_id)
        await world.orchestrator.pause(LOCAL_TENANT, made.instance_id, LOCAL_PRINCIPAL)
        ended = await world.orchestrator.terminate(LOCAL_TENANT, made.instance_id, LOCAL_PRINCIPAL)
        assert ended.status is Status.TERMINATED
        assert await world.ask_hooks() == 1  # the note is found to be of no consequence
        assert await world.storage.continuations() == ()

    run(story())


def test_notes_that_are_of_no_consequence_go_and_one_that_cannot_be_read_keeps_no_other(
    world: HookedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.enabled = [hook("style", before=lambda _: Allow())]

    async def story() -> None:
        damaged, asked, ended = [(await world.new(ONE)).instance_id for _ in range(3)]
        for one in (damaged, ended):
            await world.orchestrator.terminate(LOCAL_TENANT, one, LOCAL_PRINCIPAL)
        damage(world, [damaged], monkeypatch)
        await forget_moot(world.storage)
        left = await world.storage.continuations()
        assert [row.continuation.instance_id for row in left] == [damaged, asked]

    run(story())


def test_a_trigger_while_hooks_are_asked_is_busy(world: HookedWorld) -> None:
    world.enabled = [hook("style", before=lambda _: Allow())]

    async def story() -> None:
        made = await world.new(ONE)
        with pytest.raises(Conflict, match="waiting for hook: style, before attempt 1 of phase one"):
            await world.trigger(made.instance_id)

    run(story())
