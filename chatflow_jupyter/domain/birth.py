"""New instances: roots that people start and children that phases start."""

from dataclasses import replace
from datetime import datetime

from .decision import ChildRequest, Decision, Refusal
from .definition import Definition
from .draft import Draft
from .errors import InternalError, InvalidInput
from .events import Event, EventType
from .hooks import NO_HOOKS, HookPlan
from .ids import ENGINE_PRINCIPAL, InstanceId, Principal, TenantId, event_id
from .instance import DefinitionRef, Failure, Instance
from .json_schema import check_value, with_defaults
from .json_values import JsonObject, JsonValue
from .quota_rules import below
from .requests import Trigger
from .transition import decide
from .usage import NOTHING_KNOWN, Used


def checked_context(definition: Definition, context: JsonObject) -> JsonObject:
    """Return the initial context with defaults filled in; raises `InvalidInput` when it does not fit."""
    filled = with_defaults(context, definition.parameters)
    check_value(filled, definition.parameters, what="parameters")
    return filled


def create_root(
    definition: Definition,
    reference: DefinitionRef,
    *,
    tenant_id: TenantId,
    instance_id: InstanceId,
    context: JsonObject,
    principal: Principal,
    now: datetime,
    feature_id: str | None = None,
    meta: JsonObject | None = None,
    automation_level: int | None = None,
    anew: bool = False,
) -> Decision:
    """Return the transition that creates a root instance in status `created`."""
    level = definition.automation_level if automation_level is None else automation_level
    if not 0 <= level <= 100:
        raise InvalidInput(f"automation level: {level} is not between 0 and 100")
    instance = Instance(
        tenant_id=tenant_id,
        instance_id=instance_id,
        root_id=instance_id,
        definition=reference,
        principal=principal,
        context=checked_context(definition, context),
        automation_level=level,
        quota=definition.quota,
        max_depth=definition.max_depth,
        created_at=now,
        updated_at=now,
        feature_id=feature_id,
        meta=meta or {},
        anew=anew,
    )
    return _created(definition, instance, principal, now)


def start_at_once(
    definition: Definition,
    created: Decision,
    principal: Principal,
    now: datetime,
    used: Used = NOTHING_KNOWN,
    hooks: HookPlan = NO_HOOKS,
) -> Decision:
    """Return one transition that both creates and starts: its events are those of the two in a row."""
    base = replace(created.instance, seq=0)
    started = decide(definition, base, Trigger(principal=principal), now, used, hooks)
    if isinstance(started, Refusal):
        raise InternalError(f"a new instance refused its start: {started.message}")
    draft = Draft(definition, base, principal, now)
    draft.emit(EventType.INSTANCE_CREATED, phase=None, **_birth_data(base))
    return replace(started, events=(*draft.finish().events, *_shifted(started, 1)))


def create_child(
    definition: Definition,
    reference: DefinitionRef,
    parent: Instance,
    request: ChildRequest,
    now: datetime,
    used: Used = NOTHING_KNOWN,
    hooks: HookPlan = NO_HOOKS,
) -> Decision:
    """Return the transition that creates and starts a child; a context that does not fit fails it at once."""
    instance = Instance(
        tenant_id=parent.tenant_id,
        instance_id=request.instance_id,
        root_id=parent.root_id,
        definition=reference,
        principal=parent.principal,
        context=with_defaults(request.context, definition.parameters),
        automation_level=parent.automation_level,
        quota=below(parent, definition.quota),
        created_at=now,
        updated_at=now,
        depth=parent.depth + 1,
        max_depth=min(definition.max_depth, parent.max_depth or definition.max_depth),
        lineage=parent.limits,
        parent=request.link,
        feature_id=parent.feature_id,
        meta=parent.meta,
        anew=parent.anew,
    )
    try:
        check_value(instance.context, definition.parameters, what="parameters")
    except InvalidInput as error:
        draft = Draft(definition, instance, ENGINE_PRINCIPAL, now)
        draft.emit(EventType.INSTANCE_CREATED, phase=None, **_birth_data(instance))
        draft.fail(Failure(code="invalid_parameters", message=error.message))
        return draft.finish()
    created = _created(definition, instance, ENGINE_PRINCIPAL, now)
    return start_at_once(definition, created, ENGINE_PRINCIPAL, now, used, hooks)


def _created(definition: Definition, instance: Instance, principal: Principal, now: datetime) -> Decision:
    draft = Draft(definition, instance, principal, now)
    draft.emit(EventType.INSTANCE_CREATED, phase=None, **_birth_data(instance))
    return draft.finish()


def _birth_data(instance: Instance) -> dict[str, JsonValue]:
    return {
        "schema_id": instance.definition.schema_id,
        "parent_id": instance.parent.instance_id if instance.parent else None,
        "key": instance.parent.key if instance.parent else None,
        "feature_id": instance.feature_id,
        "anew": instance.anew or None,
    }


def _shifted(decision: Decision, by: int) -> list[Event]:
    return [
        replace(
            event, index=event.index + by, event_id=event_id(event.instance_id, event.seq, event.index + by)
        )
        for event in decision.events
    ]
