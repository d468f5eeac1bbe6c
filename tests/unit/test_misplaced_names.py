"""What `validate` says of names that stand beside `properties` of a schema, where they declare nothing."""

import pytest

from chatflow_jupyter.services.validation import validate_files
from tests.services.world import NOTEBOOK

FLAT = """\
name: sum
parameters:
  month: {type: integer}
  type: object
phases:
  - name: count
    notebook: one.ipynb
    outputs:
      rows: {type: integer}
"""
MEANT = """\
name: sum
parameters:
  type: object
  properties: {month: {type: integer}, items: {type: array, items: {type: integer}}}
  patternProperties: {"^x": {type: integer}}
  additionalProperties: {type: string}
  dependentRequired: {month: [items]}
  propertyNames: {pattern: "^[a-z]"}
  not: {required: [year]}
  if: {required: [month]}
  then: {required: [items]}
  else: {properties: {other: {type: string}}}
  $defs: {day: {type: integer}}
  x-form: {wide: true}
  default: {}
phases:
  - {name: count, notebook: one.ipynb, outputs: {type: object, required: [rows]}}
"""


def warned(text: str) -> list[str]:
    found = validate_files(
        {"definition.yaml": text.encode(), "one.ipynb": NOTEBOOK.encode()}, "definition.yaml", ""
    )
    assert not found.problems
    return list(found.warnings)


def test_names_beside_properties_are_warned_of_with_their_line() -> None:
    of_parameters, of_outputs = warned(FLAT)
    assert of_parameters.startswith("definition.yaml:3: parameters: 'month' is no word of JSON Schema")
    assert of_outputs.startswith("definition.yaml:9: phase count: outputs: 'rows' is no word of JSON Schema")
    assert "below `properties`" in of_outputs


@pytest.mark.parametrize("text", [MEANT, FLAT.replace("month", "not").replace("rows", "items")])
def test_words_of_json_schema_are_not(text: str) -> None:
    assert warned(text) == []
