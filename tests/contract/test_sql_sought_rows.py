"""What is stored of phases that look for earlier outcomes is checked when it is read."""

from dataclasses import replace
from typing import Any

import pytest

from chatflow_jupyter.adapters.sql import encoding, instance_rows, outcomes
from chatflow_jupyter.adapters.sql.damage import DamagedRow
from chatflow_jupyter.domain.ids import InstanceId, Sha256
from chatflow_jupyter.domain.instance import PhaseRecord, PhaseState, ReusedFrom, Sought
from tests.contract.making import NOW
from tests.contract.test_sql_rows import WAITS, row

RECORD = PhaseRecord(
    state=PhaseState.SUCCEEDED,
    sought=Sought(attempt=1, seq=3, answered=True, key=Sha256("5" * 64)),
    reused_from=ReusedFrom(instance_id=InstanceId("wfi_2"), attempt=1, made_at=NOW),
)
REUSES = replace(WAITS, phases={"one": RECORD}, hooks_asked=None, anew=True)


def stored(**changed: Any) -> Any:
    columns = {**instance_rows.birth_columns(REUSES), **instance_rows.state_columns(REUSES)}
    state = encoding.from_json(columns["state"])
    state["phases"]["one"] |= changed
    ids = {"tenant_id": "local", "instance_id": "wfi_1"}
    return row({**ids, **columns, "state": encoding.to_json(state)})


def test_what_was_sought_and_reused_is_read_as_it_was_written() -> None:
    assert instance_rows.instance_of(stored()) == REUSES


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(("sought", value) for value in (1, [1], ["1", 3, True, None, False], [1, 3, 1, None, False])),
        *(("sought", value) for value in ([1, 3, True, 5, False], [1, 3, True, None, None])),
        *(("reused_from", value) for value in (1, [], [5, 1, 1], ["wfi_2", "1", 1], ["wfi_2", 1, "now"])),
    ],
)
def test_anything_else_is_named_as_damage(place: str, value: Any) -> None:
    with pytest.raises(DamagedRow, match="table instances, row local wfi_1"):
        instance_rows.instance_of(stored(**{place: value}))


@pytest.mark.parametrize(
    ("place", "value"),
    [("key", "5"), ("attempt", "one"), ("risk", None), ("instance_id", 5), ("phase", None), ("made_at", "x")],
)
def test_a_damaged_row_of_a_kept_outcome_is_named(place: str, value: Any) -> None:
    sound = {"tenant_id": "local", "key": "5" * 64, "instance_id": "wfi_1", "phase": "one", "attempt": 1}
    sound |= {"risk": 0, "made_at": 1, "expires_at": 2}
    assert outcomes.kept_of(row(sound)).outcome.attempt == 1
    with pytest.raises(DamagedRow, match="table kept_outcomes"):
        outcomes.kept_of(row({**sound, place: value}))
