"""Runs the hooks that instances wait for, outside of any transaction, and has their verdicts committed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

from chatflow_jupyter.domain.advance import parameters_of
from chatflow_jupyter.domain.decision import ContinuationKind
from chatflow_jupyter.domain.definition import Phase
from chatflow_jupyter.domain.errors import ChatFlowError, InternalError, NotFound, StoreDamaged
from chatflow_jupyter.domain.hooks import AttemptAhead, AttemptBehind, HookAnswer
from chatflow_jupyter.domain.ids import OwnerId
from chatflow_jupyter.domain.instance import HookPoint, HooksAsked, Instance
from chatflow_jupyter.domain.json_values import JsonObject, own_json
from chatflow_jupyter.domain.requests import HookVerdicts, Request
from chatflow_jupyter.ports.records import ContinuationRow, DefinitionRecord
from chatflow_jupyter.ports.state_storage import IStateStorage

from .artifacts import Artifacts
from .hook_calls import Hooks
from .pinned import PinnedDefinitions

log = logging.getLogger(__name__)

AT_ONCE = 8
ApplyNote: TypeAlias = Callable[[ContinuationRow, Request], Awaitable[object]]


class HookRuns:
    """Answers the notes that ask for hooks, several at once.

    A process that dies leaves its note: the hooks are called again by whoever comes next, and the first
    verdicts committed are the only ones.
    """

    def __init__(
        self,
        storage: IStateStorage,
        hooks: Hooks,
        artifacts: Artifacts,
        pinned: PinnedDefinitions,
        *,
        owner_id: OwnerId | None,
    ) -> None:
        """Call `hooks` for trees that `owner_id` drives (all, when None)."""
        self._storage = storage
        self._hooks = hooks
        self._artifacts = artifacts
        self._pinned = pinned
        self._owner_id = owner_id
        self._taken: set[int] = set()
        self._told: set[str] = set()
        self._queue: asyncio.Queue[ContinuationRow] = asyncio.Queue()

    def take(self, row: ContinuationRow) -> None:
        """Answer this note soon; one that is being answered already is passed over."""
        if row.continuation_id not in self._taken:
            self._taken.add(row.continuation_id)
            self._queue.put_nowait(row)

    async def run(self, apply: ApplyNote) -> None:
        """Answer what was taken, for ever, by `apply`."""
        slots = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await slots.acquire()
                task = tasks.create_task(self._one(await self._queue.get(), apply))
                task.add_done_callback(lambda _: slots.release())

    async def _one(self, row: ContinuationRow, apply: ApplyNote) -> None:
        about = row.continuation.instance_id
        try:
            await self.answer(row, apply)
        except ChatFlowError as error:
            if error.message not in self._told:
                self._told.add(error.message)
                log.warning("the hooks of %s are asked again: %s", about, error.message)
        except Exception:
            log.exception("asking the hooks of %s failed; it is tried again", about)
        finally:
            self._taken.discard(row.continuation_id)

    async def answer(self, row: ContinuationRow, apply: ApplyNote) -> None:
        """Call the hooks that this note is about and apply their verdicts, if the tree is ours."""
        instance = await self._storage.instance(row.tenant_id, row.continuation.instance_id)
        asked = instance.hooks_asked
        if asked is None:
            await self._storage.drop_continuations([row.continuation_id])
            return
        if self._owner_id not in (None, await self._storage.owner_of(instance.tenant_id, instance.root_id)):
            return
        record = await self._pinned.of(instance.tenant_id, instance.definition)
        answers = await self._ask(record, instance, asked)
        await apply(row, HookVerdicts(asked=asked, answers=answers))

    async def _ask(
        self, record: DefinitionRecord, instance: Instance, asked: HooksAsked
    ) -> tuple[HookAnswer, ...]:
        assert instance.phase is not None
        phase = record.definition.phase(instance.phase)
        assert phase.notebook is not None
        names = self._hooks.plan().at(asked.point)
        if not names:
            return ()
        try:
            content = await self._artifacts.bundled(instance.tenant_id, record.bundle_sha256, phase.notebook)
        except (NotFound, StoreDamaged, InternalError) as error:
            return self._hooks.none_of(names, error.message)
        if asked.point is HookPoint.BEFORE:
            return await self._hooks.before(_ahead(instance, phase, asked, content))
        known = await self._storage.artifacts(instance.tenant_id, instance.instance_id)
        made = tuple(one.name for one in known if (one.phase, one.attempt) == (phase.name, asked.attempt))
        return await self._hooks.after(_behind(instance, phase, asked, content, made))


async def forget_moot(storage: IStateStorage) -> None:
    """Drop notes that ask for hooks whose verdict nobody waits for any more.

    While a hook is being asked, a deadline or a person may end what asked. Its note would stand until the
    hook has answered, as if something were left to do.
    """
    after = 0
    while rows := await storage.continuations(after=after):
        for row in rows:
            note = row.continuation
            if note.kind is ContinuationKind.RUN_HOOKS:
                with suppress(StoreDamaged, NotFound):  # nobody can tell, and whoever asks is not to fail
                    instance = await storage.instance(row.tenant_id, note.instance_id)
                    if instance.hooks_asked is None:
                        await storage.drop_continuations([row.continuation_id])
        after = rows[-1].continuation_id


def _ahead(instance: Instance, phase: Phase, asked: HooksAsked, content: bytes) -> AttemptAhead:
    parameters: JsonObject
    try:
        parameters = parameters_of(phase, instance)
    except LookupError:  # the attempt will fail for that, whatever is said about it here
        parameters = instance.context
    return AttemptAhead(parameters=own_json(parameters), **_told(instance, phase, asked, content))


def _behind(
    instance: Instance, phase: Phase, asked: HooksAsked, content: bytes, artifacts: tuple[str, ...]
) -> AttemptBehind:
    outputs = instance.variables.get(phase.name)
    return AttemptBehind(
        outputs=own_json(outputs) if isinstance(outputs, dict) else {},
        risk=instance.reported_risk,
        artifacts=artifacts,
        **_told(instance, phase, asked, content),
    )


def _told(instance: Instance, phase: Phase, asked: HooksAsked, content: bytes) -> dict[str, Any]:
    """Return what hooks are told of an attempt alike before and after it, as fields of either."""
    return {
        "tenant_id": instance.tenant_id,
        "instance_id": instance.instance_id,
        "feature_id": instance.feature_id,
        "definition": instance.definition,
        "phase": phase.name,
        "number": asked.attempt,
        "notebook": phase.notebook,
        "content": content,
        "variables": own_json(instance.view),
    }
