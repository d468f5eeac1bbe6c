"""A command stopped with Ctrl-Z drives nothing; gone on with, it does no harm and tells the truth."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.product import Product
from tests.acceptance.terminals import Terminal
from tests.acceptance.workflows import Workshop
from tests.waiting import until

Open = Callable[..., Terminal]


@pytest.fixture
def opened(product: Product) -> Iterator[Open]:
    """Open terminals, and close them at the end."""
    terminals: list[Terminal] = []

    def open_terminal(*arguments: str | Path) -> Terminal:
        terminals.append(Terminal(product, *arguments))
        return terminals[-1]

    yield open_terminal
    for terminal in terminals:
        terminal.close()


def stopped_in_a(product: Product, workshop: Workshop, opened: Open) -> tuple[Terminal, str]:
    """Run the job in a terminal and press Ctrl-Z in the second cell of A."""
    terminal = opened("run", workshop.approval())
    until(lambda: workshop.marks["a2"], what="the second cell of A runs")
    terminal.stop()
    until(lambda: "[shell: 148]" in terminal.shown, what="the shell has its terminal back")
    return terminal, product.instances()[0][0]


def test_a_stopped_command_is_replaced_and_later_reports_how_it_ended(
    product: Product, workshop: Workshop, opened: Open
) -> None:
    terminal, ident = stopped_in_a(product, workshop, opened)
    second = product.spawn("resume", ident, "--json")
    until(lambda: workshop.marks["a2"] == 2, what="A is begun again")
    workshop.let("a")
    assert second.wait().status == 3
    product.run("trigger", ident, "--approve", status=0)

    terminal.go_on()
    until(lambda: "[shell: 0]" in terminal.shown, what="the first command has ended")
    assert "completed" in terminal.shown
    assert product.counts("PhaseSucceeded") == {"a": 1, "b": 1}
    assert workshop.marks == {"a1": 2, "a2": 2, "a3": 1, "b1": 1}
    terminal.wait()
    product.none_left()


def test_a_stopped_command_that_goes_on_beside_its_successor_follows_it(
    product: Product, workshop: Workshop, opened: Open
) -> None:
    terminal, ident = stopped_in_a(product, workshop, opened)
    second = product.spawn("resume", ident, "--json")
    until(lambda: workshop.marks["a2"] == 2, what="A is begun again")
    terminal.go_on()
    workshop.let("a")
    assert second.wait().status == 3
    until(lambda: "[shell: 3]" in terminal.shown, what="the first command has ended")
    assert "waiting for approval before b" in terminal.shown
    assert product.counts("PhaseSucceeded") == {"a": 1}
    assert workshop.marks["a3"] == 1
    terminal.wait()
    product.none_left()


def test_a_stopped_command_whose_successor_was_killed_drives_again(
    product: Product, workshop: Workshop, opened: Open
) -> None:
    terminal, ident = stopped_in_a(product, workshop, opened)
    second = product.spawn("resume", ident)
    until(lambda: workshop.marks["a2"] == 2, what="A is begun again")
    second.kill()
    terminal.go_on()
    until(lambda: workshop.marks["a2"] == 3, what="A is begun once more")
    assert product.run("status", ident, "--json").json["driven"] is True
    workshop.let("a")
    until(lambda: "[shell: 3]" in terminal.shown, what="the first command has ended")
    assert product.counts("PhaseSucceeded") == {"a": 1}
    terminal.wait()
    product.none_left()
