"""What `validate` says of phases with `cache`."""

from pathlib import Path

import pytest

from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.errors import InvalidDefinition
from chatflow_jupyter.services.validation import validate_files
from tests.services.world import LEAF, NOTEBOOK

SUM = """\
name: sum
parameters: {type: object, properties: {month: {type: integer}, table: {type: string, format: path}}}
phases:
  - name: count
    notebook: one.ipynb
    cache: inputs
"""


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (SUM + "    spawns: {schemas: [./leaf.yaml]}\n", 6, "a phase with children is always made anew"),
        (
            SUM + "    children: {schema: ./leaf.yaml, items: [1]}\n",
            6,
            "a phase with children is always made",
        ),
        (
            SUM.replace("notebook: one.ipynb", "children: {schema: ./leaf.yaml, items: [1]}"),
            6,
            "needs a `notebook`",
        ),
        (SUM.replace("cache: inputs", "cache: always"), 6, "inputs"),
    ],
)
def test_cache_where_nothing_can_be_reused_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        parse_definition(text, file="definition.yaml")
    assert any(one.startswith(f"definition.yaml:{line}:") and said in one for one in caught.value.problems)


def test_a_parameter_that_is_a_path_is_warned_of() -> None:
    files = {"definition.yaml": SUM.encode(), "one.ipynb": NOTEBOOK.encode(), "leaf.yaml": LEAF.encode()}
    found = validate_files(files, "definition.yaml", f"{Path('made')}/")
    assert not found.problems
    (warning,) = found.warnings
    assert warning.startswith(
        "made/definition.yaml:6: phase count: `cache: inputs` does not look at the bytes"
    )
    assert "parameter table," in warning
    plain = {**files, "definition.yaml": SUM.replace("    cache: inputs\n", "").encode()}
    assert not validate_files(plain, "definition.yaml", "").warnings
