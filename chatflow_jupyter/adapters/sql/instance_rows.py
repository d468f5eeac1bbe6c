"""Instances as rows: columns for what is asked for, `birth` and `state` as JSON for the rest."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from sqlalchemy import Row

from chatflow_jupyter.domain.definition import Quota
from chatflow_jupyter.domain.fan_out import known_children
from chatflow_jupyter.domain.ids import RunAs
from chatflow_jupyter.domain.instance import (
    CurrentAttempt,
    DefinitionRef,
    Failure,
    FanOut,
    ForkOrigin,
    Instance,
    ParentLink,
    PhaseRecord,
    PhaseState,
    Status,
    Undoing,
    WaitingReason,
)
from chatflow_jupyter.domain.json_values import JsonObject
from chatflow_jupyter.domain.usage import Limit

from .damage import decodes
from .encoding import from_json, from_us, optional_time, optional_us, to_json, to_us
from .gate_rows import gate_of, gate_to_json, outcome_of, outcome_to_json
from .hook_rows import asked_of, asked_to_json, heard_of, heard_to_json
from .sought_rows import sought_of, sought_to_json

_BIRTH_FIELDS = (
    *("definition", "principal", "context", "automation_level", "quota", "depth", "parent", "meta"),
    *("root_id", "feature_id", "created_at", "max_depth", "lineage", "forked_from"),
)


def same_birth(before: Instance, after: Instance) -> bool:
    """Return whether what `birth_columns` writes is the same, by identity, which is quick."""
    return all(getattr(before, name) is getattr(after, name) for name in _BIRTH_FIELDS)


def birth_columns(instance: Instance) -> dict[str, Any]:
    """Return the columns that `state_columns` leaves out, without `born`."""
    parent = instance.parent
    reference = instance.definition
    birth = {
        "version": reference.version,
        "content_hash": reference.content_hash,
        "principal": instance.principal,
        "context": instance.context,
        "automation_level": instance.automation_level,
        "quota": instance.quota.model_dump(exclude_none=True),
        "depth": instance.depth,
        "meta": instance.meta,
        **({} if instance.max_depth is None else {"max_depth": instance.max_depth}),
    }
    if instance.lineage:
        birth["lineage"] = [
            [one.instance_id, one.max_duration_sec, one.max_children] for one in instance.lineage
        ]
    if parent is not None:
        birth["parent"] = {"key": parent.key, "tolerated": parent.tolerated}
    if instance.forked_from is not None:
        origin = instance.forked_from
        birth["forked_from"] = [origin.instance_id, origin.phase, origin.seq]
    return {
        "root_id": instance.root_id,
        "parent_id": parent.instance_id if parent else None,
        "parent_phase": parent.phase if parent else None,
        "child_index": parent.index if parent else None,
        "feature_id": instance.feature_id,
        "name": reference.name,
        "version": reference.version,
        "created_at": to_us(instance.created_at),
        "birth": to_json(birth),
    }


def variables_apart(instance: Instance) -> JsonObject:
    """Return the variables that `parts` holds: while children of a phase end, all but what is known of those.

    They stay as they are, and one is perhaps the list that the phase goes through.
    """
    if instance.fan_out is None:
        return {}
    named = instance.variables.items()
    return {name: value for name, value in named if name != "children" and isinstance(value, Mapping)}


def state_columns(instance: Instance) -> dict[str, Any]:
    """Return the columns that every transition writes; `parts` writes what it knows of children."""
    attempt, fan_out, failure = instance.attempt, instance.fan_out, instance.failure
    variables, elsewhere = instance.variables, variables_apart(instance)
    apart = (len(known_children(instance)), len(instance.spawned), len(elsewhere))
    if apart[0]:
        variables = {**variables, "children": {}}
    if elsewhere:
        variables = {**variables, **dict.fromkeys(elsewhere)}
    state: dict[str, Any] = {
        "updated_at": to_us(instance.updated_at),
        "started_at": optional_us(instance.started_at),
        "ended_at": optional_us(instance.ended_at),
        "waiting_detail": instance.waiting_detail,
        "phase": instance.phase,
        "phases": {name: _phase_to_json(record) for name, record in instance.phases.items()},
        "attempt": attempt and [attempt.attempt_id, attempt.number, attempt.started],
        "gate": instance.gate and gate_to_json(instance.gate),
        "fan_out": fan_out and [fan_out.total, fan_out.started, fan_out.ended, fan_out.failed],
        "reported_risk": instance.reported_risk,
        "spent_sec": instance.spent_sec,
        "descendants": instance.descendants,
        "failure": None if failure is None else failure_to_json(failure),
        "variables": variables,
        **({"apart": apart} if any(apart) else {}),
        **({} if instance.deadline_at is None else {"deadline_at": to_us(instance.deadline_at)}),
        **({} if instance.undoing is None else {"undoing": _undoing_to_json(instance.undoing)}),
        **asked_to_json(instance.hooks_asked),
        **({"anew": True} if instance.anew else {}),
    }
    return {
        "seq": instance.seq,
        "status": instance.status.value,
        "waiting_reason": None if instance.waiting_reason is None else instance.waiting_reason.value,
        "paused": instance.paused,
        "phase": instance.phase,
        "state": to_json(state),
    }


@decodes("instances", "tenant_id", "instance_id")
def instance_of(row: Row[Any]) -> Instance:
    """Return the instance of a row that has every column but `born`, without what its `parts` hold."""
    birth, state = from_json(row.birth), from_json(row.state)
    attempt, fan_out, failure = state["attempt"], state["fan_out"], state["failure"]
    return Instance(
        tenant_id=row.tenant_id,
        instance_id=row.instance_id,
        root_id=row.root_id,
        definition=DefinitionRef(name=row.name, version=birth["version"], content_hash=birth["content_hash"]),
        principal=birth["principal"],
        context=birth["context"],
        automation_level=birth["automation_level"],
        quota=Quota(**birth["quota"]),
        created_at=from_us(row.created_at),
        updated_at=from_us(state["updated_at"]),
        depth=birth["depth"],
        **_limits_of(birth),
        parent=_parent_of(row, birth),
        forked_from=_origin_of(birth.get("forked_from")),
        feature_id=row.feature_id,
        meta=birth["meta"],
        variables=state["variables"],
        status=Status(row.status),
        waiting_reason=None if row.waiting_reason is None else WaitingReason(row.waiting_reason),
        waiting_detail=state["waiting_detail"],
        paused=bool(row.paused),
        phase=_name(state["phase"]),
        phases={name: _phase_of(record) for name, record in state["phases"].items()},
        attempt=attempt and CurrentAttempt(attempt_id=attempt[0], number=attempt[1], started=attempt[2]),
        fan_out=fan_out and FanOut(total=fan_out[0], started=fan_out[1], ended=fan_out[2], failed=fan_out[3]),
        gate=gate_of(state.get("gate")),
        reported_risk=state["reported_risk"],
        spent_sec=state["spent_sec"],
        descendants=state["descendants"],
        failure=failure and Failure(**failure),
        undoing=_undoing_of(state.get("undoing")),
        hooks_asked=asked_of(state.get("hooks_asked")),
        anew=state.get("anew", False) is True,
        seq=row.seq,
        **_times_of(state),
    )


def failure_to_json(failure: Failure) -> dict[str, str | int]:
    """Return the fields of a failure that say something."""
    fields = {name: getattr(failure, name) for name in Failure.__dataclass_fields__}
    return {name: value for name, value in fields.items() if value is not None}


def _undoing_to_json(undoing: Undoing) -> dict[str, Any]:
    failure = undoing.failure
    return {
        "goal": undoing.goal,
        "reason": undoing.reason,
        "failure": None if failure is None else failure_to_json(failure),
        "done": undoing.done,
    }


def _undoing_of(stored: Mapping[str, Any] | None) -> Undoing | None:
    if stored is None:
        return None
    failure = stored["failure"]
    return Undoing(
        goal=stored["goal"],
        reason=stored["reason"],
        failure=failure and Failure(**failure),
        done=stored["done"],
    )


def _times_of(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: optional_time(state.get(name)) for name in ("started_at", "ended_at", "deadline_at")}


def _limits_of(birth: Mapping[str, Any]) -> dict[str, Any]:
    return {"max_depth": birth.get("max_depth"), "lineage": _lineage_of(birth.get("lineage", ()))}


def _lineage_of(stored: Sequence[Sequence[Any]]) -> tuple[Limit, ...]:
    return tuple(Limit(instance_id=one[0], max_duration_sec=one[1], max_children=one[2]) for one in stored)


def _parent_of(row: Row[Any], birth: Mapping[str, Any]) -> ParentLink | None:
    if row.parent_id is None:
        return None
    return ParentLink(
        instance_id=row.parent_id,
        phase=row.parent_phase,
        index=row.child_index,
        key=birth["parent"]["key"],
        tolerated=birth["parent"]["tolerated"],
    )


_ORIGINS: dict[str | None, RunAs | None] = {None: None, **{whom: whom for whom in get_args(RunAs)}}


def _origin_of(stored: Any) -> ForkOrigin | None:
    if stored is None:
        return None
    instance_id, phase, seq = stored
    return ForkOrigin(instance_id=instance_id, phase=phase, seq=_whole(seq))


def _phase_to_json(record: PhaseRecord) -> dict[str, Any]:
    return {
        "state": record.state.value,
        "attempts": record.attempts,
        "failures": record.failures,
        "lost": record.lost,
        "cut_off": record.cut_off,
        "triggered": record.triggered,
        "approved": record.approved,
        "notebook_done": record.notebook_done,
        "started_at": optional_us(record.started_at),
        "ended_at": optional_us(record.ended_at),
        "reason": record.reason,
        **({} if record.origin is None else {"origin": record.origin}),
        **({} if record.deadline_at is None else {"deadline_at": to_us(record.deadline_at)}),
        **({} if record.gate is None else {"gate": outcome_to_json(record.gate)}),
        **heard_to_json(record),
        **({} if record.risk is None else {"risk": record.risk}),
        **({} if record.triggered_before is None else {"triggered_before": record.triggered_before}),
        **({"shared": True} if record.shared else {}),
        **({"had_children": True} if record.had_children else {}),
        **sought_to_json(record),
    }


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"a {type(value).__name__} is no count")
    return value


def _object(value: object) -> JsonObject | None:
    if not (value is None or isinstance(value, dict)):
        raise ValueError(f"a {type(value).__name__} is no object")
    return value


def _name(value: object) -> str | None:
    if not (value is None or isinstance(value, str)):
        raise ValueError(f"a {type(value).__name__} is no name")
    return value


def _phase_of(record: dict[str, Any]) -> PhaseRecord:
    return PhaseRecord(
        state=PhaseState(record["state"]),
        attempts=_whole(record["attempts"]),
        failures=_whole(record["failures"]),
        lost=_whole(record["lost"]),
        cut_off=_whole(record.get("cut_off", 0)),
        triggered=record["triggered"],
        approved=record["approved"],
        gate=outcome_of(record.get("gate")),
        notebook_done=record["notebook_done"],
        started_at=optional_time(record["started_at"]),
        ended_at=optional_time(record["ended_at"]),
        reason=record["reason"],
        deadline_at=optional_time(record.get("deadline_at")),
        origin=_ORIGINS[record.get("origin")],
        **heard_of(record),
        risk=None if record.get("risk") is None else _whole(record["risk"]),
        triggered_before=_object(record.get("triggered_before")),
        shared=record.get("shared", False) is True,
        had_children=record.get("had_children", False) is True,
        **sought_of(record),
    )
