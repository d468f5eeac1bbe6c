"""One strict decoder: what every backend can store unchanged, and nothing else."""

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.json_values import (
    MAX_DEPTH,
    canonical_json,
    check_json,
    decode_json,
    decode_object,
    encoded_size_bytes,
    own_json,
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 200_000, "nested deeper"),
        ('{"a":' * 200_000, "nested deeper"),
        ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "nested deeper"),
        ("9" * 5000, "larger than"),
        ("-9007199254740993", "larger than"),
        ("NaN", "not JSON"),
        ("[-Infinity]", "not JSON"),
        ("1e400", "not JSON"),
        ('"\\u0000"', "NUL"),
        ('{"a\\u0000": 1}', "NUL"),
        ('"\\ud800"', "surrogate"),
        ('{"\\ud800": 1}', "surrogate"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' appears twice"),
        ('{"a": {"b": 1, "b": 1}}', "'b' appears twice"),
        ("", "Expecting value"),
        ("{'a': 1}", "property name"),
        ("[1,]", "Expecting value|Illegal trailing comma"),
        ("\ufeff1", "BOM"),
        (b"\xff\xfe\xfa", "decode|utf"),
        ('"' + "x" * (1024 * 1024) + '"', "more than"),
    ],
)
def test_what_cannot_be_stored_is_refused_in_one_line(text: str | bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        decode_json(text, what="--data")
    assert caught.value.message.startswith("--data")
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 400
    caught.value.message.encode()


def test_a_doubled_key_among_many_is_found_in_no_time() -> None:
    pairs = ",".join(f'"{number}":1' for number in range(90_000))
    started = time.process_time()
    with pytest.raises(InvalidInput, match="'89999' appears twice"):
        decode_json("{" + pairs + ',"89999":1}')
    assert time.process_time() - started < 5


@pytest.mark.parametrize("text", ["[]", '"x"', "null", "1"])
def test_an_object_is_an_object(text: str) -> None:
    with pytest.raises(InvalidInput, match="expected an object, got"):
        decode_object(text)


@pytest.mark.parametrize("value", [{1: 2}, {"a": object()}, [{1}], b"x", math.inf, {"a": [2**60]}, "\ud800"])
def test_python_values_that_are_not_json_are_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        check_json(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcé", max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_what_can_be_stored_comes_back_unchanged(value: object) -> None:
    assert decode_json(json.dumps(value)) == value
    encoded = canonical_json(value)  # type: ignore[arg-type]  # hypothesis knows no JsonValue
    assert canonical_json(json.loads(encoded)) == encoded
    assert encoded_size_bytes(value) == len(encoded.encode())  # type: ignore[arg-type]


@given(st.dictionaries(st.text(max_size=3), JSON))
def test_an_own_copy_is_equal_and_shares_nothing_that_can_change(value: dict[str, object]) -> None:
    copy = own_json(value)  # type: ignore[arg-type]
    assert copy == value
    before, left = json.dumps(copy), [value]
    while left:
        inner = left.pop()
        left += inner if isinstance(inner, list) else inner.values() if isinstance(inner, dict) else []  # type: ignore[arg-type]
        if isinstance(inner, list | dict):
            inner.clear()
    assert json.dumps(copy) == before


@given(st.text(max_size=40) | st.binary(max_size=40))
def test_any_text_is_a_value_or_a_reason(text: str | bytes) -> None:
    try:
        check_json(decode_json(text))
    except InvalidInput as error:
        reason = error.message
    else:
        return
    assert len(reason.splitlines()) == 1


def test_a_copy_of_what_is_nested_too_deep_is_made_for_whoever_refuses_it() -> None:
    deep: dict[str, object] = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(InvalidInput, match="nested deeper"):
        check_json(own_json(deep))  # type: ignore[arg-type]
