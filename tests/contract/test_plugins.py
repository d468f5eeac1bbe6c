"""Plugins as they are installed: entry points, options, and what is said of those that cannot be loaded."""

import logging
import sys
from pathlib import Path

import pytest

from chatflow_jupyter.adapters.plugins import installed, load_plugins
from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.plugins.secret_scanner import SecretScanner
from chatflow_jupyter.plugins.style_policy import StylePolicy
from tests.contract.packages import lay

SOURCE = """
class Minding:
    def __init__(self, options):
        if set(options) - {"n"}:
            raise ValueError("unknown option 'm'; there is n")
        self.n = options.get("n", 0)

    def before(self, attempt):
        raise AssertionError("nobody calls it here")

class NoHook:
    def __init__(self, options):
        pass

def failing(options):
    raise RuntimeError("no licence")
"""


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = lay(
        tmp_path / "site",
        "somebodys_plugins",
        SOURCE,
        minding="Minding",
        nohook="NoHook",
        failing="failing",
        gone="absent",
    )
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.delitem(sys.modules, "somebodys_plugins", raising=False)
    return tmp_path / "hooks.toml"


def test_those_that_come_along_are_installed_and_not_enabled(options: Path) -> None:
    assert {"style", "secrets"} <= set(installed())
    assert load_plugins([], options) == []


def test_they_are_made_in_order_with_their_options_and_policies(options: Path) -> None:
    options.write_text('[minding]\nn = 3\n[style]\naction = "deny"\n')
    found = load_plugins([("secrets", "open"), ("minding", "closed"), ("style", "closed")], options)
    assert [(one.name, one.policy) for one in found] == [
        ("secrets", "open"),
        ("minding", "closed"),
        ("style", "closed"),
    ]
    assert isinstance(found[0].hook, SecretScanner)
    assert getattr(found[1].hook, "n", None) == 3
    assert isinstance(found[2].hook, StylePolicy)


def test_nothing_is_imported_that_is_not_enabled(options: Path) -> None:
    load_plugins([("style", "closed")], options)
    assert "somebodys_plugins" not in sys.modules


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", "the plugin 'absent' is not installed; installed are: .*secrets, style"),
        ("failing", "cannot be loaded: RuntimeError..no licence..; mend it, or take it out"),
        ("gone", "cannot be loaded: AttributeError"),
        ("nohook", "it has none of the methods before, after and process"),
    ],
)
def test_one_that_cannot_be_loaded_is_named_or_left_out_by_policy(
    options: Path, name: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidInput, match=words):
        load_plugins([(name, "closed")], options)
    with caplog.at_level(logging.WARNING):
        found = load_plugins([(name, "open"), ("style", "closed")], options)
    assert [one.name for one in found] == ["style"]
    assert "it is left out, as its policy is open" in caplog.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[minding]\nm = 1\n", r"hooks.toml: \[minding\] unknown option 'm'; there is n"),
        ("[mindign]\nn = 1\n", "hooks.toml: there is no plugin 'mindign'; installed are: "),
        ("minding = 1\n", "'minding' must be a section, such as"),
        ("[minding\n", "hooks.toml: cannot be read"),
    ],
)
def test_wrong_options_are_named_with_their_file(options: Path, text: str, words: str) -> None:
    options.write_text(text)
    with pytest.raises(InvalidInput, match=words):
        load_plugins([("minding", "closed")], options)


def test_options_of_a_plugin_that_is_not_enabled_are_left_alone(options: Path) -> None:
    options.write_text("[minding]\nm = 1\n")
    assert len(load_plugins([("style", "closed")], options)) == 1
