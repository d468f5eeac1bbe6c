"""The kit finds what is wrong with a hook: each fault is made on purpose, and found."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.plugins import Accept, Allow, Amend, Deny, Keep, Refuse, Replace
from chatflow_jupyter.plugins.testing import check_hook, faults_of


class Good:
    """Minds its options, and lets everything pass."""

    def __init__(self, options: Mapping[str, object]) -> None:
        if options:
            raise ValueError(f"unknown option {sorted(options)[0]}")

    def before(self, attempt: Any) -> Any:
        return Allow()

    def after(self, attempt: Any) -> Any:
        return Accept()

    def process(self, artifact: Any) -> Any:
        return Keep()


class Careless(Good):
    def __init__(self, options: Mapping[str, object]) -> None:
        self.options = options


class Surprised(Good):
    def __init__(self, options: Mapping[str, object]) -> None:
        if options:
            raise KeyError("no_such_option")


class Nothing(Good):
    before = after = process = None  # type: ignore[assignment]


class Coroutine(Good):
    async def before(self, attempt: Any) -> Any:
        return Allow()


class Wordless(Good):
    def after(self, attempt: Any) -> Any:
        return True


class Confused(Good):
    def process(self, artifact: Any) -> Any:
        return Deny(reason="no")


class Fickle(Good):
    calls = 0

    def before(self, attempt: Any) -> Any:
        Fickle.calls += 1
        return Deny(reason=f"call {Fickle.calls}")


class Fragile(Good):
    def before(self, attempt: Any) -> Any:
        attempt.content.decode("ascii")
        return Allow()


class Meddling(Good):
    def before(self, attempt: Any) -> Any:
        attempt.parameters["path"] = "/"
        return Allow()


class Writing(Good):
    def process(self, artifact: Any) -> Any:
        Path(artifact.path).write_bytes(b"")
        return Keep()


class Endless(Good):
    def process(self, artifact: Any) -> Any:
        threading.Event().wait(3)
        return Keep()


class Growing(Good):
    def process(self, artifact: Any) -> Any:
        return Replace(content=Path(artifact.path).read_bytes() + b"x", reason="more")


class Ashamed(Good):
    def process(self, artifact: Any) -> Any:
        if Path(artifact.path).read_bytes() == b"x":
            return Refuse(reason="x")
        return Replace(content=b"x", reason="x")


class Boundless(Good):
    def before(self, attempt: Any) -> Any:
        return Amend(parameters={"x": "y" * 100_000}, reason="so")


class Talkative(Good):
    def before(self, attempt: Any) -> Any:
        return Deny(reason="word " * 1000)


FAULTS = {
    Careless: "an unknown option is taken for one",
    Surprised: "an unknown option must raise ValueError, not KeyError",
    Nothing: "it has none of the methods before, after, process",
    Coroutine: "before is a coroutine function",
    Wordless: "it returned bool, not one of Accept, Reject, SetRisk",
    Confused: "it returned Deny, not one of Keep, Replace, Refuse",
    Fickle: "it may be called more than once",
    Fragile: "raised UnicodeDecodeError",
    Meddling: "changed what it was shown",
    Writing: "changed what it was shown",
    Endless: "took longer than 0.5 s",
    Growing: "does not let its own replacement pass",
    Ashamed: "does not let its own replacement pass",
    Boundless: "more than 65536",
    Talkative: "at most 1000 characters",
}


def test_a_good_one_has_no_fault() -> None:
    check_hook(Good)


@pytest.mark.parametrize("wrong", FAULTS, ids=lambda wrong: wrong.__name__)
def test_what_is_wrong_is_found(wrong: type[Good]) -> None:
    found = faults_of(wrong, timeout_sec=0.5 if wrong is Endless else 20.0)
    assert any(FAULTS[wrong] in line for line in found), found
    with pytest.raises(AssertionError):
        check_hook(wrong, timeout_sec=0.5 if wrong is Endless else 20.0)


def test_options_that_are_refused_are_the_fault() -> None:
    (found,) = faults_of(Good, {"x": 1})
    assert found == "it cannot be made with these options: ValueError('unknown option x')"
