"""What every test stands on: a home of its own, no setting of the person who runs it, one load table."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.limits import LIMITS, LOAD

pytest_plugins = ["pytester", "tests.tiers", "tests.debian", "tests.leftovers"]

REPOSITORY = Path(__file__).resolve().parent.parent

# Short on purpose: sockets below it must stay under 107 characters.
_HOME = Path(tempfile.mkdtemp(prefix="cf-"))


def _strangers_environment() -> None:
    """Make this process and all it starts see an empty home and none of the caller's settings."""
    for name in list(os.environ):
        foreign = name.startswith(("CHATFLOW_", "JUPYTER_", "GIT_")) and name != "CHATFLOW_TEST_LOAD"
        if foreign and not name.startswith(("CHATFLOW_TEST_", "GIT_SSL")):
            del os.environ[name]
    folders = {
        "HOME": "home",
        "XDG_CACHE_HOME": "cache",
        "XDG_CONFIG_HOME": "config",
        "JUPYTER_CONFIG_DIR": "jupyter-config",
        "JUPYTER_DATA_DIR": "jupyter-data",
        "JUPYTER_RUNTIME_DIR": "run",
        "IPYTHONDIR": "ipython",
        "CHATFLOW_HOME": "chatflow",
    }
    for name, folder in folders.items():
        path = _HOME / folder
        if name != "CHATFLOW_HOME":  # made by the product, with the rights it wants
            path.mkdir(mode=0o700)
        os.environ[name] = str(path)
    os.environ["CHATFLOW_TEMPLATE_PATH"] = str(REPOSITORY / "notebooks")
    os.environ.pop("XDG_RUNTIME_DIR", None)


_strangers_environment()

settings.register_profile(
    LOAD,
    max_examples=LIMITS.examples,
    stateful_step_count=LIMITS.steps,
    deadline=None,
    derandomize=LOAD != "large",  # the same examples for everybody; chaos looks for new ones
    database=DirectoryBasedExampleDatabase(REPOSITORY / ".cache" / "hypothesis") if LOAD == "large" else None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(LOAD)


def pytest_unconfigure() -> None:
    """Leave nothing behind in the system's temporary folder."""
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture
def chatflow_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for this test alone, not yet made."""
    home = tmp_path / "chatflow"
    monkeypatch.setenv("CHATFLOW_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of this checkout."""
    return REPOSITORY
