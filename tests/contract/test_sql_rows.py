"""What is written is read again: values through rows and back, for any value."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatflow_jupyter.adapters.sql import deprecations, encoding, instance_rows, rows, schedule_rows
from chatflow_jupyter.adapters.sql.damage import DamagedRow
from chatflow_jupyter.domain.decision import QueueAttempt
from chatflow_jupyter.domain.definition import Quota
from chatflow_jupyter.domain.events import Event, EventType
from chatflow_jupyter.domain.ids import LOCAL_TENANT, InstanceId, Principal, RunAs, Sha256
from chatflow_jupyter.domain.instance import (
    Clearance,
    CurrentAttempt,
    DefinitionRef,
    Failure,
    FanOut,
    ForkOrigin,
    GateOutcome,
    HookPoint,
    HooksAsked,
    Instance,
    OpenGate,
    ParentLink,
    PhaseRecord,
    PhaseState,
    ReusedFrom,
    Sought,
    Spawned,
    Status,
    Undoing,
    Vote,
    WaitingReason,
)
from chatflow_jupyter.domain.schedules import CatchUp, EntryKind, Order, Overlap, Schedule, ScheduleEntry
from chatflow_jupyter.domain.usage import Limit
from chatflow_jupyter.ports.records import (
    ArtifactRecord,
    AttemptRow,
    Deprecation,
    Owner,
    Progress,
)

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
TIME = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis wants the bounds bare
    datetime(2200, 1, 1),  # noqa: DTZ001 - likewise
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
COUNT = st.integers(0, 10_000)
SECONDS = st.floats(0, 1e9)
SPECIAL: dict[type, st.SearchStrategy[Any]] = {
    Quota: st.builds(
        Quota,
        max_tokens=st.none() | COUNT,
        max_duration_sec=st.none() | SECONDS,
        max_children=st.none() | COUNT,
    ),
}


def values_of(kind: type[Any], /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any value of a dataclass: text, numbers, times and JSON by the annotation of each field."""
    known = {
        "str": TEXT,
        "int": COUNT,
        "float": SECONDS,
        "bool": st.booleans(),
        "datetime": TIME,
        "JsonObject": OBJECT,
    }
    strategies = {}
    for name, field in kind.__dataclass_fields__.items():
        annotation = (
            getattr(field.type, "__name__", str(field.type))
            if isinstance(field.type, type)
            else str(field.type)
        )
        optional = annotation.endswith("| None") or "None" in annotation
        plain = next((known[each] for each in known if annotation.split(".")[-1].startswith(each)), TEXT)
        strategies[name] = fields.get(name, st.none() | plain if optional else plain)
    return st.builds(kind, **strategies)


RUN_AS = st.sampled_from(get_args(RunAs))
PHASES = st.dictionaries(
    TEXT,
    values_of(
        PhaseRecord,
        state=st.sampled_from(PhaseState),
        started_at=st.none() | TIME,
        ended_at=st.none() | TIME,
        reason=st.none() | TEXT,
        deadline_at=st.none() | TIME,
        origin=st.none() | RUN_AS,
        clearance=st.none() | values_of(Clearance, question=st.none() | TEXT, parameters=OBJECT),
        ran_sec=st.none() | SECONDS,
        unjudged=st.booleans(),
        risk=st.none() | COUNT,
        triggered_before=st.none() | OBJECT,
        sought=st.none() | values_of(Sought, key=st.none() | TEXT),
        reused_from=st.none() | values_of(ReusedFrom),
        gate=st.none()
        | values_of(
            GateOutcome,
            decision=st.sampled_from(("approve", "reject")),
            by=st.sampled_from(("rule", "people", "expiry", "waiver")),
            principals=st.lists(TEXT, max_size=3).map(tuple),
            reason=st.none() | TEXT,
            shown=st.none() | TEXT,
            given=st.lists(TEXT, max_size=3).map(tuple),
            replaced=OBJECT,
        ),
    ),
    max_size=3,
)
FAILURES = st.none() | values_of(
    Failure,
    cell_index=st.none() | COUNT,
    **dict.fromkeys(("phase", "cell_name", "ename", "traceback", "last_output"), st.none() | TEXT),
)
UNDOING = st.none() | values_of(
    Undoing, goal=st.sampled_from(("failed", "terminated")), failure=FAILURES, done=st.booleans()
)
GATES = st.none() | values_of(
    OpenGate,
    asked_at=st.none() | TIME,
    expires_at=st.none() | TIME,
    escalated=st.booleans(),
    votes=st.lists(
        values_of(
            Vote,
            decision=st.sampled_from(("approve", "reject")),
            reason=st.none() | TEXT,
            shown=st.none() | TEXT,
            data=OBJECT,
        ),
        max_size=3,
    ).map(tuple),
)
REFERENCES = values_of(DefinitionRef)
INSTANCES = values_of(
    Instance,
    definition=REFERENCES,
    context=OBJECT,
    meta=OBJECT,
    variables=OBJECT,
    quota=SPECIAL[Quota],
    max_depth=st.none() | COUNT,
    lineage=st.lists(
        values_of(Limit, max_duration_sec=st.none() | SECONDS, max_children=st.none() | COUNT), max_size=3
    ).map(tuple),
    parent=st.none() | values_of(ParentLink),
    feature_id=st.none() | TEXT,
    status=st.sampled_from(Status),
    forked_from=st.none() | values_of(ForkOrigin),
    waiting_reason=st.none() | st.sampled_from(WaitingReason),
    waiting_detail=st.none() | TEXT,
    phase=st.none() | TEXT,
    phases=PHASES,
    attempt=st.none() | values_of(CurrentAttempt),
    fan_out=st.none() | values_of(FanOut),
    spawned=st.lists(values_of(Spawned, context=OBJECT), max_size=3).map(tuple),
    gate=GATES,
    failure=FAILURES,
    undoing=UNDOING,
    hooks_asked=st.none() | values_of(HooksAsked, point=st.sampled_from(HookPoint)),
    started_at=st.none() | TIME,
    ended_at=st.none() | TIME,
    deadline_at=st.none() | TIME,
)


SCHEDULES = values_of(
    Schedule,
    order=values_of(
        Order,
        definition=REFERENCES,
        context=OBJECT,
        feature_id=st.none() | TEXT,
        automation_level=st.none() | COUNT,
    ),
    cron=st.none() | TEXT,
    catch_up=st.sampled_from(get_args(CatchUp)),
    overlap=st.sampled_from(get_args(Overlap)),
    **dict.fromkeys(("next_due_at", "last_due_at", "removed_at"), st.none() | TIME),
    last_instance_id=st.none() | TEXT,
)
ENTRIES = values_of(
    ScheduleEntry,
    kind=st.sampled_from(get_args(EntryKind)),
    due_at=st.none() | TIME,
    instance_id=st.none() | TEXT,
    detail=st.none() | TEXT,
)


def row(columns: Mapping[str, Any]) -> Any:  # stands for a row of the result
    return SimpleNamespace(**columns)


@given(INSTANCES)
def test_instances(instance: Instance) -> None:
    columns = {**instance_rows.birth_columns(instance), **instance_rows.state_columns(instance)}
    ids = {"tenant_id": instance.tenant_id, "instance_id": instance.instance_id}
    apart = dict.fromkeys(instance_rows.variables_apart(instance))
    variables = {**instance.variables, **apart}
    kept = replace(instance, spawned=(), variables=variables)  # those are rows of their own
    assert instance_rows.instance_of(row({**ids, **columns})) == kept


WAITS = Instance(
    tenant_id=LOCAL_TENANT,
    instance_id=InstanceId("wfi_1"),
    root_id=InstanceId("wfi_1"),
    definition=DefinitionRef(name="one", version="1.0.0", content_hash=Sha256("0" * 64)),
    principal=Principal("ann"),
    context={},
    automation_level=100,
    quota=Quota(),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    phases={"one": PhaseRecord(state=PhaseState.ACTIVE, clearance=Clearance(attempt=1))},
    hooks_asked=HooksAsked(point=HookPoint.AFTER, attempt=1, seq=3),
)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(("hooks_asked", value) for value in ("after", 3, [], ["never", 1, 1], ["after", "1", 1])),
        *(("clearance", value) for value in (1, [1], ["1", None, 0, {}], [1, 2, 0, {}], [1, None, 0, []])),
        *(("clearance", [1, None, value, {}]) for value in (None, True, "9", 1.5)),
        *(("ran_sec", value) for value in ("1", [1], {})),
        *(("unjudged", value) for value in (1, "yes", None)),
    ],
)
def test_what_hooks_were_asked_and_said_is_checked_when_read(place: str, value: Any) -> None:
    columns = {**instance_rows.birth_columns(WAITS), **instance_rows.state_columns(WAITS)}
    state = encoding.from_json(columns["state"])
    (state if place == "hooks_asked" else state["phases"]["one"])[place] = value
    harmed = {"tenant_id": "local", "instance_id": "wfi_1", **columns, "state": encoding.to_json(state)}
    with pytest.raises(DamagedRow, match="table instances, row local wfi_1"):
        instance_rows.instance_of(row(harmed))


def test_a_row_of_before_there_were_hooks_is_read() -> None:
    columns = {**instance_rows.birth_columns(WAITS), **instance_rows.state_columns(WAITS)}
    state = encoding.from_json(columns["state"])
    del state["hooks_asked"], state["phases"]["one"]["clearance"]
    older = {"tenant_id": "local", "instance_id": "wfi_1", **columns, "state": encoding.to_json(state)}
    phases = {"one": PhaseRecord(state=PhaseState.ACTIVE)}
    assert instance_rows.instance_of(row(older)) == replace(WAITS, hooks_asked=None, phases=phases)


@given(SCHEDULES)
def test_schedules(schedule: Schedule) -> None:
    assert schedule_rows.schedule_of(row(schedule_rows.schedule_columns(schedule))) == schedule


@given(SCHEDULES, ENTRIES)
def test_entries_of_schedules(schedule: Schedule, entry: ScheduleEntry) -> None:
    assert schedule_rows.entry_of(row(schedule_rows.entry_columns(schedule, 0, entry))) == entry


@given(INSTANCES, INSTANCES)
def test_a_birth_that_is_the_same_is_recognised(one: Instance, other: Instance) -> None:
    assert instance_rows.same_birth(
        one, replace(one, seq=other.seq, variables=other.variables, status=other.status)
    )
    if instance_rows.birth_columns(one) != instance_rows.birth_columns(other):
        assert not instance_rows.same_birth(one, other)


@given(
    values_of(
        Event, type=st.sampled_from(EventType), data=OBJECT, phase=st.none() | TEXT, attempt=st.none() | COUNT
    ),
    COUNT,
)
def test_events(event: Event, position: int) -> None:
    stored = rows.event_of(row(rows.event_columns(event, position)))
    assert (stored.event, stored.position) == (event, position)


@given(
    INSTANCES,
    values_of(
        QueueAttempt,
        parameters=OBJECT,
        kernel=st.none() | TEXT,
        timeout_sec=st.none() | SECONDS,
        run_as=RUN_AS,
    ),
    FAILURES,
    st.none() | values_of(Progress),
    TIME,
)
def test_attempts(
    instance: Instance, queued: QueueAttempt, failure: Failure | None, progress: Progress | None, at: datetime
) -> None:
    columns = rows.queued_columns(instance, queued, 7)
    later = {
        **{name: encoding.to_us(at) for name in ("lease_expires_at", "started_at", "ended_at")},
        "runner_id": "r",
        "owner_id": None,
        "progress": rows.progress_text(progress),
        "failure": failure and encoding.to_json(instance_rows.failure_to_json(failure)),
    }
    assert rows.attempt_of(row({**columns, **later})) == AttemptRow(
        tenant_id=instance.tenant_id,
        instance_id=instance.instance_id,
        root_id=instance.root_id,
        status="queued",
        fence=0,
        runner_id="r",  # type: ignore[arg-type]
        progress=progress,
        failure=failure,
        lease_expires_at=at,
        started_at=at,
        ended_at=at,
        starter=instance.principal,
        **{name: getattr(queued, name) for name in QueueAttempt.__dataclass_fields__},
    )


@given(values_of(ArtifactRecord, deleted_at=st.none() | TIME))
def test_artifacts(record: ArtifactRecord) -> None:
    assert rows.artifact_of(row(rows.artifact_columns(record))) == record


@given(values_of(Owner))
def test_owners(owner: Owner) -> None:
    assert rows.owner_of(row(rows.owner_columns(owner))) == owner


@given(values_of(Deprecation, withdrawn_at=st.none() | TIME))
def test_deprecations(deprecation: Deprecation) -> None:
    stored = row(deprecations.deprecation_columns(deprecation))
    assert deprecations.deprecation_of(stored) == deprecation


@given(OBJECT)
def test_json_is_read_as_it_was_written_in_its_order(value: dict[str, Any]) -> None:
    read = encoding.json_object(encoding.to_json(value))
    assert read == value
    assert list(read) == list(value)


@given(TIME)
def test_times_are_exact_to_the_microsecond_and_sort(moment: datetime) -> None:
    assert encoding.from_us(encoding.to_us(moment)) == moment
    assert encoding.to_us(moment + timedelta(microseconds=1)) == encoding.to_us(moment) + 1


@pytest.mark.parametrize(
    "write",
    [
        lambda: encoding.to_us(datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)),
        lambda: encoding.to_json(float("nan")),
    ],
)
def test_what_has_no_meaning_is_not_written(write: Callable[[], object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        write()
