"""What `artifacts` answers, and writing artifacts out without ever leaving or overwriting anything."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.interfaces.cli.session import Session, in_session
from chatflow_jupyter.interfaces.cli.shapes import artifact_object, instance_object, print_json
from chatflow_jupyter.interfaces.cli.tables import shown_table
from chatflow_jupyter.interfaces.cli.terminal import safe_line, shown_size
from chatflow_jupyter.ports.records import ArtifactRecord

MAX_COPIES = 10_000


def artifacts(options: argparse.Namespace) -> int:
    """List the artifacts of an instance; with --save write the latest of each phase and name to a folder.

    With --all-attempts what earlier attempts stored is written too, each attempt to a folder of its own.
    """
    if options.all_attempts and options.save is None:
        raise InvalidInput("--all-attempts: says what to save; name the folder with --save DIR")

    async def answer(session: Session) -> int:
        queries = session.app.queries
        instance_id = await queries.find(session.tenant_id, options.instance)
        instance = await queries.instance(session.tenant_id, instance_id)
        records = await queries.artifacts(session.tenant_id, instance_id)
        saved: dict[ArtifactRecord, Path] = {}
        if options.save is not None:
            newest = latest(records)
            records = [*newest, *earlier(records)] if options.all_attempts else newest
            saved = await _save(session, records, options.save, newest=frozenset(newest))
        _print(options, instance, records, saved)
        return 0

    return in_session(options, "query", answer)


def latest(records: Sequence[ArtifactRecord]) -> list[ArtifactRecord]:
    """Return of each phase and name the artifact of the latest attempt that has it."""
    newest: dict[tuple[str, str], ArtifactRecord] = {}
    for record in sorted(records, key=lambda record: record.attempt):
        newest[record.phase, record.name] = record
    return [newest[key] for key in sorted(newest)]


def earlier(records: Sequence[ArtifactRecord]) -> list[ArtifactRecord]:
    """Return what `latest` leaves out, in order of phase, attempt and name."""
    left = set(records) - set(latest(records))
    return sorted(left, key=lambda record: (record.phase, record.attempt, record.name))


async def _save(
    session: Session, records: Sequence[ArtifactRecord], folder: str, *, newest: frozenset[ArtifactRecord]
) -> dict[ArtifactRecord, Path]:
    root = _made(folder)
    saved = {}
    for record in records:
        name = record.name if record in newest else f"attempt-{record.attempt}/{record.name}"
        target = free_place(root, record.phase, name)
        await session.app.queries.fetch_artifact(record, target)
        saved[record] = target
    return saved


def _made(folder: str) -> Path:
    path = Path(folder).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"--save {folder}: cannot be a folder: {error.strerror}") from None
    return path.resolve()


def free_place(root: Path, phase: str, name: str) -> Path:
    """Return a path below `root` for an artifact at which nothing is; its folder is made.

    A taken name gets a number: `report.html`, `report.1.html`. Raises `InvalidInput` rather than follow a
    link out of `root` or accept a name that climbs.
    """
    parts = [phase, *name.split("/")]
    if any(part in ("", ".", "..") or "\x00" in part or os.sep in part for part in parts):
        raise InvalidInput(
            f"artifact {safe_line(name, 80)!r} of phase {safe_line(phase, 80)}: not a safe file name"
        )
    parent = root.joinpath(*parts[:-1])
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"{parent}: cannot be a folder: {error.strerror}") from None
    if not parent.resolve().is_relative_to(root):
        raise InvalidInput(f"{parent}: leads out of {root} through a link; save to another folder")
    stem, dot, suffix = parts[-1].partition(".") if not parts[-1].startswith(".") else (parts[-1], "", "")
    for number in range(MAX_COPIES):
        candidate = parent / (parts[-1] if number == 0 else f"{stem}.{number}{dot}{suffix}")
        if not os.path.lexists(candidate):
            return candidate
    raise InvalidInput(f"{parent / parts[-1]}: {MAX_COPIES} copies are there already; save to another folder")


def _print(
    options: argparse.Namespace,
    instance: Instance,
    records: Sequence[ArtifactRecord],
    saved: dict[ArtifactRecord, Path],
) -> None:
    if options.json:
        listed = [
            {**artifact_object(record), **({"path": str(saved[record])} if record in saved else {})}
            for record in records
        ]
        print_json({**instance_object(instance), "artifacts": listed})
        return
    if not records:
        print(f"{instance.instance_id} has stored nothing" + ("" if instance.ended else " yet"))
        return
    head = ["PHASE", "NAME", "KIND", "ATTEMPT", "SIZE", "SAVED TO" if saved else "SHA256"]
    rows = [
        [
            record.phase,
            safe_line(record.name),
            record.kind,
            str(record.attempt),
            shown_size(record.size_bytes),
            safe_line(str(saved[record])) if saved else record.sha256[:12],
        ]
        for record in records
    ]
    print(shown_table(rows, head, sys.stdout))
