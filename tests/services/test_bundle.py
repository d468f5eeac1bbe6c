"""A template's folder as one archive: the same for the same bytes, bounded, and never out of its folder."""

import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatflow_jupyter.domain.errors import InternalError, InvalidDefinition
from chatflow_jupyter.services import bundle
from chatflow_jupyter.services.bundle import content_hash, pack, read_folder, unpack

NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=8)
FILES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=1).map("/".join), st.binary(max_size=200), max_size=8
)


@given(FILES)
def test_packing_does_not_depend_on_order_and_unpacking_gives_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("b")
    packed = pack(files)
    assert packed == pack(dict(reversed(files.items())))
    (folder / "a.zip").write_bytes(packed)
    unpack(folder / "a.zip", folder / "out")
    assert read_folder(folder / "out") == files


@given(FILES, NAMES, st.binary(max_size=20))
def test_the_hash_covers_every_byte_and_every_name(
    files: dict[str, bytes], name: str, content: bytes
) -> None:
    changed = {**files, name: content}
    assert (content_hash(changed, "d.yaml") == content_hash(files, "d.yaml")) == (changed == files)
    assert content_hash(files, "d.yaml") != content_hash(files, "e.yaml")


def test_links_are_refused_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    for place, target in (("link.py", "/etc/passwd"), ("lib/link", ".")):
        (tmp_path / place).symlink_to(target)
        with pytest.raises(InvalidDefinition, match="links are not allowed"):
            read_folder(tmp_path)
        (tmp_path / place).unlink()


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidDefinition, match="not a regular file"):
        read_folder(tmp_path)


def test_too_many_bytes_or_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"12345")
    monkeypatch.setattr(bundle, "MAX_BUNDLE_BYTES", 9)
    with pytest.raises(InvalidDefinition, match="at most"):
        read_folder(tmp_path)
    monkeypatch.setattr(bundle, "MAX_BUNDLE_BYTES", 10)
    assert len(read_folder(tmp_path)) == 2
    monkeypatch.setattr(bundle, "MAX_FILES", 1)
    with pytest.raises(InvalidDefinition, match="at most"):
        read_folder(tmp_path)


def test_a_file_that_cannot_be_read_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "a").write_bytes(b"1")
    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(InvalidDefinition, match="a: cannot be read: Permission denied"):
        read_folder(tmp_path)


def test_caches_and_checkpoints_are_no_part_of_a_template(tmp_path: Path) -> None:
    for name in ("__pycache__/a.pyc", ".ipynb_checkpoints/a.ipynb", ".git/HEAD", "lib/b.pyc", "lib/b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert list(read_folder(tmp_path)) == ["lib/b.py"]


@pytest.mark.parametrize("name", ["../up", "/abs", "a/../../b", "a//b"])
def test_an_archive_that_climbs_is_not_unpacked(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(InternalError, match="unsafe path"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.zip"]
