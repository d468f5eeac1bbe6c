"""Definitions the engine is tested with: every part of the grammar, alone and together."""

from hypothesis import strategies as st
from pydantic import ValidationError

from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition

LINEAR = """
name: linear
phases:
  - {name: one, notebook: one.ipynb}
  - {name: two, notebook: two.ipynb, retries: {max_attempts: 3, backoff_sec: 10}}
  - name: three
    notebook: three.ipynb
    retries: {max_attempts: 2}
    outputs: {properties: {n: {type: integer}}}
"""
GATES = """
name: gates
automation_level: 100
phases:
  - {name: one, notebook: one.ipynb}
  - name: two
    notebook: two.ipynb
    gate: {auto: {field: one.n, operator: "<", value: 3}, on_reject: fail, expires_sec: 600}
  - name: three
    notebook: three.ipynb
    start: {on_trigger: {schema: {type: object, required: [why]}}}
    gate: {title: Sure?, schema: {type: object, properties: {n: {type: integer}}}}
"""
ROUTES = """
name: routes
phases:
  - name: one
    notebook: one.ipynb
    next:
      - {when: {field: one.n, operator: ">", value: 2}, to: three}
      - {when: {field: one.ok, operator: "==", value: true}, to: end}
  - name: two
    notebook: two.ipynb
    when: {field: one.n, operator: "==", value: 1}
    fallback: rescue
    next: [{to: end}]
  - {name: rescue, notebook: rescue.ipynb}
  - name: three
    notebook: three.ipynb
    when: {not: {field: one.n, operator: "==", value: 5}}
    start: on_trigger
"""
RISKY = """
name: risky
automation_level: 50
quota: {max_duration_sec: 2}
phases:
  - name: one
    notebook: one.ipynb
    risk: 10
    retries: {max_attempts: 2, backoff_sec: 5, on: [timeout, kernel_died]}
  - {name: two, notebook: two.ipynb, risk: 60}
  - {name: three, notebook: three.ipynb, parameters: {n: {field: one.n}}}
"""
FAMILY = """
name: family
quota: {max_children: 20}
phases:
  - name: plan
    notebook: plan.ipynb
    children:
      schema: leaf
      foreach: plan.items
      context: {n: {field: item}, i: {field: index}}
      max_parallel: 2
  - {name: close, notebook: close.ipynb}
"""
TOLERANT = """
name: tolerant
phases:
  - name: fan
    children: {schema: leaf, items: [a, b, c], key: {field: item}, max_parallel: 2, on_failure: continue}
  - {name: read, notebook: read.ipynb, when: {field: children.a.status, operator: "==", value: completed}}
"""
RESCUED = """
name: rescued
phases:
  - name: fan
    children: {schema: leaf, foreach: context.items, max_parallel: 1}
    gate: {auto: {field: context.items, operator: exists}}
    fallback: rescue
  - {name: last, notebook: last.ipynb}
  - {name: rescue, notebook: rescue.ipynb, retries: {max_attempts: 2, backoff_sec: 1}}
"""
SPAWNING = """
name: spawning
quota: {max_children: 4}
phases:
  - name: lay
    notebook: lay.ipynb
    retries: {max_attempts: 2, on: [invalid_children]}
    spawns: {schemas: [leaf, ./egg.yaml], max_parallel: 1}
  - {name: brood, notebook: brood.ipynb, spawns: {schemas: [leaf], on_failure: continue}, fallback: rescue}
  - {name: rescue, notebook: rescue.ipynb}
"""
SAGA = """
name: saga
automation_level: 50
on_failure: compensate
quota: {max_duration_sec: 5}
phases:
  - {name: one, notebook: one.ipynb, compensate: un_one.ipynb, retries: {max_attempts: 2, backoff_sec: 5}}
  - name: two
    notebook: two.ipynb
    compensate: un_two.ipynb
    parameters: {n: {field: one.n}}
    risk: 20
    next: [{when: {field: two.n, operator: "==", value: 5}, to: four}]
  - {name: three, notebook: three.ipynb, gate: {on_reject: fail}}
  - {name: four, notebook: four.ipynb, compensate: un_four.ipynb, compensate_after: start}
"""
HERD = """
name: herd
phases:
  - {name: one, notebook: one.ipynb, compensate: un_one.ipynb}
  - name: fan
    children: {schema: leaf, foreach: one.items, max_parallel: 2}
    compensate: un_fan.ipynb
  - {name: two, notebook: two.ipynb}
"""
HURRIED = """
name: hurried
deadline_sec: 5400
phases:
  - name: fan
    deadline_sec: 1800
    children: {schema: leaf, foreach: context.items, max_parallel: 2}
    fallback: rescue
  - {name: two, notebook: two.ipynb, deadline_sec: 3600, retries: {max_attempts: 2, backoff_sec: 5}, gate: {}}
  - {name: rescue, notebook: rescue.ipynb, deadline_sec: 1800, start: on_trigger}
"""
DUE_BACK = """
name: due_back
on_failure: compensate
deadline_sec: 3600
phases:
  - {name: one, notebook: one.ipynb, compensate: un_one.ipynb}
  - {name: fan, notebook: fan.ipynb, spawns: {schemas: [leaf], max_parallel: 2}, deadline_sec: 1800}
"""
CACHED = """
name: cached
automation_level: 50
on_failure: compensate
phases:
  - {name: one, notebook: one.ipynb, cache: inputs, retries: {max_attempts: 2}}
  - name: two
    notebook: two.ipynb
    cache: inputs
    parameters: {n: {field: one.n}}
    compensate: un_two.ipynb
    compensate_after: start
    retries: {max_attempts: 2}
  - {name: three, notebook: three.ipynb}
"""
TEXTS = (
    LINEAR,
    GATES,
    ROUTES,
    RISKY,
    FAMILY,
    TOLERANT,
    RESCUED,
    SPAWNING,
    SAGA,
    HERD,
    HURRIED,
    DUE_BACK,
    CACHED,
)
DEFINITIONS = tuple(parse_definition(text, file="sample.yaml") for text in TEXTS)
BY_NAME = {definition.name: definition for definition in DEFINITIONS}

CONDITIONS = st.sampled_from(
    [
        {"field": "one.n", "operator": ">", "value": 2},
        {"field": "one.ok", "operator": "==", "value": True},
        {"field": "context.items", "operator": "exists"},
        {"field": "one.status", "operator": "matches", "value": "^succ"},
        {"not": {"field": "one.absent", "operator": "==", "value": 1}},
        {
            "any": [
                {"field": "one.n", "operator": "in", "value": [1, 2]},
                {"field": "context.x", "operator": "exists"},
            ]
        },
    ]
)


FAILURES = st.sampled_from(["fail", "continue"])


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Draw a valid definition of up to five phases."""
    names = ["one", "two", "three", "four", "five"][: draw(st.integers(1, 5))]
    phases = [_phase(draw, name, names[number + 1 :], number) for number, name in enumerate(names)]
    raw = {
        "name": "drawn",
        "automation_level": draw(st.sampled_from([0, 30, 60, 100])),
        "quota": draw(st.sampled_from([{}, {"max_duration_sec": 3}, {"max_children": 3}])),
        "phases": phases,
    }
    if draw(st.integers(0, 3)) == 0:
        raw["deadline_sec"] = draw(st.sampled_from([5, 5400]))
    if any("compensate" in phase for phase in phases):
        raw["on_failure"] = draw(st.sampled_from(["fail", "compensate"]))
    return Definition.model_validate(_without_unreachable(raw))


def _phase(draw: st.DrawFn, name: str, later: list[str], number: int) -> dict[str, object]:
    phase: dict[str, object] = {"name": name, "notebook": f"{name}.ipynb"}
    if draw(st.integers(0, 3)) == 0:
        if draw(st.booleans()):
            del phase["notebook"]
        source = draw(
            st.sampled_from([{"items": ["a", "b", "c"]}, {"foreach": "context.items"}, {"items": []}])
        )
        phase["children"] = {"schema": "leaf", "max_parallel": 2, "on_failure": draw(FAILURES), **source}
    elif draw(st.integers(0, 4)) == 0:
        phase["spawns"] = {"schemas": ["leaf"], "max_parallel": 2, "on_failure": draw(FAILURES)}
    if number and draw(st.integers(0, 3)) == 0:
        phase["when"] = draw(CONDITIONS)
    if draw(st.integers(0, 4)) == 0:
        phase["start"] = draw(
            st.sampled_from(["on_trigger", {"schema": {"type": "object", "required": ["why"]}}])
        )
    if draw(st.integers(0, 3)) == 0:
        phase["gate"] = draw(st.sampled_from([{}, {"expires_sec": 60}, {"on_reject": "fail"}]))
        if number and draw(st.booleans()):
            phase["gate"] = {"auto": draw(CONDITIONS)}
    if draw(st.integers(0, 2)) == 0:
        phase["retries"] = {"max_attempts": 2, "backoff_sec": draw(st.sampled_from([0, 5]))}
    phase["risk"] = draw(st.sampled_from([0, 0, 40, 90]))
    if draw(st.integers(0, 2)) == 0:
        phase["compensate"] = "undo.ipynb"
        phase["compensate_after"] = draw(st.sampled_from(["success", "start"]))
    if draw(st.integers(0, 3)) == 0:
        phase["deadline_sec"] = draw(st.sampled_from([5, 3600]))
    if later and draw(st.integers(0, 3)) == 0:
        phase["next"] = [
            {"to": draw(st.sampled_from([*later, "end"])), "when": {"field": "one.n", "operator": "exists"}}
        ]
    if later and draw(st.integers(0, 4)) == 0:
        phase["fallback"] = draw(st.sampled_from(later))
    return phase


def _without_unreachable(raw: dict[str, object]) -> dict[str, object]:
    """Drop fallbacks until every phase is reached; a definition without any always is valid."""
    try:
        Definition.model_validate(raw)
    except ValidationError:
        phases = raw["phases"]
        assert isinstance(phases, list)
        for phase in phases:
            phase.pop("fallback", None)
    return raw
