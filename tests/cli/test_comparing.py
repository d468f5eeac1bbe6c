"""`schemas diff`, as it is typed."""

import pytest

from tests.cli.program import FIRST, Program, write_notebook


@pytest.fixture
def changed(chatflow: Program) -> Program:
    """A home in which `gated@1.0.0` is published, and the template changed since."""
    folder = chatflow.templates / "gated"
    chatflow("schemas", "publish", str(folder))
    definition = folder / "definition.yaml"
    text = definition.read_text().replace("version: 1.0.0", "version: 2.0.0").replace("Double it", "Double")
    definition.write_text(text.replace("  type: object\n", "  type: object\n  required: [number, month]\n"))
    write_notebook(folder / "first.ipynb", FIRST.replace("doubled", "twice as much"), "2 + 2")
    (folder / "notes.txt").write_text("abc")
    return chatflow


def test_what_differs_is_said_in_words_cells_and_sizes(changed: Program) -> None:
    folder = changed.templates / "gated"
    lines = changed("schemas", "diff", "gated@1.0.0", f"{folder}/").stdout.splitlines()
    assert lines[0] == f"gated@1.0.0 -> {folder}"
    assert "  version: 1.0.0 -> 2.0.0" in lines
    assert "  parameter month: is required now  breaks callers" in lines
    assert "  phase first: title: Double it -> Double" in lines
    assert "    cell 1 (code) changed" in lines
    assert '      -ctx.output("headline", "it is doubled")' in lines
    assert '      +ctx.output("headline", "it is twice as much")' in lines
    assert "    cell 2 (code) added" in lines
    assert "      +2 + 2" in lines
    assert "+ notes.txt  3 B" in lines
    told = changed.json("schemas", "diff", "gated@1.0.0", "gated")
    assert {"what": "parameter month", "how": "is required now", "breaks_callers": True} in told["changes"]
    assert [(file["name"], file["change"]) for file in told["files"]] == [
        ("first.ipynb", "changed"),
        ("notes.txt", "added"),
    ]
    assert len(changed.json("schemas", "versions")) == 1, "nothing was published"


def test_a_folder_is_described_as_it_is_and_nothing_is_published(changed: Program) -> None:
    folder = changed.templates / "gated"
    told = changed("schemas", f"{folder}/").stdout.splitlines()
    assert told[0].startswith("gated 2.0.0  ")
    assert f"  where:       {folder}" in told
    assert changed.json("schemas", f"{folder}/")["where"] == str(folder)
    assert len(changed.json("schemas", "versions")) == 1, "nothing was published"


def test_an_instance_is_what_it_is_pinned_to(changed: Program) -> None:
    source = str(changed.json("start", "gated@1.0.0")["instance_id"])
    for named in (source, "last"):
        assert changed("schemas", "diff", named, "gated@1.0.0").stdout == (
            "gated@1.0.0 -> gated@1.0.0: no difference\n"
        )


def test_the_exit_status_tells_only_when_asked(changed: Program) -> None:
    assert changed("schemas", "diff", "gated", "gated@1.0.0").status == 0
    assert changed("schemas", "diff", "gated", "gated@1.0.0", "--exit-code", status=1).stdout
    assert changed("schemas", "diff", "gated", "gated", "--exit-code").status == 0


@pytest.mark.parametrize(
    ("named", "status", "said"),
    [
        ("nothing", 6, "nothing: no definition"),
        ("gated@9.0.0", 6, "no such version is published"),
        ("wfi_00000000000000000000000000", 6, "no such instance"),
        ("./nowhere/", 6, "there is no such folder"),
        ("https://example.org/x", 2, "URLs are not run"),
    ],
)
def test_what_is_not_there_is_one_line(changed: Program, named: str, status: int, said: str) -> None:
    refused = changed("schemas", "diff", "gated", named, status=status).stderr
    assert said in refused
    assert refused.count("\n") == 1
