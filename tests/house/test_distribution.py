"""What is built holds what an installation needs: packages, types, commands, templates."""

import email
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.house.sources import PRODUCT, ROOT, files

TEMPLATES = ".data/data/share/jupyter/chatflow/templates/"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(built.glob("*.whl")))


def _sources(folder: str) -> set[str]:
    """Files below a folder of the checkout, named from there."""
    return {
        path.relative_to(ROOT / folder).as_posix() for path in files() if path.is_relative_to(ROOT / folder)
    }


def test_the_wheel_holds_every_file_of_every_package(wheel: zipfile.ZipFile) -> None:
    for package in PRODUCT:
        name = package.rpartition("/")[2]
        missing = {f"{name}/{path}" for path in _sources(package)} - set(wheel.namelist())
        assert missing == set()


def test_the_wheel_brings_the_templates(wheel: zipfile.ZipFile) -> None:
    brought = {name.partition(TEMPLATES)[2] for name in wheel.namelist() if TEMPLATES in name}
    assert brought == _sources("notebooks")


def test_the_wheel_brings_nothing_else(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist() if ".data/" not in name}
    assert {name for name in top if ".dist-info" not in name} <= {p.rpartition("/")[2] for p in PRODUCT}


def test_the_wheel_names_its_commands(wheel: zipfile.ZipFile) -> None:
    points = ConfigParser()
    points.read_string(
        wheel.read(next(n for n in wheel.namelist() if n.endswith("entry_points.txt"))).decode()
    )
    assert set(points["console_scripts"]) == {"chatflow", "jupyter-chatflow"}
    assert set(points["papermill.engine"]) == {"chatflow"}


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    about = email.message_from_bytes(wheel.read(next(n for n in wheel.namelist() if n.endswith("METADATA"))))
    assert about["Name"] == "chatflow-jupyter"
    assert about["License-Expression"] == "BSD-3-Clause"
    assert {"server", "postgres", "redis", "s3", "otel", "templates", "test"} <= set(
        about.get_all("Provides-Extra")
    )


def test_the_sdist_can_be_tested(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", ".ci/check", "requirements/test.txt", "tests/conftest.py", "pyproject.toml"} <= names


def _fresh_process(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


LOAD = """
from importlib.metadata import distribution
for point in distribution("chatflow-jupyter").entry_points.select(group="{group}"):
    point.load()
"""


def test_the_commands_load() -> None:
    _fresh_process(LOAD.format(group="console_scripts"))


@pytest.mark.parametrize("first", ["import papermill", LOAD.format(group="papermill.engine")])
def test_the_engine_loads_whoever_is_imported_first(first: str) -> None:
    """Importing papermill loads every engine: a broken one would break papermill for everybody."""
    _fresh_process(
        first + "\nfrom papermill.engines import papermill_engines\npapermill_engines.get_engine('chatflow')"
    )
