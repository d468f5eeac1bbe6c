"""`schemas publish`, `versions`, `deprecate` and `undeprecate`, as they are typed."""

import json

from tests.cli.program import Program


def published(chatflow: Program, version: str = "1.0.0") -> str:
    """Publish the template `gated` under that version, away from the template path; returns its schema id."""
    folder = chatflow.home.parent / f"gated-{version}"
    if not folder.exists():
        (chatflow.templates / "gated").rename(folder)
    definition = folder / "definition.yaml"
    definition.write_text(definition.read_text().replace("version: 1.0.0", f"version: {version}"))
    return str(chatflow.json("schemas", "publish", str(folder))["schema_id"])


def test_a_version_is_published_once_and_edited_under_another(chatflow: Program) -> None:
    folder = chatflow.templates / "gated"
    told = chatflow("schemas", "publish", f"{folder}/definition.yaml")
    assert told.stdout == "gated@1.0.0  published\n"
    assert f"gated alone means the template in {folder}" in told.stderr
    assert chatflow("schemas", "publish", str(folder)).stdout.endswith("is published already, like this\n")
    assert chatflow.json("schemas", "publish", str(folder))["is_new"] is False
    (folder / "first.ipynb").write_bytes((folder / "second.ipynb").read_bytes())
    refused = chatflow("schemas", "publish", str(folder), status=7).stderr
    assert refused == (
        "chatflow: gated@1.0.0 is published with other content (changed: first.ipynb); raise `version` in "
        f"{folder}/definition.yaml:3\n"
    )
    definition = folder / "definition.yaml"
    definition.write_text(definition.read_text().replace("notebook: first", "notebook: nowhere"))
    assert (
        "there is no notebook nowhere.ipynb" in chatflow("schemas", "publish", str(folder), status=2).stderr
    )
    assert "no such folder" in chatflow("schemas", "publish", "nowhere", status=6).stderr


def test_a_deprecated_version_is_refused_by_its_name_and_warned_of_by_its_number(chatflow: Program) -> None:
    assert published(chatflow) == "gated@1.0.0"
    assert chatflow.json("start", "gated")["schema_id"] == "gated@1.0.0"
    said = chatflow("schemas", "deprecate", "gated@1.0.0", "--reason", "counts twice").stdout
    assert said == "gated@1.0.0  deprecated: counts twice; unfinished instances that go on: 1\n"
    for command in (["start", "gated"], ["run", "gate"]):
        refused = chatflow(*command, status=7).stderr
        assert "every published version is deprecated" in refused
        assert "counts twice" in refused
    warned = chatflow("start", "gated@1.0.0")
    assert "chatflow: gated@1.0.0 is deprecated: counts twice" in warned.stderr
    listed = chatflow("schemas").stdout.splitlines()[-1]
    assert listed.startswith("gated ")
    assert listed.endswith(" published, deprecated")
    shown = chatflow("schemas", "gated")
    assert "first -> second" in shown.stdout
    assert "is deprecated" in shown.stderr
    (version,) = chatflow.json("schemas", "versions", "gate")
    assert version["deprecated"]["reason"] == "counts twice"
    assert (version["instances"], version["unfinished"]) == (2, 2)
    assert chatflow("schemas", "undeprecate", "gated@1.0.0").stdout == (
        "gated@1.0.0  is not deprecated any more\n"
    )
    assert chatflow.json("start", "gated")["schema_id"] == "gated@1.0.0"
    assert chatflow("schemas", "undeprecate", "gated@1.0.0", status=6).stderr.endswith("is not deprecated\n")


def test_versions_are_listed_the_newest_first(chatflow: Program) -> None:
    assert chatflow("schemas", "versions").stdout == "nothing is published\n"
    assert chatflow.json("schemas", "versions") == []
    published(chatflow)
    (chatflow.home.parent / "gated-1.0.0").rename(chatflow.home.parent / "gated-2.0.0")
    published(chatflow, "2.0.0")
    head, *rows = chatflow("schemas", "versions", "gated").stdout.splitlines()
    assert head.split() == ["VERSION", "PUBLISHED", "CONTENT", "INSTANCES", "UNFINISHED", "DEPRECATED"]
    assert [row.split()[0] for row in rows] == ["gated@2.0.0", "gated@1.0.0"]


def test_a_first_word_is_a_verb_and_options_come_before_a_name_too(chatflow: Program) -> None:
    assert json.loads(chatflow("schemas", "--json", "gate").stdout)["name"] == "gated"
    assert "FOLDER" in chatflow("schemas", "publish", status=2).stderr
    assert (
        "did you mean --reason?"
        in chatflow("schemas", "deprecate", "a@1.0.0", "--reason", "x", "--reson", "x", status=2).stderr
    )
    assert (
        "publish: no definition or template has that name"
        in chatflow("schemas", "--json", "publish", status=6).stderr
    )
