"""The command line as documented: a snapshot of every `--help`, and how quickly it comes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chatflow_jupyter.interfaces.cli.main import main
from chatflow_jupyter.interfaces.cli.parser import build_parser
from tests.cli.reference import FILE, commands, reference

HEAVY = ("jupyter_server", "papermill", "sqlalchemy", "pydantic", "rich", "asyncio", "yaml", "jupyter_client")
COMMANDS = [name.removeprefix("chatflow").split() for name, _ in commands(build_parser())]


def test_the_page_is_what_the_parser_says() -> None:
    assert FILE.read_text(encoding="utf-8") == reference(), "run `python -m tests.cli.reference`"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("usage: chatflow")
    assert printed.err == ""


def test_the_commands_of_the_contract_are_there() -> None:
    agreed = (
        "run start fork trigger status tree watch list history artifacts recommend feature schemas validate "
        "waivers pause resume terminate retry schedules audit db doctor config demo completion"
    )
    assert set(agreed.split()) == {words[0] for words in COMMANDS if words}


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from chatflow_jupyter.interfaces.cli.main import main; main(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_help_comes_within_a_quarter_second_over_a_bare_interpreter() -> None:
    bare = _best([sys.executable, "-c", "pass"])
    helped = _best([sys.executable, "-m", "chatflow_jupyter.interfaces.cli", "--help"])
    assert helped - bare <= 0.25


def _best(command: list[str]) -> float:
    """The quickest of some starts: what the machine's other work cannot blame on us."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        times.append(time.perf_counter() - began)
    return min(times)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    from chatflow_jupyter import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"chatflow {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_offers_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(words[-1] in script for words in COMMANDS if words)


def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)

    def complete(*words: str) -> list[str]:
        line = (
            f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
            '_chatflow; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
        )
        return done.stdout.split()

    assert complete("chatflow", "te") == ["terminate"]
    assert complete("chatflow", "run", "x", "--aut") == ["--automation-level"]
    assert complete("chatflow", "db", "ba") == ["backup"]
    assert complete("chatflow", "waivers", "re") == ["revoke"]
    assert complete("chatflow", "waivers", "add", "--un") == ["--until"]
