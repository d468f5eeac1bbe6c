"""Start a runner process."""

from .main import entry

entry()
