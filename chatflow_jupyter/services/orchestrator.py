"""Load, decide, commit: every change to an instance goes through here."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.birth import create_child, create_root, start_at_once
from chatflow_jupyter.domain.decision import Decision, Refusal
from chatflow_jupyter.domain.errors import Conflict, InvalidInput, KeyReused, SeqConflict
from chatflow_jupyter.domain.forecast import Forecast, forecast
from chatflow_jupyter.domain.hooks import NO_HOOKS, HookPlan
from chatflow_jupyter.domain.ids import InstanceId, OwnerId, Principal, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.json_values import JsonObject, check_json, own_json
from chatflow_jupyter.domain.quota_rules import left_sec
from chatflow_jupyter.domain.requests import Pause, Request, Resume, Terminate, Trigger
from chatflow_jupyter.domain.schedules import ScheduleStep
from chatflow_jupyter.domain.transition import decide
from chatflow_jupyter.domain.usage import NOTHING_KNOWN, Used
from chatflow_jupyter.ports.clock import Clock, IdFactory
from chatflow_jupyter.ports.records import Commit, DefinitionRecord, RequestKey, Transition
from chatflow_jupyter.ports.state_storage import IStateStorage

from .acts import Asked, act_of, act_of_birth, act_refused, check_key, request_hash
from .kept_answers import KeptAnswers, answer_of
from .new_instances import Birth, NewInstance
from .pinned import PinnedDefinitions
from .refusals import refused
from .shown import approved_of, is_about_artifacts, nothing_shown, shown_hash

MAX_RACES = 50


class Orchestrator:
    """The use cases of an instance. Refusals are raised as `Conflict` or `InvalidInput`."""

    def __init__(
        self,
        storage: IStateStorage,
        pinned: PinnedDefinitions,
        clock: Clock,
        ids: IdFactory,
        hooks: Callable[[], HookPlan] = lambda: NO_HOOKS,
    ) -> None:
        """Work on `storage`, with time and ids from outside; `hooks` tells which hooks are in force."""
        self._storage = storage
        self._pinned = pinned
        self._clock = clock
        self._ids = ids
        self._hooks = hooks
        self._keys = KeptAnswers(storage, clock)

    async def create(self, new: NewInstance, *, key: str | None = None) -> Instance:
        """Create an instance, and with `start` begin it in the same commit; a used key gives the same one."""
        check_key(key)
        check_json(new.context, what="parameters")
        new = replace(new, context=own_json(new.context), meta=own_json(new.meta))

        async def born() -> Birth:
            return Birth(record=new.record, decision=self._born(new))

        return await self.bear(
            born,
            tenant_id=new.record.tenant_id,
            principal=new.principal,
            key=key,
            body=new.body,
            owner_id=new.owner_id,
        )

    async def bear(
        self,
        born: Callable[[], Awaitable[Birth]],
        *,
        tenant_id: TenantId,
        principal: Principal,
        key: str | None,
        body: JsonObject,
        owner_id: OwnerId | None,
        about: str | None = None,
    ) -> Instance:
        """Commit what `born` decides, with the children born with it; a used key gives the same instance.

        Raises `SeqConflict` when what it shares went on meanwhile.
        """
        while True:
            answered = await self._keys.answered(tenant_id, principal, key, body)
            if answered is not None:
                return await self._storage.instance(tenant_id, InstanceId(str(answered["instance_id"])))
            birth = await born()
            children = await self._births(birth.record, birth.decision, NOTHING_KNOWN)
            commit = Commit(
                tenant_id=tenant_id,
                transitions=(Transition(before=None, decision=birth.decision), *children),
                key=self._keys.keep(principal, key, body, birth.decision),
                owner_id=owner_id,
                shares=birth.shares,
                act=act_of_birth(birth.decision, body, principal, key, about),
            )
            try:
                await self._storage.commit(commit)
            except KeyReused:
                continue
            return birth.decision.instance

    async def create_scheduled(
        self, new: NewInstance, step: ScheduleStep, act: Act | None = None
    ) -> Instance:
        """Create and start an instance in the commit that moves its schedule on, or neither.

        `act` is recorded when somebody asked for it; its outcome is the instance.

        Raises `SeqConflict` when the schedule is no longer what the step begins with.
        """
        decision = self._born(replace(new, context=own_json(new.context)))
        started = decision.instance
        births = await self._births(new.record, decision, NOTHING_KNOWN)
        last = started.instance_id
        entries = tuple(
            replace(entry, instance_id=last) if entry.kind == "fired" else entry for entry in step.entries
        )
        commit = Commit(
            tenant_id=new.record.tenant_id,
            transitions=(Transition(before=None, decision=decision), *births),
            owner_id=new.owner_id,
            schedule=replace(step, after=replace(step.after, last_instance_id=last), entries=entries),
            act=None if act is None else replace(act, outcome=f"started {last}"),
        )
        await self._storage.commit(commit)
        return started

    def _born(self, new: NewInstance) -> Decision:
        now = self._clock.now()
        decision = create_root(
            new.record.definition,
            new.record.reference,
            tenant_id=new.record.tenant_id,
            instance_id=self._ids.instance_id(),
            context=new.context,
            principal=new.principal,
            now=now,
            feature_id=new.feature_id,
            meta=new.meta,
            automation_level=new.automation_level,
            anew=new.anew,
        )
        if not new.start:
            return decision
        return start_at_once(new.record.definition, decision, new.principal, now, hooks=self._hooks())

    async def trigger(
        self, tenant_id: TenantId, instance_id: InstanceId, request: Trigger, *, key: str | None = None
    ) -> JsonObject:
        """Advance the instance and return the answer to keep: `answer_of` the new instance."""
        check_json(request.data, what="trigger data")
        request = replace(request, data=own_json(request.data))
        body: JsonObject = {
            "call": "trigger",
            "instance_id": instance_id,
            "data": request.data,
            "decision": request.decision,
            "reason": request.reason,
            **({"anew": True} if request.anew else {}),
        }
        check_key(key)

        def keep(decision: Decision) -> RequestKey | None:
            return self._keys.keep(request.principal, key, body, decision)

        asked = Asked(key=key, request_sha256=request_hash(body))

        while True:
            try:
                return answer_of(await self.apply(tenant_id, instance_id, request, keep=keep, asked=asked))
            except (Conflict, InvalidInput) as error:  # perhaps because the same request came through before
                answered = await self._keys.answered(tenant_id, request.principal, key, body)
                if answered is not None:
                    return answered
                await self._note_refusal(tenant_id, instance_id, request, asked, error)
                if not isinstance(error, KeyReused):  # a key that was there has expired meanwhile: it is free
                    raise

    async def preview(self, tenant_id: TenantId, instance_id: InstanceId, request: Trigger) -> Forecast:
        """Return what the trigger would do and the path as far as it is determined; commits nothing."""
        instance = await self._storage.instance(tenant_id, instance_id)
        record = await self._pinned.of(tenant_id, instance.definition)
        asked, _ = await self._informed(instance, request, is_stored=True)
        used = await self._used(instance)
        hooks = self._plan_for(request)
        decision = decide(record.definition, instance, asked, self._clock.now(), used, hooks)
        if isinstance(decision, Refusal):
            raise refused(decision, instance_id)
        return forecast(record.definition, decision)

    async def pause(self, tenant_id: TenantId, instance_id: InstanceId, principal: Principal) -> Instance:
        """Pause the instance and its subtree."""
        return await self.apply(tenant_id, instance_id, Pause(principal=principal), asked=Asked())

    async def resume(self, tenant_id: TenantId, instance_id: InstanceId, principal: Principal) -> Instance:
        """End the pause of the instance and its subtree."""
        return await self.apply(tenant_id, instance_id, Resume(principal=principal), asked=Asked())

    async def terminate(
        self,
        tenant_id: TenantId,
        instance_id: InstanceId,
        principal: Principal,
        reason: str | None = None,
        *,
        compensate: bool = False,
    ) -> Instance:
        """End the instance and its subtree for good; with `compensate` what they did is undone first."""
        request = Terminate(principal=principal, reason=reason, compensate=compensate)
        return await self.apply(tenant_id, instance_id, request, asked=Asked())

    async def apply(
        self,
        tenant_id: TenantId,
        instance_id: InstanceId,
        request: Request,
        *,
        consumed: tuple[int, ...] = (),
        keep: Callable[[Decision], RequestKey | None] | None = None,
        asked: Asked | None = None,
    ) -> Instance:
        """Load, decide and commit, again when somebody else was first; returns the new instance.

        What a person `asked` is recorded; the engine's own requests are not.

        What this process committed last is tried first: a commit finds out when it is behind the store. A
        refusal is given only on what is stored.
        """
        recent = self._storage.recent_instance(tenant_id, instance_id)
        for lost in range(MAX_RACES):
            instance = recent or await self._storage.instance(tenant_id, instance_id)
            is_stored, recent = recent is None, None
            record = await self._pinned.of(tenant_id, instance.definition)
            informed, no_artifact_but = await self._informed(instance, request, is_stored=is_stored)
            used, hooks = await self._used(instance, lost=lost), self._plan_for(request)
            decision = decide(record.definition, instance, informed, self._clock.now(), used, hooks)
            if isinstance(decision, Refusal):
                if is_stored:
                    raise refused(decision, instance_id)
                continue
            births = await self._births(record, decision, used)
            commit = Commit(
                tenant_id=tenant_id,
                transitions=(Transition(before=instance, decision=decision), *births),
                key=keep(decision) if keep else None,
                consumed=consumed,
                no_artifact_but=no_artifact_but,
                act=None if asked is None else act_of(request, instance, decision, asked),
            )
            try:
                await self._storage.commit(commit)
            except SeqConflict:
                continue
            return decision.instance
        raise SeqConflict(f"{instance_id}: {MAX_RACES} other changes came first; try again")

    async def _note_refusal(
        self,
        tenant_id: TenantId,
        instance_id: InstanceId,
        request: Trigger,
        asked: Asked,
        error: Conflict | InvalidInput,
    ) -> None:
        if error.code == "not_an_approver":
            act = act_refused(request, instance_id, error.code, asked, self._clock.now())
            await self._storage.note_refusal(tenant_id, act)

    async def _informed(
        self, instance: Instance, request: Request, *, is_stored: bool
    ) -> tuple[Request, str | None]:
        """Return the request with what there is to see; and, when that is a guess, the phase left out of it.

        As long as nobody was shown anything, nothing is the first guess, and the commit finds out.
        """
        if not is_about_artifacts(request, instance):
            return request, None
        nothing = nothing_shown(instance.instance_id, instance.phase)
        if not is_stored and approved_of(instance) in (None, nothing):
            return replace(request, shown=nothing), instance.phase
        known = (instance.tenant_id, instance.instance_id)
        return replace(request, shown=await shown_hash(self._storage, *known, but=instance.phase)), None

    async def _used(self, instance: Instance, *, lost: int = 0) -> Used:
        """Return what is used of the limits it is under; without any, of the tree once a race was lost."""
        limits = [limit.instance_id for limit in instance.limits]
        if not (limits or lost):
            return NOTHING_KNOWN
        return await self._storage.used(instance.tenant_id, instance.root_id, limits)

    async def left_sec(self, instance: Instance) -> float | None:
        """Return for how long an attempt of the instance may run now, or None when nothing limits it."""
        if all(limit.max_duration_sec is None for limit in instance.limits):
            return None
        return left_sec(instance, await self._used(instance))

    async def _births(self, record: DefinitionRecord, decision: Decision, used: Used) -> list[Transition]:
        births = []
        used = used.and_also(decision.instance.limits, decision.spent_sec, decision.asked)
        for child in decision.children:
            own = await self._pinned.child_of(record, child.schema_ref)
            parent, now = decision.instance, self._clock.now()
            born = create_child(own.definition, own.reference, parent, child, now, used, self._hooks())
            births.append(Transition(before=None, decision=born))
            used = used.and_also(born.instance.limits, born.spent_sec, born.asked)
        return births

    def in_force(self) -> HookPlan:
        """Return which hooks are in force; raises what keeps them from being loaded."""
        return self._hooks()

    def _plan_for(self, request: Request) -> HookPlan:
        """Return what is in force. Holding or ending an instance needs none, and works when none can load."""
        return NO_HOOKS if isinstance(request, Pause | Terminate) else self._hooks()


__all__ = ["MAX_RACES", "Birth", "NewInstance", "Orchestrator", "answer_of"]
