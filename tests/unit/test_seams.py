"""Where two parts of the grammar meet: hooks and forks, deadlines and undoing, spawning and rejections."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from chatflow_jupyter.domain.birth import create_root, start_at_once
from chatflow_jupyter.domain.decision import Decision, Refusal
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.forecast import forecast
from chatflow_jupyter.domain.fork import create_fork, shared_phases
from chatflow_jupyter.domain.hooks import NO_HOOKS, HookAnswer, HookPlan, Reject, SetRisk, Verdict
from chatflow_jupyter.domain.ids import InstanceId, Principal, RunnerId, Sha256, TenantId
from chatflow_jupyter.domain.instance import DefinitionRef, Failure, Instance, Spawned, Status, WaitingReason
from chatflow_jupyter.domain.recommendation import recommend_next_phase
from chatflow_jupyter.domain.requests import (
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    HookVerdicts,
    InstanceDeadlineDue,
    Pause,
    PhaseDeadlineDue,
    Request,
    Terminate,
    Trigger,
)
from chatflow_jupyter.domain.transition import decide
from chatflow_jupyter.domain.usage import Used

START, ANN = datetime(2026, 1, 1, tzinfo=UTC), Principal("ann")
REFERENCE = DefinitionRef(name="a", version="0.0.0", content_hash=Sha256("0" * 64))
BEHIND, AHEAD = HookPlan(after=("look",)), HookPlan(before=("look",))


class Told:
    """An instance, and what is asked of it."""

    def __init__(self, text: str, hooks: HookPlan = NO_HOOKS, context: dict[str, Any] | None = None) -> None:
        self.definition: Definition = parse_definition(f"name: a\n{text}", file="a.yaml")
        self.hooks, self.now, self.used = hooks, START, Used()
        born = create_root(
            self.definition,
            REFERENCE,
            tenant_id=TenantId("local"),
            instance_id=InstanceId("wfi_a"),
            context=context or {},
            principal=ANN,
            now=START,
        )
        self.take(start_at_once(self.definition, born, ANN, START, hooks=hooks))

    def take(self, decision: Decision) -> None:
        self.decision, self.instance = decision, decision.instance
        self.used = self.used.and_also(decision.instance.limits, decision.spent_sec, decision.asked)

    def ask(self, request: Request, *, after_sec: float = 1) -> Instance:
        self.now += timedelta(seconds=after_sec)
        answer = decide(self.definition, self.instance, request, self.now, self.used, self.hooks)
        assert not isinstance(answer, Refusal), answer
        self.take(answer)
        return self.instance

    def succeed(self, *, spawned: Sequence[Spawned] = (), **outputs: Any) -> Instance:
        assert self.instance.attempt is not None
        attempt = self.instance.attempt.attempt_id
        return self.ask(
            AttemptSucceeded(
                attempt_id=attempt, fence=1, outputs=outputs, duration_sec=1.0, spawned=tuple(spawned)
            )
        )

    def fail(self, code: str = "cell_error") -> Instance:
        assert self.instance.attempt is not None
        failure = Failure(code=code, message="it failed")
        attempt = self.instance.attempt.attempt_id
        return self.ask(AttemptFailed(attempt_id=attempt, fence=1, failure=failure, duration_sec=1.0))

    def judge(self, *verdicts: Verdict) -> Instance:
        asked = self.instance.hooks_asked
        assert asked is not None
        answers = tuple(HookAnswer(hook="look", verdict=verdict) for verdict in verdicts)
        return self.ask(HookVerdicts(asked=asked, answers=answers))

    def fork(self, phase: str, **changes: Any) -> Decision:
        shared = shared_phases(self.definition, self.instance, phase)
        assert not isinstance(shared, Refusal), shared
        return create_fork(
            self.definition,
            REFERENCE,
            self.instance,
            shared,
            phase,
            instance_id=InstanceId("wfi_f"),
            changes=changes,
            principal=ANN,
            now=self.now,
            hooks=self.hooks,
        )


def test_a_risk_that_a_hook_saw_behind_a_phase_goes_along_to_a_fork() -> None:
    told = Told(
        "automation_level: 60\nphases:\n"
        "  - {name: one, notebook: a.ipynb}\n  - {name: two, notebook: b.ipynb}\n",
        BEHIND,
    )
    told.succeed()
    assert told.judge(SetRisk(risk=90, reason="odd")).waiting_reason is WaitingReason.APPROVAL
    assert told.fork("two").instance.waiting_reason is WaitingReason.APPROVAL


OVERDUE = """\
automation_level: 100
phases:
  - name: kids
    children: {schema: c@1.0.0, items: [1, 2, 3]}
    deadline_sec: 10
    fallback: rescue
    compensate: undo.ipynb
  - {name: rescue, notebook: b.ipynb}
"""


def test_children_cut_off_by_a_deadline_are_undone_though_nobody_heard_of_their_ends() -> None:
    told = Told("on_failure: compensate\n" + OVERDUE)
    told.ask(PhaseDeadlineDue(), after_sec=20)
    assert told.fail().status is Status.COMPENSATING
    assert told.instance.phase == "kids.compensate"
    asked = Told(OVERDUE)
    asked.ask(PhaseDeadlineDue(), after_sec=20)
    assert asked.ask(Terminate(principal=ANN, compensate=True)).phase == "kids.compensate"


def test_what_a_hook_rejected_is_nobodys_word() -> None:
    told = Told(
        "automation_level: 100\nphases:\n"
        "  - {name: scan, notebook: a.ipynb, run_as: tenant, fallback: publish}\n"
        "  - {name: fix, notebook: b.ipynb}\n"
        "  - name: publish\n    notebook: c.ipynb\n"
        '    gate: {governed: true, auto: {field: scan.high, operator: "==", value: 0}}\n',
        BEHIND,
    )
    told.succeed(high=0)
    assert told.judge(Reject(reason="forged")).waiting_reason is WaitingReason.APPROVAL
    assert told.instance.phases["scan"].origin is None


def test_children_of_a_rejected_attempt_make_room_for_those_of_the_next() -> None:
    told = Told(
        "automation_level: 100\nquota: {max_children: 3}\nphases:\n"
        "  - {name: one, notebook: a.ipynb, spawns: {schemas: [c@1.0.0]}, retries: {max_attempts: 3}}\n",
        BEHIND,
    )
    twins = [Spawned(schema_ref="c@1.0.0", key=key, context={}) for key in "ab"]
    told.succeed(spawned=twins)
    assert told.used.by(told.instance.instance_id).children == 2
    told.judge(Reject(reason="again", retryable=True))
    assert told.used.by(told.instance.instance_id).children == 0
    told.succeed(spawned=twins)
    assert told.judge().waiting_reason is WaitingReason.CHILDREN
    assert len(told.decision.children) == 2


def test_a_notebook_that_ran_to_its_end_is_undone_whatever_was_thought_of_what_it_stored() -> None:
    phases = (
        "automation_level: 100\non_failure: compensate\nphases:\n"
        "  - {name: one, notebook: a.ipynb, compensate: undo.ipynb, outputs: {required: [n]}}\n"
    )
    assert Told(phases).fail("artifact_refused").phase == "one.compensate"
    assert Told(phases).succeed().phase == "one.compensate"
    assert Told(phases).fail().status is Status.FAILED


GOVERNED = """\
automation_level: 100
parameters: {type: object, properties: {n: {type: integer, default: 1}}}
phases:
  - {name: scan, notebook: a.ipynb, run_as: tenant}
  - {name: fix, notebook: b.ipynb}
  - name: publish
    notebook: c.ipynb
    gate: {title: Sure?, governed: true, auto: {field: scan.high, operator: "==", value: 0}}
"""


def test_a_forecast_knows_whose_word_a_governed_gate_takes() -> None:
    told = Told(GOVERNED)
    told.succeed(high=0)
    assert [step.stops_for for step in forecast(told.definition, told.decision).path] == [None, None]
    changed = forecast(told.definition, told.fork("fix", n=2))
    assert [step.stops_for for step in changed.path] == [None, "approval: Sure?"]


def test_a_forecast_looks_behind_the_hooks_for_the_gate() -> None:
    told = Told(
        "automation_level: 100\nphases:\n"
        "  - {name: one, notebook: a.ipynb, gate: {title: Go?}}\n"
        "  - {name: two, notebook: b.ipynb, when: {field: trigger.n, operator: exists}}\n",
        AHEAD,
    )
    assert told.instance.waiting_reason is WaitingReason.HOOK
    foreseen = forecast(told.definition, told.decision)
    assert str(foreseen.path[0].stops_for).endswith("then approval: Go?")
    assert [(step.phase, step.expected) for step in foreseen.path] == [
        ("one", "now"),
        ("two", "runs or is skipped"),
    ]
    assert not foreseen.determined


def test_what_failed_between_two_phases_is_recommended_to_go_on_with_the_next() -> None:
    told = Told(
        "automation_level: 100\ndeadline_sec: 10\nphases:\n"
        "  - {name: one, notebook: a.ipynb, fallback: rescue}\n"
        "  - {name: two, notebook: b.ipynb}\n  - {name: rescue, notebook: c.ipynb}\n"
    )
    assert told.instance.attempt is not None
    attempt = told.instance.attempt.attempt_id
    told.ask(AttemptStarted(attempt_id=attempt, fence=1, runner_id=RunnerId("r")))
    told.ask(Pause(principal=ANN))
    told.fail()
    told.ask(InstanceDeadlineDue(), after_sec=20)
    advice = recommend_next_phase(told.definition, told.instance)
    assert (advice.phase, advice.request) == ("rescue", "retry")
    assert told.ask(Trigger(principal=ANN)).phase == "rescue"
