"""Nothing in the repository knows the machine it was written on, or where its packages came from."""

import re
from pathlib import Path

import pytest

from tests.house.sources import files, place

# Assembled, so that this file does not hold what it looks for.
_REGISTRIES = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry.npm" + "js.org",
    "registry.yarn" + "pkg.com",
)
_FOLDERS = ("wo" + "rk", "fa" + "rm", "opt/py" + "pi", "opt/whe" + "els", "Us" + "ers")
HOST = re.compile("|".join(re.escape(name) for name in _REGISTRIES))
PLACE = re.compile(r"(?:^|[^\w.\-/])/(?:(?:" + "|".join(_FOLDERS) + r")/|ro" + r"ot/\.)")
ADDRESS = re.compile(r"https?://")
RECORDS_ADDRESSES = re.compile(
    r"(requirements.*\.(txt|in)|.*\.lock|package-lock\.json|pylock.*\.toml|\.npmrc|\.yarnrc(\.yml)?|pip\.conf)$"
)


def _text(path: Path) -> str:
    data = path.read_bytes()
    return "" if b"\0" in data[:8000] else data.decode("utf-8", errors="replace")


def _hits(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{place(path)}:{number}: {line.strip()[:120]}"
        for path in paths
        for number, line in enumerate(_text(path).splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_registry_host() -> None:
    assert _hits(HOST, list(files())) == []


def test_no_file_holds_a_path_of_the_machine_it_was_written_on() -> None:
    assert _hits(PLACE, list(files())) == []


def test_lock_and_client_files_hold_no_address() -> None:
    pins = [path for path in files() if RECORDS_ADDRESSES.search(path.as_posix().rpartition("/")[2])]
    pins += [path for path in files() if path.parent.name == "requirements"]
    assert _hits(ADDRESS, pins) == []


@pytest.mark.parametrize("line", ["cd /wo" + "rk/main", 'open("/ro' + 'ot/.config")', "/fa" + "rm/x"])
def test_a_path_of_the_machine_is_noticed(line: str) -> None:
    assert PLACE.search(line)


@pytest.mark.parametrize("line", ["the /work", "src/wo" + "rk/x", "./wo" + "rk/x", "network/x", "../farm/y"])
def test_other_paths_are_left_alone(line: str) -> None:
    assert not PLACE.search(line)
