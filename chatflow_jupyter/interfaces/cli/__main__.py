"""`python -m chatflow_jupyter.interfaces.cli`: the same as `chatflow`."""

from chatflow_jupyter.interfaces.cli.main import entry

entry()
