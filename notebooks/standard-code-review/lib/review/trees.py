"""A copy of a tree of files, kept as one zip: the reviewed code, frozen at the moment of looking."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

_MOMENT = (1980, 1, 1, 0, 0, 0)


class Tree:
    """Reads the files of one copied tree. `None` as the archive is the tree without files."""

    def __init__(self, archive: Path | None) -> None:
        """Open the copy at `archive`, written by `write_tree`."""
        self._archive = archive

    @cached_property
    def _zip(self) -> zipfile.ZipFile | None:
        return None if self._archive is None else zipfile.ZipFile(self._archive)

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every file's path, relative, with '/'."""
        return frozenset() if self._zip is None else frozenset(self._zip.namelist())

    def read(self, path: str) -> bytes:
        """Return a file's bytes; raise `KeyError` when the tree does not hold it."""
        if self._zip is None:
            raise KeyError(path)
        return self._zip.read(path)

    def text(self, path: str) -> str:
        """Return a file's text; undecodable bytes are replaced. '' when the tree does not hold it."""
        try:
            return self.read(path).decode("utf-8-sig", "replace")
        except KeyError:
            return ""

    def texts(self, suffix: str) -> dict[str, str]:
        """Return the text of every file whose name ends with `suffix`, by path, in order."""
        return {name: self.text(name) for name in sorted(self.paths) if name.endswith(suffix)}

    def extract(self, folder: Path, only: Iterable[str] | None = None) -> Path:
        """Write the files (all, or those of `only`) below `folder` and return it."""
        folder.mkdir(parents=True, exist_ok=True)
        if self._zip is None:
            return folder
        wanted = self.paths if only is None else self.paths & frozenset(only)
        for entry in self._zip.infolist():
            if entry.filename in wanted and is_safe(entry.filename):
                place = folder / entry.filename
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(self._zip.read(entry))
                if (entry.external_attr >> 16) & stat.S_IXUSR:
                    place.chmod(0o755)
        return folder


def write_tree(archive: Path, files: Iterable[tuple[str, bytes, bool]]) -> Path:
    """Write (path, content, executable) triples to `archive` and return it.

    The same files give the same bytes. Paths that could leave a folder are left out.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        for path, content, executable in sorted(files):
            if is_safe(path):
                entry = zipfile.ZipInfo(path, _MOMENT)
                entry.external_attr = (0o100755 if executable else 0o100644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                zipped.writestr(entry, content)
    return archive


def is_safe(path: str) -> bool:
    """Whether a path stays inside the folder it is written to and can be said in UTF-8."""
    parts = PurePosixPath(path).parts
    ordinary = bool(parts) and not path.startswith("/") and not path.endswith("/") and "\0" not in path
    if not ordinary or "\\" in path or any(part in ("..", ".git") for part in parts):
        return False
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
