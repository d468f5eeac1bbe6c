"""The form in which acts are sealed: rows that earlier versions wrote must still be met."""

from datetime import datetime, timedelta, timezone

from chatflow_jupyter.domain.audit import NOTHING_BEFORE, Act, seal
from chatflow_jupyter.domain.ids import Principal, Sha256, TenantId

AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2)))
WHOLE = Act(
    at=AT,
    principal=Principal("ann"),
    verb="approve",
    kind="instance",
    subject="wfi_a",
    outcome="running",
    claimed=True,
    about="publish",
    reason="fine — é",
    key="k",
    request_sha256=Sha256("1" * 64),
)
BARE = Act(
    at=AT,
    principal=Principal("bob"),
    verb="pause",
    kind="schedule",
    subject="nightly",
    outcome="paused",
)


def test_an_act_is_sealed_as_it_was_when_the_first_chain_was_written() -> None:
    assert seal(NOTHING_BEFORE, TenantId("local"), 1, WHOLE) == (
        "8d613a3c08cb4a1fa5ad5bb2c32b36410a9c9079ce1507bb471ee4b403312023"
    )
    assert seal(Sha256("2" * 64), TenantId("local"), 2, BARE) == (
        "35ce40ff1c8bf276c1a2b08e35d5e2749c52af1b66af05ec06973b869d1be8e4"
    )
