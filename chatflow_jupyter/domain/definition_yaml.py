"""YAML as definitions use it: JSON with comments. Every value keeps the line it was written on.

The rules are those of YAML 1.2's core schema with nothing beside JSON: `on`, `yes` and `12:30` are text, keys
are always text, and there are no tags, aliases, merges, dates or NaN.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from .errors import InvalidDefinition
from .json_values import MAX_DEPTH, MAX_INTEGER, JsonValue

MAX_SOURCE_BYTES = 256 * 1024
MAX_VALUES = 20_000

Path: TypeAlias = tuple[int | str, ...]
_Container: TypeAlias = "dict[str, JsonValue] | list[JsonValue]"

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_TRUE, _FALSE = re.compile(r"(?:true|True|TRUE)\Z"), re.compile(r"(?:false|False|FALSE)\Z")
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A parsed text: its value and the line (from 1) of every value in it, by path."""

    value: JsonValue
    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int:
        """Return the line of the value at `path`, or of the nearest one around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


def read_yaml(text: str | bytes, *, file: str) -> Source:
    """Parse `text`; raises `InvalidDefinition` with one `file:line: …` entry."""
    content = _checked_text(text, file)
    builder = _Builder(file)
    try:
        for event in yaml.parse(content, Loader=yaml.CBaseLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _fault(file, line, _words(error)) from None
    except yaml.YAMLError as error:
        raise _fault(file, 1, f"not YAML: {' '.join(str(error).split())}") from None
    return Source(value=builder.value, lines=builder.lines)


def _checked_text(text: str | bytes, file: str) -> str:
    if len(text) > MAX_SOURCE_BYTES:
        raise _fault(file, 1, f"a definition may have at most {MAX_SOURCE_BYTES} bytes")
    try:
        encoded = text if isinstance(text, bytes) else text.encode()
        content = encoded.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _fault(file, line, "this is not UTF-8 text; save the file as UTF-8") from None
    except UnicodeEncodeError as error:
        line = error.object.count("\n", 0, error.start) + 1
        raise _fault(file, line, "the text contains a lone surrogate") from None
    if len(encoded) > MAX_SOURCE_BYTES:
        raise _fault(file, 1, f"a definition may have at most {MAX_SOURCE_BYTES} bytes")
    control = _CONTROL.search(content)
    if control is not None:
        line = content.count("\n", 0, control.start()) + 1
        raise _fault(file, line, f"the character U+{ord(control[0]):04X} is not allowed")
    return content


class _Open:
    """A mapping or list whose end has not come yet."""

    def __init__(self, container: _Container, path: Path) -> None:
        self.container = container
        self.path = path
        self.key: str | None = None


class _Builder:
    """Builds the value event by event, so that no depth of nesting can exhaust the stack."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.value: JsonValue = None
        self.lines: dict[Path, int] = {}
        self._stack: list[_Open] = []
        self._documents = 0
        self._values = 0

    def take(self, event: yaml.Event) -> None:
        """Add one event of the parser."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        for problem in self._hazards(event):
            raise _fault(self.file, line, problem)
        match event:
            case yaml.MappingStartEvent():
                self._begin({}, line)
            case yaml.SequenceStartEvent():
                self._begin([], line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._stack.pop()
            case yaml.ScalarEvent():
                self._scalar(event, line)

    def _hazards(self, event: yaml.Event) -> Iterator[str]:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                yield "a definition is one YAML document; remove what follows `---`"
        if isinstance(event, yaml.AliasEvent):
            yield f"YAML aliases (*{event.anchor}) are not allowed; write the value out"
        if isinstance(event, yaml.NodeEvent):
            self._values += 1
            if self._values > MAX_VALUES:
                yield f"more than {MAX_VALUES} YAML values"
            tag = getattr(event, "tag", None)
            if isinstance(event, yaml.ScalarEvent) and (escaped := _CONTROL.search(event.value)):
                yield f"the character U+{ord(escaped[0]):04X} is not allowed"
            if tag is not None:
                yield f"YAML tags ({tag.replace('tag:yaml.org,2002:', '!!')}) are not allowed; remove it"
        if isinstance(event, yaml.CollectionStartEvent) and len(self._stack) >= MAX_DEPTH:
            yield f"nested deeper than {MAX_DEPTH} levels"

    def _begin(self, container: _Container, line: int) -> None:
        if self._stack and self._stack[-1].key is None and isinstance(self._stack[-1].container, dict):
            raise _fault(self.file, line, "a key must be text, not a list or mapping")
        path = self._put(container, line)
        self._stack.append(_Open(container, path))

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        inside = self._stack[-1] if self._stack else None
        if inside is not None and isinstance(inside.container, dict) and inside.key is None:
            self._key(inside, event, line)
            return
        try:
            value = _plain_value(event.value) if event.style in (None, "") else event.value
        except ValueError as error:
            raise _fault(self.file, line, str(error)) from None
        self._put(value, line)

    def _key(self, inside: _Open, event: yaml.ScalarEvent, line: int) -> None:
        if event.value == "<<" and event.style in (None, ""):
            raise _fault(self.file, line, "YAML merges (<<) are not allowed; write the keys out")
        if event.value in inside.container:
            raise _fault(self.file, line, f"the key {event.value[:80]!r} appears twice")
        inside.key = event.value
        self.lines[*inside.path, event.value] = line

    def _put(self, value: JsonValue, line: int) -> Path:
        if not self._stack:
            self.value = value
            return ()
        inside = self._stack[-1]
        if isinstance(inside.container, list):
            path: Path = (*inside.path, len(inside.container))
            inside.container.append(value)
            self.lines[path] = line
        else:
            assert inside.key is not None
            path = (*inside.path, inside.key)
            inside.container[inside.key] = value
            inside.key = None
        return path


def _plain_value(text: str) -> JsonValue:
    if _NULL.match(text):
        return None
    if _TRUE.match(text):
        return True
    if _FALSE.match(text):
        return False
    if _INTEGER.match(text):
        if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
            raise ValueError(f"the integer {text[:20]}… is larger than 2^53")
        return int(text)
    if _NOT_FINITE.match(text):
        raise ValueError(f"{text} is not allowed; NaN and infinity are not JSON")
    if _FLOAT.match(text):
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(f"the number {text[:20]} is too large")
        return number
    return text


def _words(error: yaml.MarkedYAMLError) -> str:
    problem = " ".join((error.problem or str(error)).split())
    if "tab" in problem or "cannot start any token" in problem:
        return "not YAML: a tab or another character that cannot stand here; indent with spaces"
    return f"not YAML: {problem}; check the indentation, colons and quotes here"


def _fault(file: str, line: int, message: str) -> InvalidDefinition:
    return InvalidDefinition((f"{file}:{line}: {message}",))
