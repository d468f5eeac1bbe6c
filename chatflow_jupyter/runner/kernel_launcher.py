"""Start ipykernel without its debugger, which nobody attaches to here and which is a quarter of its start.

A program of its own, run by the kernel's interpreter, which may have nothing of ours:
`python kernel_launcher.py -f CONNECTION_FILE …` instead of `python -m ipykernel_launcher -f …`.
A notebook that imports debugpy itself finds it as ever.
"""

import contextlib
import importlib.util
import sys


def main() -> None:
    """Become the kernel."""
    del sys.path[0]  # this file's folder; -m would have put the current one, which ipykernel_launcher removes
    found = importlib.util.find_spec("ipykernel_launcher")
    if found is not None and found.origin is not None:
        sys.argv[0] = found.origin  # where notebooks and libraries look for who runs them
    hidden = "debugpy" not in sys.modules
    if hidden:
        sys.modules["debugpy"] = None  # type: ignore[assignment]  # documented: makes the import fail
    with contextlib.suppress(ImportError):
        import ipykernel.debugger  # noqa: F401 - looks for debugpy once, here
    if hidden:
        del sys.modules["debugpy"]

    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()
