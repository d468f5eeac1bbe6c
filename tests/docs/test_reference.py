"""Every reference page says what the code says."""

import inspect
import re
from collections import defaultdict
from pathlib import Path
from typing import get_args

import pytest

from chatflow_jupyter.domain import errors
from chatflow_jupyter.domain.conditions import OPERATORS
from chatflow_jupyter.domain.definition_rules import RESERVED_NAMES
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.events import Event, EventType
from chatflow_jupyter.domain.instance import Status, WaitingReason
from chatflow_jupyter.ports.records import ARTIFACT_KINDS
from chatflow_jupyter.runner.artifacts import KIND_BY_SUFFIX
from chatflow_jupyter.runner.notebook_job import FailureCode
from chatflow_jupyter.settings import SPECS
from chatflow_sdk.phase import PhaseContext
from tests.docs.definition_keys import MODELS, keys_of
from tests.docs.histories import birth_of_a_child, birth_of_a_forced_one, birth_of_a_fork, telling
from tests.docs.pages import (
    DOCS,
    ROOT,
    Block,
    blocks,
    generated,
    headings,
    pages,
    place,
    plain,
    rows,
    section,
    text_of,
)
from tests.docs.source_names import codes
from tests.docs.state_table import ENGINE, PEOPLE, table

REFERENCE = DOCS / "reference"
INNER_CODES = {"stale", "invalid_input", "stale_fence", "internal"}
"""Codes no caller sees as a conflict: requests that came too late, and those that are codes of errors."""


@pytest.mark.parametrize("heading", MODELS)
def test_every_key_of_a_definition_is_on_its_page(heading: str) -> None:
    told = [tuple(map(plain, row[:3])) for row in rows(section(REFERENCE / "definition.md", heading))]
    assert told == list(keys_of(MODELS[heading]))


def test_the_reserved_names_are_on_the_page_of_definitions() -> None:
    phase = section(REFERENCE / "definition.md", "A phase")
    named = phase.partition("Its name may be none of")[2].partition(".")[0]
    assert set(plain(named).split()) == set(RESERVED_NAMES)


def test_the_operators_are_on_the_page_of_conditions() -> None:
    told = [plain(row[0]) for row in rows(section(REFERENCE / "conditions.md", "Grammar"))]
    assert told == list(OPERATORS)


def test_the_table_of_states_is_what_decide_answers() -> None:
    page = REFERENCE / "states.md"
    assert generated(page, "people") == table(PEOPLE), "python -m tests.docs.state_table writes it"
    assert generated(page, "engine") == table(ENGINE), "python -m tests.docs.state_table writes it"


def test_statuses_and_reasons_are_on_the_page_of_states() -> None:
    told = [
        plain(row[0]) for row in rows(text_of(REFERENCE / "states.md").partition("## What people ask")[0])
    ]
    assert set(told) == {*map(str, Status), *map(str, WaitingReason)}


def test_every_reason_to_wait_is_on_the_page_of_json() -> None:
    told = {plain(row[0]): row[1] for row in rows(section(REFERENCE / "json-output.md", "An instance"))}
    assert set(re.findall(r"`(\w+)`", told["waiting_reason"])) == {f"{reason}" for reason in WaitingReason}


def test_the_kind_of_every_suffix_is_on_the_page_of_the_sdk() -> None:
    page = rows(section(REFERENCE / "python-sdk-phase.md", "ctx.artifact(name, *, data=None, kind=None)"))
    told = {suffix: row[1] for row in page for suffix in re.findall(r"`(\.\w+)`", row[0])}
    assert told == KIND_BY_SUFFIX
    assert page[-1] == ("any other", "data")


def test_every_type_of_event_is_on_its_page_with_the_data_it_carries() -> None:
    told = {row[0].strip("`"): _told_data(row[2]) for row in rows(section(REFERENCE / "events.md", "Types"))}
    assert list(told) == [str(kind) for kind in EventType]
    assert told == _emitted_data()


def test_every_field_of_an_event_is_on_its_page() -> None:
    told = [plain(row[0]) for row in rows(text_of(REFERENCE / "events.md").partition("## Types")[0])]
    assert sorted(told) == sorted(Event.__dataclass_fields__)


def _told_data(cell: str) -> dict[str, bool]:
    names = [plain(name) for name in cell.split(",") if name.strip()]
    return {name.rstrip("?"): not name.endswith("?") for name in names}


def _emitted_data() -> dict[str, dict[str, bool]]:
    """By type, the keys of the data really emitted, and whether each is always there."""
    counts: dict[str, int] = defaultdict(int)
    keys: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for event in [
        *birth_of_a_child(),
        *birth_of_a_fork(),
        *birth_of_a_forced_one(),
        *(event for history in telling() for event in history.events),
    ]:
        counts[str(event.type)] += 1
        for key in event.data:
            keys[str(event.type)][key] += 1
    data = {kind: {key: times == counts[kind] for key, times in keys[kind].items()} for kind in counts}
    for kind, key in _OPTIONAL:
        data[kind][key] = False
    return data


_OPTIONAL = {
    ("InstanceCreated", "feature_id"),
    ("GateDecided", "reason"),
    ("InstanceFailed", "cell_index"),
    ("PhaseFailed", "cell_index"),
}
"""There in all these histories, but not in every one there can be."""


def test_every_setting_is_on_its_page() -> None:
    told = [tuple(map(_unmarked, row)) for row in rows(section(REFERENCE / "settings.md", "The rest"))]
    specs = [
        (spec.name, spec.variable, str(spec.default), spec.description.replace("`", "")) for spec in SPECS
    ]
    assert told == specs


def _unmarked(cell: str) -> str:
    return cell.replace("`", "")


def test_the_tree_of_errors_is_the_one_in_the_source() -> None:
    drawn = (errors.__doc__ or "").partition("\n\n")[2].rstrip()
    assert blocks(REFERENCE / "errors.md")[0].text.rstrip() == drawn


def test_every_error_is_on_its_page() -> None:
    told = [tuple(map(plain, row)) for row in rows(section(REFERENCE / "errors.md", "The tree"))]
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert sorted(told) == sorted((kind.__name__, kind.code, str(kind.exit_status)) for kind in classes)


def test_every_code_of_a_refusal_is_on_the_page_of_errors() -> None:
    told = {plain(row[0]) for row in rows(section(REFERENCE / "errors.md", "Why a request is refused"))}
    used = codes("Refusal") | codes("Conflict") | codes("KeyReused") | {"child_terminated"}
    assert told == used - INNER_CODES


def test_every_code_of_a_failure_is_on_the_page_of_errors() -> None:
    told = [plain(row[0]) for row in rows(section(REFERENCE / "errors.md", "Why an attempt failed"))]
    used = {*get_args(FailureCode), *codes("Failure")} - INNER_CODES
    assert len(told) == len(set(told))
    assert set(told) == used | {"invalid_parameters", "compensation_failed", "artifact_refused"}


def test_every_error_class_names_its_exit_status() -> None:
    told = {plain(row[0]) for row in rows(text_of(REFERENCE / "exit-status.md"))}
    statuses = {str(kind.exit_status) for _, kind in inspect.getmembers(errors, inspect.isclass)}
    assert told == statuses | {"0", "3", "4", "5", "130"}


def test_every_name_of_the_phase_context_is_on_its_page() -> None:
    page = REFERENCE / "python-sdk-phase.md"
    text = text_of(page)
    public = [name for name in vars(PhaseContext) if not name.startswith("_")]
    calls = [heading.partition("(")[0] for heading in headings(page) if heading.startswith("ctx.")]
    told = {call.removeprefix("ctx.") for call in calls}
    told |= {plain(row[0]).removeprefix("ctx.") for row in rows(section(page, "What the attempt is"))}
    assert told == set(public)
    assert all(f"`{kind}`" in text for kind in ARTIFACT_KINDS)


def test_every_call_of_the_phase_context_is_shown_with_its_parameters() -> None:
    shown = [head for head in headings(REFERENCE / "python-sdk-phase.md") if head.startswith("ctx.")]
    for heading in shown:
        name, _, parameters = heading.removeprefix("ctx.").partition("(")
        signature = inspect.signature(getattr(PhaseContext, name))
        own = [
            str(entry).partition(":")[0] for entry in signature.parameters.values() if entry.name != "self"
        ]
        named = [entry.partition("=")[0].strip() for entry in parameters.rstrip(")").split(",")]
        assert [name for name in named if name != "*"] == own, heading


EXAMPLES = [
    (page, block)
    for page in pages()
    for block in blocks(page)
    if block.language == "yaml" and block.text.startswith("name:")
]


@pytest.mark.parametrize(("page", "block"), EXAMPLES, ids=lambda entry: getattr(entry, "name", None))
def test_every_definition_shown_is_valid(page: Path, block: Block) -> None:
    parse_definition(block.text, file=place(page))


def test_the_outcomes_with_a_meaning_are_those_the_picture_looks_for() -> None:
    told = {
        plain(row[0]) for row in rows(section(REFERENCE / "python-sdk-phase.md", "ctx.output(key, value)"))
    }
    drawn = ROOT / "chatflow_jupyter" / "interfaces" / "cli" / "picture.py"
    looked_for = re.findall(r"outcome\.get\(\"(\w+)\"\)", drawn.read_text(encoding="utf-8"))
    assert told == set(looked_for)
