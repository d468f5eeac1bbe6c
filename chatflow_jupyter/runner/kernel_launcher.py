"""Start ipykernel so that no output is lost, and without its debugger, a quarter of its start.

ipykernel drops what it broadcasts when a listener is a thousand messages behind, and nobody hears of it. Here
it waits for its listener. Nobody attaches a debugger here.

A program of its own, run by the kernel's interpreter, which may have nothing of ours:
`python kernel_launcher.py -f CONNECTION_FILE …` instead of `python -m ipykernel_launcher -f …`.
A notebook that imports debugpy itself finds it as ever.
"""

import contextlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

IN_MEMORY = ("--HistoryManager.hist_file=:memory:",)
"""Many kernels at once would contend for one file of history."""


def main() -> None:
    """Become the kernel."""
    del sys.path[0]  # this file's folder; -m would have put the current one, which ipykernel_launcher removes
    take_its_name()
    hide_debugger()
    run(None)


def take_its_name() -> None:
    """Say that ipykernel_launcher runs this, as notebooks and libraries look for."""
    found = importlib.util.find_spec("ipykernel_launcher")
    if found is not None and found.origin is not None:
        sys.argv[0] = found.origin


def hide_debugger() -> None:
    """Let ipykernel find no debugpy; everybody else finds it as ever."""
    hidden = "debugpy" not in sys.modules
    if hidden:
        sys.modules["debugpy"] = None  # type: ignore[assignment]  # documented: makes the import fail
    with contextlib.suppress(ImportError):
        import ipykernel.debugger  # noqa: F401 - looks for debugpy once, here
    if hidden:
        del sys.modules["debugpy"]


def run(arguments: Sequence[str] | None) -> None:
    """Be a kernel with these command-line arguments, or with those of the process, until it ends."""
    application().launch_instance(arguments)


def application() -> Any:
    """Return ipykernel's application, a class, whose broadcasts wait for their listener."""
    from ipykernel.kernelapp import IPKernelApp

    if not hasattr(IPKernelApp.init_iopub, "keeps_every_message"):
        _keep_every_message(IPKernelApp)
    return IPKernelApp


def _keep_every_message(application: Any) -> None:
    """Let the socket for broadcasts wait for a slow listener instead of dropping messages."""
    import zmq

    bind = application.init_iopub

    def init_iopub(self: Any, context: Any) -> None:
        context.setsockopt(zmq.XPUB_NODROP, 1)  # for the sockets made from now on
        try:
            bind(self, context)
        finally:
            context.sockopts.pop(zmq.XPUB_NODROP, None)

    init_iopub.keeps_every_message = True  # type: ignore[attr-defined]
    application.init_iopub = init_iopub


if __name__ == "__main__":
    main()
