"""The definitions a phase may start children of, as files of its template."""

from collections.abc import Iterator, Mapping

from chatflow_jupyter.domain.definition import Definition, Phase, is_local_schema
from chatflow_jupyter.domain.definition_yaml import read_yaml


def absent_schemas(
    definition: Definition, files: Mapping[str, bytes], entry: str, file: str
) -> Iterator[str]:
    """Yield a line for every definition that `entry`, shown as `file`, names and the template lacks."""
    absent = [
        (("phases", position, *path), phase, file_of(reference))
        for position, phase in enumerate(definition.phases)
        for path, reference in _references(phase)
        if is_local_schema(reference) and file_of(reference) not in files
    ]
    source = read_yaml(files[entry], file=file) if absent else None
    for place, phase, missing in absent:
        assert source is not None
        line = source.line_of(place)
        yield f"{file}:{line}: phase {phase.name}: {place[2]}: there is no file {missing}"


def places_of(definition: Definition) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Yield every definition that is named as a child, with its place in this one."""
    for position, phase in enumerate(definition.phases):
        for path, reference in _references(phase):
            yield ("phases", position, *path), reference


def file_of(reference: str) -> str:
    """Return the path inside the template that a local reference names."""
    return reference.removeprefix("./")


def _references(phase: Phase) -> Iterator[tuple[tuple[int | str, ...], str]]:
    if phase.children is not None:
        yield ("children", "schema"), phase.children.schema_ref
    if phase.spawns is not None:
        for number, reference in enumerate(phase.spawns.schemas):
            yield ("spawns", "schemas", number), reference
