"""What processes that are ours alone leave out when they start."""

import sys
from types import ModuleType
from typing import cast

COSTLY = ("rfc3987_syntax", "isoduration")
"""Optional checks of formats that jsonschema imports when they happen to be installed.

Nobody here asks for them, and importing the first compiles the grammar of internationalised URLs: 1.3 s.
"""


def leave_out_costly_imports() -> None:
    """Keep jsonschema, which nbformat imports too, from importing those checks in this process."""
    for name in COSTLY:
        sys.modules.setdefault(name, cast("ModuleType", None))  # documented: makes the import fail
