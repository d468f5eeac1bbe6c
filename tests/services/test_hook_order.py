"""Which hooks are asked, in which order, and when none is."""

from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.domain.hooks import Accept, Allow, Ask, Deny, Reject
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT
from chatflow_jupyter.domain.instance import Status, WaitingReason
from chatflow_jupyter.domain.requests import Terminate, Trigger
from chatflow_jupyter.services.hook_runs import forget_moot
from tests.services.damage import damage
from tests.services.hooked import HookedWorld, failure_of, hook
from tests.services.world import TREE, run

ONE = "name: one\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb}\n"
SAGA = """\
name: saga
automation_level: 100
on_failure: compensate
phases:
  - {name: pay, notebook: one.ipynb, compensate: one.ipynb}
"""
RULED = ONE.replace("one.ipynb}", "one.ipynb, gate: {auto: {field: context.n, operator: exists}}}")


@pytest.fixture
def world(tmp_path: Path) -> HookedWorld:
    return HookedWorld(folder=tmp_path)


@pytest.mark.parametrize("point", ["before", "after"])
def test_behind_the_one_that_stops_an_attempt_no_other_is_asked(world: HookedWorld, point: str) -> None:
    stops: Any = Deny(reason="no") if point == "before" else Reject(reason="no")
    asked: list[str] = []
    methods: Any = {
        name: {point: lambda _, name=name: asked.append(name) or (stops if name == "two" else passes)}
        for name in ("one", "two", "three")
    }
    passes: Any = Allow() if point == "before" else Accept()
    world.enabled = [hook(name, **methods[name]) for name in methods]

    async def story() -> None:
        made = await world.new(ONE)
        if point == "after":
            await world.end(await world.must_lease())
        await world.ask_hooks()
        assert asked == ["one", "two"]
        assert failure_of(await world.now(made.instance_id))[0] in ("denied", "rejected_by_hook")
        assert [told[0] for told in await world.verdicts(made.instance_id)] == ["one", "two"]

    run(story())


def test_a_dry_run_stops_where_hooks_would_be_asked_and_asks_none(world: HookedWorld) -> None:
    asked: list[int] = []
    world.enabled = [hook("style", before=lambda it: asked.append(it.number) or Deny(reason="no"))]

    async def story() -> None:
        made = await world.new(ONE)
        await world.ask_hooks()
        request = Trigger(principal=LOCAL_PRINCIPAL)
        shown = await world.orchestrator.preview(LOCAL_TENANT, made.instance_id, request)
        assert shown.instance.waiting_reason is WaitingReason.HOOK
        assert shown.path[0].stops_for == "style, before attempt 1 of phase one"
        assert await world.storage.continuations() == ()
        assert asked == [1]

    run(story())


def test_a_rule_that_opens_the_gate_does_not_answer_a_hook(world: HookedWorld) -> None:
    world.enabled = [hook("style", before=lambda _: Ask(reason="sure?"))]

    async def story() -> None:
        made = await world.new(RULED, context={"n": 1})
        await world.ask_hooks()
        asks = await world.now(made.instance_id)
        assert (asks.waiting_reason, asks.waiting_detail) == (
            WaitingReason.APPROVAL,
            "hook style asks: sure?",
        )

    run(story())


def test_undoing_asks_no_hook_and_what_was_rejected_is_undone(world: HookedWorld) -> None:
    asked: list[str] = []
    world.enabled = [
        hook(
            "strict",
            before=lambda it: asked.append(it.phase) or Allow(),
            after=lambda it: asked.append(it.phase) or Reject(reason="no"),
        )
    ]

    async def story() -> None:
        made = await world.new(SAGA)
        await world.ask_hooks()
        await world.end(await world.must_lease(), receipt="r1")
        await world.ask_hooks()
        undoing = await world.now(made.instance_id)
        assert undoing.status is Status.COMPENSATING
        assert undoing.variables["pay"] == {"receipt": "r1"}
        await world.end(await world.must_lease())
        undone = await world.now(made.instance_id)
        assert (undone.status, undone.compensated) == (Status.FAILED, True)
        assert failure_of(undone)[0] == "rejected_by_hook"
        assert asked == ["pay", "pay"]

    run(story())


def test_what_waits_to_be_judged_is_undone_when_it_is_ended_so(world: HookedWorld) -> None:
    world.enabled = [hook("slow", after=lambda _: Accept())]

    async def story() -> None:
        made = await world.new(SAGA.replace("on_failure: compensate\n", ""))
        await world.end(await world.must_lease())
        ends = Terminate(principal=LOCAL_PRINCIPAL, compensate=True)
        await world.orchestrator.apply(LOCAL_TENANT, made.instance_id, ends)
        lease = await world.must_lease()
        assert lease.attempt.phase == "pay.compensate"
        await world.ask_hooks()  # its verdict comes too late
        await world.end(lease)
        undone = await world.now(made.instance_id)
        assert (undone.status, undone.compensated) == (Status.TERMINATED, True)
        assert await world.verdicts(made.instance_id) == []

    run(story())


def test_children_are_asked_about_each_by_itself(world: HookedWorld) -> None:
    seen: list[str] = []
    world.enabled = [hook("style", before=lambda it: seen.append(it.definition.name) or Allow())]

    async def story() -> None:
        made = await world.new(TREE)
        for _ in range(20):
            if (await world.now(made.instance_id)).ended:
                break
            await world.ask_hooks()
            lease = await world.lease()
            if lease is not None:
                await world.end(lease)
        assert (await world.now(made.instance_id)).status is Status.COMPLETED
        assert seen == ["leaf"] * 3

    run(story())


def test_a_damaged_row_keeps_nobody_from_forgetting_hooks_whose_verdict_is_moot(
    world: HookedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.enabled = [hook("style", before=lambda _: Allow())]

    async def story() -> None:
        ill, moot, waits = [await world.new(ONE) for _ in range(3)]
        await world.orchestrator.apply(LOCAL_TENANT, moot.instance_id, Terminate(principal=LOCAL_PRINCIPAL))
        damage(world, [ill.instance_id], monkeypatch)
        await forget_moot(world.storage)
        left = [row.continuation.instance_id for row in await world.storage.continuations()]
        assert left == [ill.instance_id, waits.instance_id]

    run(story())
