"""How undoing looks: in the picture, in the summary, in sentences."""

import io
from dataclasses import replace

from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.events import Event, EventType
from chatflow_jupyter.domain.ids import EventId
from chatflow_jupyter.domain.instance import (
    Failure,
    FanOut,
    Instance,
    PhaseRecord,
    PhaseState,
    Status,
    Undoing,
)
from chatflow_jupyter.interfaces.cli.picture import picture
from chatflow_jupyter.interfaces.cli.sentences import SentenceDisplay
from chatflow_jupyter.interfaces.cli.terminal import Glyphs
from chatflow_jupyter.interfaces.cli.wording import summary_lines
from chatflow_jupyter.ports.records import Progress
from tests.cli.trees import NOW, ago, attempt, instance, snapshot

DEFINITION = Definition.model_validate(
    {
        "name": "order",
        "phases": [
            {"name": "reserve", "notebook": "a.ipynb", "compensate": "d.ipynb"},
            {"name": "charge", "notebook": "b.ipynb", "compensate": "e.ipynb", "title": "Charge the card"},
            {"name": "ship", "notebook": "c.ipynb"},
        ],
    }
)
NO_LORRY = Failure(code="cell_error", message="RuntimeError: no lorry", phase="ship")
DONE = PhaseRecord(
    state=PhaseState.SUCCEEDED, attempts=1, notebook_done=True, started_at=ago(9), ended_at=ago(4)
)
LOST = PhaseRecord(state=PhaseState.FAILED, attempts=1, started_at=ago(4), ended_at=ago(3), reason="no lorry")


def undoing(**changes: object) -> Instance:
    made = instance(
        status=Status.COMPENSATING,
        waiting_reason=None,
        waiting_detail=None,
        fan_out=None,
        descendants=0,
        variables={},
        undoing=Undoing(goal="failed", reason="no lorry", failure=NO_LORRY),
        phase="charge.compensate",
        phases={
            "reserve": DONE,
            "charge": DONE,
            "ship": LOST,
            "charge.compensate": PhaseRecord(state=PhaseState.ACTIVE, attempts=1, started_at=ago(3)),
        },
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def said(of: Instance) -> str:
    return "\n".join(
        summary_lines(
            of,
            now=NOW,
            artifacts=0,
            stream=io.StringIO(),
            command=lambda *words: " ".join(["chatflow", *words]),
        )
    )


def test_the_picture_shows_the_steps_back_below_the_phases() -> None:
    root = undoing()
    row = attempt(root, Progress(cell_index=1, cells_total=4))
    drawn = picture(
        replace(snapshot(root, attempts=[row]), definition=DEFINITION), Glyphs(), width=90, max_children=5
    )
    lines = ["".join(text for text, _ in line).rstrip() for line in drawn]
    assert "compensating" in lines[0]
    signs = [line.split()[1:3] for line in lines[1:]]
    assert signs == [
        ["✓", "reserve"],
        ["✓", "charge"],
        ["✗", "ship"],
        ["●", "charge.compensate"],
        ["·", "reserve.compensate"],
    ]
    assert "cell 2/4" in lines[4]


def test_the_summary_says_why_what_is_undone_and_what_to_do() -> None:
    assert "undoing:   what it did, because of: no lorry" in said(undoing())
    stuck = undoing(
        status=Status.FAILED,
        ended_at=NOW,
        failure=Failure(code="compensation_failed", message="bank is shut", phase="charge.compensate"),
    )
    text = said(stuck)
    assert "failed in phase charge.compensate: bank is shut [compensation_failed]" in text
    assert "go on undoing: chatflow retry wfi_root" in text
    assert "give it up:    chatflow terminate wfi_root" in text
    assert "go on from there" not in text
    over = undoing(
        status=Status.FAILED,
        ended_at=NOW,
        failure=NO_LORRY,
        undoing=Undoing(goal="failed", reason="no lorry", failure=NO_LORRY, done=True),
    )
    assert "failed in phase ship: RuntimeError: no lorry [cell_error]" in said(over)
    assert "undone:    what it had done; it cannot be resumed, start a new one" in said(over)
    assert "chatflow retry" not in said(over)


def test_only_what_can_be_resumed_is_said_to_go_on() -> None:
    child = {"status": "failed", "phase": "files", "instance_id": "wfi_child", "compensation": "done"}
    failed = instance(
        status=Status.FAILED,
        waiting_reason=None,
        phase="files",
        fan_out=FanOut(total=1, started=1, ended=1, failed=1),
        variables={"children": {"files-0": child}},
        failure=Failure(code="child_failed", message="1 of 1 child failed", phase="files"),
        ended_at=NOW,
    )
    assert "it cannot be resumed because of 1 child terminated or undone; start a new one" in said(failed)
    assert "chatflow retry" not in said(failed)
    waits = replace(failed, variables={"children": {"files-0": {**child, "compensation": "failed"}}})
    assert "go on from there: chatflow retry wfi_root" in said(waits)
    unborn = replace(failed, phase=None, fan_out=None, variables={})
    assert "it failed before its first phase; start a new one" in said(unborn)
    assert "chatflow retry" not in said(unborn)


def test_it_is_not_said_that_it_undid_what_only_its_children_had_done() -> None:
    done = Undoing(goal="terminated", reason="enough", done=True)
    over = undoing(
        status=Status.TERMINATED, ended_at=NOW, undoing=done, phases={"files": LOST}, phase="files"
    )
    assert "undone:    what its children had done;" in said(replace(over, descendants=2))
    assert "undone:    nothing, for it had done nothing;" in said(over)


def test_sentences_tell_what_is_undone_and_that_all_is() -> None:
    stream = io.StringIO()
    display = SentenceDisplay(stream)
    root = undoing()
    event = Event(
        event_id=EventId("evt_1"),
        type=EventType.COMPENSATION_STARTED,
        tenant_id=root.tenant_id,
        instance_id=root.instance_id,
        root_id=root.root_id,
        seq=1,
        index=0,
        at=NOW,
        principal=root.principal,
        phase="ship",
        data={"goal": "failed", "cause": "no lorry", "phases": ["charge", "reserve"]},
    )
    display.event(event)
    display.event(
        replace(event, type=EventType.INSTANCE_FAILED, data={"code": "cell_error", "compensated": True})
    )
    told = stream.getvalue()
    assert "ship: undoing charge, reserve, because of: no lorry" in told
    assert "failed, all it did is undone" in told
