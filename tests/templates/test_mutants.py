"""Mutants are small, valid, on the asked lines, and the telling ones come first."""

import pytest


def after(source: str) -> set[str]:
    """The mutated lines of a source."""
    from review.mutants import mutants_of

    return {mutant.after.strip() for mutant in mutants_of(source, range(1, 100))}


CASES = {
    "x = a < b": {"x = a <= b"},
    "x = a < b <= c": {"x = a <= b <= c", "x = a < b < c"},
    "x = a not in b": {"x = a in b"},
    "x = (a) == (b)": {"x = (a) != (b)"},
    "x = a and b and c": {"x = a or b and c", "x = a and b or c"},
    "x = not a": {"x = a"},
    "x = a + b * c": {"x = a - b * c", "x = a + b / c"},
    "x = 'é' + b": {"x = 'é' - b"},
    "x = 7": {"x = 8"},
    "x = True": {"x = False"},
    "x += 1": {"pass", "x += 2"},
    "send(a)": {"pass"},
    "print(a)": set(),
    "log.info(a)": set(),
    '"""doc 7"""': set(),
    "x: Literal[7] = y": set(),
    "x = f'{a + b}'": set(),
    "def f(): return a": {"def f(): return None"},
    "def f():\n    if a:\n        return b": {"if False:", "return None"},
    "if __name__ == '__main__':\n    f(1)": set(),
    "@d(1)\ndef f(): pass": set(),
    "x = (a\n     < b)": {"<= b)"},
    "x = (a  # < no\n     < b)": set(),
}


@pytest.mark.parametrize("source", CASES)
def test_what_becomes_of_a_line(source: str) -> None:
    assert after(source) == CASES[source]


def test_only_the_asked_lines_are_mutated() -> None:
    from review.mutants import mutants_of

    found = mutants_of("a = 1\nb = 2\nc = 3\n", {2})
    assert [(mutant.line, mutant.before, mutant.after) for mutant in found] == [(2, "b = 2", "b = 3")]


def test_a_budget_gives_every_line_one_before_any_gets_two() -> None:
    from review.mutants import mutants_of, within_budget

    source = "x = a < b < c < d\ny = 1\nif a:\n    raise E\n"
    chosen = within_budget(mutants_of(source, range(1, 10)), 3)
    assert [(mutant.kind, mutant.line) for mutant in chosen] == [
        ("comparison", 1),
        ("guard", 3),
        ("constant", 2),
    ]


def test_what_is_no_python_has_no_mutants() -> None:
    assert after("def (:") == set()
    assert after("x = " + "(" * 5000) == set()
