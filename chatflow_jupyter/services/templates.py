"""Templates: folders on the template path, each shipping one definition and its notebooks."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.errors import InvalidDefinition

log = logging.getLogger(__name__)

ENTRY = "definition.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A template found on the path."""

    folder: Path
    definition: Definition

    def answers_to(self, name: str) -> bool:
        """Whether `name` is the template's name or one of its aliases."""
        return name == self.definition.name or name in self.definition.aliases


class Templates:
    """The templates on the template path; an earlier folder hides a later one of the same name."""

    def __init__(self, path: Sequence[Path]) -> None:
        """Look in these folders, in order."""
        self._path = tuple(path)

    def all(self) -> Sequence[Template]:
        """Return every readable template, by name; unreadable ones are logged and left out."""
        found: dict[str, Template] = {}
        for folder in self._path:
            for entry in sorted(folder.glob(f"*/{ENTRY}")) if folder.is_dir() else []:
                try:
                    template = Template(folder=entry.parent, definition=read_definition(entry))
                except InvalidDefinition as error:
                    log.warning("template left out: %s", error.message)
                    continue
                found.setdefault(template.definition.name, template)
        return [found[name] for name in sorted(found)]

    def find(self, name: str) -> Template | None:
        """Return the template of that name or alias, or None."""
        known = self.all()
        by_name = [template for template in known if template.definition.name == name]
        by_alias = [template for template in known if template.answers_to(name)]
        return next(iter(by_name or by_alias), None)


def read_definition(file: Path) -> Definition:
    """Read one definition file; raises `InvalidDefinition` with file and line."""
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDefinition((f"{file}:1: not UTF-8 (byte {error.start})",)) from None
    except OSError as error:
        raise InvalidDefinition((f"{file}: cannot be read: {error.strerror}",)) from None
    return parse_definition(text, file=str(file))
