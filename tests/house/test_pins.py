"""The pins hold every dependency, exactly, with hashes."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.sources import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
BUILD = PROJECT["dependency-groups"]["build"]
BASE = [*PROJECT["project"]["dependencies"], *EXTRAS["templates"], *BUILD]


def pinned(name: str) -> dict[str, str]:
    """Package → version of a pin file."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return {
        canonicalize_name(match[1]): match[2] for match in re.finditer(r"^([\w.-]+)==([^\s;\\]+)", text, re.M)
    }


@pytest.mark.parametrize(("name", "wanted"), [("base.txt", BASE), ("test.txt", [*BASE, *EXTRAS["test"]])])
def test_every_dependency_is_pinned_within_its_bounds(name: str, wanted: list[str]) -> None:
    versions = pinned(name)
    wrong = {}
    for requirement in map(Requirement, wanted):
        version = versions.get(canonicalize_name(requirement.name))
        if version is None or version not in requirement.specifier:
            wrong[str(requirement)] = version
    assert wrong == {}, "run `make pins`"


@pytest.mark.parametrize("name", ["base.txt", "test.txt"])
def test_every_pin_has_a_hash(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_tests_run_what_the_demo_runs() -> None:
    tests = pinned("test.txt")
    assert {name: version for name, version in pinned("base.txt").items() if tests.get(name) != version} == {}
