"""What is put on the link comes out unchanged; what is malformed is an error and never a crash."""

import asyncio
import inspect
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatflow_jupyter.domain import errors
from chatflow_jupyter.domain.errors import ChatFlowError, InternalError
from chatflow_jupyter.ports.records import AttemptReport, Lease, Progress
from chatflow_jupyter.runner.frames import MAX_FRAME_BYTES, read_frame, write_frame
from chatflow_jupyter.runner.wire import (
    decode,
    decode_error,
    decode_optional,
    encode,
    encode_error,
)
from tests.link.partners import LEASE, run
from tests.link.values import JSON, OBJECTS, TEXT, carried

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, ChatFlowError) and kind is not errors.InvalidDefinition
]


@given(carried)
def test_every_value_comes_out_as_it_went_in(value: Any) -> None:
    assert decode(type(value), json.loads(json.dumps(encode(value)))) == value


@given(st.sampled_from(KINDS), TEXT, st.sampled_from([None, "some_code"]))
def test_every_error_comes_out_as_it_went_in(
    kind: type[ChatFlowError], message: str, code: str | None
) -> None:
    sent = kind(message, code=code)
    got = decode_error(json.loads(json.dumps(encode_error(sent))))
    assert (type(got), got.code, got.message) == (type(sent), sent.code, sent.message)


def test_nothing_stays_nothing() -> None:
    assert encode(None) is None
    assert decode_optional(Lease, None) is None


@pytest.mark.parametrize("raw", [None, 3, "x", [], {"type": "SystemExit"}, {"type": "InvalidDefinition"}])
def test_an_error_that_is_none_of_ours_is_an_internal_error(raw: Any) -> None:
    assert type(decode_error(raw)) is InternalError


@given(JSON | OBJECTS)
def test_anything_else_is_refused_with_an_error_of_ours(raw: Any) -> None:
    for kind in (Lease, Progress, AttemptReport):
        with suppress(InternalError):
            assert isinstance(decode(kind, raw), kind)


@pytest.mark.parametrize("entry", ["text", 5, {}, [3], [{"key": "k"}], None])
def test_children_that_are_none_are_refused(entry: object) -> None:
    raw = encode(AttemptReport(duration_sec=1.0))
    assert isinstance(raw, dict)
    with pytest.raises(InternalError, match=r"spawned|Spawned"):
        decode(AttemptReport, {**raw, "spawned": entry})


@pytest.mark.parametrize("entry", ["yesterday", 5, {}])
def test_a_time_that_is_none_is_refused(entry: object) -> None:
    raw = encode(LEASE.attempt)
    assert isinstance(raw, dict)
    with pytest.raises(InternalError, match="queued_at"):
        decode(type(LEASE.attempt), {**raw, "queued_at": entry})


async def _through(*pieces: bytes) -> list[Any]:
    reader = asyncio.StreamReader()
    for piece in pieces:
        reader.feed_data(piece)
    reader.feed_eof()
    frames = []
    while (frame := await read_frame(reader)) is not None:
        frames.append(frame)
    return frames


class Sink:
    """A writer that keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        pass


@given(st.lists(OBJECTS, max_size=4), st.integers(1, 7))
def test_frames_survive_being_cut_anywhere(frames: list[Any], size: int) -> None:
    async def story() -> list[Any]:
        sink: Any = Sink()
        for frame in frames:
            await write_frame(sink, frame)
        return await _through(*(sink.data[n : n + size] for n in range(0, len(sink.data), size)))

    assert run(story()) == frames


def test_a_frame_cut_short_by_a_death_is_an_end() -> None:
    assert run(_through(b"\0\0")) == []
    assert run(_through(b"\0\0\0\x09", b'{"a"')) == []


@pytest.mark.parametrize("body", [b"[1]", b"nonsense", b"\xff\xfe"])
def test_what_is_no_frame_is_an_internal_error(body: bytes) -> None:
    with pytest.raises(InternalError, match="the link carried"):
        run(_through(len(body).to_bytes(4, "big") + body))


def test_a_frame_beyond_the_limit_is_refused_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InternalError, match="more than the link carries"):
        run(_through((MAX_FRAME_BYTES + 1).to_bytes(4, "big")))
    monkeypatch.setattr("chatflow_jupyter.runner.frames.MAX_FRAME_BYTES", 10)
    sink: Any = Sink()
    with pytest.raises(InternalError, match="more than the link carries"):
        run(write_frame(sink, {"a": "long enough"}))
    assert sink.data == b""
