"""Bundles: a template's folder as one deterministic archive, addressed by its content."""

import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

from chatflow_jupyter.domain.errors import InternalError, InvalidDefinition
from chatflow_jupyter.domain.ids import Sha256
from chatflow_jupyter.domain.json_values import canonical_json

MAX_BUNDLE_BYTES = 20 * 1024 * 1024
MAX_FILES = 2000
PASSED_OVER = frozenset({"__pycache__", ".ipynb_checkpoints", ".git", ".mypy_cache", ".ruff_cache", ".venv"})


def read_folder(folder: Path) -> Mapping[str, bytes]:
    """Return every file of a template by its relative path; `InvalidDefinition` for links or too much."""
    files: dict[str, bytes] = {}
    total_bytes = 0
    for path in _walk(folder):
        relative = path.relative_to(folder).as_posix()
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode):
            raise InvalidDefinition((f"{path}: links are not allowed in a template",))
        if not stat.S_ISREG(info.st_mode):
            raise InvalidDefinition((f"{path}: not a regular file",))
        total_bytes += info.st_size
        if total_bytes > MAX_BUNDLE_BYTES or len(files) >= MAX_FILES:
            limit = f"{MAX_BUNDLE_BYTES // 1024 // 1024} MiB and {MAX_FILES} files"
            raise InvalidDefinition((f"{folder}: a template may have at most {limit}",))
        try:
            files[relative] = path.read_bytes()
        except OSError as error:
            raise InvalidDefinition((f"{path}: cannot be read: {error.strerror}",)) from None
    return files


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the archive of `files`; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()


def content_hash(files: Mapping[str, bytes], entry: str) -> Sha256:
    """Return the hash of a definition: its entry file and every byte of the bundle."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return Sha256(hashlib.sha256(canonical_json({"entry": entry, "files": hashes}).encode()).hexdigest())


def files_of(archive: Path) -> Mapping[str, bytes]:
    """Return what was packed, by relative path."""
    with zipfile.ZipFile(archive) as packed:
        return {info.filename: packed.read(info) for info in packed.infolist()}


def unpack(archive: Path, target: Path) -> None:
    """Unpack a bundle into the new folder `target`, its files read-only."""
    target.mkdir(mode=0o700)
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            parts = info.filename.split("/")
            if info.filename.startswith("/") or any(part in ("", ".", "..") for part in parts):
                raise InternalError(f"{archive}: the bundle holds the unsafe path {info.filename!r}")
            path = target.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(packed.read(info))
            path.chmod(0o400)


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        for name in folders:
            if (Path(root) / name).is_symlink():
                raise InvalidDefinition((f"{Path(root) / name}: links are not allowed in a template",))
        folders[:] = sorted(name for name in folders if name not in PASSED_OVER)
        found += [Path(root) / name for name in sorted(names) if not name.endswith((".pyc", ".swp"))]
    return found
