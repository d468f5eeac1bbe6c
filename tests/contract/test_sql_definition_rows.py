"""What is written of a definition is read again, with everything there can be in one."""

from datetime import UTC, datetime

from chatflow_jupyter.adapters.sql import rows
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.instance import DefinitionRef
from chatflow_jupyter.ports.records import DefinitionRecord
from tests.contract.test_sql_rows import row

CONDITION = {
    "any": [
        {"not": {"field": "context.n", "operator": ">", "value": 1}},
        {"field": "collect.n", "operator": "in", "value": [1, 2]},
    ]
}
EVERYTHING = {
    "name": "review",
    "version": "1.2.3+dev.abc",
    "aliases": ["r"],
    "parameters": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}},
    "quota": {"max_duration_sec": 60, "max_children": 3},
    "phases": [
        {
            "name": "collect",
            "notebook": "c.ipynb",
            "retries": {"max_attempts": 3, "on": ["timeout"]},
            "fallback": "other",
        },
        {
            "name": "wait",
            "notebook": "w.ipynb",
            "start": {"on_trigger": {"schema": {"type": "object"}}},
            "when": CONDITION,
        },
        {"name": "bare", "notebook": "w.ipynb", "start": "on_trigger"},
        {
            "name": "files",
            "children": {
                "schema": "./c.yaml",
                "foreach": "collect.files",
                "key": {"field": "item.key"},
            },
        },
        {
            "name": "listed",
            "children": {"schema": "child@1.0.0", "items": [1, {"a": 2}]},
            "next": [{"when": CONDITION, "to": "end"}],
        },
        {
            "name": "other",
            "notebook": "o.ipynb",
            "gate": {"auto": CONDITION, "expires_sec": 5, "schema": {"type": "object"}},
        },
    ],
}


def test_definitions_with_everything_in_them() -> None:
    record = DefinitionRecord(
        tenant_id="local",  # type: ignore[arg-type]
        reference=DefinitionRef(name="review", version="1.2.3+dev.abc", content_hash="a" * 64),  # type: ignore[arg-type]
        definition=Definition.model_validate(EVERYTHING),
        bundle_sha256="b" * 64,  # type: ignore[arg-type]
        entry="definition.yaml",
        pins={"./c.yaml": DefinitionRef(name="c", version="0.0.0", content_hash="c" * 64)},  # type: ignore[arg-type]
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert rows.definition_of(row(rows.definition_columns(record))) == record
