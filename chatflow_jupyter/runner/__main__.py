"""Start a runner process."""

from chatflow_jupyter.quick_start import leave_out_costly_imports

leave_out_costly_imports()

from .main import entry  # noqa: E402 - after what it is not to import

entry()
