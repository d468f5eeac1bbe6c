"""ChatFlow for Jupyter: durable workflows whose phases are notebooks."""

from chatflow_jupyter.__about__ import __version__

__all__ = ["__version__"]
