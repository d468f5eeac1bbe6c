"""A kernel starts without ipykernel's debugger, and the notebook cannot tell."""

from pathlib import Path

from chatflow_jupyter.runner.provisioner import without_debugger
from tests.runner.notebooks import run

SEEN = """
import sys
import debugpy  # the notebook's own import works as ever
print(sys.argv[0].rpartition("/")[2], "" in sys.path, __name__)
print([folder for folder in sys.path if folder.endswith("runner")])
import multiprocessing
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.map(len, ["abc"]))
"""


def test_the_notebook_finds_what_it_always_finds(tmp_path: Path) -> None:
    done = run(tmp_path, [SEEN])
    assert done.result.error is None, done.result.error
    text = "".join(output.text for output in done.notebook.cells[0].outputs)
    assert text.splitlines() == ["ipykernel_launcher.py True __main__", "[]", "[3]"]


def test_only_the_plain_command_is_changed() -> None:
    plain = ["/usr/bin/python3", "-m", "ipykernel_launcher", "-f", "x.json"]
    python, script, *rest = without_debugger(plain)
    assert (python, Path(script).name, rest) == (plain[0], "kernel_launcher.py", ["-f", "x.json"])
    for other in (["ir", "-f", "x.json"], ["python3", "-X", "dev", "-m", "ipykernel_launcher"], []):
        assert without_debugger(other) == other
