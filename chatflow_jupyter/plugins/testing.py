"""A kit for authors of plugins: `check_hook` finds in one's own tests what would go wrong in a home.

It needs no pytest. `ahead`, `behind` and `made` are what one's own further tests give to a hook.
"""

import asyncio
import copy
import inspect
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from chatflow_jupyter.domain.hooks import (
    ArtifactMade,
    ArtifactProcessor,
    AttemptAhead,
    AttemptBehind,
    PostExecutionHook,
    PreExecutionHook,
    Refuse,
    Replace,
    verdict_fault,
)
from chatflow_jupyter.domain.ids import InstanceId, Sha256, TenantId
from chatflow_jupyter.domain.instance import DefinitionRef, HookPoint
from chatflow_jupyter.domain.json_values import JsonObject

Given = TypeVar("Given", AttemptAhead, AttemptBehind, ArtifactMade)
Factory = Callable[[Mapping[str, object]], object]
METHODS = ("before", "after", "process")
_REFERENCE = DefinitionRef(name="sample", version="1.0.0", content_hash=Sha256("0" * 64))
_TENANT, _INSTANCE = TenantId("local"), InstanceId("wfi_sample")


def notebook(*cells: str, outputs: tuple[str, ...] = ()) -> bytes:
    """Return a notebook of code cells; the last one has printed `outputs`."""
    code = [_cell(source) for source in cells]
    if code and outputs:
        code[-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": list(outputs)}]
    body = {"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(body).encode()


def ahead(content: bytes = b"", parameters: JsonObject | None = None, number: int = 1) -> AttemptAhead:
    """Return an attempt of a phase `one` that is about to be made."""
    return AttemptAhead(
        tenant_id=_TENANT,
        instance_id=_INSTANCE,
        feature_id=None,
        definition=_REFERENCE,
        phase="one",
        number=number,
        notebook="one.ipynb",
        content=content or notebook("1 + 1"),
        parameters={"path": "."} if parameters is None else parameters,
        variables={"context": {"path": "."}},
    )


def behind(
    outputs: JsonObject | None = None, risk: int = 0, artifacts: tuple[str, ...] = ()
) -> AttemptBehind:
    """Return an attempt of a phase `one` whose notebook ran to its end."""
    return AttemptBehind(
        tenant_id=_TENANT,
        instance_id=_INSTANCE,
        feature_id=None,
        definition=_REFERENCE,
        phase="one",
        number=1,
        notebook="one.ipynb",
        content=notebook("1 + 1"),
        outputs={"n": 1} if outputs is None else outputs,
        risk=risk,
        artifacts=artifacts,
        variables={"context": {}},
    )


def made(path: Path, *, name: str | None = None, kind: str = "data") -> ArtifactMade:
    """Return the file at `path` as an artifact that is about to be stored."""
    return ArtifactMade(
        tenant_id=_TENANT,
        instance_id=_INSTANCE,
        phase="one",
        number=1,
        name=name or path.name,
        kind=kind,
        media_type="application/octet-stream",
        size_bytes=path.stat().st_size,
        path=str(path),
    )


def check_hook(
    factory: Factory, options: Mapping[str, object] | None = None, *, timeout_sec: float = 30.0
) -> None:
    """Raise `AssertionError` with a line per fault of the hook that `factory` makes with `options`."""
    faults = faults_of(factory, options, timeout_sec=timeout_sec)
    assert not faults, "\n".join(faults)


def faults_of(
    factory: Factory, options: Mapping[str, object] | None = None, *, timeout_sec: float = 30.0
) -> list[str]:
    """Return what is wrong with the hook: a line each. It is called many times, also by threads at once."""
    try:
        hook = factory(dict(options or {}))
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is wrong with it
        return [f"it cannot be made with these options: {error!r}"]
    faults = [*_of_options(factory, options or {}), *_of_methods(hook)]
    if faults:
        return list(dict.fromkeys(faults))
    if isinstance(hook, PreExecutionHook):
        faults += _of_point(HookPoint.BEFORE, hook.before, list(_attempts_ahead()), timeout_sec)
    if isinstance(hook, PostExecutionHook):
        faults += _of_point(HookPoint.AFTER, hook.after, list(_attempts_behind()), timeout_sec)
    if isinstance(hook, ArtifactProcessor):
        with tempfile.TemporaryDirectory() as folder:
            artifacts = list(_artifacts(Path(folder)))
            faults += _of_point(HookPoint.ARTIFACT, hook.process, artifacts, timeout_sec)
            if not faults:
                faults += _of_replacements(hook, artifacts, Path(folder))
    return list(dict.fromkeys(faults))


def _of_options(factory: Factory, options: Mapping[str, object]) -> Iterator[str]:
    try:
        factory({**options, "no_such_option": 1})
    except ValueError:
        return
    except Exception as error:  # noqa: BLE001 - as above
        yield f"an unknown option must raise ValueError, not {type(error).__name__}"
        return
    yield "an unknown option is taken for one: a mistyped option would be without effect, silently"


def _of_methods(hook: object) -> Iterator[str]:
    found = [name for name in METHODS if callable(getattr(hook, name, None))]
    if not found:
        yield f"it has none of the methods {', '.join(METHODS)}"
    for name in found:
        if inspect.iscoroutinefunction(getattr(hook, name)):
            yield f"{name} is a coroutine function: hooks are plain functions, called in a thread"


def _of_point(
    point: HookPoint, call: Callable[[Given], object], samples: list[Given], timeout_sec: float
) -> Iterator[str]:
    for what in samples:
        shown, seen = _shown(point, what), copy.deepcopy(what)
        content = _content_of(what)
        try:
            first, again = asyncio.run(_twice(call, what, timeout_sec))
        except TimeoutError:
            yield f"{shown}: took longer than {timeout_sec:g} s"
            return
        except Exception as error:  # noqa: BLE001 - as above
            yield f"{shown}: raised {error!r}"
            continue
        fault = verdict_fault(point, first)
        if fault is not None:
            yield f"{shown}: {fault}"
        elif first != again:
            yield f"{shown}: said {first!r:.200} and then {again!r:.200}; it may be called more than once"
        if what != seen or _content_of(what) != content:
            yield f"{shown}: changed what it was shown"


async def _twice(call: Callable[[Given], object], given: Given, timeout_sec: float) -> list[object]:
    """Return what two calls at once return. Threads that never end are left alone."""
    pool = ThreadPoolExecutor(2)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_sec):
            return list(await asyncio.gather(*(loop.run_in_executor(pool, call, given) for _ in range(2))))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _of_replacements(hook: ArtifactProcessor, artifacts: list[ArtifactMade], folder: Path) -> Iterator[str]:
    """Look at what was put in the place of artifacts once more, as happens to a partial notebook."""
    for number, artifact in enumerate(artifacts):
        verdict = hook.process(artifact)
        if not isinstance(verdict, Replace):
            continue
        file = folder / f"replaced-{number}"
        file.write_bytes(verdict.content)
        once_more = hook.process(replace(artifact, path=str(file), size_bytes=len(verdict.content)))
        changed = isinstance(once_more, Replace) and once_more.content != verdict.content
        if changed or isinstance(once_more, Refuse):
            yield f"process, {artifact.name}: does not let its own replacement pass"


def _attempts_ahead() -> Iterator[AttemptAhead]:
    yield ahead()
    yield ahead(number=2)
    yield ahead(parameters={"nested": {"list": [1, None, {"x": "é\u2028"}]}})
    for content in _contents().values():
        yield ahead(content)


def _attempts_behind() -> Iterator[AttemptBehind]:
    yield behind()
    yield behind({})
    yield behind({"text": "x" * 100_000, "nested": {"list": [1, None]}}, risk=100, artifacts=("a/b.txt",))


def _artifacts(folder: Path) -> Iterator[ArtifactMade]:
    for name, content in _contents().items():
        file = folder / name
        file.write_bytes(content)
        yield made(file)


def _contents() -> Mapping[str, bytes]:
    """Return what a notebook may be and what an artifact may hold, by a name for it."""
    return {
        "plain.ipynb": notebook("import os", "print(1)", outputs=("1\n",)),
        "empty.ipynb": notebook(),
        "magic.ipynb": notebook("%pip install x\n!ls", "%%bash\nls", "def broken(:"),
        "foreign.ipynb": notebook("é ü 漢字 \u2028 \x00", outputs=("\x1b[31mred\x1b[0m",)),
        "torn.ipynb": notebook("1")[:-20],
        "other.ipynb": b'{"cells": [1, null, {"cell_type": 3, "source": {"a": 1}, "outputs": "x"}]}',
        "deep.ipynb": b'{"cells": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        "list.ipynb": b"[]",
        "empty.txt": b"",
        "binary.bin": bytes(range(256)) * 100,
        "latin.txt": "naïve".encode("latin-1"),
        "long.txt": b"a line of text that says nothing\n" * 50_000,
        "single.txt": b"x" * 1_000_000,
    }


def _content_of(what: object) -> bytes:
    return Path(what.path).read_bytes() if isinstance(what, ArtifactMade) else b""


def _shown(point: HookPoint, what: AttemptAhead | AttemptBehind | ArtifactMade) -> str:
    if isinstance(what, ArtifactMade):
        return f"process, {what.name}"
    return f"{point}, attempt {what.number} with {what.content[:40]!r}"


def _cell(source: str) -> dict[str, object]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": source,
    }
