"""The tree as drawn: what a reader looks for is there, whatever the width."""

import io
from dataclasses import replace

import pytest

from chatflow_jupyter.domain.ids import InstanceId
from chatflow_jupyter.domain.instance import (
    Failure,
    Instance,
    PhaseRecord,
    PhaseState,
    Status,
    WaitingReason,
)
from chatflow_jupyter.interfaces.cli.displays import LiveDisplay, PlainDisplay, display_for
from chatflow_jupyter.interfaces.cli.picture import picture
from chatflow_jupyter.interfaces.cli.snapshot import Snapshot
from chatflow_jupyter.interfaces.cli.terminal import ASCII_GLYPHS, Glyphs
from chatflow_jupyter.interfaces.cli.wording import failure_lines, summary_lines, waiting_lines
from tests.cli.trees import NOW, ago, busy_review, child, instance, snapshot

FANCY = Glyphs()


def drawn(material: Snapshot, *, width: int = 90, max_children: int = 5, glyphs: Glyphs = FANCY) -> str:
    lines = picture(material, glyphs, width=width, max_children=max_children)
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def command(*words: str) -> str:
    return " ".join(["chatflow", *words])


BUSY = """\
review 1.0.0  wfi_root0000000000000000000000  running  1 min 15 s
├─ ✓ collect             3 changed files                                             5.0 s
├─ ● files               ━━━━━━━━━━━─  37/40 done, 1 failed                     1 min 10 s
│  ├─ ✗ shop/file_7.py   NameError: x                                                5.0 s
│  ├─ ● shop/file_38.py  ━━━━━━──────  cell 3/4  try [mutants]                       9.0 s
│  ├─ ● shop/file_39.py  starting its kernel                                         9.0 s
│  └─ · +37 done
└─ · publish             Publish"""


def test_a_busy_tree() -> None:
    assert drawn(busy_review()) == BUSY


def test_failed_and_running_children_are_shown_first() -> None:
    few = drawn(busy_review(), max_children=3)
    assert "✗ shop/file_7.py" in few
    assert "● shop/file_38.py" in few
    assert "+37 done" in few
    assert "+39 more" in drawn(busy_review(), max_children=1)


def test_the_clock_of_a_phase_stops_when_its_instance_was_ended() -> None:
    ended = instance(status=Status.TERMINATED, waiting_reason=None, ended_at=ago(30))
    root, _, files, *_ = drawn(snapshot(ended)).splitlines()
    assert root.endswith("terminated  45 s")
    assert files.split()[-2:] == ["40", "s"]


@pytest.mark.parametrize("width", [20, 33, 60, 79, 200])
@pytest.mark.parametrize("glyphs", [Glyphs(), ASCII_GLYPHS])
def test_no_line_is_wider_than_the_terminal(width: int, glyphs: Glyphs) -> None:
    text = drawn(busy_review(), width=width, glyphs=glyphs)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text


def test_a_plain_locale_gets_plain_signs() -> None:
    text = drawn(busy_review(), glyphs=ASCII_GLYPHS)
    assert text.isascii()
    assert "x shop/file_7.py" in text
    assert "###########-" in text


def at_gate() -> Instance:
    phases = {
        "collect": PhaseRecord(state=PhaseState.SUCCEEDED, started_at=ago(70), ended_at=ago(60)),
        "files": PhaseRecord(state=PhaseState.SKIPPED, started_at=ago(60), reason="its condition is false"),
        "publish": PhaseRecord(state=PhaseState.ACTIVE, started_at=ago(60)),
    }
    return instance(
        phases=phases,
        phase="publish",
        waiting_reason=WaitingReason.APPROVAL,
        waiting_detail="High findings",
        fan_out=None,
    )


def test_a_gate_says_what_it_waits_for_and_how_to_open_it() -> None:
    text = drawn(snapshot(at_gate()))
    assert "◆ publish" in text
    assert "approval: High findings" in text
    assert "⊘ files" in text
    assert waiting_lines(at_gate(), command)[1].endswith(
        "chatflow trigger wfi_root0000000000000000000000 --approve"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [("ann", "--as ann"), ("ann lee", "--as 'ann lee'"), ("-x", "--as=-x"), ("$a", "--as '$a'")],
)
def test_the_command_for_somebody_else_can_be_pasted_into_a_shell(name: str, words: str) -> None:
    assert waiting_lines(at_gate(), command, answer_as=name)[1].endswith(f" --approve {words}")


def test_a_paused_instance_says_how_to_go_on() -> None:
    paused = replace(at_gate(), paused=True)
    assert "paused" in drawn(snapshot(paused))
    assert "chatflow resume" in "\n".join(waiting_lines(paused, command))


FAILURE = Failure(
    code="cell_error",
    message="NameError: name 'x' is \x1b[31mnot\x1b[0m defined",
    phase="collect",
    cell_index=2,
    cell_name="read [it]",
    ename="NameError",
    last_output="\n".join(f"line {number}" for number in range(30)) + "\x1b[2J",
)


def test_a_failure_names_cell_error_last_output_and_notebook() -> None:
    text = "\n".join(failure_lines(FAILURE, instance(), command))
    assert "phase collect, cell 3 (read [it]): NameError: name 'x' is not defined [cell_error]" in text
    assert "line 29" in text
    assert "line 21" not in text
    assert "artifacts wfi_root0000000000000000000000 --save DIR  (collect/collect.ipynb)" in text
    assert "\x1b" not in text


def test_the_summary_of_a_failure_says_how_to_go_on() -> None:
    failed = instance(status=Status.FAILED, waiting_reason=None, fan_out=None, failure=FAILURE, ended_at=NOW)
    text = "\n".join(summary_lines(failed, now=NOW, artifacts=3, stream=io.StringIO(), command=command))
    assert text.startswith("failed  review@1.0.0  wfi_root0000000000000000000000  1 min 15 s\n")
    assert "outcome:   3 changed files" in text
    assert "artifacts: 3;" in text
    assert "chatflow retry wfi_root" in text


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_the_live_picture_is_drawn_and_left_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setenv("LINES", "40")
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with display_for(screen, command) as display:
        assert isinstance(display, LiveDisplay)
        display.snapshot(busy_review())
        display.lines(["  failed in phase [bold]collect[/bold]"], "red")
        of_root = child(1, Status.WAITING).parent
        asking = replace(at_gate(), instance_id=InstanceId("wfi_asking"), parent=of_root)
        display.snapshot(snapshot(instance(), [asking]))
    text = screen.getvalue()
    assert "[bold]collect[/bold]" in text
    assert "shop/file_7.py" in text
    assert "shop/file_1.py: waiting for approval before publish: High findings" in text
    assert "chatflow trigger wfi_asking --approve" in text
    assert text.rstrip().endswith("\x1b[?25h"), "the cursor is shown again"


@pytest.mark.parametrize("variable", [("TERM", "dumb"), ("CHATFLOW_PLAIN", "1")])
def test_without_a_capable_terminal_lines_are_written(
    variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(*variable)
    assert isinstance(display_for(Terminal(), command), PlainDisplay)


@pytest.mark.parametrize(
    ("severity", "sign", "style"),
    [
        ("high", FANCY.alarming, "red"),
        ("medium", FANCY.alarming, "yellow"),
        ("none", FANCY.succeeded, "green"),
    ],
)
def test_a_phase_that_succeeded_with_bad_news_shows_it(severity: str, sign: str, style: str) -> None:
    material = busy_review()
    outcome = {"headline": "a notebook broke", "severity": severity}
    root = replace(material.root, variables={**material.root.variables, "collect": outcome})
    lines = picture(replace(material, root=root), FANCY, width=90, max_children=5)
    line = next(line for line in lines if any("collect" in text for text, _ in line))
    assert (f"{sign} ", style) in line
    assert any("a notebook broke" in text for text, _ in line)


@pytest.mark.parametrize("width", [44, 60, 80])
@pytest.mark.parametrize("length", [4, 24, 64])
def test_the_id_at_the_top_is_whole_however_long_the_name_is(width: int, length: int) -> None:
    material = busy_review()
    root = replace(material.root, definition=replace(material.root.definition, name="n" * length))
    lines = picture(replace(material, root=root), FANCY, width=width, max_children=5)
    head = "".join(text for text, _ in lines[0])
    assert head.startswith("nn")
    assert root.instance_id in head.split()
