"""Children a notebook asks for: how a phase allows them, and what is refused before any is born."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chatflow_jupyter.domain.birth import create_root
from chatflow_jupyter.domain.decision import Decision
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.errors import InvalidDefinition
from chatflow_jupyter.domain.ids import InstanceId, Principal, RunnerId, Sha256, TenantId
from chatflow_jupyter.domain.instance import DefinitionRef, Instance, Spawned, Status, WaitingReason
from chatflow_jupyter.domain.report_sizes import MAX_SPAWNED, MAX_SPAWNED_BYTES
from chatflow_jupyter.domain.requests import AttemptStarted, AttemptSucceeded, Pause, Request, Resume, Trigger
from chatflow_jupyter.domain.transition import decide
from chatflow_sdk import phase

NOW, ANN = datetime(2026, 1, 1, tzinfo=UTC), Principal("ann")
HEAD = "name: sample\nphases:\n  - name: plan\n    notebook: plan.ipynb\n"
SOURCE = HEAD + "    spawns: {schemas: [./a.yaml, b@1.0.0], max_parallel: 2}\n"
WRONG = [
    (HEAD + "    spawns: {}\n", 5, "spawns: `schemas` is missing"),
    (HEAD + "    spawns: {schemas: []}\n", 5, "spawns.schemas: needs at least 1 entry"),
    (HEAD + "    spawns: {schemas: ./a.yaml}\n", 5, "spawns.schemas: must be a list, not './a.yaml'"),
    (HEAD + "    spawns: {schema: ./a.yaml}\n", 5, "spawns: unknown key 'schema' (did you mean 'schemas'?)"),
    (
        HEAD + "    spawns:\n      schemas:\n      - ./a.yaml\n      - ../b.yaml\n",
        8,
        "spawns.schemas[1]: '../b.yaml' is neither ./file.yaml nor a name",
    ),
    (SOURCE.replace("2}", "0}"), 5, "spawns.max_parallel: must be at least 1, not 0"),
    (SOURCE.replace("2}", "2, on_failure: stop}"), 5, "spawns.on_failure: must be fail or continue"),
    (
        HEAD + "    children: {schema: ./a.yaml, items: [1]}\n    spawns: {schemas: [./a.yaml]}\n",
        6,
        "phase plan: spawns: a phase has `children` or `spawns`",
    ),
    (
        "name: a\nphases:\n  - name: plan\n    spawns: {schemas: [./a.yaml]}\n",
        4,
        "phase plan: spawns: needs a `notebook`",
    ),
]


@pytest.mark.parametrize(("text", "line", "says"), WRONG, ids=[says for _, _, says in WRONG])
def test_spawns_written_wrongly_are_named_with_their_line(text: str, line: int, says: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        parse_definition(text, file="d.yaml")
    fitting = [problem for problem in caught.value.problems if says in problem]
    assert fitting, caught.value.problems
    assert fitting[0].startswith(f"d.yaml:{line}: ")


def test_what_a_phase_may_start_is_read_stored_and_read_again() -> None:
    definition = parse_definition(SOURCE, file="d.yaml")
    (plan,) = definition.phases
    assert plan.spawns is not None
    assert plan.child_schemas == ("./a.yaml", "b@1.0.0")
    assert (plan.spawns.max_parallel, plan.spawns.on_failure) == (2, "fail")
    assert Definition.load(definition.dump()) == definition


def ask(definition: Definition, instance: Instance, request: Request) -> Decision:
    decision = decide(definition, instance, request, NOW)
    assert isinstance(decision, Decision), decision
    return decision


def running(source: str = SOURCE, **changes: Any) -> tuple[Definition, Instance]:
    """An instance whose notebook runs."""
    definition = parse_definition(source, file="d.yaml")
    reference = DefinitionRef(name="sample", version="0.0.0", content_hash=Sha256("0" * 64))
    born = create_root(
        definition,
        reference,
        tenant_id=TenantId("local"),
        instance_id=InstanceId("wfi_1"),
        context={},
        principal=ANN,
        now=NOW,
    ).instance
    instance = ask(definition, replace(born, **changes), Trigger(principal=ANN)).instance
    assert instance.attempt is not None
    begun = AttemptStarted(attempt_id=instance.attempt.attempt_id, fence=1, runner_id=RunnerId("r"))
    return definition, ask(definition, instance, begun).instance


def succeeded(instance: Instance, *spawned: Spawned) -> AttemptSucceeded:
    assert instance.attempt is not None
    return AttemptSucceeded(
        attempt_id=instance.attempt.attempt_id, fence=1, outputs={"n": 1}, duration_sec=1.0, spawned=spawned
    )


def one(key: str = "k", schema: str = "./a.yaml", **context: Any) -> Spawned:
    return Spawned(schema_ref=schema, key=key, context=context)


def test_children_are_born_in_the_decision_in_which_the_attempt_succeeds() -> None:
    definition, instance = running()
    decision = ask(definition, instance, succeeded(instance, one("x", n=1), one("y", "b@1.0.0"), one("z")))
    born = [
        (child.schema_ref, child.link.key, child.link.index, child.context) for child in decision.children
    ]
    assert born == [("./a.yaml", "x", 0, {"n": 1}), ("b@1.0.0", "y", 1, {})], "two may be alive at once"
    after = decision.instance
    assert (after.waiting_reason, after.variables["plan"]) == (WaitingReason.CHILDREN, {"n": 1})
    assert after.fan_out is not None
    assert (after.fan_out.total, after.descendants) == (3, 3)


REFUSED = [
    ((one(), one()), "invalid_children", "spawn: the key 'k' appears twice"),
    ((one("old"),), "invalid_children", "spawn: an earlier phase has a child with the key 'old'"),
    ((one(""),), "invalid_children", "must have 1 to 255 characters"),
    ((one("k" * 256),), "invalid_children", "must have 1 to 255 characters"),
    ((one("a\0b"),), "invalid_children", "child 0[0]: text may not contain the NUL character"),
    ((one("x"), one(n=float("nan"))), "invalid_children", "child 1[1].n: NaN and infinity are not JSON"),
    ((one(schema="./c.yaml"),), "invalid_children", "spawn: './c.yaml' is none of ./a.yaml, b@1.0.0"),
    ((one(text="x" * 262_144),), "invalid_children", "more than the 262144 allowed; store large data with"),
    (tuple(one(str(n)) for n in range(10_001)), "invalid_children", "10001 children are more than 10000"),
    (tuple(one(str(n)) for n in range(6)), "quota_exceeded", "6 more children would exceed max_children 5"),
]


@pytest.mark.parametrize(("spawned", "code", "says"), REFUSED, ids=[says for *_, says in REFUSED])
def test_what_cannot_be_born_fails_the_attempt_and_is_not_tried_again(
    spawned: tuple[Spawned, ...], code: str, says: str
) -> None:
    source = (
        SOURCE.replace("phases:", "quota: {max_children: 5}\nphases:") + "    retries: {max_attempts: 3}\n"
    )
    definition, instance = running(source, variables={"children": {"old": {"status": "completed"}}})
    decision = ask(definition, instance, succeeded(instance, *spawned))
    after = decision.instance
    assert (after.status, decision.children, after.spawned) == (Status.FAILED, (), ())
    assert after.failure is not None
    assert (after.failure.code, after.failure.phase) == (code, "plan")
    assert says in after.failure.message
    assert "plan" not in after.variables, "an attempt that failed has no outcome"
    again = ask(definition, after, Trigger(principal=ANN)).instance
    assert again.attempt is not None, "the notebook runs again, and may ask for others"
    assert ask(definition, again, succeeded(again, one("new"))).children


def test_a_tree_that_would_be_too_deep_and_a_phase_that_declares_nothing() -> None:
    definition, instance = running(SOURCE.replace("phases:", "max_depth: 2\nphases:"), depth=1)
    failure = ask(definition, instance, succeeded(instance, one())).instance.failure
    assert failure is not None
    assert (failure.code, failure.message) == ("too_deep", "children: the tree may be at most 2 deep")
    definition, instance = running(HEAD)
    failure = ask(definition, instance, succeeded(instance, one())).instance.failure
    assert failure is not None
    assert failure.message == "spawn: phase plan declares none; name their definitions under `spawns`"


def test_a_paused_instance_keeps_what_was_asked_for_until_it_is_resumed() -> None:
    definition, instance = running()
    paused = ask(definition, instance, Pause(principal=ANN)).instance
    ended = ask(definition, paused, succeeded(paused, one("x")))
    assert (ended.children, ended.instance.spawned) == ((), (one("x"),))
    resumed = ask(definition, ended.instance, Resume(principal=ANN))
    assert [child.link.key for child in resumed.children] == ["x"]


def test_a_phase_that_asks_for_nothing_succeeds_at_once_even_where_nothing_more_has_room() -> None:
    definition, instance = running(
        SOURCE.replace("phases:", "quota: {max_children: 5}\nphases:"), descendants=7
    )
    assert ask(definition, instance, succeeded(instance)).instance.status is Status.COMPLETED


def test_a_notebook_is_refused_the_same_as_its_report_would_be() -> None:
    assert (phase.MAX_SPAWNED, phase.MAX_SPAWNED_BYTES) == (MAX_SPAWNED, MAX_SPAWNED_BYTES)
