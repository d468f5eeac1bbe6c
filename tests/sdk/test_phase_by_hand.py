"""A notebook opened by hand runs from top to bottom, with an interactive context."""

import subprocess
import sys
from pathlib import Path

import pytest

from chatflow_sdk import phase
from chatflow_sdk.phase_values import find, plain_json


@pytest.fixture
def ctx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> phase.PhaseContext:
    """Return a fresh interactive context whose work directory is tmp_path."""
    monkeypatch.delenv("CHATFLOW_PHASE_CONTEXT", raising=False)
    monkeypatch.setattr(phase, "_contexts", {})
    monkeypatch.chdir(tmp_path)
    return phase.context()


def test_everything_works_by_hand(ctx: phase.PhaseContext, tmp_path: Path) -> None:
    assert ctx.is_interactive
    assert dict(ctx.parameters) == {}
    assert (ctx.instance_id, ctx.attempt_number, ctx.work_dir) == (None, 1, tmp_path)
    assert ctx.get("collect.files", "default") == "default"
    ctx.output("high", 3)
    ctx.risk(10, "little")
    assert dict(ctx.outputs) == {"high": 3}
    calls: list[int] = []
    assert ctx.once("x", lambda: calls.append(1)) is None
    assert ctx.once("x", lambda: calls.append(1)) is None
    assert calls == [1]
    path = ctx.artifact("report.html", data="<p>", kind="report")
    assert path == tmp_path / "artifacts" / "report.html"
    assert path.read_text() == "<p>"
    with pytest.raises(phase.PhaseError, match="chatflow artifacts INSTANCE --save DIR"):
        ctx.input("collect", "diff.json")


def test_children_are_asked_for_by_hand_again_and_again_and_none_is_born(
    ctx: phase.PhaseContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for _ in range(2):  # a cell that is run twice
        assert ctx.spawn("./leaf.yaml", {"n": 1}, key="mine") == "mine"
    assert ctx.spawn("./leaf.yaml") == "child-1"
    assert [record.getMessage() for record in caplog.records][-1] == "spawn child-1: ./leaf.yaml"
    with pytest.raises(phase.PhaseError, match="the context is a mapping, not 3"):
        ctx.spawn("./leaf.yaml", 3)  # type: ignore[arg-type]
    with pytest.raises(phase.PhaseError, match=r"spawn 'k': the context\.x: a set is not JSON"):
        ctx.spawn("./leaf.yaml", {"x": {1}}, key="k")


def test_artifacts_from_files(ctx: phase.PhaseContext, tmp_path: Path) -> None:
    (tmp_path / "made.csv").write_text("1")
    inside = ctx.artifact("made.csv")
    assert inside == tmp_path / "artifacts" / "made.csv"
    assert ctx.artifact("artifacts/made.csv") == inside
    assert ctx.artifact(inside) == inside
    assert ctx.artifact(tmp_path / "made.csv") == inside
    assert ctx.artifact("bytes.bin", data=b"\x00").read_bytes() == b"\x00"
    assert ctx.artifact("empty.txt", data="").read_text() == ""
    for name in ("../x", "a/../../x", "", "/"):
        with pytest.raises(phase.PhaseError):
            ctx.artifact(name, data="x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifacts", "made.csv"]


def test_the_longest_key_is_found() -> None:
    variables = {"children": {"a.b": {"x.y": 1}, "a": {"b": {"x": {"z": 2}}}}, "flat.key": 3}
    assert find(variables, "children.a.b.x.y") == (True, 1)
    assert find(variables, "children.a.b.x.z") == (True, 2)
    assert find(variables, "flat.key") == (True, 3)
    assert find(variables, "children.nothing") == (False, None)
    assert find(variables, "flat.key.deeper") == (False, None)


def test_plain_json_takes_numpy_scalars_and_refuses_the_rest() -> None:
    numpy = pytest.importorskip("numpy")
    assert plain_json({"n": numpy.int64(3), "x": (numpy.float64(0.5), numpy.bool_(True))}, what="v") == {
        "n": 3,
        "x": [0.5, True],
    }
    deep: object = 1
    for _ in range(100):
        deep = [deep]
    for value in (numpy.array([1]), {1: 2}, {1, 2}, 2**60, float("inf"), deep):
        with pytest.raises(phase.PhaseError):
            plain_json(value, what="v")


@pytest.mark.parametrize("value", ["\ud800", ["a", "\udfff"], {"a": "\ud800"}, {"\ud800": 1}])
def test_text_that_is_no_unicode_is_refused_with_the_name_of_the_output(
    ctx: phase.PhaseContext, value: object
) -> None:
    with pytest.raises(phase.PhaseError, match=r"^output 'x'.*lone surrogate") as caught:
        ctx.output("x", value)
    assert str(caught.value).isascii()
    with pytest.raises(phase.PhaseError, match=r"^artifact 'a.txt'.*lone surrogate"):
        ctx.artifact("a.txt", data="\ud800")
    with pytest.raises(phase.PhaseError, match=r"^risk.*lone surrogate"):
        ctx.risk(1, "\ud800")
    assert dict(ctx.outputs) == {}


def test_importing_is_cheap() -> None:
    program = (
        "import sys; before = set(sys.modules); from chatflow_sdk import phase; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "['chatflow_sdk']"
