"""Outputs reach the notebook as in Jupyter, within limits, and outcomes reach the engine."""

import resource
from pathlib import Path

import pytest
from jupyter_client.session import Session

from chatflow_jupyter.domain.instance import Spawned
from chatflow_jupyter.runner import kernel_session
from chatflow_jupyter.runner.kernel_session import KernelSession
from tests.runner.notebooks import Heard, run
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("each_way")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_endless_output_ends_the_attempt_in_bounded_memory(tmp_path: Path, stream: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = run(tmp_path, [f"import sys\nwhile True: print('x' * 1000, file=sys.{stream})", "1"])

    error = done.result.error
    assert error is not None
    assert error.code == "output_limit"
    assert "10 MiB of output allowed for one cell" in error.message
    assert done.result.duration_sec < 30
    text = "".join(output.get("text", "") for output in done.notebook.cells[0].outputs)
    assert "[chatflow] more than the 10 MiB" in text
    assert 10 * 2**20 <= len(text) < 11 * 2**20
    assert done.states == ["failed", "pending"]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 500 * 2**20


def test_the_limit_of_a_whole_notebook(tmp_path: Path) -> None:
    cell = "print('y' * 600)"
    done = run(tmp_path, [cell, cell, cell], cell_output_bytes=1000, notebook_output_bytes=1500)

    assert done.result.error is not None
    assert done.result.error.code == "output_limit"
    assert done.result.error.cell_index == 2


def test_one_giant_output_is_refused(tmp_path: Path) -> None:
    source = "from IPython.display import display\ndisplay({'text/html': 'x' * 200_000_000}, raw=True)"
    done = run(tmp_path, [source, "1"])

    assert done.result.error is not None
    assert done.result.error.code == "output_limit"
    assert done.output.stat().st_size < 100_000


def test_what_replaces_itself_does_not_count(tmp_path: Path) -> None:
    source = """
from IPython.display import clear_output, display
handle = display('a' * 500, display_id=True)
for number in range(40):
    handle.update('b' * 500)
for number in range(40):
    clear_output()
    print('c' * 500)
"""
    done = run(tmp_path, [source], cell_output_bytes=1500)

    assert done.result.error is None
    assert "c" * 500 in done.notebook.cells[0].outputs[-1].text


def test_streams_in_a_row_become_one_output(tmp_path: Path) -> None:
    source = "import time\nfor n in range(5):\n    print(n, flush=True)\n    time.sleep(0.01)\n7"
    outputs = run(tmp_path, [source]).notebook.cells[0].outputs

    assert [output.output_type for output in outputs] == ["stream", "execute_result"]
    assert outputs[0].text == "0\n1\n2\n3\n4\n"


def test_a_late_message_stays_with_its_cell(tmp_path: Path) -> None:
    cells = [
        (
            "import asyncio\nasync def late():\n    await asyncio.sleep(0.3)\n    print('late')\n"
            "task = asyncio.ensure_future(late())"
        ),
        "await task\nprint('second')",
    ]
    first, second = run(tmp_path, cells).notebook.cells

    assert [output.text for output in first.outputs] == ["late\n"]
    assert [output.text for output in second.outputs] == ["second\n"]


def test_outcomes_of_any_language(tmp_path: Path) -> None:
    source = """
from IPython.display import display
def say(mime, body): display({mime: body, 'text/plain': 'said'}, raw=True)
OUT, RISK = 'application/vnd.chatflow.output.v1+json', 'application/vnd.chatflow.risk.v1+json'
say(OUT, {'key': 'high', 'value': 1})
say(OUT, {'key': 'high', 'value': {'nested': [1, None, 'é']}})
say(OUT, {'key': 'no way', 'value': 1})
say(OUT, {'nothing': 1})
say(RISK, {'value': 30, 'reason': 'some'})
say(RISK, {'value': 70, 'reason': 'more'})
say(RISK, {'value': 20, 'reason': 'less'})
say(RISK, {'value': 1000, 'reason': 'no'})
SPAWN = 'application/vnd.chatflow.spawn.v1+json'
say(SPAWN, {'schema': './leaf.yaml', 'key': 'a', 'context': {'n': 1}})
say(SPAWN, {'schema': './leaf.yaml', 'key': 'b', 'context': [1]})
say(SPAWN, {'schema': './leaf.yaml', 'key': 3, 'context': {}})
say(SPAWN, 'nothing')
"""
    heard = Heard()
    done = run(tmp_path, [source], heard=heard)

    assert done.result.outputs == {"high": {"nested": [1, None, "é"]}}
    assert done.result.risk == 70
    assert done.result.spawned == [Spawned(schema_ref="./leaf.yaml", key="a", context={"n": 1})]
    assert done.result.spawn_fault == "spawn: a child needs schema, key and context"
    assert heard.outputs[0] == ("high", 1)
    assert heard.risks == [(30, "some"), (70, "more"), (20, "less")]
    assert done.notebook.cells[0].outputs[0].data["text/plain"] == "said"


def test_no_outcome_is_lost_on_a_listener_that_is_far_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive, said = KernelSession._receive, tmp_path / "said"
    sizes: list[int] = []

    def has_nothing_more_to_say() -> bool:
        sizes.append(said.stat().st_size if said.exists() else 0)
        return sizes[-1] > 0 and sizes[-10:] == [sizes[-1]] * 10

    def late(session: KernelSession, wire: Session, frames: list[bytes]) -> None:
        if frames[0].endswith(b"display_data") and len(sizes) == 0:  # nobody takes what the kernel says
            until(has_nothing_more_to_say, what="the cell has said everything, or waits")
        receive(session, wire, frames)

    monkeypatch.setattr(kernel_session, "_TAKEN_AHEAD", 10)
    monkeypatch.setattr(KernelSession, "_receive", late)
    source = f"""
from IPython.display import display
with open({str(said)!r}, 'w', buffering=1) as said:
    for n in range(4000):
        outcome = {{'key': f'n{{n}}', 'value': 'x' * 1000}}
        display({{'application/vnd.chatflow.output.v1+json': outcome}}, raw=True)
        print(n, file=said)
"""
    done = run(tmp_path, [source])
    assert done.result.error is None
    assert len(done.result.outputs) == 4000


def test_no_outcome_is_lost_in_a_flood(tmp_path: Path) -> None:
    source = """
from IPython.display import display
for n in range(4000):
    display({'application/vnd.chatflow.output.v1+json': {'key': f'n{n}', 'value': n}}, raw=True)
"""
    done = run(tmp_path, [source])

    assert done.result.error is None
    assert len(done.result.outputs) == 4000
