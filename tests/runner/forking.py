"""Kernels that are forked, or the test fails."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chatflow_jupyter.runner.forked_kernels import ForkedKernels, breed_of
from chatflow_jupyter.runner.keeper_process import ForkedKeeper
from chatflow_jupyter.runner.kept_kernel import KeptKernel, Launch, RunningKernel


class Pool:
    """A pool in which a kernel is waited for."""

    def __init__(self, idle_sec: float = 30.0) -> None:
        self.kernels = ForkedKernels(ahead=1, warm_after_sec=0, idle_sec=idle_sec)

    async def launch(
        self, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, runtime_dir: Path
    ) -> RunningKernel:
        """Start one that is forked, if it is ipykernel in its plain form."""
        how: Any = {"environment": environment, "cwd": cwd, "runtime_dir": runtime_dir}
        if breed_of(command, environment) is None:
            return await self.kernels.launch(command, **how)
        assert await self.kernels.warm_up(command, environment)
        kernel = await self.kernels.launch(command, environment=environment, cwd=cwd, runtime_dir=runtime_dir)
        assert isinstance(kernel, KeptKernel)
        assert isinstance(kernel._process, ForkedKeeper)
        return kernel


@asynccontextmanager
async def pooled() -> AsyncIterator[Launch]:
    """Yield what starts a forked kernel."""
    pool = Pool()
    async with pool.kernels:
        yield pool.launch
