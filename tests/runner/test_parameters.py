"""Parameters are injected as papermill does, and nothing but data can be injected."""

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from chatflow_jupyter.runner.notebook import NotebookFailed, inferred_parameters
from chatflow_jupyter.runner.notebook_file import prepare
from chatflow_jupyter.runner.parameters import check_injectable, inject_parameters
from tests.runner.notebooks import run_file, write

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def injected(parameters: dict[str, Any], *, language: str = "python") -> Any:
    """Return the injected cell for these parameters."""
    notebook = prepare(new_notebook(cells=[new_code_cell("a = 1", metadata={"tags": ["parameters"]})]))
    kernel = {"python": "python3", "R": "ir"}.get(language, language)
    return inject_parameters(notebook, parameters, kernel_name=kernel, language=language).cells[1]


@given(JSON)
def test_values_round_trip(value: Any) -> None:
    cell = injected({"x": value})
    (assignment,) = ast.parse(cell.source).body
    assert isinstance(assignment, ast.Assign)
    assert ast.literal_eval(assignment.value) == value
    assert cell.metadata.tags == ["injected-parameters"]


@pytest.mark.parametrize(
    "name",
    ["x\nimport os", "x=1;y", "x y", "", "1x", "x" * 65, "é", "x.y", "x\n", "class"],
)
def test_names_that_could_carry_code_are_refused(name: str) -> None:
    with pytest.raises(NotebookFailed) as caught:
        injected({name: 1})
    assert caught.value.failure.code == "bad_notebook"
    assert "\n" not in caught.value.failure.message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**60, {1: 2}, object(), "\ud800", b"x"])
def test_values_that_are_not_json_are_refused(value: Any) -> None:
    with pytest.raises(NotebookFailed, match="parameter x"):
        injected({"x": value})


def test_other_languages_use_their_translators() -> None:
    assert injected({"x": None, "y": True}, language="R").source == "# Parameters\nx = NULL\ny = TRUE\n"
    with pytest.raises(NotebookFailed, match="cannot be injected into a notebook in brainfuck"):
        injected({"x": 1}, language="brainfuck")


def test_a_reserved_word_is_refused_where_the_language_reserves_it(tmp_path: Path) -> None:
    path = write(tmp_path, ["x = 1"])
    check_injectable(path, {"size": 1})
    with pytest.raises(NotebookFailed, match="'class': the name is a reserved word of Python"):
        check_injectable(path, {"class": 1})
    path.write_text(
        path.read_text().replace('"metadata": {}', '"metadata": {"language_info": {"name": "R"}}')
    )
    check_injectable(path, {"class": 1})


def test_injection_replaces_an_earlier_one_and_leaves_the_source_alone(tmp_path: Path) -> None:
    cells = [
        new_code_cell("size = 1\nname = 'a'", metadata={"tags": ["parameters"]}),
        new_code_cell("size = 99", metadata={"tags": ["injected-parameters"]}),
        "assert (size, name) == (7, 'a')\nassert deep == {'x': [1, None]}",
    ]
    path = write(tmp_path, cells)
    source = path.read_bytes()
    done = run_file(path, tmp_path, parameters={"size": 7, "deep": {"x": (1, None)}})

    assert done.result.error is None
    assert len(done.notebook.cells) == 3
    assert done.notebook.metadata.papermill.parameters == {"size": 7, "deep": {"x": [1, None]}}
    assert done.heard.started[1][2] == "parameters"
    assert path.read_bytes() == source


def test_inferred_parameters(tmp_path: Path) -> None:
    source = "path: str = 'x'  # where to look\nlimit = 10\nnothing = None  # type: list[int] optional"
    path = write(tmp_path, [new_code_cell(source, metadata={"tags": ["parameters"]})])
    found = inferred_parameters(path)

    assert found["path"].type_hint == "str"
    assert (found["path"].default, found["path"].help) == ("'x'", "where to look")
    assert (found["limit"].type_hint, found["limit"].default) == (None, "10")
    assert found["nothing"].type_hint == "list[int]"
    assert inferred_parameters(write(tmp_path, ["x = 1"])) == {}
    path = write(tmp_path, [""], kernelspec={"name": "ir", "language": "R", "display_name": "R"})
    assert inferred_parameters(path) == {}
