"""The README: one sentence, pictures of the thing working, two commands to set it up."""

import re

from tests.docs.pages import ROOT, blocks, links, text_of

README = ROOT / "README.md"


def test_two_commands_set_everything_up() -> None:
    commands = [line for block in blocks(README) for line in block.text.splitlines()]
    assert commands == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands:
        assert re.search(rf"^{command.removeprefix('make ')}:", makefile, re.MULTILINE)


def test_the_prerequisites_are_one_line() -> None:
    lines = [line for line in text_of(README).splitlines() if line.startswith("Needs ")]
    assert len(lines) == 1
    assert all(name in lines[0] for name in ("git", "make", "python3.11 with venv"))


def test_the_pictures_are_there_and_hold_no_address() -> None:
    pictures = [ROOT / link for link in links(README) if link.startswith("docs/images/")]
    assert len(pictures) == 2
    for picture in pictures:
        content = picture.read_bytes()
        assert len(content) < 400_000
        if picture.suffix == ".svg":
            assert b"http" not in content.replace(b"http://www.w3.org/2000/svg", b"")


def test_the_systems_are_named() -> None:
    assert all(name in text_of(README) for name in ("Linux", "macOS", "Windows through WSL"))
