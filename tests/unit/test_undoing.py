"""What the definition of something that can be undone says, and how the way back is told beforehand."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chatflow_jupyter.domain.birth import create_root, start_at_once
from chatflow_jupyter.domain.compensation import undo_steps
from chatflow_jupyter.domain.decision import Decision
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.errors import InvalidDefinition
from chatflow_jupyter.domain.forecast import forecast
from chatflow_jupyter.domain.ids import InstanceId, Principal, Sha256, TenantId
from chatflow_jupyter.domain.instance import DefinitionRef, PhaseRecord, PhaseState
from chatflow_jupyter.domain.requests import Terminate
from chatflow_jupyter.domain.transition import decide
from chatflow_jupyter.domain.tree import NodeClass, node_class

SAGA = """\
name: saga
automation_level: 100
phases:
  - {name: reserve, notebook: reserve.ipynb, compensate: release.ipynb}
  - name: charge
    notebook: charge.ipynb
    compensate: refund.ipynb
    title: Charge the card
    kernel: bank
    timeout_sec: 9
    retries: {max_attempts: 4}
    parameters: {place: {field: reserve.place}}
    when: {field: reserve.place, operator: exists}
    risk: 80
    gate: {}
    outputs: {required: [receipt]}
    next: [{to: end}]
    fallback: ship
  - {name: ship, notebook: ship.ipynb}
"""
PERSON, NOW = Principal("local"), datetime(2026, 1, 1, tzinfo=UTC)


def definition() -> Definition:
    return parse_definition(SAGA, file="saga.yaml")


def test_a_step_has_of_its_phase_what_its_notebook_needs_and_nothing_else() -> None:
    step, phase = definition().phase("charge.compensate"), definition().phase("charge")
    assert (step.name, step.notebook) == ("charge.compensate", "refund.ipynb")
    for name in ("kernel", "timeout_sec", "retries", "parameters"):
        assert getattr(step, name) == getattr(phase, name)
    for name in ("when", "gate", "outputs", "fallback", "children", "compensate"):
        assert getattr(step, name) is None
    assert (step.next, step.risk, step.waits_for_trigger) == ((), 0, False)


@pytest.mark.parametrize("name", ["ship.compensate", "nobody", "charge.", "charge.compensate.compensate"])
def test_there_is_no_step_without_a_notebook_for_it(name: str) -> None:
    with pytest.raises(KeyError):
        definition().phase(name)


def test_what_is_stored_of_a_definition_keeps_what_undoes_it() -> None:
    stored = definition().model_copy(update={"on_failure": "compensate"})
    assert Definition.load(stored.dump()) == stored


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("release.ipynb", "release.py", "compensate: the notebook 'release.py' must end in .ipynb"),
        ("release.ipynb", "../release.ipynb", "must be a path inside the template folder"),
        ("name: reserve,", "name: reserve.compensate,", "will not do"),
        ("name: reserve,", "name: compensation,", "the name is reserved"),
        ("phases:", "on_failure: undo\nphases:", "must be fail or compensate"),
        ("notebook: ship.ipynb", "notebook: ship.ipynb, compensate_after: start", "there is no notebook"),
        ("release.ipynb", "release.ipynb, compensate_after: begin", "must be success or start"),
    ],
)
def test_what_cannot_undo_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(InvalidDefinition, match=says):
        parse_definition(SAGA.replace(old, new, 1), file="saga.yaml")


def test_to_undo_by_itself_needs_something_that_undoes() -> None:
    nothing = "name: x\non_failure: compensate\nphases: [{name: a, notebook: a.ipynb}]\n"
    with pytest.raises(InvalidDefinition, match=r"x.yaml:2: on_failure: .* no phase has a notebook"):
        parse_definition(nothing, file="x.yaml")


def test_only_what_did_something_is_undone_in_reverse_and_told_beforehand() -> None:
    reference = DefinitionRef(name="saga", version="0.0.0", content_hash=Sha256("0" * 64))
    born = create_root(
        definition(),
        reference,
        tenant_id=TenantId("local"),
        instance_id=InstanceId("wfi_saga"),
        context={},
        principal=PERSON,
        now=NOW,
    )
    started = start_at_once(definition(), born, PERSON, NOW).instance
    assert undo_steps(definition(), started) == ()
    done = PhaseRecord(state=PhaseState.SUCCEEDED, attempts=1, notebook_done=True)
    phases = {"reserve": done, "charge": done, "ship": PhaseRecord(state=PhaseState.ACTIVE, attempts=1)}
    variables = {"reserve": {"place": "A7"}}
    standing = replace(started, phase="ship", phases=phases, variables=variables)
    answer = decide(definition(), standing, Terminate(principal=PERSON, compensate=True), NOW)
    assert isinstance(answer, Decision)
    assert node_class(answer.instance) is NodeClass.RUNNING
    foreseen = forecast(definition(), answer)
    assert [(step.phase, step.expected) for step in foreseen.path] == [
        ("charge.compensate", "now"),
        ("reserve.compensate", "runs"),
    ]
    skipped = replace(standing, phases={**phases, "charge": PhaseRecord(state=PhaseState.SKIPPED)})
    assert undo_steps(definition(), skipped) == ("reserve.compensate",)
    failed = replace(standing, phases={**phases, "charge": PhaseRecord(state=PhaseState.FAILED, attempts=2)})
    assert undo_steps(definition(), failed) == ("reserve.compensate",)
    careful = parse_definition(
        SAGA.replace("title: Charge", "compensate_after: start\n    title: Charge"), file="s"
    )
    assert undo_steps(careful, failed) == ("charge.compensate", "reserve.compensate")
    assert undo_steps(careful, skipped) == ("reserve.compensate",)
    undone = replace(standing, phases={**phases, "charge.compensate": done})
    assert undo_steps(definition(), undone) == ("reserve.compensate",)
