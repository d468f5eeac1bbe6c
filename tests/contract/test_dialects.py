"""What is said to one database and not to another."""

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from chatflow_jupyter.adapters.sql.audit_tables import audit
from chatflow_jupyter.adapters.sql.dialects import likely, rarely


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        (sqlite.dialect(), "unlikely(audit.verb = 'fork') AND likely(audit.kind = 'instance')"),
        (postgresql.dialect(), "(audit.verb = 'fork') AND (audit.kind = 'instance')"),
    ],
    ids=["sqlite", "postgresql"],
)
def test_only_sqlite_is_told_how_many_rows_a_condition_leaves(dialect: Dialect, said: str) -> None:
    question = select(audit.c.position).where(
        rarely(audit.c.verb == "fork"), likely(audit.c.kind == "instance")
    )
    text = str(question.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    assert text.endswith(f"WHERE {said}")
