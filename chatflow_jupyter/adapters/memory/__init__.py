"""The whole state in one process's memory: for tests, and the plainest reading of the contracts."""

from .storage import MemoryStateStorage

__all__ = ["MemoryStateStorage"]
