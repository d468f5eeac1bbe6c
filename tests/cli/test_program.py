"""The contract, by the program itself: exit status, what stdout carries, the shapes of --json."""

import re
from pathlib import Path

import pytest

from tests.cli.program import Program, write_notebook, write_template

LEAST = {"instance_id", "status", "current_phase", "waiting_reason", "error"}


@pytest.fixture(scope="module")
def waiting(shared: Program) -> str:
    """An instance that waits at its gate."""
    return str(shared.json("run", "gated", "-p", "number=21", "--feature", "F-1", status=3)["instance_id"])


def test_a_gate_ends_run_with_3_and_the_command_that_opens_it(chatflow: Program) -> None:
    done = chatflow("run", "gate", status=3)
    ident = re.search(r"wfi_\w+", done.stdout)
    assert ident is not None
    assert done.stdout.startswith("waiting  gated@1.0.0")
    assert "outcome:   it is doubled" in done.stdout
    assert f"chatflow trigger {ident[0]} --approve" in done.stdout
    kinds = [line.split()[2] for line in done.stderr.splitlines()]
    assert kinds[0] == "InstanceCreated"
    assert kinds[-1] == "InstanceWaiting"
    assert all(
        re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ wfi_\w+ \w+", line) for line in done.stderr.splitlines()
    )
    approved = chatflow("trigger", ident[0][:12], "--approve", "--reason", "fine")
    assert approved.stdout.startswith("completed")
    assert "GateDecided" in approved.stderr
    again = chatflow("trigger", "last", "--approve", status=7)
    assert again.stderr == f"chatflow: {ident[0]}: the instance is completed; start a new one\n"
    assert "nothing to resume" in chatflow("resume", "last").stderr


def test_the_phase_behind_a_gate_knows_who_opened_it(chatflow: Program, tmp_path: Path) -> None:
    chatflow("run", "gated", "--json", status=3)
    told = chatflow.json("trigger", "last", "--approve", "--reason", "seen and fine")
    opened = told["outcome"]["second"]["opened"]
    decided = next(event for event in chatflow.json("history", "last") if event["type"] == "GateDecided")
    assert (opened["by"], opened["principal"], opened["reason"]) == ("people", "local", "seen and fine")
    assert opened["at"] == decided["at"][:19] + "+00:00"
    ruled = write_template(tmp_path / "ruled")
    rule = "gate: {auto: {field: first.double, operator: '==', value: 2}}"
    definition = ruled / "definition.yaml"
    definition.write_text(definition.read_text().replace("gate: {title: A person must look}", rule))
    opened = chatflow.json("run", str(ruled))["outcome"]["second"]["opened"]
    assert (opened["by"], opened["principal"], opened["reason"]) == ("rule", None, None)


def test_the_history_names_who_did_it(shared: Program, waiting: str) -> None:
    lines = shared("history", waiting).stdout.splitlines()
    named = {line.split()[2]: " principal=local" in line for line in lines}
    assert named["StepTriggered"]
    assert named["InstanceCreated"]
    assert not named["PhaseSucceeded"]  # the engine itself


def test_a_rejected_gate_terminates_with_5(chatflow: Program) -> None:
    chatflow("run", "gated", "--json", status=3)
    ended = chatflow.json("trigger", "last", "--reject", "--reason", "not good enough", status=5)
    assert ended["status"] == "terminated"
    told = chatflow("resume", "last", status=5).stdout.splitlines()
    assert told[0].startswith("terminated")
    assert "  ended:     rejected by local: not good enough" in told
    assert "nothing to retry" in chatflow("retry", "last", status=7).stderr


def test_every_question_about_an_instance_is_answered_with_0(shared: Program, waiting: str) -> None:
    for command in ("status", "tree", "history", "artifacts"):
        assert shared(command, waiting).stdout
    assert waiting in shared("list").stdout


def test_the_json_of_an_instance(shared: Program, waiting: str) -> None:
    for command in ("status", "tree", "artifacts"):
        told = shared.json(command, waiting)
        assert told.keys() >= LEAST
        assert (told["status"], told["current_phase"], told["waiting_reason"]) == (
            "waiting",
            "second",
            "approval",
        )
    assert shared.json("status", waiting)["outcome"]["first"] == {"double": 42, "headline": "it is doubled"}
    tree = shared.json("tree", "last")
    assert tree["tree"]["total_nodes"] == 1


def test_history_is_a_list_of_events_in_order(shared: Program, waiting: str) -> None:
    events = shared.json("history", waiting)
    fields = "event_id type version tenant_id instance_id root_id seq index phase attempt at principal data"
    assert set(events[0]) == set(fields.split())
    assert [event["type"] for event in events][:3] == ["InstanceCreated", "StepTriggered", "InstanceStarted"]
    order = [(event["seq"], event["index"]) for event in events]
    assert order == sorted(order)
    assert shared.json("history", waiting, "--tree") == events


def test_list_is_newest_first_and_can_be_narrowed(shared: Program, waiting: str) -> None:
    created = shared.json("start", "gated")
    assert created["status"] == "created"
    both = shared.json("list")
    assert [entry["instance_id"] for entry in both][:2] == [created["instance_id"], waiting]
    assert [entry["instance_id"] for entry in shared.json("list", "--feature", "F-1")] == [waiting]
    assert [entry["status"] for entry in shared.json("list", "--status", "created")] == ["created"]
    assert shared.json("list", "--name", "other") == []
    assert "not started yet" in shared("resume", created["instance_id"], status=7).stderr
    ended = shared.json("terminate", created["instance_id"], "--reason", "not needed")
    assert ended["status"] == "terminated"
    told = shared("status", created["instance_id"]).stdout.splitlines()
    assert told[1:] == ["  ended:     by local: not needed"]


def test_artifacts_are_saved_by_phase_and_name(shared: Program, waiting: str, tmp_path: Path) -> None:
    target = tmp_path / "saved"
    told = shared.json("artifacts", waiting, "--save", str(target))
    places = {f"{entry['phase']}/{entry['name']}": Path(entry["path"]) for entry in told["artifacts"]}
    assert places["first/notes/answer.txt"].read_text() == "forty-two"
    assert places["first/first.ipynb"] == target / "first" / "first.ipynb"
    again = shared("artifacts", waiting, "--save", str(target)).stdout
    assert "answer.1.txt" in again


def test_earlier_attempts_are_saved_beside_the_latest(chatflow: Program, tmp_path: Path) -> None:
    notebook = write_notebook(
        tmp_path / "twice.ipynb",
        "from chatflow_sdk import phase\nctx = phase.context()",
        "ctx.artifact('n.txt', data=str(ctx.attempt_number))",
        "assert ctx.attempt_number == 3",
    )
    chatflow("run", str(notebook), status=4)
    chatflow("retry", "last", status=4)
    chatflow("retry", "last")
    target = tmp_path / "saved"
    chatflow("artifacts", "last", "--save", str(target / "latest"))
    told = chatflow.json("artifacts", "last", "--save", str(target / "all"), "--all-attempts")
    assert len(told["artifacts"]) == 6

    def saved(folder: Path) -> dict[str, str]:
        return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.*")}

    latest, everything = saved(target / "latest"), saved(target / "all")
    assert set(latest) == {"twice/n.txt", "twice/twice.ipynb"}
    assert latest.items() <= everything.items()
    for number in ("1", "2"):
        assert everything.pop(f"twice/attempt-{number}/n.txt") == number
        assert "AssertionError" in everything.pop(f"twice/attempt-{number}/twice.ipynb")
    assert everything == latest
    assert "--save DIR" in chatflow("artifacts", "last", "--all-attempts", status=2).stderr


def test_a_dry_run_tells_and_changes_nothing(shared: Program, waiting: str) -> None:
    before = shared.json("status", waiting)
    told = shared.json("trigger", waiting, "--approve", "--dry-run")
    assert told["dry_run"]["status"] == "running"
    assert [step["phase"] for step in told["dry_run"]["path"]] == ["second"]
    assert "nothing is changed" in shared("trigger", waiting, "--approve", "--dry-run").stdout
    assert "answer with approve or reject" in shared("trigger", waiting, "--dry-run", status=7).stderr
    assert shared.json("status", waiting) == before


def test_a_bare_notebook_with_papermills_parameters(chatflow: Program, tmp_path: Path) -> None:
    notebook = write_notebook(
        tmp_path / "My report.ipynb",
        "from chatflow_sdk import phase\nphase.context().output('said', [count, name, flag])",
        parameters='count: int = 1\nname: str = "a"\nflag = False',
    )
    before = notebook.read_bytes()
    ended = chatflow.json("run", str(notebook), "-p", "count=3", "-p", "name=7", "-p", "flag=True")
    assert list(ended["outcome"].values()) == [{"said": [3, "7", True]}]
    assert notebook.read_bytes() == before


def test_a_failing_notebook_says_where_and_how_to_go_on(chatflow: Program, tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "bad.ipynb", "1", "# divide\nprint('\\x1b[31mso far')\n1 / 0")
    done = chatflow("run", str(notebook), status=4)
    assert "ZeroDivisionError: division by zero" in done.stdout
    assert "divide" in done.stdout
    assert "so far" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert "chatflow retry wfi_" in done.stdout
    failed = chatflow.json("retry", "last", status=4)
    assert failed["phases"]["bad"]["attempts"] == 2
    assert failed["failure"]["cell_index"] == 1


def test_one_key_one_instance(chatflow: Program) -> None:
    first = chatflow.json("run", "gated", "--idempotency-key", "K", status=3)
    again = chatflow.json("run", "gated", "--idempotency-key", "K", status=3)
    assert again["instance_id"] == first["instance_id"]
    other = chatflow("run", "gated", "-p", "number=2", "--idempotency-key", "K", status=7)
    assert "was used for another request" in other.stderr
    assert len(chatflow.json("list")) == 1


def test_a_matrix_is_a_list(chatflow: Program) -> None:
    printed = chatflow("run", "gated", "--matrix", "number=1,2", status=3).stdout
    assert re.findall(r"  with:      (.*)\n", printed) == ["number=1", "number=2"]
    ended = chatflow.json("run", "gated", "--matrix", "number=1,2", status=3)
    assert [entry["outcome"]["first"]["double"] for entry in ended] == [2, 4]


def test_paused_and_resumed(chatflow: Program) -> None:
    chatflow("run", "gated", status=3)
    assert chatflow.json("pause", "last")["status"] == "paused"
    assert "the instance is paused" in chatflow("trigger", "last", "--approve", status=7).stderr
    assert chatflow.json("resume", "last", status=3)["waiting_reason"] == "approval"
    assert chatflow("watch", "last", status=3).stdout.count("InstanceWaiting") == 1


PARENT = """\
name: parent
version: 1.0.0
phases:
  - name: files
    children:
      schema: ./child.yaml
      items: [1, 2]
      key: {field: item}
      context: {number: {field: item}}
      on_failure: continue
  - {name: last, notebook: last.ipynb}
"""
CHILD = """\
name: child
version: 1.0.0
phases:
  - {name: work, notebook: work.ipynb}
  - name: finish
    notebook: last.ipynb
    gate: {title: Look at it, auto: {field: context.number, operator: "!=", value: 2}}
"""


def test_a_child_that_asks_is_named_and_its_answer_lets_the_tree_go_on(
    chatflow: Program, tmp_path: Path
) -> None:
    folder = tmp_path / "parent"
    write_notebook(
        folder / "work.ipynb", "pass", "print('so far')\nassert number != 1", parameters="number = 0"
    )
    write_notebook(folder / "last.ipynb", "pass")
    (folder / "definition.yaml").write_text(PARENT)
    (folder / "child.yaml").write_text(CHILD)
    waiting = chatflow("run", str(folder), status=3)
    assert "2: waiting for approval before finish: Look at it" in waiting.stdout
    assert "AssertionError" in waiting.stderr
    assert "so far" in waiting.stderr
    told = chatflow.json("tree", "last")
    nodes = {node["key"]: node for node in told["nodes"] if node["key"]}
    assert (nodes["1"]["status"], nodes["2"]["waiting_reason"]) == ("failed", "approval")
    assert (told["tree"]["total_nodes"], told["tree"]["failed_nodes"]) == (3, 1)
    drawn = chatflow("tree", "last").stdout
    assert "1/2 done, 1 failed" in drawn
    approved = chatflow("trigger", nodes["2"]["instance_id"], "--approve")
    assert [line.split()[0] for line in approved.stdout.splitlines() if line[0] != " "] == ["completed"] * 2
    assert chatflow.json("status", "last")["status"] == "completed"
    assert len(chatflow.json("history", "last", "--tree")) > len(chatflow.json("history", "last"))


def test_a_name_means_what_was_published_and_says_what_lies_here(
    chatflow: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path / "etl" / "one.ipynb", "1")
    definition = tmp_path / "etl" / "definition.yaml"
    definition.write_text("name: etl\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb}\n")
    assert "did you mean etl/, which lies here?" in chatflow("run", "etl", status=6).stderr
    chatflow("run", "etl/")
    again = chatflow("run", "etl")
    assert re.search(r"etl: this is etl@0\.0\.0\+dev\.\w+ as it was published; .* say etl/\n", again.stderr)


def test_a_parent_names_the_children_that_failed(chatflow: Program, tmp_path: Path) -> None:
    folder = tmp_path / "fan"
    write_notebook(folder / "child.ipynb", "assert item != 'b'", parameters="item = ''")
    phase = "{name: child, notebook: child.ipynb}"
    (folder / "child.yaml").write_text(f"name: child\nautomation_level: 100\nphases:\n  - {phase}\n")
    children = "{schema: ./child.yaml, items: [a, b], key: {field: item}, context: {item: {field: item}}}"
    (folder / "definition.yaml").write_text(
        f"name: fan\nautomation_level: 100\nphases:\n  - {{name: each, children: {children}}}\n"
    )
    told = chatflow("run", f"{folder}/", status=4).stdout
    (child,) = re.findall(r"    b: chatflow status (wfi_\w+)\n", told)
    assert "AssertionError" in chatflow("status", child).stdout


def test_a_question_about_an_instance_makes_no_home(chatflow: Program, tmp_path: Path) -> None:
    absent = tmp_path / "mistyped"
    for words in (["status", "last"], ["history", "wfi_0"], ["terminate", "last"], ["trigger", "last"]):
        told = chatflow(*words, "--home", str(absent), status=6).stderr
        assert told.startswith(f"chatflow: {absent}: nothing has been run there")
        assert not absent.exists()
