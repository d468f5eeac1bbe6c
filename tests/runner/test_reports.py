"""What becomes of a report that cannot be handed in."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from chatflow_jupyter.domain.errors import InternalError
from chatflow_jupyter.domain.ids import AttemptId, RunnerId
from chatflow_jupyter.ports.records import AttemptReport
from chatflow_jupyter.runner.runner import Runner


class Narrow:
    """Takes reports of failures only, as a link does for which the others are too large."""

    def __init__(self) -> None:
        self.taken: list[AttemptReport] = []

    async def complete(self, attempt_id: AttemptId, fence: int, report: AttemptReport) -> None:
        if report.failure is None:
            raise InternalError("a frame is more than the link carries")
        self.taken.append(report)


def test_a_report_that_no_link_carries_is_a_failure_and_no_lost_attempt(tmp_path: Path) -> None:
    narrow: Any = Narrow()
    lease: Any = SimpleNamespace(attempt=SimpleNamespace(attempt_id="a.one.1", fence=1), lease_sec=30.0)
    runner = Runner(
        narrow, narrow, runner_id=RunnerId("run_1"), work=tmp_path, slots=1, limits=lambda job: job
    )
    asyncio.run(runner._report(lease, AttemptReport(duration_sec=2.0)))
    (taken,) = narrow.taken
    assert taken.failure.code == "environment_error"
    assert taken.failure.message == "its report failed: a frame is more than the link carries"
    assert taken.duration_sec == 2.0
