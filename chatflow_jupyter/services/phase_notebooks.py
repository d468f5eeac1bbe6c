"""What the notebooks of a definition need: to be there, parameters they can take, a kernel."""

import re
from collections.abc import Iterator, Mapping
from keyword import iskeyword

from chatflow_jupyter.domain.definition import Definition, Phase
from chatflow_jupyter.domain.definition_yaml import Source, read_yaml
from chatflow_jupyter.domain.errors import InvalidDefinition

from .notebook_shape import KernelWanted, check_notebook

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


def check_notebooks(
    definition: Definition, files: Mapping[str, bytes], entry: str, file: str
) -> Mapping[str, str]:
    """Return the kernel that each place names; raise `InvalidDefinition` with all that could not run.

    `file` is how the definition `entry` is shown. A place is the definition, a phase and its notebook.
    """
    problems: list[str] = []
    kernels: dict[str, str] = {}
    source = read_yaml(files[entry], file=file)
    for path, phase, notebook in _notebooks_of(definition):
        at = f"{file}:{source.line_of(path)}: phase {phase.name}"
        place, position = f"{at}: {notebook}", path[1]
        if notebook not in files:
            problems.append(f"{at}: there is no notebook {notebook}")
            continue
        try:
            wanted = check_notebook(files[notebook], place)
        except InvalidDefinition as error:
            problems += error.problems
            continue
        problems += _parameter_problems(definition, position, notebook, wanted, source, file)
        if name := phase.kernel or wanted.name:
            kernels[place] = name
    if problems:
        raise InvalidDefinition(tuple(dict.fromkeys(problems)))
    return kernels


def _notebooks_of(definition: Definition) -> Iterator[tuple[tuple[str, int, str], Phase, str]]:
    """Yield every notebook with its place in the definition and its phase: those that do, those that undo."""
    for position, phase in enumerate(definition.phases):
        for key, notebook in (("notebook", phase.notebook), ("compensate", phase.compensate)):
            if notebook is not None:
                yield ("phases", position, key), phase, notebook


def _parameter_problems(
    definition: Definition, position: int, notebook: str, wanted: KernelWanted, source: Source, file: str
) -> Iterator[str]:
    """Name every parameter that no variable of the notebook can be called after."""
    phase = definition.phases[position]
    for path, name in _parameter_names(definition, phase, position):
        line = source.line_of(path)
        if not _NAME.fullmatch(name):
            yield (
                f"{file}:{line}: parameter {name[:80]!r}: names are a letter or _, then at most 63 letters, "
                "digits or _"
            )
        elif iskeyword(name) and wanted.language == "python":
            yield (
                f"{file}:{line}: parameter {name!r}: a reserved word of Python, in which {notebook} is "
                "written; call it something else"
            )


def _parameter_names(
    definition: Definition, phase: Phase, position: int
) -> Iterator[tuple[tuple[int | str, ...], str]]:
    properties = definition.parameters.get("properties")
    for name in properties if isinstance(properties, Mapping) else ():
        yield ("parameters", "properties", name), name
    for name in phase.parameters:
        yield ("phases", position, "parameters", name), name
