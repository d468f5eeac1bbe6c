"""Giving, listing and revoking waivers: what is checked, and that nothing is kept of what is refused."""

from datetime import timedelta

import pytest

from chatflow_jupyter.domain.errors import ChatFlowError, Conflict, InvalidInput, NotFound
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, TenantId
from chatflow_jupyter.services.waivers import LONGEST, MAX_REASON, NewWaiver
from tests.services.world import World, run

DEFINITION = """\
name: release
aliases: [rel]
phases:
  - {name: draft, notebook: one.ipynb}
  - {name: review, notebook: one.ipynb, gate: {}}
  - {name: publish, notebook: one.ipynb, gate: {waivable: true}}
"""
HOUR = timedelta(hours=1)


def wanted(world: World, **more: object) -> NewWaiver:
    """A waiver that can be given, but for what a test changes."""
    given = {"schema": "release", "phase": "publish", "until": world.clock.now() + HOUR, "reason": "typos"}
    return NewWaiver(**{**given, "principal": LOCAL_PRINCIPAL, **more})


@pytest.mark.parametrize("named", ["release", "rel", "published", "folder"])
def test_a_waiver_is_kept_for_every_version_of_the_definition(world: World, named: str) -> None:
    async def story() -> None:
        folder = world.template("release", DEFINITION)
        if named == "published":
            await world.definitions.publish_folder(folder, LOCAL_TENANT)
            (folder / "definition.yaml").unlink()
        schema = {"published": "release", "folder": f"{folder}/"}.get(named, named)
        waiver = await world.waivers.add(LOCAL_TENANT, wanted(world, schema=schema, reason=" typos\n"))
        assert (waiver.name, waiver.phase, waiver.reason) == ("release", "publish", "typos")
        assert waiver.waiver_id.startswith("wvr_")
        assert list(await world.waivers.all(LOCAL_TENANT)) == [waiver]
        assert len(await world.definitions.all(LOCAL_TENANT)) == (named == "published")
        assert world.waivers.state(waiver) == "active"
        world.clock.turn(3600)
        assert world.waivers.state(waiver) == "expired"

    run(story())


REFUSED: list[tuple[dict[str, object], type[ChatFlowError], str]] = [
    ({"schema": "relase"}, NotFound, "did you mean release"),
    ({"schema": "./nowhere"}, NotFound, "there is no such folder"),
    ({"schema": "release@1.0.0"}, InvalidInput, "about every version"),
    ({"phase": "publsh"}, NotFound, "no phase 'publsh' .did you mean 'publish'"),
    ({"phase": "x"}, NotFound, "there are draft, review, publish"),
    ({"phase": "draft"}, NotFound, "no gate before draft; there are gates before review, publish"),
    ({"phase": "review"}, Conflict, "cannot be waived"),
    ({"reason": " \n"}, InvalidInput, "say why"),
    ({"reason": "x" * (MAX_REASON + 1)}, InvalidInput, "1001 characters are more than 1000"),
    ({"feature_id": ""}, InvalidInput, "1 to 255"),
]


@pytest.mark.parametrize(("more", "kind", "says"), REFUSED, ids=[says[:30] for _, _, says in REFUSED])
def test_what_cannot_be_waived_is_refused_and_nothing_kept(
    world: World, more: dict[str, object], kind: type[ChatFlowError], says: str
) -> None:
    async def story() -> None:
        world.template("release", DEFINITION)
        with pytest.raises(kind, match=says) as caught:
            await world.waivers.add(LOCAL_TENANT, wanted(world, **more))
        assert "\n" not in caught.value.message
        assert list(await world.waivers.all(LOCAL_TENANT)) == []

    run(story())


@pytest.mark.parametrize(
    ("from_now", "fine"),
    [
        (timedelta(0), False),
        (-HOUR, False),
        (timedelta(seconds=1), True),
        (LONGEST, True),
        (LONGEST + timedelta(seconds=1), False),
    ],
)
def test_a_waiver_ends_in_the_future_and_within_a_year(world: World, from_now: timedelta, fine: bool) -> None:
    async def story() -> None:
        world.template("release", DEFINITION)
        new = wanted(world, until=world.clock.now() + from_now)
        if fine:
            await world.waivers.add(LOCAL_TENANT, new)
            return
        with pytest.raises(InvalidInput, match=r"is over already|more than 366 days"):
            await world.waivers.add(LOCAL_TENANT, new)

    run(story())


def test_revoking_twice_changes_nothing_and_the_first_time_stays(world: World) -> None:
    async def story() -> None:
        world.template("release", DEFINITION)
        waiver = await world.waivers.add(LOCAL_TENANT, wanted(world))
        first = await world.waivers.revoke(LOCAL_TENANT, waiver.waiver_id, LOCAL_PRINCIPAL)
        world.clock.turn(5)
        assert await world.waivers.revoke(LOCAL_TENANT, waiver.waiver_id, LOCAL_PRINCIPAL) == first
        assert world.waivers.state(first) == "revoked"

    run(story())


def test_revoking_what_has_expired_does_not_rewrite_when_it_ended(world: World) -> None:
    async def story() -> None:
        world.template("release", DEFINITION)
        waiver = await world.waivers.add(LOCAL_TENANT, wanted(world))
        world.clock.turn(3600)
        assert await world.waivers.revoke(LOCAL_TENANT, waiver.waiver_id, LOCAL_PRINCIPAL) == waiver
        assert world.waivers.state(waiver) == "expired"
        assert list(await world.waivers.all(LOCAL_TENANT)) == [waiver]

    run(story())


def test_a_waiver_is_named_by_a_unique_beginning_and_is_of_its_tenant(world: World) -> None:
    async def story() -> None:
        world.template("release", DEFINITION)
        one = await world.waivers.add(LOCAL_TENANT, wanted(world))
        await world.waivers.add(LOCAL_TENANT, wanted(world))
        with pytest.raises(InvalidInput, match="2 waivers begin like that"):
            await world.waivers.revoke(LOCAL_TENANT, one.waiver_id[:-1], LOCAL_PRINCIPAL)
        for tenant, name in ((LOCAL_TENANT, "wvr_f00"), (LOCAL_TENANT, ""), (TenantId("b"), one.waiver_id)):
            with pytest.raises(NotFound, match="there is no such waiver"):
                await world.waivers.revoke(tenant, name, LOCAL_PRINCIPAL)
        states = [world.waivers.state(each) for each in await world.waivers.all(LOCAL_TENANT)]
        assert states == ["active", "active"]

    run(story())
