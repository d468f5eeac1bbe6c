"""Published definitions."""

from sqlalchemy import Connection, bindparam, select

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.errors import Conflict, NotFound
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.ports.records import DefinitionRecord

from . import audit
from .definition_tables import definitions
from .rows import definition_columns, definition_of
from .statements import Statement

_THIS = (
    definitions.c.tenant_id == bindparam("tenant"),
    definitions.c.name == bindparam("named"),
    definitions.c.version == bindparam("exactly"),
)
INSERT_DEFINITION = Statement(lambda insert: insert(definitions).on_conflict_do_nothing())
SELECT_DEFINITION = Statement(select(*definitions.c).where(*_THIS))
DEFINITIONS_OF_TENANT = Statement(
    select(*definitions.c)
    .where(definitions.c.tenant_id == bindparam("tenant"))
    .order_by(definitions.c.name, definitions.c.published_at.desc(), definitions.c.version.desc())
)


def save(connection: Connection, record: DefinitionRecord, act: Act | None) -> None:
    """Store the definition unless it is there; raises `Conflict` when its version has other content."""
    if INSERT_DEFINITION.write(connection, **definition_columns(record)):
        audit.record(connection, record.tenant_id, act)
        return
    reference = record.reference
    stored = definition(connection, record.tenant_id, reference.name, reference.version)
    if stored.reference.content_hash != reference.content_hash:
        message = f"{reference.schema_id} exists with other content; publish under a new version"
        raise Conflict(message, code="version_exists")


def definition(connection: Connection, tenant_id: TenantId, name: str, version: str) -> DefinitionRecord:
    """Return that exact definition; raises `NotFound`."""
    row = SELECT_DEFINITION.run(connection, tenant=tenant_id, named=name, exactly=version).first()
    if row is None:
        raise NotFound(f"no definition {name}@{version}")
    return definition_of(row)


def definitions_of(connection: Connection, tenant_id: TenantId) -> tuple[DefinitionRecord, ...]:
    """Return the tenant's definitions, by name, the latest published first."""
    return tuple(map(definition_of, DEFINITIONS_OF_TENANT.run(connection, tenant=tenant_id)))
