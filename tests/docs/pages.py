"""Reading the pages of `docs/`: their text, tables, links, code and inline names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^( *)(`{3,})(\w*)[^\n]*\n(.*?)^ *\2`*[ ]*$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#{1,6}) +(.*?) *$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of code: its language and text, and the line it begins on."""

    language: str
    text: str
    line: int


@cache
def pages() -> tuple[Path, ...]:
    """Every page: those of `docs/` and the README."""
    return (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))


def place(page: Path) -> str:
    """The page's path as people write it."""
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    """The whole page."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> tuple[Block, ...]:
    """The page's fenced blocks, in order."""
    text = text_of(page)
    return tuple(
        Block(
            language=found[3], text=_dedent(found[4], found[1]), line=text.count("\n", 0, found.start()) + 1
        )
        for found in _FENCE.finditer(text)
    )


def prose(page: Path) -> str:
    """The page without fenced blocks and inline code: what is said in our own words."""
    return _SPAN.sub(" ", _FENCE.sub("", text_of(page)))


def spans(page: Path) -> tuple[str, ...]:
    """The inline code of the page."""
    return tuple(" ".join(found[2].split()) for found in _SPAN.finditer(_FENCE.sub("", text_of(page))))


def links(page: Path) -> tuple[str, ...]:
    """The targets of the page's links."""
    return tuple(_LINK.findall(_SPAN.sub(" ", _FENCE.sub("", text_of(page)))))


def anchors(page: Path) -> frozenset[str]:
    """The headings of the page as GitHub turns them into anchors."""
    text = _FENCE.sub("", text_of(page))
    return frozenset(_anchor(heading) for _, heading in _HEADING.findall(text))


def headings(page: Path) -> tuple[str, ...]:
    """The headings of the page, without their marks."""
    return tuple(heading for _, heading in _HEADING.findall(_FENCE.sub("", text_of(page))))


def section(page: Path, heading: str) -> str:
    """The text under `heading` up to the next one of the same or a higher level."""
    text = text_of(page)
    for found in _HEADING.finditer(text):
        if found[2] == heading:
            level = len(found[1])
            rest = text[found.end() :]
            end = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
            return rest[: end.start()] if end else rest
    raise AssertionError(f"{place(page)} has no heading {heading!r}")


def rows(text: str) -> tuple[tuple[str, ...], ...]:
    """The body rows of every table in `text`, cell by cell."""
    return tuple(_rows(text))


def plain(cell: str) -> str:
    """A cell without the marks of code."""
    return cell.replace("`", "").strip()


def generated(page: Path, name: str) -> str:
    """What stands between `<!-- begin NAME -->` and `<!-- end NAME -->`."""
    found = re.search(rf"<!-- begin {name} -->\n(.*?)\n<!-- end {name} -->", text_of(page), re.DOTALL)
    assert found, f"{place(page)} has no generated part {name!r}"
    return found[1]


def put_generated(page: Path, name: str, content: str) -> None:
    """Replace what stands between the marks of `name`."""
    generated(page, name)
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    head, _, rest = text_of(page).partition(begin)
    page.write_text(f"{head}{begin}\n{content}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


def _rows(text: str) -> Iterator[tuple[str, ...]]:
    header = True
    for line in text.splitlines():
        if not line.lstrip().startswith("|"):
            header = True
        elif re.fullmatch(r"[|:\- ]+", line.strip()):
            header = False
        elif not header:
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            yield tuple(cell.replace("\\|", "|").strip() for cell in cells)


def _dedent(text: str, indent: str) -> str:
    return "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))


def _anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.strip().replace(" ", "-")
