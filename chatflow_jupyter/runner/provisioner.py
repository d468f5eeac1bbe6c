"""jupyter_client's way to a kernel that runs under a keeper, over sockets nobody else can read."""

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from chatflow_jupyter.runner import kernel_launcher
from chatflow_jupyter.runner.kept_kernel import KeptKernel, Launch, RunningKernel
from chatflow_jupyter.runner.runtime_directory import serves_sockets

log = logging.getLogger(__name__)


class KeptKernelProvisioner(KernelProvisionerBase):
    """Launches the kernelspec's command under a keeper.

    `launch` is the seam for another way of starting kernels (a forked, preloaded one): it is given the
    command, the whole environment, the directory to run in and the runtime directory.
    """

    launch: Launch = staticmethod(KeptKernel.start)
    runtime_dir: Path
    kernel: RunningKernel | None = None

    @property
    def has_process(self) -> bool:
        """Whether a kernel was launched and not yet cleaned up."""
        return self.kernel is not None

    async def poll(self) -> int | None:
        """Return None while the kernel lives, then its exit code (minus the signal that killed it)."""
        if self.kernel is None or not self.kernel.exited.done():
            return None if self.kernel is not None else 0
        return self._code()

    async def wait(self) -> int | None:
        """Wait for the kernel and all its descendants to be gone; returns the kernel's exit code."""
        if self.kernel is None:
            return 0
        await asyncio.shield(self.kernel.exited)
        await self.kernel.gone()
        return self._code()

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group, through its keeper."""
        if self.kernel is not None:
            self.kernel.send_signal(signum)

    async def kill(self, restart: bool = False) -> None:  # noqa: ARG002 - jupyter_client's signature
        """Kill the kernel and every descendant."""
        if self.kernel is not None:
            self.kernel.kill()

    async def terminate(self, restart: bool = False) -> None:  # noqa: ARG002 - as above
        """Ask the kernel to end (SIGTERM)."""
        if self.kernel is not None:
            self.kernel.send_signal(15)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Write the connection file and form the command; the caller gives the whole environment."""
        manager = self.parent
        assert isinstance(manager, AsyncKernelManager)
        extra_arguments = kwargs.pop("extra_arguments", [])
        if manager.transport == "tcp" and manager.transport_encryption == "required":
            manager.curve_publickey, manager.curve_secretkey = zmq.curve_keypair()
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        command = manager.format_kernel_cmd(extra_arguments=extra_arguments)
        return await super().pre_launch(cmd=command, **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel; raises `LaunchFailed` when its command cannot be executed."""
        self.kernel = await self.launch(
            [os.path.expanduser(part) for part in without_debugger(cmd)],  # noqa: PTH111, ASYNC240 - text, no file is touched
            environment=kwargs["env"],
            cwd=Path(kwargs["cwd"]),
            runtime_dir=self.runtime_dir,
        )
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:  # noqa: ARG002 - as above
        """Leave no descendant of the kernel."""
        if self.kernel is not None:
            await self.kernel.gone()
            self.kernel = None

    def _code(self) -> int:
        assert self.kernel is not None
        end = self.kernel.exited.result()
        return -end.signal if end.signal is not None else (end.exit_code if end.exit_code is not None else 1)


def without_debugger(command: list[str]) -> list[str]:
    """Return the command of a kernel; a plain `python -m ipykernel_launcher` starts without its debugger."""
    match command:
        case [python, "-m", "ipykernel_launcher", *rest]:
            return [python, kernel_launcher.__file__, *rest]
        case _:
            return command


def kernel_manager(
    kernel_name: str, *, runtime_dir: Path, context: zmq.asyncio.Context, launch: Launch = KeptKernel.start
) -> AsyncKernelManager:
    """Return a manager whose kernel runs under a keeper and speaks over Unix sockets in `runtime_dir`.

    Where the directory cannot hold sockets it is TCP on the loopback, encrypted with CurveZMQ when the
    kernel can. Raises `jupyter_client.kernelspec.NoSuchKernel`.
    """
    manager = AsyncKernelManager(kernel_name=kernel_name, context=context, autorestart=False)
    manager.connection_file = str(runtime_dir / "kernel.json")
    spec = manager.kernel_spec
    if serves_sockets(runtime_dir):
        manager.transport, manager.ip = "ipc", str(runtime_dir / "kernel")
    elif manager._kernel_supports_curve_encryption():  # noqa: SLF001 - the only reader of that metadata
        manager.transport_encryption = "required"
    else:
        log.warning("kernel %s: neither Unix sockets (%s) nor encryption", kernel_name, runtime_dir)
    provisioner = KeptKernelProvisioner(kernel_id="chatflow", kernel_spec=spec, parent=manager)
    provisioner.runtime_dir = runtime_dir
    provisioner.launch = launch
    manager.provisioner = provisioner
    return manager


async def start_kernel(
    manager: AsyncKernelManager, *, environment: Mapping[str, str], cwd: Path
) -> tuple[RunningKernel, AsyncKernelClient]:
    """Start the kernel of `manager` with exactly this environment; returns it and a connected client.

    History goes to memory, as in nbclient: many kernels at once would contend for one file.
    Raises `LaunchFailed`. The caller ends it with `manager.cleanup_resources()`.
    """
    arguments = ["--HistoryManager.hist_file=:memory:"] if manager.ipykernel else []
    await manager.start_kernel(extra_arguments=arguments, env=dict(environment), cwd=str(cwd))
    client = manager.client(context=manager.context)
    client.allow_stdin = False
    client.start_channels(stdin=False, hb=False)
    client.allow_stdin = False
    provisioner = manager.provisioner
    assert isinstance(provisioner, KeptKernelProvisioner)
    assert provisioner.kernel is not None
    return provisioner.kernel, client
