"""A .diff alone: what can be read from it, and an honest list of the rest."""

from pathlib import Path

import pytest

from tests.templates.repositories import Made, git

DIFF = """\
From someone
Subject: a mail around it

diff --git a/shop/a.py b/shop/a.py
index 1111111..2222222 100644
--- a/shop/a.py
+++ b/shop/a.py
@@ -1,3 +1,4 @@ def before():
 x = 1
-y = 2
+y = 3
+def price(cents):
 z = 4
diff --git a/new.py b/new.py
new file mode 100644
index 0000000..3333333
--- /dev/null
+++ b/new.py
@@ -0,0 +1,2 @@
+import os
+KEY = "AKIA%s"
diff --git "a/t\\303\\244st.py" "b/t\\303\\244st.py"
deleted file mode 100644
--- "a/t\\303\\244st.py"
+++ /dev/null
@@ -1 +0,0 @@
-x = 1
diff --git a/logo.png b/logo.png
Binary files a/logo.png and b/logo.png differ
""".replace("%s", "IOSFODNN7EXAMPLX")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    (tmp_path / "change.diff").write_text(DIFF)
    return Made(folder=tmp_path / "change.diff", scratch=tmp_path / "scratch")


def test_files_lines_and_names_are_read(made: Made) -> None:
    told = {file.path: (file.status, sorted(file.lines), file.symbols) for file in made.changes.files}
    assert told == {
        "shop/a.py": ("changed", [2, 3], ("price",)),
        "new.py": ("added", [1, 2], ()),
        "täst.py": ("deleted", [], ()),
        "logo.png": ("changed", [], ()),
    }
    assert made.file("logo.png").reason == "binary"


def test_new_files_are_whole_and_examined(made: Made) -> None:
    report = made.static()
    assert {(f.rule, f.path, f.line) for f in report.findings} == {
        ("F401", "new.py", 1),
        ("aws-access-key", "new.py", 2),
    }
    assert {item.reason for item in report.not_assessed} == {
        "1 file(s) are only known by the lines of the .diff"
    }


def test_the_page_says_what_a_diff_cannot_tell(made: Made) -> None:
    forms = made.with_(execute=True).reviewed()
    assert "a .diff shows lines, not whole files" in forms["report.html"]
    assert "tests pass" not in forms["report.html"]


def test_what_is_no_diff_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.patch").write_bytes(b"\0\xff hello\n@@ nonsense @@\n--- \n")
    made = Made(folder=tmp_path / "x.patch", scratch=tmp_path / "scratch")
    assert made.changes.files == ()
    assert "is this a unified diff?" in made.reviewed()["report.md"]


def test_the_diff_of_git_says_the_same_as_the_repository(tmp_path: Path) -> None:
    from review.diffs import files_of

    from chatflow_jupyter.interfaces.demo.sample_repo import make_sample_repository

    sample = make_sample_repository(tmp_path / "shop")
    made = Made(folder=sample.path, scratch=tmp_path / "scratch")
    read = {
        file.path: file.hunks for file in files_of(git(sample.path, "diff", "-U3", sample.base, sample.head))
    }
    assert read == {file.path: file.hunks for file in made.changes.files}
