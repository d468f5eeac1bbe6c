"""Hooks behind an attempt: what a notebook handed over counts once they accept it."""

from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.domain.hooks import Accept, AttemptBehind, Reject, SetRisk
from chatflow_jupyter.domain.instance import Status, WaitingReason
from tests.services.hooked import HookedWorld, failure_of, hook
from tests.services.world import run

ONE = "name: one\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb}\n"


@pytest.fixture
def world(tmp_path: Path) -> HookedWorld:
    return HookedWorld(folder=tmp_path)


def test_an_outcome_counts_once_it_is_accepted(world: HookedWorld) -> None:
    seen: list[AttemptBehind] = []
    world.enabled = [hook("quality", after=lambda it: seen.append(it) or SetRisk(risk=30, reason="so"))]

    async def story() -> None:
        made = await world.new()
        lease = await world.must_lease()
        report = world.folder / "a.txt"
        report.write_text("text")
        held = (lease.attempt.attempt_id, lease.attempt.fence)
        await world.execution.put_artifact(*held, name="a.txt", kind="log", source=report)
        await world.end(lease, n=3)
        waits = await world.now(made.instance_id)
        assert waits.waiting_reason is WaitingReason.HOOK
        assert not waits.phases["one"].notebook_done
        await world.ask_hooks()
        assert (seen[0].outputs, seen[0].risk, seen[0].artifacts) == ({"n": 3}, 0, ("a.txt",))
        after = await world.now(made.instance_id)
        assert (after.phase, after.reported_risk, after.variables["one"]) == ("two", 30, {"n": 3})

    run(story())


def test_a_rejected_outcome_is_retried_only_when_the_hook_says_so(world: HookedWorld) -> None:
    answers = [Reject(reason="too few", retryable=True), Reject(reason="never")]
    world.enabled = [hook("quality", after=lambda _: answers.pop(0))]

    async def story() -> None:
        made = await world.new(ONE.replace("one.ipynb}", "one.ipynb, retries: {max_attempts: 5}}"))
        await world.end(await world.must_lease())
        await world.ask_hooks()
        lease = await world.must_lease()
        assert lease.attempt.number == 2
        await world.end(lease)
        await world.ask_hooks()
        code, message = failure_of(await world.now(made.instance_id))
        assert (code, message) == ("rejected_by_hook", "hook quality rejected attempt 2: never")

    run(story())


def test_a_hook_behind_that_failed_costs_no_second_run_of_the_notebook(world: HookedWorld) -> None:
    works: list[bool] = []

    def after(_: AttemptBehind) -> Any:
        if not works:
            raise ConnectionError("the service is away")
        return Accept()

    world.enabled = [hook("quality", after=after)]

    async def story() -> None:
        made = await world.new(ONE)
        await world.end(await world.must_lease(), n=5)
        await world.ask_hooks()
        code, message = failure_of(await world.now(made.instance_id))
        assert code == "hook_failed"
        assert "ConnectionError: the service is away" in message
        works.append(True)
        await world.trigger(made.instance_id)
        await world.ask_hooks()
        done = await world.now(made.instance_id)
        assert (done.status, done.variables["one"], done.phases["one"].attempts) == (
            Status.COMPLETED,
            {"n": 5},
            1,
        )

    run(story())
