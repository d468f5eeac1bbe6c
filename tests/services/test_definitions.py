"""From what a caller names to a published, pinned definition; and how a slip is answered."""

from pathlib import Path

import pytest

from chatflow_jupyter.domain.errors import ChatFlowError, InvalidDefinition, InvalidInput, NotFound
from chatflow_jupyter.domain.ids import LOCAL_TENANT
from chatflow_jupyter.ports.records import DefinitionRecord
from chatflow_jupyter.runner.notebook_file import read_notebook
from chatflow_jupyter.runner.notebook_job import NotebookFailed
from chatflow_jupyter.services.definitions import phase_name_of
from chatflow_jupyter.services.validation import validate_folder
from tests.services.world import LEAF, LINEAR, NOTEBOOK, TREE, World, run

RAW = '{"cell_type": "raw", "source": ""}'
PARENT_OF_TWO = """\
name: pair
automation_level: 100
phases:
  - name: files
    children: {schema: left, items: [1]}
"""


async def resolve(world: World, named: str) -> DefinitionRecord:
    return await world.definitions.resolve(named, LOCAL_TENANT)


def refusal(world: World, named: str, kind: type[ChatFlowError]) -> str:
    with pytest.raises(kind) as caught:
        run(resolve(world, named))
    return caught.value.message


def test_a_template_is_found_by_name_alias_and_folder(world: World) -> None:
    folder = world.template("made", LINEAR.replace("name: linear", "name: linear\naliases: [line]"))
    found = [run(resolve(world, named)) for named in ("linear", "line", f"{folder}/")]
    assert len({record.reference for record in found}) == 1
    assert found[0].reference.schema_id.startswith("linear@0.0.0+dev.")


def test_an_edited_template_is_another_version_and_the_old_one_stays(world: World) -> None:
    folder = world.template("made", LINEAR)
    before = run(resolve(world, "linear"))
    (folder / "one.ipynb").write_text(NOTEBOOK.replace('"source": ""', '"source": "more"'))
    after = run(resolve(world, "linear"))
    assert before.reference.version != after.reference.version
    assert run(resolve(world, before.reference.schema_id)).reference == before.reference


def test_an_edited_child_makes_its_parent_another_version(world: World) -> None:
    world.template("made", TREE, leaf__yaml=LEAF)
    before = run(resolve(world, "tree"))
    world.template("made", TREE, leaf__yaml=LEAF.replace("look", "stare"))
    after = run(resolve(world, "tree"))
    assert before.pins["./leaf.yaml"] != after.pins["./leaf.yaml"]
    assert before.reference != after.reference


def test_a_child_may_be_another_template(world: World) -> None:
    world.template("parent", PARENT_OF_TWO)
    world.template("left", LINEAR.replace("linear", "left"))
    record = run(resolve(world, "pair"))
    assert record.pins["left"].name == "left"


def test_definitions_that_start_each_other_in_a_circle_are_refused(world: World) -> None:
    world.template("parent", PARENT_OF_TWO)
    world.template("left", PARENT_OF_TWO.replace("name: pair", "name: left").replace("left,", "pair,"))
    assert "circle: pair -> left -> pair" in refusal(world, "pair", InvalidDefinition)


def test_a_deleted_template_is_still_known_by_name(world: World) -> None:
    folder = world.template("made", LINEAR)
    before = run(resolve(world, "linear"))
    folder.rename(world.folder / "elsewhere")
    assert run(resolve(world, "linear")).reference == before.reference


def test_a_slip_in_the_name_is_answered_with_what_was_meant(world: World) -> None:
    world.template("made", LINEAR)
    assert "did you mean linear?" in refusal(world, "liner", NotFound)
    assert "`chatflow schemas` lists" in refusal(world, "qqqqqq", NotFound)


def test_an_unknown_version_names_those_there_are(world: World) -> None:
    world.template("made", LINEAR)
    known = run(resolve(world, "linear")).reference.schema_id
    assert known in refusal(world, "linear@9.9.9", NotFound)


@pytest.mark.parametrize("named", ["https://example.org/a.ipynb", "s3://b/a.ipynb", "file:///a.ipynb"])
def test_urls_are_refused_with_the_reason(world: World, named: str) -> None:
    assert "may change between two attempts" in refusal(world, named, InvalidInput)


def test_a_bare_notebook_is_a_workflow_of_one_phase(world: World, tmp_path: Path) -> None:
    notebook = tmp_path / "My Report 2.ipynb"
    notebook.write_text(NOTEBOOK)
    record = run(resolve(world, str(notebook)))
    assert [phase.name for phase in record.definition.phases] == ["my_report_2"]
    assert record.definition.automation_level == 100


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("A b-c", "a_b_c"),
        ("2024", "notebook_2024"),
        ("日本", "notebook"),
        ("context", "context_"),
        ("x" * 99, "x" * 60),
    ],
)
def test_a_phase_is_named_after_its_notebook(stem: str, name: str) -> None:
    assert phase_name_of(stem) == name


@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"cells": 3}', "{}", "[" * 100_000])
def test_what_is_no_notebook_is_refused(world: World, tmp_path: Path, content: str) -> None:
    notebook = tmp_path / "bad.ipynb"
    notebook.write_text(content)
    assert refusal(world, str(notebook), InvalidDefinition).endswith(
        "bad.ipynb: not a notebook (JSON with a list of cells)"
    )


def test_a_missing_notebook_child_or_folder_is_named(world: World, tmp_path: Path) -> None:
    folder = world.template(
        "made", LINEAR.replace("one.ipynb}\n  - {name: two", "nope.ipynb}\n  - {name: two")
    )
    assert "phase one: there is no notebook nope.ipynb" in refusal(world, f"{folder}/", InvalidDefinition)
    folder = world.template("made", TREE)
    missing = f"{folder}/definition.yaml:5: phase files: children: there is no file leaf.yaml"
    assert missing in refusal(world, f"{folder}/", InvalidDefinition)
    assert validate_folder(folder).problems == (missing,)
    assert "there is no such folder" in refusal(world, f"{tmp_path}/nowhere/", NotFound)
    assert "not a template" in refusal(world, f"{tmp_path}/", NotFound)


def test_nothing_is_published_when_any_part_is_bad(world: World) -> None:
    world.template("made", TREE, leaf__yaml="name: 3\nphases: []\n")
    refusal(world, "tree", InvalidDefinition)
    assert not run(world.definitions.all(LOCAL_TENANT))


def test_validate_lists_every_fault_of_a_folder_with_file_and_line(world: World) -> None:
    broken = LINEAR.replace("automation_level: 100", "automation_level: 101")
    folder = world.template("made", broken)
    (problem,) = validate_folder(folder).problems
    assert problem.startswith(f"{folder}/definition.yaml:2: automation_level")
    assert validate_folder(folder / "nope.yaml").problems == (
        f"{folder / 'nope.yaml'}: there is no such file",
    )
    folder = world.template("made", TREE, leaf__yaml=LEAF.replace("one.ipynb", "two.ipynb"))
    (problem,) = validate_folder(folder).problems
    assert "leaf.yaml:4: phase look: there is no notebook two.ipynb" in problem
    folder = world.template("made", LINEAR.replace("one.ipynb}", "one.ipynb, compensate: undo.ipynb}", 1))
    (problem,) = validate_folder(folder).problems
    assert problem.endswith("phase one: there is no notebook undo.ipynb")


@pytest.mark.parametrize(
    ("child", "grandchild", "circle"),
    [
        (
            "./definition.yaml",
            None,
            "definition.yaml:5: definitions start each other in a circle: pair -> pair",
        ),
        ("./c.yaml", "./definition.yaml", "circle: pair -> left -> pair"),
        ("./c.yaml", "./c.yaml", "c.yaml:5: definitions start each other in a circle: left -> left"),
    ],
)
def test_validate_finds_the_circles_that_publishing_refuses(
    world: World, child: str, grandchild: str | None, circle: str
) -> None:
    folder = world.template("parent", PARENT_OF_TWO.replace("schema: left", f"schema: {child}"))
    if grandchild is not None:
        below = PARENT_OF_TWO.replace("name: pair", "name: left").replace(
            "schema: left", f"schema: {grandchild}"
        )
        (folder / "c.yaml").write_text(below)
    (problem,) = validate_folder(folder).problems
    assert circle in problem
    assert circle.partition(" circle")[0] in refusal(world, f"{folder}/", InvalidDefinition)


SPAWNER = """\
name: spawner
automation_level: 100
phases:
  - name: plan
    notebook: one.ipynb
    spawns:
      schemas:
        - ./leaf.yaml
        - ./absent.yaml
"""


def test_what_a_notebook_may_start_is_pinned_and_what_is_missing_is_told_with_its_line(world: World) -> None:
    folder = world.template("made", SPAWNER, leaf__yaml=LEAF)
    missing = f"{folder}/definition.yaml:9: phase plan: spawns: there is no file absent.yaml"
    assert validate_folder(folder).problems == (missing,)
    assert refusal(world, f"{folder}/", InvalidDefinition) == missing
    (folder / "definition.yaml").write_text(SPAWNER.replace("./absent.yaml", "linear"))
    assert "linear: no definition or template" in refusal(world, f"{folder}/", NotFound)
    world.template("other", LINEAR)
    record = run(resolve(world, f"{folder}/"))
    assert {name: pin.name for name, pin in record.pins.items()} == {
        "./leaf.yaml": "leaf",
        "linear": "linear",
    }


def test_a_circle_through_what_notebooks_start_is_refused(world: World) -> None:
    folder = world.template(
        "made", SPAWNER, leaf__yaml=LEAF, absent__yaml=SPAWNER.replace("spawner", "absent")
    )
    (problem,) = validate_folder(folder).problems
    assert "absent.yaml:9: definitions start each other in a circle: absent -> absent" in problem
    assert "circle: spawner -> absent -> absent" in refusal(world, f"{folder}/", InvalidDefinition)


def test_two_parents_of_one_child_are_no_circle(world: World) -> None:
    both = "  - {name: more, children: {schema: ./c.yaml, items: [1]}}\n"
    folder = world.template("parent", PARENT_OF_TWO.replace("schema: left", "schema: ./b.yaml") + both)
    middle = PARENT_OF_TWO.replace("name: pair", "name: middle").replace("schema: left", "schema: ./c.yaml")
    (folder / "b.yaml").write_text(middle)
    (folder / "c.yaml").write_text(LEAF)
    assert validate_folder(folder).problems == ()
    run(resolve(world, f"{folder}/"))


def book(cells: str, rest: str = '"nbformat": 4, "nbformat_minor": 5') -> str:
    return f'{{"cells": [{cells}], {rest}}}'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (book('{"cell_type": "code"}'), "cell 1 has no source text"),
        (book(f'{RAW}, {{"cell_type": "code", "source": [1]}}'), "cell 2 has no source text"),
        (book("3"), "cell 1 is no object"),
        (book('{"cell_type": "heading", "source": ""}'), "cell 1 has no valid cell type"),
        (book('{"cell_type": "raw", "source": "", "metadata": 1}'), "cell 1 has metadata that is no object"),
        (book(""), "has no cells"),
        (book(RAW, '"metadata": {}'), "names no notebook format"),
        (book(RAW, '"nbformat": 4'), "names no minor notebook format"),
        (book(RAW, '"nbformat": 1'), "has notebook format 1, and"),
        (book(RAW, '"nbformat": 5, "nbformat_minor": 0'), "has notebook format 5, and"),
        (book(RAW, '"nbformat": "4", "nbformat_minor": 0'), 'has notebook format "4", and'),
        (book(RAW, '"nbformat": 3, "nbformat_minor": 0'), "keeps its cells where notebook format 3"),
        (book(RAW, '"nbformat": 4, "nbformat_minor": 5, "metadata": []'), "has metadata that is no object"),
        ('{"worksheets": [{"cells": [{"input": ""}]}], "nbformat": 3}', "cell 1 has no valid cell type"),
        ('{"worksheets": [3], "nbformat": 3}', "not a notebook"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "not a notebook"),
    ],
)
def test_a_notebook_that_could_not_run_is_named_before(world: World, content: str, said: str) -> None:
    folder = world.template("made", LINEAR)
    (folder / "one.ipynb").write_text(content)
    problem, _ = validate_folder(folder).problems
    assert f"one.ipynb: {said}" in problem
    assert f"one.ipynb: {said}" in refusal(world, f"{folder}/", InvalidDefinition)
    assert f"one.ipynb: {said}" in refusal(world, str(folder / "one.ipynb"), InvalidDefinition)
    with pytest.raises(NotebookFailed):  # and indeed it could not
        read_notebook(folder / "one.ipynb")


def test_a_notebook_of_format_3_is_upgraded_when_it_runs(world: World) -> None:
    folder = world.template("made", LINEAR)
    cell = '{"cell_type": "code", "input": "1", "language": "python", "outputs": [], "metadata": {}}'
    (folder / "one.ipynb").write_text(
        f'{{"worksheets": [{{"cells": [{cell}]}}], "nbformat": 3, "metadata": {{}}}}'
    )
    assert validate_folder(folder).problems == ()


@pytest.mark.parametrize(
    ("extra", "line", "said"),
    [
        (
            "parameters: {properties: {fine: {}, class: {type: string}}}\n",
            3,
            "parameter 'class': a reserved word",
        ),
        ("parameters:\n  properties:\n    None: {type: string}\n", 5, "parameter 'None': a reserved word"),
        ("parameters: {properties: {a-b: {}}}\n", 3, "parameter 'a-b': names are"),
    ],
)
def test_a_parameter_no_variable_can_be_called_after_is_refused_with_its_line(
    world: World, extra: str, line: int, said: str
) -> None:
    text = LINEAR.replace("phases:", f"{extra}phases:", 1)
    folder = world.template("made", text)
    (problem,) = validate_folder(folder).problems
    assert problem.startswith(f"{folder}/definition.yaml:{line}: {said}")
    assert said in refusal(world, f"{folder}/", InvalidDefinition)
    in_r = NOTEBOOK.replace('"metadata": {}, "nb', '"metadata": {"kernelspec": {"language": "R"}}, "nb')
    assert in_r != NOTEBOOK
    for notebook in folder.glob("*.ipynb"):
        notebook.write_text(in_r)
    assert bool(validate_folder(folder).problems) == ("a-b" in said)


def test_every_notebook_that_could_not_run_is_named_at_once(world: World) -> None:
    folder = world.template("made", LINEAR)
    text = (folder / "definition.yaml").read_text().replace("one.ipynb", "no.ipynb", 1)
    (folder / "definition.yaml").write_text(text.replace("one.ipynb", "bad.ipynb", 1))
    (folder / "bad.ipynb").write_text("{}")
    places = [problem.partition("definition.yaml:")[2] for problem in validate_folder(folder).problems]
    assert places[0].startswith("4: phase one: there is no notebook no.ipynb")
    assert places[1].startswith("5: phase two: bad.ipynb: not a notebook")
