"""The files of the sample repository, at base and what the change makes of them."""

from __future__ import annotations

import json

_PRICING_BASE = '''\
"""Prices in cents."""

BULK_FROM = 200


def discount_percent(quantity: int) -> int:
    """Return the discount for `quantity` pieces of one article."""
    if quantity > BULK_FROM:
        return 10
    return 0


def shipping_cents(weight_grams: int, express: bool = False) -> int:
    """Return what sending a parcel costs."""
    cents = 490 if weight_grams <= 2000 else 890
    return cents + 700 if express else cents


def quote(unit_cents: int, quantity: int) -> dict[str, int]:
    """Return what `quantity` pieces cost, before and after the discount."""
    full = unit_cents * quantity
    percent = discount_percent(quantity)
    return {"full": full, "percent": percent, "total": full - full * percent // 100}
'''

_PRICING_HEAD = '''\
"""Prices in cents."""

from dataclasses import dataclass

BULK_FROM = 100
ABROAD_CENTS = 1200


@dataclass(frozen=True)
class Quote:
    """What an order line costs, before and after the discount."""

    full: int
    percent: int
    total: int


def discount_percent(quantity: int) -> int:
    """Return the discount for `quantity` pieces of one article."""
    if quantity >= 5 * BULK_FROM:
        return 15
    if quantity >= BULK_FROM:
        return 10
    return 0


def shipping_cents(weight_grams: int, country: str, express: bool = False) -> int:
    """Return what sending a parcel to `country` costs."""
    cents = 490 if weight_grams <= 2000 else 890
    if country != "DE":
        cents += ABROAD_CENTS
    return cents + 700 if express else cents


def quote(unit_cents: int, quantity: int) -> Quote:
    """Return what `quantity` pieces cost, before and after the discount."""
    full = unit_cents * quantity
    percent = discount_percent(quantity)
    return Quote(full=full, percent=percent, total=full - full * percent // 100)
'''

_ORDERS_BASE = '''\
"""Orders of the shop."""

from shop.pricing import quote, shipping_cents


def order_total(lines: list[tuple[int, int]], weight_grams: int) -> int:
    """Return the cents an order costs; a line is (cents a piece, pieces)."""
    goods = sum(quote(cents, pieces)["total"] for cents, pieces in lines)
    return goods + shipping_cents(weight_grams)
'''

_ORDERS_HEAD = '''\
"""Orders of the shop."""

from shop.pricing import quote, shipping_cents

FREE_SHIPPING_FROM = 20000


def order_total(lines: list[tuple[int, int]], weight_grams: int, country: str = "DE") -> int:
    """Return the cents an order costs; a line is (cents a piece, pieces)."""
    goods = sum(quote(cents, pieces).total for cents, pieces in lines)
    if goods > FREE_SHIPPING_FROM and country == "DE":
        return goods
    return goods + shipping_cents(weight_grams, country)
'''

_LABELS = '''\
"""Parcel labels, printed once a day by the warehouse."""

from shop.pricing import shipping_cents


def label(name: str, weight_grams: int) -> str:
    """Return the text of a parcel label."""
    postage = shipping_cents(weight_grams, express=True)
    return f"{name}\\nEXPRESS  {weight_grams} g  {postage / 100:.2f} EUR"
'''

_STOCK = '''\
"""What is in the warehouse."""

PRICES = {"mug": 950, "pot": 2400, "tea": 450}


def cheapest() -> str:
    """Return the article that costs least."""
    return min(PRICES, key=PRICES.__getitem__)
'''

_TEST_PRICING_BASE = """\
import unittest

from shop.pricing import discount_percent, quote, shipping_cents


class PricingTest(unittest.TestCase):
    def test_no_discount_for_a_few(self):
        self.assertEqual(discount_percent(3), 0)

    def test_discount_for_many(self):
        self.assertEqual(discount_percent(300), 10)

    def test_shipping(self):
        self.assertEqual(shipping_cents(500), 490)
        self.assertEqual(shipping_cents(5000, express=True), 1590)

    def test_quote(self):
        self.assertEqual(quote(950, 2)["total"], 1900)
"""

_TEST_PRICING_HEAD = """\
import unittest

from shop.pricing import discount_percent, quote, shipping_cents


class PricingTest(unittest.TestCase):
    def test_no_discount_for_a_few(self):
        self.assertEqual(discount_percent(3), 0)

    def test_discount_for_many(self):
        self.assertEqual(discount_percent(300), 10)

    def test_discount_for_very_many(self):
        self.assertEqual(discount_percent(500), 15)
        self.assertEqual(discount_percent(499), 10)

    def test_shipping(self):
        self.assertEqual(shipping_cents(500, "DE"), 490)
        self.assertEqual(shipping_cents(2000, "DE"), 490)
        self.assertEqual(shipping_cents(5000, "DE", express=True), 1590)
        self.assertEqual(shipping_cents(500, "FR"), 1690)

    def test_quote(self):
        self.assertEqual(quote(950, 2).total, 1900)
        self.assertEqual(quote(950, 2).full, 1900)
        self.assertEqual(quote(100, 300).percent, 10)
        self.assertEqual(quote(100, 300).total, 27000)
"""

_TEST_ORDERS_BASE = """\
import unittest

from shop.orders import order_total


class OrdersTest(unittest.TestCase):
    def test_total(self):
        self.assertEqual(order_total([(950, 2), (450, 1)], 700), 2840)
"""

_TEST_ORDERS_HEAD = """\
import unittest

from shop.orders import order_total


class OrdersTest(unittest.TestCase):
    def test_total(self):
        self.assertEqual(order_total([(950, 2), (450, 1)], 700), 2840)

    def test_large_order_is_sent_for_nothing(self):
        self.assertEqual(order_total([(2400, 10)], 700), 24000)
        self.assertEqual(order_total([(6667, 3)], 700), 20001)
        self.assertEqual(order_total([(2000, 10)], 700), 20490)

    def test_abroad(self):
        self.assertEqual(order_total([(950, 2)], 700, "FR"), 3590)
        self.assertEqual(order_total([(2400, 10)], 700, "FR"), 25690)
"""

_README = """\
# Shop

Prices, orders and parcel labels of a small tea shop.

    python -m unittest
"""

_FIND_THE_SHOP = "import sys\n\nsys.path.insert(0, '..')"


def _notebook(title: str, *cells: str) -> str:
    markdown = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {title}"}
    code: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(cells, start=1)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {
        "cells": [markdown, *code],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(book, indent=1) + "\n"


_MONTHLY_REPORT = _notebook(
    "What we sold in February",
    f"{_FIND_THE_SHOP}\n\nfrom shop.pricing import quote",
    'sold = {"mug": (950, 120), "pot": (2400, 8), "tea": (450, 310)}',
    'turnover = sum(quote(cents, pieces)["total"] for cents, pieces in sold.values())\n'
    'print(f"turnover: {turnover / 100:.2f} EUR")',
)

_PRICE_LIST = _notebook(
    "Price list",
    f"{_FIND_THE_SHOP}\n\nfrom shop.pricing import discount_percent\nfrom shop.stock import PRICES",
    "for article, cents in PRICES.items():\n"
    '    print(f"{article:5} {cents / 100:6.2f} EUR, 300 pieces: {discount_percent(300)} % off")',
)

BASE_FILES: dict[str, str] = {
    "README.md": _README,
    ".gitignore": "__pycache__/\n",
    "shop/__init__.py": '"""A small tea shop."""\n',
    "shop/pricing.py": _PRICING_BASE,
    "shop/orders.py": _ORDERS_BASE,
    "shop/labels.py": _LABELS,
    "shop/stock.py": _STOCK,
    "tests/__init__.py": "",
    "tests/test_pricing.py": _TEST_PRICING_BASE,
    "tests/test_orders.py": _TEST_ORDERS_BASE,
    "notebooks/monthly_report.ipynb": _MONTHLY_REPORT,
    "notebooks/price_list.ipynb": _PRICE_LIST,
}
"""Every file at base, by its path in the repository."""

HEAD_FILES: dict[str, str] = {
    "shop/pricing.py": _PRICING_HEAD,
    "shop/orders.py": _ORDERS_HEAD,
    "tests/test_pricing.py": _TEST_PRICING_HEAD,
    "tests/test_orders.py": _TEST_ORDERS_HEAD,
}
"""The files the change rewrites."""
