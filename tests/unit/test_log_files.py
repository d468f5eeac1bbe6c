"""Logs stay small, and what was logged is not lost at once."""

from pathlib import Path

from chatflow_jupyter.log_files import KEPT_FILES, MAX_BYTES, rotated


def test_a_log_that_processes_append_to_is_moved_aside_when_it_is_large(tmp_path: Path) -> None:
    file = tmp_path / "runner.log"
    assert rotated(file) == file
    assert not file.exists()
    file.write_bytes(b"small")
    assert rotated(file).read_bytes() == b"small"
    for number in range(KEPT_FILES + 2):
        file.write_bytes(bytes([ord("a") + number]) * MAX_BYTES)
        assert not rotated(file).exists()
    kept = {entry.name: entry.read_bytes()[:1] for entry in tmp_path.iterdir()}
    assert kept == {"runner.log.1": b"e", "runner.log.2": b"d", "runner.log.3": b"c"}


def test_who_has_it_open_goes_on_writing(tmp_path: Path) -> None:
    file = tmp_path / "background.out"
    with file.open("ab", buffering=0) as writing:
        writing.write(b"x" * MAX_BYTES)
        rotated(file).write_bytes(b"new")
        writing.write(b"the end")
    assert (tmp_path / "background.out.1").read_bytes().endswith(b"the end")
    assert file.read_bytes() == b"new"
