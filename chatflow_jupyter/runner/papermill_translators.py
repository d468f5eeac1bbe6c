"""papermill's translation of parameters into code, without the rest of papermill.

Importing the package brings its engines, requests and the client of every cloud that is installed: 0.3 s and
more, before a notebook's first cell. Its translators need none of that, so they are loaded under a name of
our own, from papermill's own files.
"""

import importlib
import importlib.machinery
import importlib.util
import sys
from types import ModuleType

PACKAGE = "_papermill_translators"


def translators() -> ModuleType:
    """Return the module `papermill.translators`: the real one when papermill is there anyway."""
    if "papermill" in sys.modules:
        return importlib.import_module("papermill.translators")
    if PACKAGE not in sys.modules:
        found = importlib.util.find_spec("papermill")
        assert found is not None, "papermill is a dependency"
        shell = importlib.machinery.ModuleSpec(PACKAGE, None, is_package=True)
        shell.submodule_search_locations = found.submodule_search_locations
        sys.modules[PACKAGE] = importlib.util.module_from_spec(shell)
    return importlib.import_module(f"{PACKAGE}.translators")
