"""Notebooks run alike in kernels that are started and in kernels that are forked."""

from collections.abc import Iterator

import pytest

from tests.runner import notebooks
from tests.runner.forking import pooled


@pytest.fixture(params=["started", "forked"])
def each_way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once with each kind of kernel."""
    if request.param == "forked":
        notebooks.STARTED.append(pooled)
    yield request.param
    if request.param == "forked":
        notebooks.STARTED.pop()
