"""Processors: what is stored is what they leave, and nothing else of an artifact is in the store."""

from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.domain.errors import InvalidInput, StaleFence
from chatflow_jupyter.domain.hooks import ArtifactMade, Keep, Refuse, Replace
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, AttemptId
from chatflow_jupyter.domain.instance import Failure, Status
from chatflow_jupyter.ports.records import AttemptReport, Lease
from tests.services.hooked import HookedWorld, hook
from tests.services.world import run

ONE = "name: one\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb}\n"
SECRET = b"hunter2"


@pytest.fixture
def world(tmp_path: Path) -> HookedWorld:
    return HookedWorld(folder=tmp_path)


def redact(artifact: ArtifactMade) -> Any:
    content = Path(artifact.path).read_bytes()
    if SECRET not in content:
        return Keep()
    return Replace(content=content.replace(SECRET, b"***"), reason="a password")


def refuse(artifact: ArtifactMade) -> Any:
    return Refuse(reason="a password") if SECRET in Path(artifact.path).read_bytes() else Keep()


def everything(world: HookedWorld) -> bytes:
    """All that is stored and all that lies about."""
    objects = b"".join(world.bytes_.objects.values())
    return objects + b"".join(file.read_bytes() for file in world.work.rglob("*") if file.is_file())


async def put(world: HookedWorld, lease: Lease, name: str, content: bytes) -> Any:
    source = world.folder / "made.bin"
    source.write_bytes(content)
    held = (lease.attempt.attempt_id, lease.attempt.fence)
    try:
        return await world.execution.put_artifact(*held, name=name, kind="log", source=source)
    finally:
        source.unlink()


async def names(world: HookedWorld, instance_id: Any) -> list[str]:
    return sorted(one.name for one in await world.storage.artifacts(LOCAL_TENANT, instance_id))


def test_what_is_replaced_is_stored_instead_and_told_once(world: HookedWorld) -> None:
    world.enabled = [hook("secrets", process=redact)]

    async def story() -> None:
        made = await world.new(ONE)
        lease = await world.must_lease()
        record = await put(world, lease, "a.log", b"say hunter2")
        assert world.bytes_.objects[LOCAL_TENANT, record.sha256] == b"say ***"
        assert record.size_bytes == 7
        assert await put(world, lease, "b.log", b"nothing") is not None
        await world.end(lease)
        assert (await world.now(made.instance_id)).status is Status.COMPLETED
        assert SECRET not in everything(world)
        assert list(world.work.iterdir()) == []
        events = [one.event for one in await world.queries.history(LOCAL_TENANT, made.instance_id)]
        (told,) = [event for event in events if event.type == "HookAnswered"]
        assert told.attempt == 1
        assert told.data == {
            "hook": "secrets",
            "point": "artifact",
            "for_attempt": 1,
            "verdict": "processed",
            "artifacts": [{"name": "a.log", "verdict": "replaced", "reason": "a password"}],
        }

    run(story())


def test_what_was_found_in_an_attempt_that_was_taken_away_is_forgotten(world: HookedWorld) -> None:
    world.enabled = [hook("secrets", process=redact)]

    async def story() -> None:
        made = await world.new(ONE)
        lease = await world.must_lease()
        await put(world, lease, "a.log", b"say hunter2")
        about = lease.attempt.attempt_id
        assert [one.hook for one in world.processing.told(about)] == ["secrets"]
        await world.orchestrator.terminate(LOCAL_TENANT, made.instance_id, LOCAL_PRINCIPAL)
        with pytest.raises(StaleFence):
            await world.execution.heartbeat(about, lease.attempt.fence, None)
        assert world.processing.told(about) == ()

    run(story())


def test_a_refused_artifact_fails_its_attempt_at_its_end_and_the_others_are_kept(world: HookedWorld) -> None:
    world.enabled = [hook("secrets", process=refuse)]

    async def story() -> None:
        made = await world.new(ONE)
        lease = await world.must_lease()
        assert await put(world, lease, "a.log", b"say hunter2") is None
        assert await put(world, lease, "b.log", b"nothing") is not None
        await world.end(lease, n=1)
        failed = await world.now(made.instance_id)
        assert failed.failure is not None
        assert failed.failure.code == "artifact_refused"
        assert failed.failure.message == "hook secrets refused a.log: a password"
        assert "one" not in failed.variables
        assert await names(world, made.instance_id) == ["b.log"]
        assert SECRET not in everything(world)

    run(story())


def test_processors_come_one_after_another_each_with_what_the_last_one_left(world: HookedWorld) -> None:
    def shout(artifact: ArtifactMade) -> Any:
        content = Path(artifact.path).read_bytes()
        assert artifact.size_bytes == len(content)
        return Replace(content=content.upper(), reason="louder")

    world.enabled = [hook("secrets", process=redact), hook("loud", process=shout)]

    async def story() -> None:
        await world.new(ONE)
        record = await put(world, await world.must_lease(), "a.log", b"say hunter2")
        assert world.bytes_.objects[LOCAL_TENANT, record.sha256] == b"SAY ***"

    run(story())


@pytest.mark.parametrize(("policy", "ends"), [("closed", Status.FAILED), ("open", Status.COMPLETED)])
def test_a_processor_that_fails_lets_pass_only_under_the_policy_open(
    world: HookedWorld, policy: Any, ends: Status
) -> None:
    def process(_: ArtifactMade) -> Any:
        raise RuntimeError("no rules")

    world.enabled = [hook("secrets", policy=policy, process=process)]

    async def story() -> None:
        made = await world.new(ONE)
        lease = await world.must_lease()
        stored = await put(world, lease, "a.log", b"text")
        assert (stored is None) == (policy == "closed")
        await world.end(lease)
        ended = await world.now(made.instance_id)
        assert ended.status is ends
        if policy == "closed":
            assert ended.failure is not None
            assert ended.failure.code == "hook_failed"
            assert "hook secrets failed at a.log: RuntimeError: no rules" in ended.failure.message
        assert await world.verdicts(made.instance_id) == [("secrets", "artifact", 1, "processed")]

    run(story())


def test_the_text_of_a_failure_is_looked_at_too(world: HookedWorld) -> None:
    world.enabled = [hook("secrets", process=redact), hook("strict", process=refuse)]

    async def story() -> None:
        made = await world.new(ONE)
        lease = await world.must_lease()
        failure = Failure(
            code="cell_error",
            message="ValueError: hunter2",
            traceback="line 1\nhunter2",
            last_output="printed hunter2",
        )
        report = AttemptReport(duration_sec=1.0, failure=failure)
        await world.execution.complete(lease.attempt.attempt_id, lease.attempt.fence, report)
        kept = (await world.now(made.instance_id)).failure
        assert kept is not None
        assert kept.code == "cell_error"
        assert (kept.message, kept.traceback, kept.last_output) == (
            "ValueError: ***",
            "line 1\n***",
            "printed ***",
        )
        (row,) = await world.storage.attempts(LOCAL_TENANT, made.instance_id)
        assert "hunter2" not in repr(row)

    run(story())


def test_what_is_refused_of_a_failure_is_withheld(world: HookedWorld) -> None:
    world.enabled = [hook("secrets", process=refuse)]

    async def story() -> None:
        made = await world.new(ONE)
        lease = await world.must_lease()
        failure = Failure(code="cell_error", message="it failed", last_output="hunter2")
        report = AttemptReport(duration_sec=1.0, failure=failure)
        await world.execution.complete(lease.attempt.attempt_id, lease.attempt.fence, report)
        kept = (await world.now(made.instance_id)).failure
        assert kept is not None
        assert (kept.code, kept.message) == ("cell_error", "it failed")
        assert kept.last_output == "(withheld: hook secrets refused (last_output): a password)"

    run(story())


def test_outputs_are_looked_at_as_json(world: HookedWorld) -> None:
    world.enabled = [hook("secrets", process=redact)]

    async def story() -> None:
        made = await world.new(ONE)
        await world.end(await world.must_lease(), token="hunter2", n=1)
        assert (await world.now(made.instance_id)).variables["one"] == {"token": "***", "n": 1}

    run(story())


def test_outputs_that_are_refused_fail_the_attempt(world: HookedWorld) -> None:
    world.enabled = [hook("secrets", process=refuse)]

    async def story() -> None:
        made = await world.new(ONE)
        await world.end(await world.must_lease(), token="hunter2")
        failed = await world.now(made.instance_id)
        assert failed.failure is not None
        assert failed.failure.message == "hook secrets refused (outputs): a password"
        assert "hunter2" not in repr(failed)

    run(story())


def test_the_partial_notebook_of_a_lost_attempt_is_looked_at_too(world: HookedWorld) -> None:
    world.enabled = [hook("secrets", process=redact)]

    async def story() -> None:
        made = await world.new(ONE)
        lease = await world.must_lease()
        folder = world.work / lease.attempt.attempt_id
        folder.mkdir()
        (folder / "notebook.ipynb").write_bytes(b'{"say": "hunter2"}')
        row = await world.storage.attempt(LOCAL_TENANT, AttemptId(lease.attempt.attempt_id))
        assert isinstance(row.fence, int)
        await world.dispatcher.lose(row, cause="gone", counts_as="runner")
        assert await names(world, made.instance_id) == ["one.ipynb"]
        assert SECRET not in everything(world)
        assert not folder.exists()
        assert world.processing.told(row.attempt_id) == ()

    run(story())


def test_findings_outlive_a_report_that_could_not_be_committed_at_first(world: HookedWorld) -> None:
    world.enabled = [hook("secrets", process=refuse)]

    async def story() -> None:
        made = await world.new(ONE)
        lease = await world.must_lease()
        await put(world, lease, "a.log", b"hunter2")

        async def busy() -> None:
            raise InvalidInput("the store is busy")

        world.storage.before_commit = busy
        with pytest.raises(InvalidInput):
            await world.end(lease)
        await world.end(lease)
        failed = await world.now(made.instance_id)
        assert failed.failure is not None
        assert failed.failure.code == "artifact_refused"

    run(story())


def test_only_regular_files_are_looked_at(world: HookedWorld, tmp_path: Path) -> None:
    world.enabled = [hook("secrets", process=redact)]

    async def story() -> None:
        await world.new(ONE)
        lease = await world.must_lease()
        held = (lease.attempt.attempt_id, lease.attempt.fence)
        for source in (tmp_path, tmp_path / "absent"):
            with pytest.raises(InvalidInput):
                await world.execution.put_artifact(*held, name="a", kind="log", source=source)

    run(story())


def test_very_many_findings_are_counted(world: HookedWorld) -> None:
    world.enabled = [hook("secrets", process=redact)]

    async def story() -> None:
        made = await world.new(ONE)
        lease = await world.must_lease()
        for number in range(25):
            await put(world, lease, f"{number}.log", b"hunter2")
        await put(world, lease, "0.log", b"hunter2 again")  # the same name once more is one artifact
        await world.end(lease)
        events = [one.event for one in await world.queries.history(LOCAL_TENANT, made.instance_id)]
        (told,) = [event.data for event in events if event.type == "HookAnswered"]
        assert (len(told["artifacts"]), told["more"]) == (20, 5)

    run(story())


def spoil(artifact: ArtifactMade) -> Any:
    Path(artifact.path).unlink()
    return Keep()


def test_a_processor_cannot_take_away_what_it_looks_at(world: HookedWorld) -> None:
    world.enabled = [hook("secrets", process=spoil)]

    async def story() -> None:
        made = await world.new(ONE)
        lease = await world.must_lease()
        assert await put(world, lease, "a.log", b"nothing") is None
        await world.end(lease)
        failure = (await world.now(made.instance_id)).failure
        assert failure is not None
        assert failure.code == "hook_failed"

    run(story())


def test_what_a_notebook_lays_beside_its_folder_is_neither_written_to_nor_in_the_way(
    world: HookedWorld,
) -> None:
    world.enabled = [hook("secrets", process=redact)]

    async def story() -> None:
        await world.new(ONE)
        lease = await world.must_lease()
        victim = world.folder / "victim.txt"
        victim.write_text("mine")
        around = world.work / lease.attempt.attempt_id / "checked"
        for number in range(1, 5):
            (around / f"{number}.log" / "x").mkdir(parents=True)
            (around / f"{number}.txt").symlink_to(victim)
        record = await put(world, lease, "a.log", b"say hunter2")
        assert world.bytes_.objects[LOCAL_TENANT, record.sha256] == b"say ***"
        assert victim.read_text() == "mine"

    run(story())
