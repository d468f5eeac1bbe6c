"""What the caller typed after -p, -y, -f and --context, as the initial context of an instance.

A value is typed by the declared schema, then by what papermill infers from the notebook, then as JSON, else
it is a string. Later ones win: --context, then -f, then -y, then -p.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.json_values import (
    MAX_BYTES,
    JsonObject,
    JsonValue,
    check_json,
    decode_json,
    decode_object,
    type_name,
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_NO_JSON = object()
MAX_COMBINATIONS = 256


def is_name(text: str) -> bool:
    """Return whether `text` is a parameter's name in any notebook."""
    return _NAME.fullmatch(text) is not None


class Typing:
    """Turns the text of a parameter into a value of its declared or inferred type."""

    def __init__(self, schema: JsonObject, hints: Mapping[str, str | None]) -> None:
        """Type by the properties of `schema` first, then by papermill's type `hints`."""
        properties = schema.get("properties")
        self._properties: JsonObject = properties if isinstance(properties, Mapping) else {}
        self._hints = hints

    def value(self, name: str, text: str, *, flag: str = "-p") -> JsonValue:
        """Return the value of parameter `name`; raises `InvalidInput` naming the type it should have."""
        declared = self._types(name)
        if declared:
            return _declared(f"{flag} {name}", text, declared)
        hint = self._hints.get(name)
        if hint:
            return _hinted(f"{flag} {name}", text, hint)
        return _guessed(text)

    @property
    def paths(self) -> Mapping[str, JsonValue]:
        """The parameters that are places on this machine (`format: path`), with their defaults."""
        return {
            name: declared.get("default")
            for name, declared in self._properties.items()
            if isinstance(declared, Mapping) and declared.get("format") == "path"
        }

    def _types(self, name: str) -> tuple[str, ...]:
        declared = self._properties.get(name)
        if not isinstance(declared, Mapping):
            return ()
        kinds = declared.get("type")
        if isinstance(kinds, str):
            return (kinds,)
        if isinstance(kinds, (list, tuple)):
            return tuple(str(kind) for kind in kinds)
        choices = declared.get("enum")
        if isinstance(choices, (list, tuple)) and choices and all(isinstance(one, str) for one in choices):
            return ("string",)
        return ()


def contexts_of(options: argparse.Namespace, typing: Typing) -> list[dict[str, JsonValue]]:
    """Return the initial contexts the command line asks for: one, or one per combination of --matrix."""
    base: dict[str, JsonValue] = {}
    if options.context:
        base |= decode_object(_read(options.context, "--context"), what=f"--context {options.context}")
    for file in options.parameters_file:
        base |= _yaml_mapping(_read(file, "-f"), f"-f {file}")
    for text in options.parameters_yaml:
        base |= _yaml_mapping(text, "-y")
    for entry in options.parameter:
        name, text = _split(entry, "-p")
        base[name] = typing.value(name, text)
    matrix = [_matrix_entry(entry, typing) for entry in getattr(options, "matrix", [])]
    combinations = [dict(pairs) for pairs in itertools.product(*matrix)]
    if len(combinations) > MAX_COMBINATIONS:
        raise InvalidInput(
            f"--matrix: {len(combinations)} combinations are more than the {MAX_COMBINATIONS} allowed"
        )
    return [_placed({**base, **combination}, typing) for combination in combinations]


def changes_of(options: argparse.Namespace, typing: Typing) -> dict[str, JsonValue]:
    """Return only what was typed with -p; relative places among it are made absolute."""
    changes = {name: typing.value(name, text) for name, text in (_split(e, "-p") for e in options.parameter)}
    return {name: value for name, value in _placed(dict(changes), typing).items() if name in changes}


def read_data(text: str | None) -> JsonObject:
    """Return the JSON object given to --data, inline or as `@FILE`."""
    if text is None:
        return {}
    if text.startswith("@"):
        return decode_object(_read(text[1:], "--data"), what=f"--data {text}")
    return decode_object(text, what="--data")


def _placed(context: dict[str, JsonValue], typing: Typing) -> dict[str, JsonValue]:
    """Make relative places absolute: the notebooks run in a folder of their own."""
    for name, default in typing.paths.items():
        value = context.get(name, default)
        if isinstance(value, str) and value:
            context[name] = str(Path(value).expanduser().absolute())
    return context


def _split(entry: str, flag: str) -> tuple[str, str]:
    name, equals, text = entry.partition("=")
    if not equals:
        raise InvalidInput(f"{flag} {entry!r}: write NAME=VALUE")
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{flag} {name!r}: a name is a letter or _ and at most 63 letters, digits or _")
    if text.startswith("@"):
        text = _read(text[1:], f"{flag} {name}").removesuffix("\n")
    return name, text


def _matrix_entry(entry: str, typing: Typing) -> list[tuple[str, JsonValue]]:
    name, text = _split(entry, "--matrix")
    values = _between_commas(text)
    if not all(values):
        raise InvalidInput(f"--matrix {entry!r}: write NAME=A,B with a value between commas")
    return [(name, typing.value(name, value, flag="--matrix")) for value in values]


def _between_commas(text: str) -> list[str]:
    """Split at commas, but not at those within JSON lists, objects and texts."""
    values: list[str] = []
    rest = text.strip()
    while True:
        end = rest.find(",")
        if rest.startswith(("[", "{", '"')):
            with contextlib.suppress(ValueError, RecursionError):
                length = json.JSONDecoder().raw_decode(rest)[1]
                behind = rest[length:].lstrip()
                if not behind or behind.startswith(","):
                    end = rest.find(",", length)
        if end < 0:
            return [*values, rest]
        values.append(rest[:end].strip())
        rest = rest[end + 1 :].strip()


def _read(file: str, flag: str) -> str:
    """Return the text of a regular file; a device or a pipe may never end, whatever size it claims."""
    path = Path(file).expanduser()
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise InvalidInput(f"{flag}: {file} is not a regular file")
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InvalidInput(f"{flag}: {file} has more than the {MAX_BYTES} bytes allowed")
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{flag}: {file} is not UTF-8 (byte {error.start})") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"{flag}: {file} cannot be read: {reason}") from None


def _yaml_mapping(text: str, what: str) -> dict[str, JsonValue]:
    import yaml

    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise InvalidInput(f"{what}: YAML aliases (*{event.anchor}) are not allowed")
        value = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{what}: {' '.join(str(error).split())}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput(f"{what}: expected a mapping of parameters, got {type_name(value)}")
    check_json(value, what=what)
    for name in value:
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                f"{what}: {name!r}: a name is a letter or _ and at most 63 letters, digits or _"
            )
    return dict(value)


def _declared(what: str, text: str, kinds: tuple[str, ...]) -> JsonValue:
    """Return the first reading of `text` that one of the declared types allows; strings last."""
    for kind in sorted(kinds, key=lambda kind: kind == "string"):
        value = _READERS.get(kind, _guess_json)(text)
        if value is not _NO_JSON:
            check_json(value, what=what)
            return value  # type: ignore[return-value]  # just checked
    raise InvalidInput(f"{what}={text[:80]}: expected {' or '.join(map(_worded, kinds))}")


def _hinted(what: str, text: str, hint: str) -> JsonValue:
    outer = hint.split("[", maxsplit=1)[0].rsplit(".", 1)[-1].lower()
    kind = _HINTS.get(outer)
    return _guessed(text) if kind is None else _declared(what, text, (kind,))


def _guessed(text: str) -> JsonValue:
    value = _guess_json(text)
    return text if value is _NO_JSON else value  # type: ignore[return-value]  # the marker never leaves


def _guess_json(text: str) -> object:
    """Read JSON, and the three words papermill's users write as Python does."""
    python = {"True": True, "False": False, "None": None}
    if text in python:
        return python[text]
    try:
        return decode_json(text)
    except InvalidInput:
        return _NO_JSON


def _boolean(text: str) -> object:
    return {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}.get(
        text.lower(), _NO_JSON
    )


def _of(*types: type) -> Callable[[str], object]:
    def read(text: str) -> object:
        value = _guess_json(text)
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        return value if fits else _NO_JSON

    return read


def _integer(text: str) -> object:
    value = _guess_json(text)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else _NO_JSON


def _worded(kind: str) -> str:
    article = "an" if kind in ("integer", "object", "array") else "a"
    words = {"boolean": "true or false", "null": "null", "array": "a JSON list", "object": "a JSON object"}
    return words.get(kind, f"{article} {kind}")


_READERS: Mapping[str, Callable[[str], object]] = {
    "string": lambda text: text,
    "boolean": _boolean,
    "integer": _integer,
    "number": _of(int, float),
    "array": _of(list),
    "object": _of(dict),
    "null": lambda text: None if text.lower() in ("null", "none") else _NO_JSON,
}
_HINTS = {
    "str": "string",
    "bool": "boolean",
    "int": "integer",
    "float": "number",
    "list": "array",
    "tuple": "array",
    "dict": "object",
    "mapping": "object",
    "sequence": "array",
}
