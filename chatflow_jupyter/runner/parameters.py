"""Parameters of a notebook: infer them, check them, inject them with papermill's conventions."""

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.json_values import JsonValue, check_json
from chatflow_jupyter.runner.notebook_file import prepare, read_notebook
from chatflow_jupyter.runner.notebook_job import NotebookFailed, NotebookFailure

PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
"""A parameter's name as a whole; papermill pastes names into code as they are."""


@dataclass(frozen=True, kw_only=True)
class InferredParameter:
    """A variable of the cell tagged `parameters`: type hint, default (as source text) and help comment."""

    type_hint: str | None
    default: str
    help: str


def inferred_parameters(notebook: Path) -> Mapping[str, InferredParameter]:
    """Return the parameters a notebook declares, read from its source without starting a kernel.

    Empty when no cell is tagged `parameters`, or for a language papermill cannot inspect.
    Raises `NotebookFailed` with code `bad_notebook`.
    """
    node = read_notebook(notebook)
    declared = _first(node, "parameters")
    if declared is None:
        return {}
    from chatflow_jupyter.runner.papermill_translators import translators

    known = translators()
    try:
        found = known.papermill_translators.find_translator(*kernel_and_language(node, None)).inspect(
            node.cells[declared]
        )
    except (known.PapermillException, NotImplementedError):
        return {}
    return {
        parameter.name: InferredParameter(
            type_hint=None if parameter.inferred_type_name == "None" else parameter.inferred_type_name,
            default=parameter.default,
            help=parameter.help,
        )
        for parameter in found
    }


def kernel_and_language(notebook: NotebookNode, kernel_name: str | None) -> tuple[str, str]:
    """Return the kernel to use and its language; a notebook that names neither is Python's.

    papermill refuses such a notebook, nbclient takes the default kernel; we do as nbclient does.
    """
    metadata = notebook.metadata
    spec = metadata.get("kernelspec") or {}
    language = (metadata.get("language_info") or {}).get("name") or spec.get("language")
    return str(kernel_name or spec.get("name") or "python3"), str(language or "python")


def check_parameters(parameters: Mapping[str, JsonValue]) -> None:
    """Raise `NotebookFailed` (`bad_notebook`) unless every name is an identifier and every value JSON."""
    for name, value in parameters.items():
        if not PARAMETER_NAME.fullmatch(name):
            raise _bad(
                f"parameter {name[:80]!r}: names are a letter or _, then at most 63 letters, digits or _"
            )
        try:
            check_json(value, what=f"parameter {name}")
        except InvalidInput as error:
            raise _bad(error.message) from None


def check_injectable(notebook: Path, parameters: Mapping[str, JsonValue]) -> None:
    """Raise `NotebookFailed` (`bad_notebook`) when the notebook's language cannot take these parameters."""
    _, language = kernel_and_language(read_notebook(notebook), None)
    check_parameters(parameters)
    _refuse_reserved(parameters, language)


def inject_parameters(
    notebook: NotebookNode, parameters: Mapping[str, JsonValue], *, kernel_name: str, language: str
) -> NotebookNode:
    """Return the notebook with an `injected-parameters` cell, placed and worded as papermill does.

    Without parameters nothing is injected. Raises `NotebookFailed` for names and values that are refused,
    and for a language papermill has no translator for.
    """
    check_parameters(parameters)
    if not parameters:
        return notebook
    _refuse_reserved(parameters, language)
    from chatflow_jupyter.runner.papermill_translators import translators

    known = translators()
    values = {name: _plain(value) for name, value in parameters.items()}
    try:
        code = known.translate_parameters(kernel_name, language, values, "Parameters")
    except (known.PapermillException, NotImplementedError) as error:
        raise _bad(f"parameters cannot be injected into a notebook in {language}: {error}") from None
    _inject(notebook, code)
    notebook.metadata.papermill["parameters"] = values
    return prepare(notebook)


def _refuse_reserved(parameters: Mapping[str, JsonValue], language: str) -> None:
    if reserved := [name for name in parameters if language == "python" and keyword.iskeyword(name)]:
        raise _bad(f"parameter {reserved[0]!r}: the name is a reserved word of Python")


def _inject(notebook: NotebookNode, code: str) -> None:
    """Put a cell where papermill does: over an injected one, else after the parameters cell, else first."""
    cell = new_code_cell(source=code, metadata={"tags": ["injected-parameters"]})
    injected, declared = _first(notebook, "injected-parameters"), _first(notebook, "parameters")
    if injected is not None:
        notebook.cells[injected] = cell
    else:
        notebook.cells.insert(0 if declared is None else declared + 1, cell)


def _first(notebook: NotebookNode, tag: str) -> int | None:
    return next((number for number, cell in enumerate(notebook.cells) if tag in cell.metadata.tags), None)


def _plain(value: JsonValue) -> JsonValue:
    """Return `value` in lists and dicts: papermill writes any other sequence or mapping as a string."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def _bad(message: str) -> NotebookFailed:
    return NotebookFailed(NotebookFailure(code="bad_notebook", message=message))
