"""Gates in YAML: what is read, and that everything written wrongly is named with its line."""

import pytest

from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.errors import InvalidDefinition

GATE = "name: a\nversion: 1.0.0\nphases:\n  - name: one\n    notebook: one.ipynb\n    gate:\n"
WRONG = [
    (GATE + "      reject_to: end\n", 7, "gate: unknown key 'reject_to'"),
    (GATE + "      reject_to: null\n", 7, "gate: unknown key 'reject_to'"),
    (
        GATE + "      on_reject: {goto: end, title: x}\n",
        7,
        "terminate or fail or {goto: phase}, not an object",
    ),
    (GATE + "      on_reject: {goto: 5}\n", 7, "terminate or fail or {goto: phase}, not an object"),
    (GATE + "      on_reject: goto\n", 7, "gate.on_reject: say where to: `on_reject: {goto: phase}`"),
    (
        GATE + "      on_reject: {goto: two}\n",
        7,
        "gate.on_reject: goto: 'two' must name a later phase or `end`",
    ),
    (
        GATE + "      on_reject: {goto: one}\n",
        7,
        "gate.on_reject: goto: 'one' must name a later phase or `end`",
    ),
    (
        GATE.replace("- name: one", "- {name: zero, notebook: a.ipynb}\n  - name: one")
        + "      on_reject: {goto: zero}\n  - {name: two, notebook: a.ipynb}\n",
        8,
        "phase one: gate.on_reject: goto: 'zero' must name a later phase or `end` (two)",
    ),
    (GATE + "      approvers: [ann, bob]\n      quorum: 3\n", 8, "gate.quorum: 3 can never agree: it asks 2"),
    (GATE + "      approvers: [ann, ann]\n      quorum: 2\n", 8, "gate.quorum: 2 can never agree: it asks 1"),
    (GATE + "      quorum: 0\n", 7, "gate.quorum: must be at least 1, not 0"),
    (GATE + "      quorum: 101\n", 7, "gate.quorum: must be at most 100, not 101"),
    (GATE + "      approvers: ann\n", 7, "gate.approvers: must be a list, not 'ann'"),
    (
        GATE + "      approvers:\n      - ann\n      - verb:fly\n",
        9,
        "gate.approvers[1]: 'verb:fly' names no verb",
    ),
    (GATE + "      approvers: ['']\n", 7, "gate.approvers[0]: may not be empty"),
    (GATE + "      approvers: [' ann']\n", 7, "gate.approvers[0]: ' ann' is not a name"),
    (GATE + "      approvers: [ann, engine]\n", 7, "gate.approvers[1]: 'engine' is nobody who answers"),
    (GATE + '      approvers: ["a\\u200bnn"]\n', 7, "is not a name: it must be printable"),
    (
        GATE + "      approvers: [ann]\n      escalate_to: [eve]\n",
        6,
        "`escalate` and `escalate_to`, whom to ask then, go together",
    ),
    (
        GATE + "      expires_sec: 5\n      on_expire: escalate\n",
        8,
        "`escalate` and `escalate_to`, whom to ask then, go together",
    ),
    (GATE + "      expires_sec: 1e300\n", 7, "gate.expires_sec: must be at most 3155760000"),
    (GATE + "      on_expire: approve\n", 7, "gate.on_expire: needs `expires_sec`, or it never happens"),
    (GATE + "      on_expire: explode\n", 7, "gate.on_expire: must be reject or escalate or approve"),
    (
        GATE + "      expires_sec: 5\n      on_expire: escalate\n      escalate_to: [eve]\n",
        9,
        "gate.escalate_to: adds to `approvers`",
    ),
    (GATE + "      waivable: sometimes\n", 7, "gate.waivable: must be true or false, not 'sometimes'"),
    (GATE + "      aprovers: [ann]\n", 7, "gate: unknown key 'aprovers' (did you mean 'approvers'?)"),
    (GATE + "      nonsense: 1\n", 7, "expires_sec, on_expire, escalate_to, waivable, governed, schema"),
]


@pytest.mark.parametrize(
    ("text", "line", "says"), WRONG, ids=[f"{n} {w[2][:40]}" for n, w in enumerate(WRONG)]
)
def test_what_is_wrong_with_a_gate_is_one_line_with_its_place(text: str, line: int, says: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        parse_definition(text, file="d.yaml")
    (fault,) = caught.value.problems
    assert fault.startswith(f"d.yaml:{line}: "), fault
    assert says in fault


def test_a_whole_gate_is_read_and_kept() -> None:
    text = (
        GATE + "      {approvers: [ann, 'verb:admin'], quorum: 3, on_reject: {goto: two}, expires_sec: 5,\n"
        "       on_expire: escalate, escalate_to: [eve], waivable: true}\n"
        "  - {name: two, notebook: two.ipynb}\n"
    )
    definition = parse_definition(text, file="d.yaml")
    gate = definition.phases[0].gate
    assert gate is not None
    assert (gate.approvers, gate.quorum, gate.escalate_to) == (("ann", "verb:admin"), 3, ("eve",))
    assert (gate.on_reject, gate.reject_to, gate.waivable) == ("goto", "two", True)
    assert Definition.load(definition.dump()) == definition


def test_a_phase_that_only_a_rejection_leads_to_is_reached() -> None:
    text = GATE + "      on_reject: {goto: repair}\n    next: [{to: end}]\n"
    definition = parse_definition(text + "  - {name: repair, notebook: a.ipynb}\n", file="d.yaml")
    assert definition.phases[0].gate is not None
    with pytest.raises(InvalidDefinition, match="no phase leads to it"):
        parse_definition(
            text.replace("{goto: repair}", "fail") + "  - {name: repair, notebook: a.ipynb}\n", file="d.yaml"
        )
