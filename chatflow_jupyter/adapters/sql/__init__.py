"""The state in a relational database: SQLAlchemy Core, named statements, one file per aggregate."""

from .sqlite_file import open_sqlite
from .storage import DatabaseStateStorage

__all__ = ["DatabaseStateStorage", "open_sqlite"]
