"""`chatflow demo`: a change that passes its checks, a run that survives `kill -9`, a gate that wants a name.

Everything printed is the true result of something that was run.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import time
from pathlib import Path

from chatflow_jupyter.domain.errors import InternalError, InvalidInput
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.session import program, settings_of
from chatflow_jupyter.interfaces.cli.terminal import painted
from chatflow_jupyter.interfaces.demo.checks import changed_lines, linter_says, tests_say
from chatflow_jupyter.interfaces.demo.evidence import Kept, kept_phases, print_findings
from chatflow_jupyter.interfaces.demo.killing import Review
from chatflow_jupyter.interfaces.demo.sample_repo import SampleRepository, make_sample_repository

WAITING = 3
MARK = ".made-by-chatflow-demo"


def demo(options: argparse.Namespace) -> int:
    """Play the three acts and return 0 when the expected gate was reached; with --here review this folder."""
    if options.here:
        return _here(options)
    began = time.monotonic()
    folder = _fresh_folder(settings_of(options).home / "demo")
    repository = _first_act(folder)
    review, kept = _second_act(options, folder, repository)
    reached = _third_act(folder, review, kept)
    _say(f"\n{time.monotonic() - began:.0f} s in all; everything is in {folder}")
    return 0 if reached else 1


def _here(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.main import main

    home = ["--home", options.home] if options.home else []
    return main(["run", "code-review", "-p", f"path={Path.cwd()}", *home])


def _first_act(folder: Path) -> SampleRepository:
    _title(1, "a change that passes every check it has")
    repository = make_sample_repository(folder / "shop")
    _say(f"  repository: {repository.path}  ({changed_lines(repository)})")
    _say(f"  {linter_says(repository)} · {tests_say(repository)}")
    return repository


def _second_act(
    options: argparse.Namespace, folder: Path, repository: SampleRepository
) -> tuple[Review, Kept]:
    _title(2, "the review runs what reviewers only read, and is killed in the middle")
    review = Review(settings=settings_of(options), home=folder / "home")
    _say(f"  $ {program()} run code-review -p path={repository.path} -p execute=true\n")
    with review:
        review.start(repository.path)
        pid = review.kill_in_the_middle()
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h")  # the killed picture had hidden the cursor
    before = review.events()
    _say(
        painted(
            f"\n  kill -9 {pid}: the run and its runner died in the middle of a notebook.", "red", sys.stdout
        )
    )
    _say(f"  $ {program()} resume {review.instance_id} --home {shlex.quote(str(review.home))}\n")
    status = review.resume()
    kept = kept_phases(before, review.events())
    _say(f"\n  {kept.sentence}")
    if kept.run_twice:
        raise InternalError(f"finished phases ran again after the kill: {', '.join(kept.run_twice)}")
    if status != WAITING:
        raise InternalError(f"the resumed review ended with status {status} instead of waiting at its gate")
    return review, kept


def _third_act(folder: Path, review: Review, kept: Kept) -> bool:
    _title(3, "what it found, and a gate that wants a name")
    saved = review.save_artifacts(folder / "report")
    found_all = print_findings(saved)
    report = saved.get("aggregate/report.html")
    _say(f"\n  report:   {report}" if report else "\n  there is no report")
    _say(f"  approve:  {review.command('trigger', review.instance_id, '--approve')}")
    _say(f"  reject:   {review.command('trigger', review.instance_id, '--reject')}")
    _say(f"  yours:    {program(anywhere=True)} demo --here   (in a repository of your own)")
    if not found_all:
        say("the review missed something it is known to find; is `chatflow doctor` content?")
    return found_all and report is not None and not kept.run_twice


def _fresh_folder(folder: Path) -> Path:
    """Return an empty folder of the demonstration's own; an earlier demonstration's is cleared away."""
    if folder.exists():
        if not (folder / MARK).is_file():
            raise InvalidInput(f"{folder}: is there already and not by a demonstration; move it away")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    (folder / MARK).touch()
    return folder


def _title(number: int, text: str) -> None:
    _say(painted(f"\nAct {number}: {text}", "bold", sys.stdout))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
