"""Forks: a new root that begins at a phase of another instance; what came before stands as it did there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from .advance import begin, successor
from .birth import checked_context
from .decision import Decision, Refusal
from .definition import Definition
from .draft import Draft
from .events import EventType
from .hooks import NO_HOOKS, HookPlan
from .ids import InstanceId, Principal
from .instance import DefinitionRef, ForkOrigin, Instance, PhaseRecord, PhaseState
from .json_values import JsonObject, JsonValue, canonical_json


def shared_phases(definition: Definition, source: Instance, phase: str) -> tuple[str, ...] | Refusal:
    """Return the phases a fork of `source` at `phase` shares with it, as it passed them; or why it cannot be.

    They are those it entered before; `phase` itself was entered, or is what would be entered next.
    """
    names = [each.name for each in definition.phases]
    if phase not in names:
        message = f"{definition.name} has no phase {phase}; there are {', '.join(names)}"
        return Refusal(code="invalid_input", message=message)
    entered = [name for name in source.phases if name in names]
    if phase not in entered and _next(definition, source) != phase:
        came = f"it entered {', '.join(entered)}" if entered else "it entered none"
        return Refusal(code="not_reached", message=f"it never came to phase {phase}: {came}")
    shared = tuple(entered[: entered.index(phase)] if phase in entered else entered)
    if shared and source.undoing is not None:
        message = f"what it did is undone, so nothing of it can be shared; fork it from {names[0]}"
        return Refusal(code="compensated", message=message)
    return shared


def create_fork(
    definition: Definition,
    reference: DefinitionRef,
    source: Instance,
    shared: Sequence[str],
    phase: str,
    *,
    instance_id: InstanceId,
    changes: JsonObject,
    principal: Principal,
    now: datetime,
    feature_id: str | None = None,
    automation_level: int | None = None,
    anew: bool = False,
    hooks: HookPlan = NO_HOOKS,
) -> Decision:
    """Return the transition that creates the fork and enters `phase`, with what `source` did in `shared`.

    Where the definition or the context is another, a shared outcome is nobody's word any more. Raises
    `InvalidInput` when the source's context with `changes` does not fit `definition`.
    """
    context = checked_context(definition, {**source.context, **changes})
    base = Instance(
        tenant_id=source.tenant_id,
        instance_id=instance_id,
        root_id=instance_id,
        definition=reference,
        principal=principal,
        context=context,
        automation_level=source.automation_level if automation_level is None else automation_level,
        quota=definition.quota,
        max_depth=definition.max_depth,
        created_at=now,
        updated_at=now,
        feature_id=source.feature_id if feature_id is None else feature_id,
        meta=source.meta,
        forked_from=ForkOrigin(instance_id=source.instance_id, phase=phase, seq=source.seq),
        anew=anew,
    )
    draft = Draft(definition, base, principal, now, hooks=hooks)
    _take_over(draft, source, shared)
    _announce(draft, source, phase)
    begin(draft, phase)
    return draft.finish()


def changed_parameters(source: Instance, fork: Instance) -> tuple[str, ...]:
    """Return the names of parameters that the shared phases had with another value, or did not have."""
    return tuple(
        name
        for name in {**source.context, **fork.context}
        if name not in source.context
        or name not in fork.context
        or canonical_json(fork.context[name]) != canonical_json(source.context[name])
    )


def first_difference(before: Definition, after: Definition, shared: Sequence[str], phase: str) -> str | None:
    """Return what keeps `after` from taking over phases that ran under `before`, as far as it is written.

    A shared phase has to be there, before `phase`, with the same notebook, parameters and children.
    """
    names = [each.name for each in after.phases]
    if phase not in names:
        return f"it has no phase {phase}"
    for name in shared:
        if name not in names:
            return f"it has no phase {name}"
        if names.index(name) > names.index(phase):
            return f"its phase {name} comes after {phase}"
        old, new = before.phase(name), after.phase(name)
        for key in ("notebook", "parameters", "children", "spawns"):
            if getattr(old, key) != getattr(new, key):
                return f"`{key}` of its phase {name} differs"
    return None


def _take_over(draft: Draft, source: Instance, shared: Sequence[str]) -> None:
    fork, records = draft.instance, [source.phases[name] for name in shared]
    same = fork.definition == source.definition and not changed_parameters(source, fork)
    draft.change(
        variables=_variables(source, shared),
        phase=shared[-1] if shared else None,
        phases={name: _lent(record, same=same) for name, record in zip(shared, records, strict=True)},
        reported_risk=_reported_risk(records),
    )


def _lent(record: PhaseRecord, *, same: bool) -> PhaseRecord:
    origin = record.origin if same else None
    return replace(
        record, shared=True, origin=origin, clearance=None, ran_sec=None, unjudged=False, sought=None
    )


def _announce(draft: Draft, source: Instance, phase: str) -> None:
    fork = draft.instance
    draft.emit(
        EventType.INSTANCE_CREATED,
        schema_id=fork.definition.schema_id,
        feature_id=fork.feature_id,
        forked_from=source.instance_id,
        from_phase=phase,
        from_seq=source.seq,
        shared=list(fork.phases) or None,
        changed=list(changed_parameters(source, fork)) or None,
        anew=fork.anew or None,
    )


def _next(definition: Definition, source: Instance) -> str | None:
    """Return the phase that would be entered now if nothing held the instance up."""
    if source.phase is None:
        return definition.following(None)
    if source.undoing is not None or not _has_passed(definition, source, source.phase):
        return None
    return successor(definition, source)


def _has_passed(definition: Definition, source: Instance, phase: str) -> bool:
    """Return whether the way goes on behind the phase, a failed one with a fallback included."""
    state = source.phases[phase].state
    by_fallback = state is PhaseState.FAILED and definition.phase(phase).fallback is not None
    return by_fallback or state in (PhaseState.SUCCEEDED, PhaseState.SKIPPED)


def _variables(source: Instance, shared: Sequence[str]) -> JsonObject:
    """Return what the source knew when it had passed these phases, and no other."""
    known: dict[str, JsonValue] = {
        name: source.variables[name] for name in shared if name in source.variables
    }
    children = source.variables.get("children")
    if isinstance(children, Mapping):
        kept = {key: entry for key, entry in children.items() if _of_phase(entry) in shared}
        known |= {"children": kept} if kept else {}
    triggered = _triggered(source, shared)
    return {**known, "trigger": triggered} if triggered else known


def _of_phase(entry: JsonValue) -> JsonValue:
    return entry["phase"] if isinstance(entry, Mapping) else None


def _triggered(source: Instance, shared: Sequence[str]) -> JsonObject:
    """Return what had come with triggers before the first phase that is not shared was entered."""
    for name, record in source.phases.items():
        if name not in shared and record.triggered_before is not None:
            return record.triggered_before
    triggered = source.variables.get("trigger")
    return triggered if isinstance(triggered, Mapping) else {}


def _reported_risk(records: Sequence[PhaseRecord]) -> int:
    return next((record.risk for record in reversed(records) if record.risk is not None), 0)
