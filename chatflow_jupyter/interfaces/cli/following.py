"""Following an instance until it ends, or waits for somebody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from chatflow_jupyter.domain.decision import ContinuationKind
from chatflow_jupyter.domain.events import Event, EventType
from chatflow_jupyter.domain.gates import gate_of
from chatflow_jupyter.domain.instance import Instance, WaitingReason
from chatflow_jupyter.interfaces.cli.displays import Display
from chatflow_jupyter.interfaces.cli.driven import say_that_nobody_drives
from chatflow_jupyter.interfaces.cli.session import Session
from chatflow_jupyter.interfaces.cli.snapshot import Snapshot, take_snapshot
from chatflow_jupyter.interfaces.cli.wording import failure_lines
from chatflow_jupyter.services.gate_now import is_overdue

PAGE = 500
TICK_SEC = 0.25
TICKS_BEFORE_LOOKING = 4
PAUSE_BETWEEN_LOOKS_SEC = 0.05
PATIENCE_SEC = 15.0
"""How long somebody who looks on waits for a process that drives the tree."""
PEOPLE = frozenset({WaitingReason.TRIGGER, WaitingReason.APPROVAL, WaitingReason.BUDGET})


@dataclass(kw_only=True)
class Follower:
    """Follows one instance: shows its tree's events and picture on `display`."""

    session: Session
    instance: Instance
    display: Display
    after: int = 0
    """The position of the last event not to be shown."""

    async def follow(self, until: Callable[[Instance], bool] | None = None) -> Instance:
        """Show what happens until the instance ended, nothing goes on without somebody, or `until` says so.

        Returns the instance as it is then. Somebody who only looks on waits no longer than `PATIENCE_SEC` for
        a process that drives the tree, and says so.
        """
        storage = self.session.app.storage
        last_driven = asyncio.get_running_loop().time()
        while True:
            seen = storage.change_token()
            snapshot = await self._look()
            if (until is not None and until(snapshot.root)) or await self._settled(snapshot):
                await self._show_events()  # those that came between the last ones and the snapshot
                return snapshot.root
            await self._wait(seen)
            if await self._is_driven():
                last_driven = asyncio.get_running_loop().time()
            elif asyncio.get_running_loop().time() - last_driven >= PATIENCE_SEC:
                say_that_nobody_drives(self.session, self.instance)
                return snapshot.root

    async def _show_events(self) -> None:
        async for event in self.new_events():
            self.display.event(event)
            if event.type is EventType.PHASE_FAILED and not self._is_the_end(event):
                self.display.lines(await self._explanation(event), "red")

    async def _look(self) -> Snapshot:
        await self._show_events()
        snapshot = await take_snapshot(self.session.app.queries, self.instance)
        self.display.snapshot(snapshot)
        return snapshot

    async def new_events(self) -> AsyncIterator[Event]:
        """Yield what has happened since, and remember up to where."""
        while True:
            page = await self.session.app.queries.events(
                self.instance.tenant_id, root_id=self.instance.root_id, after=self.after, limit=PAGE
            )
            self.session.app.check_home()  # what fails without it is not worth showing
            for stored in page:
                self.after = stored.position
                yield stored.event
            if len(page) < PAGE:
                return

    def _is_the_end(self, event: Event) -> bool:
        """Whether the failure ends the followed instance: then the summary explains it."""
        return event.instance_id == self.instance.instance_id and not event.data.get("fallback")

    async def _explanation(self, event: Event) -> list[str]:
        queries = self.session.app.queries
        instance = await queries.instance(event.tenant_id, event.instance_id)
        for attempt in await queries.attempts(event.tenant_id, event.instance_id):
            if attempt.phase == event.phase and attempt.number == event.attempt and attempt.failure:
                return [
                    f"  {line}" for line in failure_lines(attempt.failure, instance, self.session.command)
                ]
        return []

    async def _settled(self, snapshot: Snapshot) -> bool:
        """Whether nothing more happens by itself: ended, waiting for people, or the whole tree is still.

        A snapshot takes several reads. What ended between two of them has to be looked at again.
        """
        if not await self._is_still(snapshot):
            return False
        instance = snapshot.root
        return (await self.session.app.queries.instance(instance.tenant_id, instance.instance_id)) == instance

    async def _is_still(self, snapshot: Snapshot) -> bool:
        instance = snapshot.root
        alone = instance.descendants == 0
        if instance.ended and alone:
            return True
        if self._is_overdue(snapshot):
            return False
        if await self._may_be_waived(snapshot):
            return False
        if instance.waiting_reason in PEOPLE and alone and not instance.paused:
            return True
        if not snapshot.quiet:
            return False
        if instance.paused or instance.waiting_reason in PEOPLE:
            return True
        if self.session.app.engine is not None:
            from chatflow_jupyter.services.hook_runs import forget_moot

            await forget_moot(self.session.app.storage)
        unfinished = await self.session.app.storage.unfinished_trees()
        return all(tree.root_id != instance.root_id for tree in unfinished)

    def _is_overdue(self, snapshot: Snapshot) -> bool:
        """Whether a gate's time is over and this process is about to act on that."""
        app = self.session.app
        if app.engine is None:
            return False
        return any(is_overdue(node, app.clock.now()) for node in (snapshot.root, *snapshot.nodes.values()))

    async def _may_be_waived(self, snapshot: Snapshot) -> bool:
        """Whether it is still to be looked up if the gate was waived beforehand."""
        instance = snapshot.root
        if instance.gate is None or instance.phase is None or instance.paused:
            return False
        if not gate_of(snapshot.definition.phase(instance.phase)).waivable:
            return False
        after = 0
        while rows := await self.session.app.storage.continuations(after=after):
            notes = [row.continuation for row in rows]
            looks = {note.instance_id for note in notes if note.kind is ContinuationKind.LOOK_FOR_WAIVER}
            if instance.instance_id in looks:
                return True
            after = rows[-1].continuation_id
        return False

    async def _wait(self, seen: int) -> None:
        for _ in range(TICKS_BEFORE_LOOKING):
            if await self.session.app.storage.wait_for_change(seen, TICK_SEC) != seen:
                break
            self.display.tick()
        await asyncio.sleep(PAUSE_BETWEEN_LOOKS_SEC)

    async def _is_driven(self) -> bool:
        """Whether somebody drives the tree; whoever can takes it over when its process has died meanwhile."""
        app, tenant_id, root_id = self.session.app, self.instance.tenant_id, self.instance.root_id
        if app.engine is None:
            return await app.is_driven(tenant_id, root_id) is not False
        await app.engine.adopt(tenant_id, root_id)
        return True
