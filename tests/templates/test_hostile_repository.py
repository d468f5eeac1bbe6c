"""A repository may want to run something when it is looked at. It does not get to."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.templates.repositories import Made, git, write

Change = Callable[..., Made]


@pytest.fixture
def trapped(change: Change, tmp_path: Path) -> tuple[Made, Path]:
    """A repository whose configuration starts a program at every opportunity."""
    made = change(
        {"a.py": "x = 1\n", ".gitattributes": "*.py filter=evil diff=evil merge=evil\n"}, {"a.py": "x = 2\n"}
    )
    ran = tmp_path / "ran"
    trap = f"touch {ran}"
    write(
        made.folder / ".git",
        {"hooks/post-checkout": f"#!/bin/sh\n{trap}\n", "hooks/fsmonitor": f"#!/bin/sh\n{trap}\n"},
    )
    for name in ("post-checkout", "fsmonitor"):
        (made.folder / ".git" / "hooks" / name).chmod(0o755)
    for key in ("filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv", "diff.evil.command"):
        git(made.folder, "config", key, f"sh -c '{trap}; cat'")
    for key in ("core.pager", "diff.external", "core.sshCommand", "core.editor", "core.fsmonitor"):
        git(made.folder, "config", key, trap)
    git(made.folder, "config", "core.hooksPath", str(made.folder / ".git" / "hooks"))
    write(made.folder, {"a.py": "x = 3\n"})
    ran.unlink(missing_ok=True)
    return made, ran


def test_nothing_it_configures_is_started(trapped: tuple[Made, Path]) -> None:
    made, ran = trapped
    assert made.file("a.py").added == 1
    assert any("changed, not committed" in note for note in made.changes.notes)
    assert not ran.exists()


def test_the_target_is_not_written_to(trapped: tuple[Made, Path]) -> None:
    made, _ = trapped
    before = {path: path.stat().st_mtime_ns for path in made.folder.rglob("*")}
    made.static()
    assert {path: path.stat().st_mtime_ns for path in made.folder.rglob("*")} == before


def test_files_named_like_modules_of_the_tools_stay_files(change: Change, tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    names = ["json.py", "ruff.py", "bandit/__init__.py", "detect_secrets/__init__.py", "sitecustomize.py"]
    made = change({"a.py": "x = 1\n"}, dict.fromkeys(names, trap))
    assert made.static().not_assessed == ()
    assert not (tmp_path / "ran").exists()


def test_settings_of_the_project_do_not_silence_the_tools(change: Change) -> None:
    made = change(
        {"a.py": "x = 1\n"},
        {
            "a.py": "import os\n",
            "pyproject.toml": '[tool.ruff]\nexclude = ["*.py"]\n',
            ".bandit": "[bandit]\nskips: B602\n",
        },
    )
    assert [finding.rule for finding in made.static().findings] == ["F401"]


def test_a_tree_cannot_be_unpacked_outside_its_folder(tmp_path: Path) -> None:
    from review.trees import Tree, write_tree

    names = ["../evil", "/evil", "a/../../evil", ".git/config", "a\\b", "ok.py", "bad\udcff.py"]
    archive = write_tree(tmp_path / "t.zip", [(name, b"x", False) for name in names])
    Tree(archive).extract(tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["t.zip", "ok.py"]


def test_a_secret_is_found_and_never_repeated(change: Change) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLX"
    made = change(
        {"a.py": "x = 1\n"}, {"a.py": f'import subprocess\nKEY = "{key}"\nsubprocess.call("x", shell=True)\n'}
    )
    forms = made.reviewed()
    assert "aws-access-key" in forms["findings.json"]
    assert not [name for name, text in forms.items() if key in text]


def test_the_reviewed_tests_do_not_see_the_callers_secrets(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_TOKEN", "s3cret")
    start = "import os, unittest\n\nclass T(unittest.TestCase):\n"
    source = f"{start}    def test_env(self):\n        self.assertNotIn('CI_TOKEN', os.environ)\n"
    made = change({"m.py": "x = 1\n", "test_m.py": source}, {"m.py": "x = 2\n"}).with_(execute=True)
    assert made.testing().report.summary["head"]["passed"] == 1


@pytest.mark.parametrize("attribute", ["working-tree-encoding=UTF-16", "ident", "text eol=crlf", "filter=x"])
def test_no_attribute_of_the_target_changes_what_is_reviewed(change: Change, attribute: str) -> None:
    from review.trees import Tree

    made = change({"m.py": "x = 1\n"}, {})
    source = b"# $Id: mine$\r\nx = 2\n"
    write(made.folder, {"m.py": source, ".gitattributes": f"*.py {attribute}\n"})
    assert made.file("m.py").status == "changed"
    Tree(made.collected.head).extract(made.scratch / "out")
    assert (made.scratch / "out" / "m.py").read_bytes() == source


@pytest.mark.parametrize("name", [".gitattributes", ".gitignore", "pipe.py"])
def test_a_file_that_would_block_its_reader_is_skipped(
    change: Change, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("review.git._GIT_SEC", 5.0)
    made = change({"m.py": "x = 1\n"}, {})
    write(made.folder, {"m.py": "x = 2\n"})
    os.mkfifo(made.folder / name)
    assert made.file(name).reason.startswith("not a regular file")
    assert [file.path for file in made.changes.reviewed_one_by_one] == ["m.py"]


def test_a_hint_of_git_is_not_taken_for_its_error() -> None:
    from review.git import GitFailed, _checked
    from review.process import Finished

    said = b"hint: try this\nwarning: odd\nfatal: the reason\n"
    with pytest.raises(GitFailed, match=r"^fatal: the reason$"):
        _checked(Finished(exit_code=128, stdout=b"", stderr=said, duration_sec=0.1))
