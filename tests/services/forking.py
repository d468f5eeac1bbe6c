"""An instance that went a long way, and how forks of it are asked for."""

from collections.abc import Mapping
from typing import Any

import pytest

from chatflow_jupyter.domain.errors import ChatFlowError
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.services.forks import NewFork
from tests.services.world import World

STORY = """\
name: story
version: 1.0.0
automation_level: 60
parameters: {type: object, properties: {month: {type: integer}, year: {type: integer}}}
phases:
  - {name: collect, notebook: one.ipynb}
  - {name: check, notebook: one.ipynb, gate: {title: Look}}
  - name: files
    children: {schema: ./leaf.yaml, items: [a, b]}
  - {name: wait, notebook: one.ipynb, start: on_trigger}
  - {name: publish, notebook: one.ipynb}
"""


async def fork(
    world: World, source: Instance, phase: str, *, key: str | None = None, **more: Any
) -> Instance:
    wanted = NewFork(
        tenant_id=LOCAL_TENANT,
        source_id=source.instance_id,
        phase=phase,
        principal=LOCAL_PRINCIPAL,
        **more,
    )
    return await world.forks.fork(wanted, key=key)


async def told(world: World, context: Mapping[str, Any] | None = None) -> Instance:
    """A whole story: every phase passed, with data given at the gate and at the trigger."""
    instance = await world.new(STORY, context=dict(context or {"month": 4}))
    await world.work_on(instance.instance_id, n=1)
    await world.trigger(instance.instance_id, decision="approve", data={"note": "fine"})
    await world.work_on(instance.instance_id, n=2)
    await world.trigger(instance.instance_id, data={"note": "late", "go": True})
    return await world.work_on(instance.instance_id, n=3)


async def refusal(world: World, kind: type[ChatFlowError], *arguments: Any, **more: Any) -> ChatFlowError:
    with pytest.raises(kind) as caught:
        await fork(world, *arguments, **more)
    return caught.value
