"""Whatever the pages name exists: links, files, commands, variables; and they keep to the glossary."""

import re
from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.domain import requests
from chatflow_jupyter.domain.events import EventType
from chatflow_jupyter.interfaces.cli.parser import build_parser
from tests.docs.pages import (
    DOCS,
    ROOT,
    anchors,
    blocks,
    headings,
    links,
    pages,
    place,
    prose,
    rows,
    section,
    spans,
    text_of,
)
from tests.docs.source_names import variables

PAGES = pytest.mark.parametrize("page", pages(), ids=place)
TOP_FOLDERS = ("chatflow_jupyter", "sdk", "tests", "docs", "notebooks", "benchmarks", "requirements", ".ci")
QUOTING = {"docs/reference/glossary.md", "docs/explanation/seed-map.md"}
"""Pages that quote the words of others."""


@PAGES
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), f"{place(page)}: {target}"
        if anchor:
            assert anchor in anchors(aim), f"{place(page)}: {target}"


@PAGES
def test_every_path_of_the_repository_exists(page: Path) -> None:
    named = [span for span in spans(page) if re.fullmatch(r"[\w.\-]+(/[\w.\-]+)+/?(::\w+)?", span)]
    for span in named:
        path, _, test = span.partition("::")
        if not path.startswith(tuple(f"{folder}/" for folder in TOP_FOLDERS)):
            continue
        assert (ROOT / path).exists(), f"{place(page)}: {span}"
        if test:
            assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{place(page)}: {span}"


@PAGES
def test_every_command_is_one_that_exists(page: Path) -> None:
    shown = [span for span in spans(page) if span.startswith("chatflow ")]
    shown += [
        line.strip().removeprefix("$ ")
        for block in blocks(page)
        if block.language in ("console", "shell", "yaml", "text", "")
        for line in _joined(block.text).splitlines()
        if re.match(r"\s*(\$ )?chatflow ", line)
    ]
    for line in shown:
        assert _is_command(line), f"{place(page)}: {line}"


def _joined(text: str) -> str:
    return text.replace("\\\n", " ")


def _is_command(line: str) -> bool:
    words = re.split(r"\s+[|>#;&]", line)[0].split()
    parser: Any = build_parser()
    for word in words[1:]:
        if word in parser.verbs:
            parser = parser.verbs[word]
            continue
        choices = next((action.choices for action in parser._actions if action.nargs == "A..."), None)
        if choices is None:
            break
        if word in ("--version", "--help"):
            return True
        if word not in choices:
            return False
        parser = choices[word]
    known = {option for action in parser._actions for option in action.option_strings}
    flags = {word.partition("=")[0] for word in words if word.startswith("-") and len(word) > 1}
    return flags <= known


@PAGES
def test_every_variable_is_one_the_product_reads(page: Path) -> None:
    named = set(re.findall(r"CHATFLOW_[A-Z_]*[A-Z]", text_of(page)))
    assert named - {"CHATFLOW_SECTION__NAME"} <= variables()


@PAGES
def test_every_event_named_is_one_there_is(page: Path) -> None:
    shape = re.compile(r"(Instance|Phase|Gate|Attempt|Child|Step)[A-Z]\w+")
    told = {span for span in spans(page) if shape.fullmatch(span)}
    others = {"PhaseError", "PhaseContext", *vars(requests)}
    assert told - others <= {str(kind) for kind in EventType}


@PAGES
def test_no_word_is_used_that_the_glossary_replaces(page: Path) -> None:
    if place(page) in QUOTING:
        return
    words = [
        word
        for row in rows(text_of(DOCS / "reference" / "glossary.md"))
        for word in re.findall(r"\*\*(.+?)\*\*", row[2])
    ]
    assert len(words) >= 8
    pattern = re.compile(rf"\b({'|'.join(re.escape(word) for word in words)})s?\b", re.IGNORECASE)
    assert [found[0] for found in pattern.finditer(prose(page))] == []


@PAGES
def test_headings_are_in_sentence_case(page: Path) -> None:
    for heading in headings(page):
        words = re.sub(r"`.*?`|^\d+", "", heading).split()[1:]
        shouting = [word for word in words if re.fullmatch(r"[A-Z][a-z]+", word) and word not in PROPER]
        assert not shouting, f"{place(page)}: {heading}"


PROPER = {
    *("ChatFlow", "Jupyter", "JupyterLab", "Python", "Lab", "Linux", "SQLite", "Debian", "Windows"),
    *("PhaseStarted", "PostgreSQL", "Redis"),
}


def test_every_page_is_reached_from_the_index() -> None:
    reached, waiting = set[Path](), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        for target in links(page):
            if not re.match(r"[a-z]+:|#", target):
                waiting.append((page.parent / target.partition("#")[0]).resolve())
    assert {place(page) for page in pages()} - {place(page) for page in reached} <= {"README.md"}


def test_the_way_of_a_trigger_is_six_short_files() -> None:
    text = text_of(DOCS / "explanation" / "architecture.md")
    story = text.partition("## The way of a trigger, six short files")[2].partition("\n## ")[0]
    named = re.findall(r"^\d\. `([\w/]+\.py)`", story, re.MULTILINE)
    assert len(named) == 6
    for name in named:
        lines = (ROOT / "chatflow_jupyter" / name).read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 400, name


def test_every_promise_names_a_test_that_can_fail() -> None:
    page = DOCS / "explanation" / "durability.md"
    promises = re.split(r"^(?=\*\*)", section(page, "Promised"), flags=re.MULTILINE)[1:]
    assert len(promises) >= 10
    for promise in promises:
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", promise), promise.partition("\n")[0]
