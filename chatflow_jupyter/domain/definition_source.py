"""Reading a definition from YAML: every fault is reported with file and line."""

from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from .definition import Children, Definition, Gate, Phase, Quota, Retries, Route, Spawns, TriggerStart
from .definition_faults import is_about_a_key, is_echo, path_of, place, sentence
from .definition_rules import Contradictions
from .definition_yaml import MAX_SOURCE_BYTES, Source, read_yaml
from .errors import InvalidDefinition

MAX_FAULTS = 50

_MODELS: dict[str, type[BaseModel]] = {
    "": Definition,
    "quota": Quota,
    "phases": Phase,
    "retries": Retries,
    "next": Route,
    "gate": Gate,
    "start": TriggerStart,
    "children": Children,
    "spawns": Spawns,
}


def parse_definition(text: str | bytes, *, file: str) -> Definition:
    """Parse and validate YAML (bytes must be UTF-8).

    Raises `InvalidDefinition` with one `file:line: …` entry per fault, at most 50.
    """
    source = read_yaml(text, file=file)
    if not isinstance(source.value, Mapping):
        raise InvalidDefinition((f"{file}:1: a definition is a mapping with `name` and `phases`",))
    try:
        return Definition.model_validate(source.value)
    except ValidationError as error:
        faults = _faults(error, source, file)
    raise InvalidDefinition(faults)


def _faults(error: ValidationError, source: Source, file: str) -> tuple[str, ...]:
    faults: list[tuple[int, str]] = []
    for fault in error.errors(include_url=False):
        cause = fault.get("ctx", {}).get("error")
        if isinstance(cause, Contradictions):
            found = [(problem.path, problem.message) for problem in cause.problems]
        elif is_echo(fault, source.value):
            continue
        else:
            found = [(path_of(fault), sentence(fault, _MODELS))]
        for path, message in found:
            line = source.line_of(path)
            shown = place(path[:-1] if is_about_a_key(fault) else path, source.value)
            faults.append((line, f"{file}:{line}: {shown}{' '.join(message.split())}"))
    ordered = [text for _, text in sorted(dict.fromkeys(faults), key=lambda entry: entry[0])]
    more = len(ordered) - MAX_FAULTS
    return tuple(ordered if more <= 0 else [*ordered[:MAX_FAULTS], f"{file}: and {more} more faults"])


__all__ = ["MAX_SOURCE_BYTES", "parse_definition"]
