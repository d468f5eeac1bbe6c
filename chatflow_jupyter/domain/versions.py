"""Versions of definitions: which of them are plain, and which is newer."""

import re

from .definition import Definition

_PLAIN = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", re.ASCII)


def is_plain(version: str) -> bool:
    """Whether it is published for good; one behind a `+` is what a local folder once was."""
    return "+" not in version


def precedence(version: str) -> tuple[tuple[int, str], ...]:
    """Return what plain versions are ordered by: each number by its size, whatever its length."""
    numbers = version.partition("+")[0].split(".")
    return tuple((len(number.lstrip("0")), number.lstrip("0")) for number in numbers)


def unfit_version(definition: Definition) -> str | None:
    """Return why `definition` cannot be published under the version it names, or None."""
    if "version" not in definition.model_fields_set:
        return "version: is missing; a version to publish is written here, as 1.0.0"
    if not _PLAIN.fullmatch(definition.version):
        return f"version: {definition.version[:80]} cannot be published: write three numbers, as 1.0.0"
    return None
