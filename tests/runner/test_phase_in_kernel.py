"""`chatflow_sdk.phase` in a real kernel, over a real socket."""

from pathlib import Path

from chatflow_jupyter.runner.artifacts import collect_artifacts
from tests.runner.attempts import Memory, run_phase

SAY = """
from chatflow_sdk import phase
ctx = phase.context()
assert ctx is phase.context()
assert not ctx.is_interactive
assert (ctx.instance_id, ctx.attempt_number, ctx.phase, ctx.tenant_id) == ("wfi_1", 1, "static", "local")
assert ctx.parameters["path"] == "src"
assert ctx.get("collect.files") == ["a.py"]
assert ctx.get("children.src/a.py.mutants.survivors") == 2
assert ctx.get("nothing.here", 7) == 7
ctx.output("high", 3)
ctx.output("rows", (1, 2.5, None, {"a": "é"}))
ctx.risk(70, "many rows")
ctx.artifact("x/data.json", data={"a": [1]}, kind="data")
ctx.artifact("note.md", data="text")
open("late.html", "w").write("<p>")
ctx.artifact("late.html", kind="report")
"""

ASK = """
import json
assert json.loads(ctx.input("collect", "diff.json").read_text()) == {"phase": "collect", "parent": False}
assert json.loads(ctx.parent_input("plan", "diff.json").read_text()) == {"phase": "plan", "parent": True}
try:
    ctx.input("collect", "nothing.txt")
except phase.PhaseError as error:
    assert error.code == "not_found" and "it left: diff.json" in str(error)
else:
    raise AssertionError
calls = []
def charge():
    calls.append(1)
    return {"paid": len(calls)}
assert ctx.once("charge", charge) == ctx.once("charge", charge) == {"paid": 1}
assert len(calls) == 1
"""

THREADS = """
import os
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    results = list(pool.map(lambda n: ctx.once(f"n{n % 3}", lambda: n % 3), range(30)))
assert results == [n % 3 for n in range(30)]
pid = os.fork()
if pid == 0:
    os._exit(0 if ctx.once("forked", lambda: "yes") == "yes" else 1)
assert os.waitpid(pid, 0)[1] == 0
"""


def test_a_phase_says_and_asks(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    done = run_phase(tmp_path, [SAY, ASK, THREADS], memory)

    assert done.result.error is None, done.result.error
    assert done.result.outputs == {"high": 3, "rows": [1, 2.5, None, {"a": "é"}]}
    assert done.result.risk == 70
    assert done.heard.risks == [(70, "many rows")]
    shown = [output.data["text/plain"] for output in done.notebook.cells[0].outputs if "data" in output]
    assert shown[0] == "output high = 3"
    assert memory.values == {"charge": {"paid": 1}, "n0": 0, "n1": 1, "n2": 2, "forked": "yes"}
    found = {artifact.name: artifact.kind for artifact in collect_artifacts(tmp_path / "work-1")}
    assert found == {"x/data.json": "data", "note.md": "report", "late.html": "report"}


SPAWN = """
from chatflow_sdk import phase
ctx = phase.context()
assert ctx.spawn("./leaf.yaml", {"n": (1, 2)}) == "static-0"
assert ctx.spawn("./leaf.yaml", key="mine") == "mine"
def refused(call, words):
    try:
        call()
    except phase.PhaseError as error:
        assert words in str(error), error
    else:
        raise AssertionError(words)
refused(lambda: ctx.spawn("./other.yaml"), "phase static may start ./leaf.yaml (see `spawns`)")
refused(lambda: ctx.spawn("./leaf.yaml", key="mine"), "the key 'mine' is taken")
refused(lambda: ctx.spawn("./leaf.yaml", key="src/a.py"), "the key 'src/a.py' is taken")
refused(lambda: ctx.spawn("./leaf.yaml", key=""), "empty")
refused(lambda: ctx.spawn("./leaf.yaml", key="k" * 256), "longer than 255 characters")
refused(lambda: ctx.spawn("./leaf.yaml", {"x": object()}), "not JSON")
refused(lambda: ctx.spawn("./leaf.yaml", [1]), "the context is a mapping")
refused(lambda: ctx.once("inside", lambda: ctx.spawn("./leaf.yaml")), "not inside `once`")
"""
AFTER = "assert ctx.spawn('./leaf.yaml') == 'static-2'"
HIDDEN = "%%once heavy -o x\nx = ctx.spawn('./leaf.yaml')"


def test_a_phase_asks_for_children_and_what_it_may_not_ask_for_is_refused_in_its_cell(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    done = run_phase(tmp_path, [SPAWN, AFTER], memory)
    assert done.result.error is None, done.result.error
    assert [(one.schema_ref, one.key, one.context) for one in done.result.spawned] == [
        ("./leaf.yaml", "static-0", {"n": [1, 2]}),
        ("./leaf.yaml", "mine", {}),
        ("./leaf.yaml", "static-2", {}),
    ]
    shown = [output.data["text/plain"] for output in done.notebook.cells[0].outputs if "data" in output]
    assert shown == ["spawn static-0: ./leaf.yaml", "spawn mine: ./leaf.yaml"]
    assert memory.values == {}


def test_a_cell_that_a_repeated_attempt_skips_may_ask_for_no_children(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    done = run_phase(tmp_path, [SPAWN, HIDDEN], memory)
    assert done.result.error is not None
    assert done.result.error.cell_index == 1
    assert "not inside `once`, which a repeated attempt would skip" in done.result.error.message
    assert memory.files == {}, "nothing is stored that would hide the children from the next attempt"


MAGIC = """%%once heavy -o df,model
import pathlib
pathlib.Path("counted").write_text("x")
df, model = [1, 2], {"weights": (3.0,)}
"""


def test_once_magic_restores_in_the_next_attempt(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    use = "assert df == [1, 2] and model == {'weights': (3.0,)}"
    first = run_phase(tmp_path, ["from chatflow_sdk import phase", MAGIC, use, "1/0"], memory)
    second = run_phase(tmp_path, ["from chatflow_sdk import phase", MAGIC, use], memory, attempt=2)

    assert first.result.error is not None
    assert first.result.error.cell_index == 3
    assert second.result.ok
    assert (tmp_path / "work-1" / "counted").exists()
    assert not (tmp_path / "work-2" / "counted").exists()
    assert "df, model from an earlier attempt" in second.notebook.cells[1].outputs[0].text


STALE = """
try:
    ctx.once("x", lambda: 1)
except phase.PhaseError as error:
    assert error.code == "stale_fence"
else:
    raise AssertionError
"""


def test_a_stale_attempt_is_told_and_a_failing_cell_stores_nothing(tmp_path: Path) -> None:
    memory = Memory(tmp_path, stale=True)
    cells = [
        "from chatflow_sdk import phase\nctx = phase.context()",
        STALE,
        "%%once broken -o a\na = 1\nraise KeyError('inside')",
    ]
    done = run_phase(tmp_path, cells, memory)

    assert done.result.error is not None
    assert done.result.error.ename == "KeyError"
    assert done.result.error.cell_index == 2
    assert memory.files == {}


def test_results_that_cannot_be_stored(tmp_path: Path) -> None:
    refused = """
from chatflow_sdk import phase
ctx = phase.context()
def refused(call, words):
    try:
        call()
    except phase.PhaseError as error:
        assert words in str(error), error
    else:
        raise AssertionError(words)
refused(lambda: ctx.once("big", lambda: "x" * 70_000), "larger than 64 KiB")
refused(lambda: ctx.once("../etc", lambda: 1), "a name is")
refused(lambda: ctx.once("nan", lambda: float("nan")), "not JSON")
refused(lambda: ctx.output("bad key", 1), "names are")
refused(lambda: ctx.output("x", object()), "not JSON")
refused(lambda: ctx.risk(101), "0 to 100")
refused(lambda: ctx.artifact("../x", data=""), "without '..'")
refused(lambda: ctx.artifact("none.txt"), "no such file")
refused(lambda: ctx.artifact("x", data="", kind="odd"), "none of")
"""
    lock = "%%once lock -o lock\nimport threading\nlock = threading.Lock()"
    done = run_phase(tmp_path, [refused, lock], Memory(tmp_path))

    assert done.result.error is not None
    assert done.result.error.cell_index == 1
    assert "lock cannot be stored" in done.result.error.message
