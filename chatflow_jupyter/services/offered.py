"""Which of the published versions a bare name means."""

from collections.abc import Iterable, Sequence

from chatflow_jupyter.domain.errors import Conflict
from chatflow_jupyter.domain.versions import is_plain, precedence
from chatflow_jupyter.ports.records import DefinitionRecord, Deprecation


def named(known: Sequence[DefinitionRecord], name: str) -> Sequence[DefinitionRecord]:
    """Return the versions of the definition called `name`; a name wins over an alias."""
    called = [record for record in known if record.definition.name == name]
    if called:
        return called
    aliased = [record for record in known if name in record.definition.aliases]
    return [record for record in aliased if record.definition.name == aliased[0].definition.name]


def offered(versions: Sequence[DefinitionRecord], deprecations: Iterable[Deprecation]) -> DefinitionRecord:
    """Return the newest plain version that is not deprecated; without a plain one, what was run last.

    `versions` are those of one definition, the latest published first. Raises `Conflict` (code `deprecated`).
    """
    ended = {(each.name, each.version): each for each in deprecations if each.withdrawn_at is None}
    plain = [record for record in versions if is_plain(record.reference.version)]
    plain.sort(key=lambda record: precedence(record.reference.version), reverse=True)
    for record in plain:
        if (record.reference.name, record.reference.version) not in ended:
            return record
    if not plain:
        return versions[0]
    newest = plain[0].reference
    reason = ended[newest.name, newest.version].reason
    raise Conflict(
        f"{newest.name}: every published version is deprecated, the newest, {newest.schema_id}, because: "
        f"{reason}; publish a newer one, or name one exactly",
        code="deprecated",
    )
