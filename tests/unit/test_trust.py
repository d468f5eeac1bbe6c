"""A governed gate reads what the tenant's own runners reported, and nobody else's word."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chatflow_jupyter.domain.birth import create_root, start_at_once
from chatflow_jupyter.domain.decision import Decision, QueueAttempt
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.errors import InvalidDefinition
from chatflow_jupyter.domain.gates import gate_question
from chatflow_jupyter.domain.ids import InstanceId, Principal, Sha256, TenantId
from chatflow_jupyter.domain.instance import DefinitionRef, Instance
from chatflow_jupyter.domain.requests import AttemptSucceeded
from chatflow_jupyter.domain.transition import decide

AUDIT = """\
name: audit
automation_level: 100
phases:
  - {name: scan, notebook: scan.ipynb, run_as: tenant}
  - {name: fix, notebook: fix.ipynb}
  - name: publish
    notebook: publish.ipynb
    gate:
      governed: true
      auto: {field: scan.high, operator: "==", value: 0}
"""
NOW, MALLORY = datetime(2026, 1, 1, tzinfo=UTC), Principal("mallory")


def started(definition: Definition) -> tuple[Instance, QueueAttempt]:
    reference = DefinitionRef(name="audit", version="0.0.0", content_hash=Sha256("0" * 64))
    born = create_root(
        definition,
        reference,
        tenant_id=TenantId("local"),
        instance_id=InstanceId("wfi_audit"),
        context={"high": 0},
        principal=MALLORY,
        now=NOW,
    )
    decision = start_at_once(definition, born, MALLORY, NOW)
    (queued,) = decision.attempts
    assert isinstance(queued, QueueAttempt)
    return decision.instance, queued


def reported(definition: Definition, instance: Instance, **outputs: int) -> Instance:
    assert instance.attempt is not None
    attempt = instance.attempt.attempt_id
    outcome = AttemptSucceeded(attempt_id=attempt, fence=1, outputs=dict(outputs), duration_sec=0.0)
    decision = decide(definition, instance, outcome, NOW)
    assert isinstance(decision, Decision)
    return decision.instance


def test_an_attempt_says_as_whom_it_is_to_be_run_and_the_phase_keeps_it() -> None:
    definition = parse_definition(AUDIT, file="audit.yaml")
    instance, queued = started(definition)
    assert queued.run_as == "tenant"
    scanned = reported(definition, instance, high=0)
    fixed = reported(definition, scanned)
    assert [record.origin for record in fixed.phases.values()] == ["tenant", "starter", None]


def test_the_rule_opens_the_gate_by_what_the_tenant_reported_only() -> None:
    definition = parse_definition(AUDIT, file="audit.yaml")
    scanned = reported(definition, started(definition)[0], high=0)
    publish = definition.phase("publish")
    assert gate_question(publish, scanned) is None
    by_starter = replace(scanned.phases["scan"], origin="starter")
    for origin in (by_starter, replace(by_starter, origin=None)):
        forged = replace(scanned, phases={**scanned.phases, "scan": origin})
        assert gate_question(publish, forged) == ("gate before publish", ("scan.high",))


@pytest.mark.parametrize("field", ["fix.high", "context.high", "trigger.high", "children.a.scan.high"])
def test_a_definition_stored_unchecked_does_not_open_it_by_anybody_elses_word(field: str) -> None:
    raw = parse_definition(AUDIT, file="audit.yaml").dump().replace('"scan.high"', f'"{field}"')
    definition = Definition.load(raw)
    instance = reported(definition, reported(definition, started(definition)[0], high=0), high=0)
    told = {"trigger": {"high": 0}, "children": {"a": {"status": "completed", "scan": {"high": 0}}}}
    instance = replace(instance, variables={**instance.variables, **told})
    assert gate_question(definition.phase("publish"), instance) == ("gate before publish", (field,))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("scan.high", "fix.high", "9: phase publish: gate.governed: 'fix.high' may be set by whoever starts"),
        ("scan.high", "context.high", "only phases with `run_as: tenant` \\(scan\\)"),
        ("scan.high", "trigger.high", "'trigger.high' may be set by whoever starts the instance"),
        ("scan.high", "children.a.status", "'children.a.status' may be set"),
        (", run_as: tenant", "", "there is none before it"),
        ("run_as: tenant", "run_as: root", "must be starter or tenant, not 'root'"),
        ("governed: true\n", "governed: maybe\n", "gate.governed: must be true or false"),
        (
            '      auto: {field: scan.high, operator: "==", value: 0}\n',
            "",
            "there is none: people are asked anyway",
        ),
    ],
)
def test_a_rule_that_reads_the_word_of_whom_it_stops_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(InvalidDefinition, match=says):
        parse_definition(AUDIT.replace(old, new, 1), file="audit.yaml")
