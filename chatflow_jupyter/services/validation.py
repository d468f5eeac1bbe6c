"""Every fault of a template, told before anything is published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chatflow_jupyter.domain.definition import Definition, is_local_schema
from chatflow_jupyter.domain.definition_yaml import Source, read_yaml
from chatflow_jupyter.domain.errors import InvalidDefinition

from .bundle import read_folder
from .child_schemas import absent_schemas, file_of, places_of
from .definitions import circle_of, parse_entry
from .phase_notebooks import check_notebooks
from .templates import ENTRY

_WORDS_WITH_A_MAPPING = (
    "properties",
    "patternProperties",
    "dependentSchemas",
    "dependentRequired",
    "definitions",
    "dependencies",
    "propertyNames",
    "additionalProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "additionalItems",
    "items",
    "contains",
    "contentSchema",
    "not",
    "if",
    "then",
    "else",
    "default",
    "const",
)
"""The words of JSON Schema whose value may be a mapping, but for those that begin with `$`."""


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Every fault and warning, a line each with file and line; the kernels that sound notebooks name."""

    problems: Sequence[str] = ()
    kernels: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def validate_folder(path: Path) -> Validation:
    """Look at a template folder or definition file as publishing would, and at all of it."""
    folder, entry = (path, ENTRY) if path.is_dir() else (path.parent, path.name)
    if not (folder / entry).is_file():
        return Validation(problems=(f"{folder / entry}: there is no such file",))
    try:
        files = read_folder(folder)
    except InvalidDefinition as error:
        return Validation(problems=error.problems)
    return validate_files(files, entry, f"{folder}/")


def validate_files(files: Mapping[str, bytes], entry: str, where: str) -> Validation:
    """Look at the definition `entry` of these files, and at all it starts; faults are told below `where`."""
    problems: list[str] = []
    kernels: dict[str, str] = {}
    warnings: list[str] = []
    waiting, seen = [entry], set[str]()
    starts: dict[str, tuple[str, Mapping[str, int]]] = {}
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        try:
            definition = parse_entry(files, current, where)
            problems += absent_schemas(definition, files, current, f"{where}{current}")
            kernels |= check_notebooks(definition, files, current, f"{where}{current}")
        except InvalidDefinition as error:
            problems += error.problems
            continue
        source = read_yaml(files[current], file=f"{where}{current}")
        warnings += _declares_nothing(definition, source, f"{where}{current}")
        warnings += _paths_of_cached(definition, source, f"{where}{current}")
        children = {
            file_of(reference): source.line_of(path)
            for path, reference in places_of(definition)
            if is_local_schema(reference) and file_of(reference) in files
        }
        starts[current] = (definition.name, children)
        waiting += children
    return Validation(problems=(*problems, *_circles(starts, where)), kernels=kernels, warnings=warnings)


def _declares_nothing(definition: Definition, source: Source, file: str) -> Sequence[str]:
    """Return a line per name that stands beside `properties` instead of below: a JSON Schema ignores it."""
    schemas: list[tuple[tuple[str | int, ...], str, Mapping[str, object]]] = [
        (("parameters",), "parameters", definition.parameters)
    ]
    for position, phase in enumerate(definition.phases):
        schemas.append((("phases", position, "outputs"), f"phase {phase.name}: outputs", phase.outputs or {}))
    return [
        f"{file}:{source.line_of((*path, name))}: {place}: {name!r} is no word of JSON Schema, so it "
        "declares nothing; names with their schemas stand below `properties`"
        for path, place, schema in schemas
        for name, value in schema.items()
        if isinstance(value, Mapping)
        and name not in _WORDS_WITH_A_MAPPING
        and not name.startswith(("$", "x-"))
    ]


def _paths_of_cached(definition: Definition, source: Source, file: str) -> Sequence[str]:
    """Return a line per phase with `cache` where a parameter names a file, whose bytes are not looked at."""
    properties = definition.parameters.get("properties")
    declared = properties if isinstance(properties, Mapping) else {}
    paths = [
        name
        for name, schema in declared.items()
        if isinstance(schema, Mapping) and schema.get("format") == "path"
    ]
    return [
        f"{file}:{source.line_of(('phases', position, 'cache'))}: phase {phase.name}: `cache: inputs` does "
        f"not look at the bytes behind the parameter {', '.join(paths)}, only at the path; hand a hash "
        "or the content over from a phase before it"
        for position, phase in enumerate(definition.phases)
        if phase.cache is not None and paths
    ]


def _circles(starts: Mapping[str, tuple[str, Mapping[str, int]]], where: str) -> Sequence[str]:
    """Return a line per circle; `starts` has each file's name, and the files of its children with lines."""
    problems: list[str] = []
    told: set[str] = set()
    for first, (name, children) in starts.items():
        if name in told:
            continue
        waiting: list[tuple[str, str, tuple[str, ...]]] = [
            (f"{first}:{line}", child, (name,)) for child, line in children.items()
        ]
        seen: set[str] = set()
        while waiting:
            place, file, under = waiting.pop(0)
            if file in seen or file not in starts:
                continue
            seen.add(file)
            below = (*under, starts[file][0])
            if below[-1] == name:
                told |= {*below}
                problems.append(circle_of(f"{where}{place}", below))
                break
            waiting += [(f"{file}:{line}", child, below) for child, line in starts[file][1].items()]
    return problems
