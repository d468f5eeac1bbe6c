"""Runs one leased attempt: a fresh kernel under a keeper, supervised cells, and a truthful result."""

import sys

if "jsonschema" not in sys.modules and "rfc3987_syntax" not in sys.modules:
    # nbformat imports jsonschema, which tries an optional check of internationalised URLs whose
    # grammar takes 1.3 seconds to compile. Notebooks contain no such format: without it a runner
    # is ready in 0.7 seconds instead of 2.4.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # documented: makes the import fail
    import jsonschema  # noqa: F401

    del sys.modules["rfc3987_syntax"]
