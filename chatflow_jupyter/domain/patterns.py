"""Regular expressions that authors of templates write: searched in a time linear in the text.

Python's own can take longer than anybody waits: `^(a+)+$` does so on forty letters. RE2 cannot; in exchange
it has neither lookaround nor backreferences. Its syntax: https://github.com/google/re2/wiki/Syntax
"""

from collections.abc import Callable
from functools import lru_cache

MAX_SHOWN = 80


def check_pattern(pattern: str) -> None:
    """Raise `ValueError` unless `pattern` is a regular expression of RE2."""
    _searcher(pattern)


def is_found(pattern: str, text: str) -> bool:
    """Return whether `pattern` matches somewhere in `text`; raises `ValueError` like `check_pattern`."""
    return _searcher(pattern)(text)


@lru_cache(maxsize=64)  # each may hold as much as 8 MiB
def _searcher(pattern: str) -> Callable[[str], bool]:
    import re2  # needed only by definitions that have a pattern

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        compiled = re2.compile(pattern.encode(), options=options)
    except (re2.error, UnicodeEncodeError) as error:
        raise ValueError(
            f"the pattern {pattern[:MAX_SHOWN]!r} is not a regular expression of RE2 "
            f"(no lookaround, no backreferences): {_reason(error)}"
        ) from None

    def search(text: str) -> bool:
        # What is no Unicode matches nothing: RE2 reads such bytes as no character at all.
        return compiled.search(text.encode("utf-8", "surrogatepass")) is not None

    return search


def _reason(error: Exception) -> str:
    told = error.args[0] if error.args else ""
    text = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(error)
    return text[:200]
