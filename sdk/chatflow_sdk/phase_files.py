"""Write artifacts: files below `artifacts/` in the work directory, their kinds listed beside them."""

import json
import os
import shutil
from pathlib import Path, PurePosixPath

from .errors import PhaseError
from .phase_values import JsonValue, plain_json

KINDS = ("prompt", "response", "code", "notebook", "report", "log", "data")
FOLDER = "artifacts"


def write_artifact(work_dir: Path, name: str, *, data: object | None, kind: str | None) -> Path:
    """Make `name` an artifact and return its path; see `PhaseContext.artifact`."""
    if kind is not None and kind not in KINDS:
        raise PhaseError(f"artifact {name!r}: kind {kind!r} is none of {', '.join(KINDS)}")
    target = work_dir / FOLDER / _relative(work_dir, name)
    if data is not None:
        _write(target, _encode(name, data))
    elif not target.is_file():
        source = Path(name) if Path(name).is_absolute() else work_dir / name
        if not source.is_file():
            raise PhaseError(
                f"artifact {name!r}: there is no such file in {FOLDER}/ or in the work directory; "
                "write it first, or pass data="
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    if kind is not None:
        _declare(work_dir, target.relative_to(work_dir / FOLDER).as_posix(), kind)
    return target


def _relative(work_dir: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute():
        inside = work_dir / FOLDER
        path = PurePosixPath(Path(name).relative_to(inside)) if inside in Path(name).parents else path
        path = PurePosixPath(path.name) if path.is_absolute() else path
    elif path.parts[:1] == (FOLDER,) and len(path.parts) > 1:
        path = PurePosixPath(*path.parts[1:])
    if not path.name or ".." in path.parts or not str(path).isprintable():
        raise PhaseError(f"artifact {name!r}: a name is a relative path of printable text without '..'")
    return path


def _encode(name: str, data: object) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if isinstance(data, str):
        return str(plain_json(data, what=f"artifact {name!r}")).encode()
    value: JsonValue = plain_json(data, what=f"artifact {name!r}")
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    temporary.write_bytes(content)
    temporary.replace(target)


def _declare(work_dir: Path, name: str, kind: str) -> None:
    listing = work_dir / ".chatflow" / "artifacts.jsonl"
    listing.parent.mkdir(mode=0o700, exist_ok=True)
    with listing.open("a", encoding="utf-8") as lines:  # one write below PIPE_BUF: whole lines only
        lines.write(json.dumps({"name": name, "kind": kind}) + "\n")
