"""A home of its own for every test, and nothing left running after it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """A new home; the test fails when a process of it is left."""
    product = Product(tmp_path / "home", tmp_path)
    yield product
    product.close()


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Where notebooks are made."""
    return Workshop(tmp_path)
