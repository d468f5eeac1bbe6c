"""Every value the link carries, drawn at random from the types of its own fields."""

from dataclasses import fields
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, Literal, NewType, Union, get_args, get_origin

from hypothesis import strategies as st

from chatflow_jupyter.domain.json_values import JsonObject, JsonValue
from chatflow_jupyter.runner.wire import CARRIED

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-(2**53), 2**53)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS: st.SearchStrategy[Any] = st.dictionaries(TEXT, JSON, max_size=3)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: NUMBERS,
    float: FLOATS,
    bool: st.booleans(),
    datetime: TIMES,
    NoneType: st.none(),
}


def of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of one type."""
    if kind == JsonValue:
        return JSON
    if kind == JsonObject:
        return OBJECTS
    if isinstance(kind, NewType):
        return of(kind.__supertype__)
    if kind in PLAIN:
        return PLAIN[kind]
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is tuple:
        return st.lists(of(get_args(kind)[0]), max_size=3).map(tuple)
    if get_origin(kind) in (Union, UnionType):
        return st.one_of([of(choice) for choice in get_args(kind)])
    return st.builds(kind, **{field.name: of(field.type) for field in fields(kind)})


carried: st.SearchStrategy[Any] = st.one_of([of(kind) for kind in CARRIED])
