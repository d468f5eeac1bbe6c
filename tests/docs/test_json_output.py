"""The page about JSON names every field that is printed, and no other."""

import json
from dataclasses import fields
from typing import Any

import pytest

from chatflow_jupyter.domain.audit import AuditEnd, next_row
from chatflow_jupyter.domain.definition_changes import Change
from chatflow_jupyter.domain.ids import InstanceId, Sha256, TenantId, WaiverId
from chatflow_jupyter.domain.instance import DefinitionRef, Failure
from chatflow_jupyter.domain.recommendation import recommend_next_phase
from chatflow_jupyter.domain.schedules import ScheduleEntry
from chatflow_jupyter.domain.tree import TreeStatus
from chatflow_jupyter.interfaces.cli.advising import advice_object, feature_object
from chatflow_jupyter.interfaces.cli.audits import audit_object, verified_object
from chatflow_jupyter.interfaces.cli.comparing import difference_object
from chatflow_jupyter.interfaces.cli.gate_wording import gate_object
from chatflow_jupyter.interfaces.cli.schedule_wording import entry_object, schedule_object
from chatflow_jupyter.interfaces.cli.shapes import (
    artifact_object,
    event_object,
    instance_object,
    print_json,
    standing_object,
    waiver_object,
)
from chatflow_jupyter.interfaces.cli.versions import version_object
from chatflow_jupyter.ports.records import (
    ArtifactRecord,
    DefinitionRecord,
    Deprecation,
    FeatureCount,
    Standing,
    Waiver,
)
from chatflow_jupyter.services.advice import FeatureStatus
from chatflow_jupyter.services.audits import Verified
from chatflow_jupyter.services.comparisons import Difference, FileChange
from chatflow_jupyter.services.gate_now import gate_now
from chatflow_jupyter.services.notebook_changes import CellChange
from chatflow_jupyter.services.versions import NOBODY, KnownVersion
from tests.contract.making_acts import act
from tests.contract.making_schedules import plan
from tests.docs.histories import ASKING, EPOCH, PERSON, PLAIN, START, History, failed, started, vote
from tests.docs.pages import DOCS, blocks, plain, rows, section, text_of

PAGE = DOCS / "reference" / "json-output.md"


def _told(heading: str) -> list[tuple[str, ...]]:
    return [tuple(map(plain, row)) for row in rows(section(PAGE, heading))]


def test_the_fields_of_an_instance(capsys: pytest.CaptureFixture[str]) -> None:
    history = History.of(PLAIN).do(START, started, failed)
    print_json(instance_object(history.instance))
    printed = json.loads(capsys.readouterr().out)
    told = _told("An instance")
    tree = [field.name for field in fields(TreeStatus)]
    assert [name for name, _ in told] == [*printed, *tree]
    meaning = dict(told)
    assert all(name in meaning["phases"] for name in printed["phases"]["one"])
    assert all(name in meaning["failure"] for name in printed["failure"])
    assert set(printed["failure"]) <= {field.name for field in fields(Failure)}


def test_the_fields_of_a_brief_status() -> None:
    stands = Standing(
        instance_id=InstanceId("wfi_1"), status="waiting", waiting_reason=None, phase="one", seq=1
    )
    told = next(
        line for line in text_of(PAGE).split("\n\n") if line.startswith("`status --brief` prints only")
    )
    assert all(f"`{name}`" in told for name in standing_object(stands))


def test_the_fields_of_an_open_gate() -> None:
    waiting = History.of(ASKING).do(START, vote("ann", shown="1")).instance
    assert waiting.gate is not None
    phase = History.of(ASKING).definition.phase("one")
    printed = gate_object(gate_now(phase, waiting.gate, Sha256("1" * 64)))
    assert printed is not None
    told = _told("An open gate")
    assert [name for name, _ in told] == list(printed)
    (voted,) = printed["votes"]
    assert all(name in dict(told)["votes"] for name in voted)


def test_the_fields_of_a_recommendation_and_of_a_feature() -> None:
    waiting = History.of(ASKING).do(START)
    advice = recommend_next_phase(waiting.definition, waiting.instance)
    told = _told("Recommendations")
    printed = advice_object(waiting.instance, advice)
    count = FeatureCount(name="asking", status="waiting", waiting_reason=None, number=1, newest_at=EPOCH)
    status = FeatureStatus(
        feature_id="F", total=1, by_status={"waiting": 1}, counts=(count,), attention=(), more=0
    )
    whole = feature_object(status)
    assert [name for name, _ in told] == [*printed, *whole]
    meaning = dict(told)
    assert all(name in meaning["reasons"] for name in ("kind", "text"))
    assert isinstance(whole["counts"], list)
    assert all(name in meaning["counts"] for name in whole["counts"][0])


def test_the_fields_of_a_waiver() -> None:
    waiver = Waiver(
        tenant_id=TenantId("local"),
        waiver_id=WaiverId("wvr_1"),
        name="plain",
        phase="one",
        feature_id=None,
        principal=PERSON,
        reason="known",
        created_at=EPOCH,
        expires_at=EPOCH,
    )
    assert [name for name, _ in _told("Waivers")] == list(waiver_object(waiver, "active"))


def test_the_fields_of_a_version() -> None:
    reference = DefinitionRef(name="plain", version="1.0.0", content_hash=Sha256("1" * 64))
    record = DefinitionRecord(
        tenant_id=TenantId("local"),
        reference=reference,
        definition=History.of(PLAIN).definition,
        bundle_sha256=reference.content_hash,
        entry="definition.yaml",
        pins={},
        published_at=EPOCH,
    )
    deprecation = Deprecation(
        tenant_id=record.tenant_id,
        name="plain",
        version="1.0.0",
        principal=PERSON,
        reason="old",
        deprecated_at=EPOCH,
    )
    printed = version_object(KnownVersion(record=record, deprecation=deprecation, use=NOBODY))
    told = _told("Versions")
    assert [name for name, _ in told] == list(printed)
    assert isinstance(printed["deprecated"], dict)
    assert all(name in dict(told)["deprecated"] for name in printed["deprecated"])


def test_the_fields_of_a_schedule_and_its_log() -> None:
    entry = ScheduleEntry(kind="fired", at=EPOCH)
    assert [name for name, _ in _told("Schedules")] == [
        *schedule_object(plan("nightly"), driven=True),
        *entry_object(entry),
    ]


def test_the_fields_of_the_audit() -> None:
    row = next_row(AuditEnd(), TenantId("local"), act())
    verified = verified_object(row.tenant_id, Verified(end=AuditEnd()))
    assert [name for name, _ in _told("Audit")] == [*audit_object(row), *verified]


def test_the_fields_of_a_difference() -> None:
    cell = CellChange(kind="changed", number=1, cell_type="code", lines=("-a", "+b"))
    file = FileChange(name="a.ipynb", kind="changed", size_bytes=(1, 2), cells=(cell,))
    changes = (Change(what="parameter a", how="is gone", breaks=True),)
    printed: Any = difference_object(Difference(before="a", after="b", changes=changes, files=(file,)))
    told = _told("Differences")
    assert [name for name, _ in told] == list(printed)
    assert all(f"`{name}`" in text_of(PAGE) for name in printed["changes"][0])
    assert all(f"`{name}`" in text_of(PAGE) for name in printed["files"][0])
    assert all(f"`{name}`" in text_of(PAGE) for name in printed["files"][0]["cells"][0])


def test_the_fields_of_an_event() -> None:
    shown = json.loads(blocks(DOCS / "reference" / "events.md")[0].text)
    assert set(shown) == set(event_object(History.of(PLAIN).events[0]))


def test_the_fields_of_an_artifact() -> None:
    instance = History.of(PLAIN).do(START).instance
    assert instance.attempt is not None
    record = ArtifactRecord(
        tenant_id=instance.tenant_id,
        instance_id=instance.instance_id,
        attempt_id=instance.attempt.attempt_id,
        phase="one",
        attempt=1,
        name="report.html",
        kind="report",
        media_type="text/html",
        sha256=Sha256("0" * 64),
        size_bytes=3,
        created_at=EPOCH,
    )
    assert [name for name, _ in _told("Artifacts")] == list(artifact_object(record))
