"""Three-valued conditions: the truth tables, mixed types, and laws that hold for every input."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatflow_jupyter.domain.conditions import (
    OPERATORS,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Not,
    Truth,
    comparisons_of,
    condition_to_json,
    evaluate,
    look_up,
    parse_condition,
)
from chatflow_jupyter.domain.json_values import JsonValue

T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN
VIEW = {"p": {"yes": True, "no": False, "three": 3, "word": "abc", "list": [1, "a", [2]], "null": None}}
OF = {
    T: Comparison(field="p.yes", operator="==", value=True),
    F: Comparison(field="p.no", operator="==", value=True),
    U: Comparison(field="p.absent", operator="==", value=True),
}


def truth(condition: Condition, view: dict[str, JsonValue] | None = None) -> Truth:
    return evaluate(condition, VIEW if view is None else view).truth


@pytest.mark.parametrize(("one", "other"), list(itertools.product([T, F, U], repeat=2)))
def test_all_and_any_follow_kleene(one: Truth, other: Truth) -> None:
    order = {F: 0, U: 1, T: 2}
    assert truth(AllOf(members=(OF[one], OF[other]))) is min(one, other, key=order.__getitem__)
    assert truth(AnyOf(members=(OF[one], OF[other]))) is max(one, other, key=order.__getitem__)


@pytest.mark.parametrize(("value", "opposite"), [(T, F), (F, T), (U, U)])
def test_not_unknown_is_unknown(value: Truth, opposite: Truth) -> None:
    assert truth(Not(member=OF[value])) is opposite


@pytest.mark.parametrize(
    ("field", "operator", "value", "expected"),
    [
        ("p.three", "<", 4, T),
        ("p.three", "<", 3, F),
        ("p.three", "<=", 3.0, T),
        ("p.three", ">", "2", U),
        ("p.three", "==", "3", U),
        ("p.three", "!=", "3", U),
        ("p.three", "==", 3.0, T),
        ("p.yes", "==", 1, U),
        ("p.yes", "<", 2, U),
        ("p.word", "<", "abd", T),
        ("p.word", ">=", 1, U),
        ("p.word", "contains", "b", T),
        ("p.word", "contains", 1, U),
        ("p.word", "in", ["abc"], T),
        ("p.word", "in", [1, None], F),
        ("p.yes", "in", [1], F),
        ("p.word", "matches", "b", T),
        ("p.word", "matches", "^b", F),
        ("p.three", "matches", "3", U),
        ("p.null", "matches", ".*", U),
        ("p.absent", "matches", ".*", U),
        ("p.list", "contains", [2], T),
        ("p.list", "contains", True, F),
        ("p.list", "==", [1, "a", [2]], T),
        ("p.list", "==", [True, "a", [2]], F),
        ("p.list.1", "==", "a", T),
        ("p.list.-1", "==", "a", U),
        ("p.list.9", "==", "a", U),
        ("p.list." + "9" * 5000, "==", "a", U),
        ("p.list.²", "==", "a", U),
        ("p.null", "==", None, T),
        ("p.null", "!=", None, F),
        ("p.three", "==", None, F),
        ("p.null", "<", 1, U),
        ("p.null", "exists", True, T),
        ("p.absent", "exists", True, F),
        ("p.absent", "exists", False, T),
        ("p.absent", "!=", 3, U),
        ("p.three.deeper", "==", 3, U),
        ("nobody", "in", [1], U),
    ],
)
def test_comparisons(field: str, operator: str, value: JsonValue, expected: Truth) -> None:
    assert truth(Comparison(field=field, operator=operator, value=value)) is expected


@pytest.mark.parametrize("operator", [name for name in OPERATORS if name not in ("exists", "in")])
def test_nan_is_unknown_to_every_operator(operator: str) -> None:
    nan = {"p": {"x": math.nan}}
    assert truth(Comparison(field="p.x", operator=operator, value=1.0), nan) is U


def test_an_unknown_verdict_names_the_fields() -> None:
    verdict = evaluate(AllOf(members=(OF[T], OF[U], Not(member=OF[U]))), VIEW)
    assert verdict.unknown_fields == ("p.absent",)
    assert evaluate(AllOf(members=(OF[F], OF[U])), VIEW).unknown_fields == ()


@pytest.mark.timeout(20)
def test_no_condition_takes_longer_than_its_text() -> None:
    view: dict[str, JsonValue] = {"p": {"word": "a" * 100_000 + "!"}}
    assert truth(Comparison(field="p.word", operator="matches", value="^(a+)+$"), view) is F


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=True) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.lists(st.sampled_from(["a", "b", "c", "0", "1", "٣", "9" * 30]), min_size=1, max_size=4).map(
    ".".join
)
COMPARISONS = st.builds(Comparison, field=FIELDS, operator=st.sampled_from(OPERATORS), value=JSON)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    COMPARISONS,
    lambda inner: (
        st.builds(Not, member=inner)
        | st.builds(AllOf, members=st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(AnyOf, members=st.lists(inner, min_size=1, max_size=3).map(tuple))
    ),
    max_leaves=6,
)
VIEWS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@given(CONDITIONS, VIEWS)
def test_every_condition_has_a_verdict_over_every_input(
    condition: Condition, view: dict[str, JsonValue]
) -> None:
    verdict = evaluate(condition, view)
    assert (verdict.truth is U) == bool(verdict.unknown_fields)
    assert set(verdict.unknown_fields) <= {comparison.field for comparison in comparisons_of(condition)}


@given(CONDITIONS, CONDITIONS, VIEWS)
def test_de_morgan_and_double_negation(one: Condition, two: Condition, view: dict[str, JsonValue]) -> None:
    left = Not(member=AllOf(members=(one, two)))
    right = AnyOf(members=(Not(member=one), Not(member=two)))
    assert truth(left, view) is truth(right, view)
    assert truth(Not(member=Not(member=one)), view) is truth(one, view)


@given(COMPARISONS, VIEWS)
def test_only_exists_turns_absence_into_an_answer(one: Comparison, view: dict[str, JsonValue]) -> None:
    absent = "MISSING" in repr(look_up(view, one.field))
    if absent and one.operator != "exists":
        assert truth(one, view) is U


@given(st.recursive(JSON, lambda inner: st.dictionaries(
    st.sampled_from(["all", "any", "not", "field", "operator", "value"]), inner, max_size=3
)))  # fmt: skip
def test_parsing_gives_a_condition_or_a_reason(raw: object) -> None:
    try:
        condition = parse_condition(raw)
    except ValueError as error:
        reason = str(error)
    else:
        assert parse_condition(condition_to_json(condition)) == condition
        return
    assert len(reason.splitlines()) == 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ([], "a condition is a mapping"),
        ({"all": []}, "at least one"),
        ({"all": [], "any": []}, "unknown key 'all'"),
        ({"field": "a", "operator": "~", "value": 1}, "unknown operator '~'"),
        ({"field": "a..b", "operator": "==", "value": 1}, "dotted path"),
        ({"field": "a", "operator": "=="}, "needs a `value`"),
        ({"field": "a", "operator": "in", "value": 1}, "takes a list"),
        ({"field": "a", "operator": "exists", "value": 1}, "true or false"),
        ({"field": "a", "operator": "matches", "value": 1}, "takes a regular expression"),
        ({"field": "a", "operator": "matches", "value": "(?!b)"}, "no lookaround"),
        ({"field": "a", "operator": "matches", "value": r"(b)\1"}, "no backreferences"),
        ({"field": "a", "operator": "==", "value": [math.nan]}, "not JSON"),
        ({"field": "a", "operator": "==", "value": {1, 2}}, "not JSON"),
        ({"field": "a", "operator": ["=="], "value": 1}, "unknown operator"),
    ],
)
def test_a_malformed_condition_says_what_is_wrong(raw: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("[", r"\[")):
        parse_condition(raw)


def test_conditions_nested_too_deep_are_refused() -> None:
    raw: object = {"field": "a", "operator": "exists"}
    for _ in range(2000):
        raw = {"not": raw}
    with pytest.raises(ValueError, match="16 deep"):
        parse_condition(raw)
