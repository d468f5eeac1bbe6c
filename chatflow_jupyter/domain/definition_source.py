"""Reading a definition from YAML: every fault is reported with file and line."""

from collections.abc import Iterable, Sequence

import yaml
from pydantic import ValidationError

from .definition import Definition
from .errors import InvalidDefinition
from .json_values import MAX_DEPTH

MAX_SOURCE_BYTES = 256 * 1024
MAX_NODES = 20_000


def parse_definition(text: str, *, file: str) -> Definition:
    """Parse and validate YAML. Raises `InvalidDefinition`, one `file:line: …` entry per fault."""
    if len(text.encode("utf-8", "replace")) > MAX_SOURCE_BYTES:
        raise InvalidDefinition((f"{file}:1: a definition may have at most {MAX_SOURCE_BYTES} bytes",))
    root = _compose(text, file)
    if not isinstance(root, yaml.MappingNode):
        raise InvalidDefinition((f"{file}:1: a definition is a mapping with `name` and `phases`",))
    _refuse_hazards(root, file)
    try:
        raw = yaml.CSafeLoader(text).get_single_data()
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidDefinition((f"{file}:1: {_one_line(str(error))}",)) from None
    try:
        return Definition.model_validate(raw)
    except ValidationError as error:
        faults = [
            f"{file}:{_line_of(root, fault['loc'])}: {_where(fault['loc'])}{_one_line(fault['msg'])}"
            for fault in error.errors(include_url=False)
            if not (fault["type"] == "too_short" and error.error_count() > 1)
        ]
        raise InvalidDefinition(tuple(dict.fromkeys(faults))) from None
    except RecursionError:
        raise InvalidDefinition((f"{file}:1: nested too deeply",)) from None


def _compose(text: str, file: str) -> yaml.Node | None:
    try:
        for token_count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise InvalidDefinition((f"{file}:{line}: YAML aliases (*{event.anchor}) are not allowed",))
            if token_count > MAX_NODES * 2:
                raise InvalidDefinition((f"{file}:1: more than {MAX_NODES} YAML nodes",))
        return yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidDefinition((f"{file}:{line}: {_one_line(error.problem or str(error))}",)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidDefinition((f"{file}:1: {_one_line(str(error))}",)) from None
    except RecursionError:
        raise InvalidDefinition((f"{file}:1: nested too deeply",)) from None


def _refuse_hazards(root: yaml.Node, file: str) -> None:
    """Refuse duplicate keys (YAML keeps the last silently), tags and absurd depth."""
    waiting: list[tuple[yaml.Node, int]] = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        line = node.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise InvalidDefinition((f"{file}:{line}: nested deeper than {MAX_DEPTH} levels",))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                name = str(key.value)
                if name in seen:
                    raise InvalidDefinition(
                        (f"{file}:{key.start_mark.line + 1}: the key {name!r} appears twice",)
                    )
                seen.add(name)
                waiting.append((value, depth + 1))
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(entry, depth + 1) for entry in node.value]


def _line_of(root: yaml.Node, location: Sequence[int | str]) -> int:
    """Return the line of the deepest node on the way to `location`."""
    node, line = root, root.start_mark.line + 1
    for part in location:
        found = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    found, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = node.value[part]
            line = found.start_mark.line + 1
        if found is None:
            continue
        node = found
    return line


def _where(location: Iterable[int | str]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    return f"{path}: " if path else ""


def _one_line(message: str) -> str:
    return " ".join(message.removeprefix("Value error, ").split())
