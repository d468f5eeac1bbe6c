"""A changed copy has every other field of its original, which stays as it was."""

from dataclasses import dataclass, replace

import pytest

from chatflow_jupyter.domain.evolve import evolve
from chatflow_jupyter.domain.instance import FanOut, Instance, PhaseRecord, PhaseState


def test_a_changed_copy_is_what_replace_gives() -> None:
    before = FanOut(total=5, started=2)
    assert evolve(before, {"started": 3, "ended": 1}) == replace(before, started=3, ended=1)
    assert before == FanOut(total=5, started=2)


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match="FanOut has no field begun"):
        evolve(FanOut(total=5), {"begun": 3})


@pytest.mark.parametrize("kind", [Instance, PhaseRecord, FanOut])
def test_the_values_it_copies_have_slots_and_nothing_that_runs_after_them(kind: type) -> None:
    assert not hasattr(kind, "__post_init__")
    assert not hasattr(PhaseRecord(state=PhaseState.ACTIVE), "__dict__")
    assert set(kind.__slots__) == set(kind.__dataclass_fields__)


def test_a_value_with_slots_of_its_own_is_copied_whole() -> None:
    @dataclass(frozen=True, slots=True)
    class Pair:
        left: int
        right: int = 2

    assert evolve(Pair(1), {"left": 7}) == Pair(7, 2)
