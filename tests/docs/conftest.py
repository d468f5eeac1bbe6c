"""The marker of tests that follow a page of the documentation word for word."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker here, beside the tests that use it."""
    config.addinivalue_line("markers", "docs: plays the commands of a page in a real shell")
