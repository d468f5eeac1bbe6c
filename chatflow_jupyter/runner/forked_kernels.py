"""Kernels that are there before they are asked for, forked ahead from one that has imported everything."""

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chatflow_jupyter.runner import kernel_launcher
from chatflow_jupyter.runner.kept_kernel import KeptKernel, LaunchFailed, RunningKernel
from chatflow_jupyter.runner.zygote_process import BlankKernel, Breed, ZygoteFailed, ZygoteProcess

log = logging.getLogger(__name__)

WARM_AFTER_SEC = 1.5
"""How long after a first ordinary start a zygote is started: the notebook that waits comes first."""

IDLE_SEC = 30.0
"""How long without a start until the zygote and the kernels it forked ahead are ended, in seconds."""

MAX_FAILURES = 3
_IMPORTED = ("HOME", "PATH", "LANG", "LANGUAGE", "MPLBACKEND", "TMPDIR", "VIRTUAL_ENV")
_IMPORTED_PREFIXES = (
    *("LC_", "LD_", "PYTHON", "OMP_", "OPENBLAS_", "MKL_", "NUMEXPR_", "MALLOC_", "GLIBC_", "CUDA_"),
    *("CONDA_", "JUPYTER_", "XDG_"),
)
_START_MODULES = frozenset({"sitecustomize", "usercustomize"})


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How many kernels are forked ahead, how long after a first start, and how long after the last."""

    ahead: int
    warm_after_sec: float
    idle_sec: float


class ForkedKernels:
    """Forks kernels ahead of the attempts that will need them.

    The first kernel of a kind, one that cannot be forked as it would start, and any that comes when no forked
    one is there, is started as ever: nobody waits for a zygote.
    """

    def __init__(
        self, *, ahead: int, warm_after_sec: float = WARM_AFTER_SEC, idle_sec: float = IDLE_SEC
    ) -> None:
        """Keep up to `ahead` blank kernels of each breed, from some time after its first use until idle."""
        self._pace = Pace(ahead=ahead, warm_after_sec=warm_after_sec, idle_sec=idle_sec)
        self._broods: dict[Breed, Brood] = {}
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> "ForkedKernels":
        """Begin; nothing is started yet."""
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> None:
        """End everything that is not an attempt's."""
        for brood in self._broods.values():
            brood.close()
        await self._tasks.__aexit__(None, None, None)

    async def launch(
        self, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, runtime_dir: Path
    ) -> RunningKernel:
        """Start the kernel, forked where that is the same; raises `LaunchFailed`."""
        breed = breed_of(command, environment)
        if breed is not None:
            blank = self._brood(breed).take(_looked_for_in(environment, cwd))
            if blank is not None:
                try:
                    return await blank.become(
                        command, environment=environment, cwd=cwd, runtime_dir=runtime_dir
                    )
                except OSError as error:
                    log.warning("a forked kernel was gone: %s; one is started", error)
                    await blank.end()
        return await KeptKernel.start(command, environment=environment, cwd=cwd, runtime_dir=runtime_dir)

    async def warm_up(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Wait until a kernel for this command is there; returns False when there will be none."""
        breed = breed_of(command, environment)
        return breed is not None and await self._brood(breed).filled()

    def _brood(self, breed: Breed) -> "Brood":
        if breed not in self._broods:
            self._broods[breed] = Brood(breed, self._pace, self._tasks)
        return self._broods[breed]


class Brood:
    """A zygote and the blank kernels it has forked, for as long as kernels are asked for."""

    def __init__(self, breed: Breed, pace: Pace, tasks: asyncio.TaskGroup) -> None:
        """Nothing is started yet; what goes on beside attempts is one of `tasks`."""
        self._breed = breed
        self._pace = pace
        self._tasks = tasks
        self._blanks: deque[BlankKernel] = deque()
        self._ending: list[BlankKernel] = []
        self._wanted = asyncio.Event()
        self._changed = asyncio.Condition()
        self._failures = 0
        self._tending: asyncio.Task[None] | None = None
        self._zygote: ZygoteProcess | None = None

    def take(self, folders: frozenset[str]) -> BlankKernel | None:
        """Return a blank kernel, if one is there and nothing in `folders` has the name of what it imported.

        Either way more will be there soon.
        """
        self._want()
        if self._zygote is None:
            return None
        own = _module_names(folders - self._zygote.path) & self._zygote.modules
        if own:
            log.debug("a kernel finds its own %s first; it is not forked", sorted(own))
            return None
        while self._blanks:
            blank = self._blanks.popleft()
            if not blank.kernel.exited.done():
                return blank
            self._ending.append(blank)
        return None

    async def filled(self) -> bool:
        """Wait until a blank kernel is there; returns False when there will be none."""
        self._want()
        async with self._changed:
            await self._changed.wait_for(lambda: self._blanks or self._tending is None)
        return bool(self._blanks)

    def _want(self) -> None:
        self._wanted.set()
        if self._tending is None and self._failures < MAX_FAILURES:
            self._tending = self._tasks.create_task(self._tend())

    def close(self) -> None:
        """Begin to end the zygote and the kernels that nobody has taken."""
        self._failures = MAX_FAILURES
        if self._tending is not None:
            self._tending.cancel()

    async def _tend(self) -> None:
        try:
            await asyncio.sleep(self._pace.warm_after_sec)
            forking = self._zygote = await ZygoteProcess.start(self._breed)
            while True:
                self._wanted.clear()
                while len(self._blanks) < self._pace.ahead:
                    self._blanks.append(await forking.fork())
                    await self._tell()
                self._failures = 0
                await self._bury()
                async with asyncio.timeout(self._pace.idle_sec):
                    await self._wanted.wait()
        except TimeoutError:
            log.debug("nobody asks for kernels of %s any more", self._breed.python)
        except (ZygoteFailed, LaunchFailed) as error:
            self._failures += 1
            more = "another is tried" if self._failures < MAX_FAILURES else "kernels are started one by one"
            log.warning("no kernels can be forked ahead for %s: %s; %s", self._breed.python, error, more)
        except Exception:  # notebooks run all the same
            self._failures = MAX_FAILURES
            log.exception("kernels are started one by one from now on")
        finally:
            self._tending, zygote, self._zygote = None, self._zygote, None  # another may begin from here on
            await asyncio.shield(self._tell())
            self._ending.extend(self._blanks)
            self._blanks.clear()
            await asyncio.shield(self._bury())
            if zygote is not None:
                await asyncio.shield(zygote.end())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _bury(self) -> None:
        """Leave nothing of blank kernels that nobody will take."""
        while self._ending:
            await self._ending.pop().end()


def breed_of(command: Sequence[str], environment: Mapping[str, str]) -> Breed | None:
    """Return what a forked kernel must be born with to be as good as this command; None when none can be.

    Only ipykernel is forked, started in the plain way.
    """
    match command:
        case [python, kernel_launcher.__file__, "-f", _, *_] if sys.platform == "linux":
            pass
        case _:
            return None
    imported = {
        name: value
        for name, value in environment.items()
        if name != "PYTHONPATH" and (name in _IMPORTED or name.startswith(_IMPORTED_PREFIXES))
    }
    return Breed(python=python, environment=tuple(sorted(imported.items())))


def _looked_for_in(environment: Mapping[str, str], cwd: Path) -> frozenset[str]:
    """Return the folders where this kernel looks for modules before those that all of its breed have."""
    given = environment.get("PYTHONPATH")
    return frozenset({str(cwd), *(given.split(os.pathsep) if given else ())})


def _module_names(folders: Collection[str]) -> set[str]:
    names: set[str] = set()
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            names.update(entry.name.partition(".")[0] for entry in entries)
    if names & _START_MODULES:
        names.add("site")  # which would import them, and which everybody has imported
    return names
