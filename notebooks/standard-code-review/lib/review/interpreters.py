"""Which Python the reviewed project's own code runs with."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from review.options import Options
from review.process import MissingProgram, clean_environment, execute
from review.values import strings

PROBES = Path(__file__).resolve().parents[1] / "probes"
_MODULES = ("pytest", "coverage", "ipykernel")
_ASK = f"import importlib.util as u, json, sys;print(json.dumps([m for m in {_MODULES!r} if u.find_spec(m)]))"


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python and which of the libraries we need it has."""

    executable: str
    modules: frozenset[str]

    def environment(self, home: Path, tree: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
        """Return a clean environment in which the modules of `tree` (and of its ``src``) are found first."""
        roots = [str(PROBES), str(tree), *([str(tree / "src")] if (tree / "src").is_dir() else [])]
        folder = str(Path(self.executable).parent)
        environment = clean_environment(home, {"PYTHONPATH": ":".join(roots), **(extra or {})})
        return {**environment, "PATH": f"{folder}:{environment.get('PATH', '')}"}


def choose(options: Options, scratch: Path) -> Interpreter:
    """Return the interpreter the reviewer named, else the target's ``.venv``, else the one we run in.

    Raises `MissingProgram` when it cannot be started.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    executable = options.python
    if executable == "auto":
        places = [options.path / name / "bin" / "python" for name in (".venv", "venv")]
        executable = next((str(place) for place in places if place.exists()), sys.executable)
    done = execute(
        [executable, "-c", _ASK], cwd=scratch, timeout_sec=30, environment=clean_environment(scratch / "home")
    )
    if done.exit_code != 0:
        raise MissingProgram(
            f"{executable} is no Python that starts: {done.last_words or 'no answer in 30 s'}"
        )
    return Interpreter(executable=executable, modules=frozenset(strings(json.loads(done.stdout))))
