"""Bytes and rows: what is published is there, whatever the collector does meanwhile."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from chatflow_jupyter.domain.errors import InvalidInput, StaleFence
from chatflow_jupyter.domain.ids import LOCAL_TENANT
from chatflow_jupyter.services.artifacts import UNTOUCHED, check_artifact_name, media_type_of
from tests.services.world import World, run

DAY_LATER = (UNTOUCHED + timedelta(seconds=1)).total_seconds()


def test_bytes_taken_by_the_collector_at_the_last_moment_are_stored_again(world: World) -> None:
    async def story() -> None:
        stored = await world.artifacts.store(LOCAL_TENANT, b"report")
        world.clock.turn(DAY_LATER)

        async def collector() -> None:
            await world.bytes_.delete(LOCAL_TENANT, stored.sha256)

        world.bytes_.before_exists = collector
        again = await world.artifacts.store(LOCAL_TENANT, b"report")
        assert await world.bytes_.exists(LOCAL_TENANT, again.sha256)

    run(story())


def test_storing_what_an_unfinished_collection_had_marked_finishes_it_first(world: World) -> None:
    async def story() -> None:
        stored = await world.artifacts.store(LOCAL_TENANT, b"report")
        world.clock.turn(DAY_LATER)
        marked = await world.storage.collectable_blobs(LOCAL_TENANT, world.clock.now() - UNTOUCHED)
        assert list(marked) == [stored.sha256]
        again = await world.artifacts.store(LOCAL_TENANT, b"report")
        assert await world.bytes_.exists(LOCAL_TENANT, again.sha256)
        assert not await world.artifacts.collect(LOCAL_TENANT)

    run(story())


def test_the_collector_takes_only_what_nothing_refers_to_and_nobody_touched(
    world: World, tmp_path: Path
) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        (tmp_path / "a.txt").write_text("kept by its row")
        await world.artifacts.publish(
            lease.attempt, name="a.txt", kind="data", source=tmp_path / "a.txt", fence=lease.attempt.fence
        )
        (tmp_path / "b.txt").write_text("kept by once")
        await world.execution.once_put_file(lease.attempt.attempt_id, 1, "b", tmp_path / "b.txt")
        await world.artifacts.store(LOCAL_TENANT, b"forgotten")
        world.clock.turn(DAY_LATER)
        await world.artifacts.store(LOCAL_TENANT, b"fresh")
        assert await world.artifacts.collect(LOCAL_TENANT) == 1
        kept = set(world.bytes_.objects.values())
        assert b"forgotten" not in kept
        assert {b"kept by its row", b"kept by once", b"fresh"} < kept

    run(story())


def test_an_artifact_of_a_lost_lease_is_refused(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        (tmp_path / "a.txt").write_text("late")
        with pytest.raises(StaleFence):
            await world.artifacts.publish(
                lease.attempt, name="a.txt", kind="data", source=tmp_path / "a.txt", fence=7
            )
        assert not await world.storage.artifacts(LOCAL_TENANT, lease.attempt.instance_id)

    run(story())


def test_another_artifact_of_the_same_name_replaces_the_first(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        for text in ("first", "second"):
            (tmp_path / "a.txt").write_text(text)
            held = (lease.attempt.attempt_id, lease.attempt.fence)
            await world.execution.put_artifact(*held, name="a.txt", kind="data", source=tmp_path / "a.txt")
        (record,) = await world.storage.artifacts(LOCAL_TENANT, lease.attempt.instance_id)
        await world.artifacts.fetch(record, tmp_path / "got.txt")
        assert (tmp_path / "got.txt").read_text() == "second"

    run(story())


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a\\b", "a\nb", "x" * 256, "."]
)
def test_unsafe_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="artifact name"):
        check_artifact_name(name)


def test_an_unknown_kind_names_the_kinds_there_are(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        (tmp_path / "a").write_text("x")
        with pytest.raises(InvalidInput, match="there are code, data, log"):
            await world.execution.put_artifact(
                lease.attempt.attempt_id, 1, name="a", kind="virus", source=tmp_path / "a"
            )

    run(story())


def test_the_media_type_is_ours_not_the_producers() -> None:
    assert media_type_of("r.ipynb") == "application/x-ipynb+json"
    assert media_type_of("r.html") == "text/html"
    assert media_type_of("r.unheardof") == "application/octet-stream"
    assert json.dumps(media_type_of("a.json")) == '"application/json"'
