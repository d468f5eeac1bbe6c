"""What processors make of an attempt's artifacts, outcome and failure, before anything of it is stored."""

import asyncio
import errno
import logging
import os
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from chatflow_jupyter.domain.errors import InvalidInput, StorageFull
from chatflow_jupyter.domain.hooks import ArtifactMade, Broken, Finding, Processed, Refuse, Replace
from chatflow_jupyter.domain.ids import AttemptId
from chatflow_jupyter.domain.instance import Failure
from chatflow_jupyter.domain.json_values import JsonObject, canonical_json, decode_json
from chatflow_jupyter.planted_files import open_source
from chatflow_jupyter.ports.records import AttemptReport, AttemptRow

from .hook_calls import Hooks

log = logging.getLogger(__name__)

MAX_FINDINGS = 20


class Processing:
    """Has every processor look at what an attempt made, in order, and remembers what became of it.

    They see copies without a name, on the disk of `work`: nobody can lay something in their place. They go
    with the process, whatever ends it. What is stored are the very bytes they have seen.
    """

    def __init__(self, hooks: Hooks, work: Path) -> None:
        """Ask the processors among `hooks`."""
        self._hooks = hooks
        self._work = work
        self._findings: dict[AttemptId, dict[str, list[Finding]]] = {}
        self._failures: dict[AttemptId, Failure] = {}

    @property
    def is_needed(self) -> bool:
        """Whether there is any processor."""
        return bool(self._hooks.processors)

    @asynccontextmanager
    async def of_file(
        self, row: AttemptRow, name: str, kind: str, media_type: str, source: Path
    ) -> AsyncIterator[Path | None]:
        """Give the file that is to be stored instead of `source`; None when it is refused."""
        with await asyncio.to_thread(self._nameless) as copy:
            await asyncio.to_thread(_copied, source, copy)
            left = await self._of_copy(row, name, kind, media_type, copy)
            yield _path_of(copy) if left is None else None

    def _nameless(self) -> BinaryIO:
        try:
            self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cast("BinaryIO", TemporaryFile(dir=self._work))
        except OSError as error:
            raise _unwritten(self._work, error) from None

    async def of_report(self, row: AttemptRow, report: AttemptReport) -> AttemptReport:
        """Return the report to be committed: a failure when something was refused, and no text unseen."""
        outputs = report.outputs
        if report.failure is None and outputs:
            outputs = await self._of_outputs(row, outputs)
        failure = report.failure or self._failures.get(row.attempt_id)
        if failure is None:
            return replace(report, outputs=outputs)
        if report.failure is not None:
            failure = await self._of_failure(row, report.failure)
        return replace(report, outputs={}, spawned=(), failure=failure)

    def told(self, attempt_id: AttemptId) -> tuple[Processed, ...]:
        """Return what was done to the artifacts of the attempt."""
        return tuple(
            Processed(
                hook=hook,
                findings=tuple(found[:MAX_FINDINGS]),
                more=max(len(found) - MAX_FINDINGS, 0),
            )
            for hook, found in self._findings.get(attempt_id, {}).items()
        )

    def forget(self, attempt_id: AttemptId) -> None:
        """Forget an attempt that has ended."""
        self._findings.pop(attempt_id, None)
        self._failures.pop(attempt_id, None)

    async def _of_copy(
        self, row: AttemptRow, name: str, kind: str, media_type: str, copy: BinaryIO
    ) -> str | None:
        """Let every processor change the copy; returns why nothing of it may be stored, or None."""
        for one in self._hooks.processors:
            size_bytes = os.fstat(copy.fileno()).st_size
            artifact = ArtifactMade(
                tenant_id=row.tenant_id,
                instance_id=row.instance_id,
                phase=row.phase,
                number=row.number,
                name=name,
                kind=kind,
                media_type=media_type,
                size_bytes=size_bytes,
                path=str(_path_of(copy)),
            )
            verdict = await self._hooks.process(one, artifact)
            match verdict:
                case Replace(content=content, reason=reason):
                    await asyncio.to_thread(_written, copy, content)
                    self._note(row, one.name, Finding(name=name, verdict="replaced", reason=reason))
                case Refuse(reason=reason):
                    self._note(row, one.name, Finding(name=name, verdict="refused", reason=reason))
                    return self._refused(row, "artifact_refused", f"hook {one.name} refused {name}: {reason}")
                case Broken(cause=cause):
                    self._note(row, one.name, Finding(name=name, verdict="broken", reason=cause))
                    if one.policy == "closed":
                        message = f"hook {one.name} failed at {name}: {cause}; mend or disable it, then retry"
                        return self._refused(row, "hook_failed", message)
                case _:
                    continue
        return None

    def _note(self, row: AttemptRow, hook: str, finding: Finding) -> None:
        log.info("%s of %s: %s by hook %s", finding.name, row.attempt_id, finding.verdict, hook)
        found = self._findings.setdefault(row.attempt_id, defaultdict(list))[hook]
        found[:] = [one for one in found if one.name != finding.name] + [finding]

    def _refused(self, row: AttemptRow, code: str, message: str) -> str:
        self._failures.setdefault(row.attempt_id, Failure(code=code, message=message))
        return message

    async def _of_text(self, row: AttemptRow, name: str, text: str) -> tuple[str | None, str]:
        """Return what processors leave of a text, or None and why."""
        with await asyncio.to_thread(self._nameless) as copy:
            await asyncio.to_thread(_written, copy, text.encode("utf-8", "surrogatepass"))
            why = await self._of_copy(row, name, "log", "text/plain", copy)
            if why is not None:
                return None, why
            return (await asyncio.to_thread(_path_of(copy).read_bytes)).decode("utf-8", "replace"), ""

    async def _of_outputs(self, row: AttemptRow, outputs: JsonObject) -> JsonObject:
        text, _ = await self._of_text(row, "(outputs)", canonical_json(outputs))
        if text is None:
            return {}
        try:
            left = decode_json(text, what="the outputs a hook left")
        except InvalidInput as error:
            self._refused(row, "hook_failed", error.message)
            return {}
        return left if isinstance(left, Mapping) else {}

    async def _of_failure(self, row: AttemptRow, failure: Failure) -> Failure:
        """Return the failure without what processors do not let pass: it quotes what a cell printed."""
        changes: dict[str, str] = {}
        for name in ("message", "traceback", "last_output"):
            text: str | None = getattr(failure, name)
            if text:
                left, why = await self._of_text(row, f"({name})", text)
                changes[name] = f"(withheld: {why})" if left is None else left
        return replace(failure, **changes)  # type: ignore[arg-type]  # all three are text


def _path_of(copy: BinaryIO) -> Path:
    """Return where this process, and those it starts, can open the copy."""
    return Path(f"/proc/{os.getpid()}/fd/{copy.fileno()}")


def _copied(source: Path, copy: BinaryIO) -> None:
    """Copy a regular file."""
    with open_source(source) as read:
        try:
            shutil.copyfileobj(read, copy, 1024 * 1024)
            copy.flush()
        except OSError as error:
            raise _unwritten(source, error) from None


def _written(copy: BinaryIO, content: bytes) -> None:
    try:
        copy.seek(0)
        copy.truncate()
        copy.write(content)
        copy.flush()
    except OSError as error:
        raise _unwritten(Path("a copy for hooks"), error) from None


def _unwritten(target: Path, error: OSError) -> StorageFull | InvalidInput:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(f"{target}: no room is left on the device")
    return InvalidInput(f"{target}: {error.strerror}")
