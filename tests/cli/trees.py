"""Trees to draw: a review in the middle of its children, made by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from chatflow_jupyter.domain.definition import Definition, Quota
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, Principal, Sha256, TenantId
from chatflow_jupyter.domain.instance import (
    DefinitionRef,
    Failure,
    FanOut,
    Instance,
    ParentLink,
    PhaseRecord,
    PhaseState,
    Status,
    WaitingReason,
)
from chatflow_jupyter.domain.tree import TreeStatus
from chatflow_jupyter.interfaces.cli.snapshot import Snapshot
from chatflow_jupyter.ports.records import AttemptRow, Progress

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ROOT = InstanceId("wfi_root0000000000000000000000")
TENANT = TenantId("local")
DEFINITION = Definition.model_validate(
    {
        "name": "review",
        "version": "1.0.0",
        "phases": [
            {"name": "collect", "notebook": "a.ipynb", "title": "Collect the change"},
            {"name": "files", "children": {"schema": "./b.yaml", "foreach": "collect.files"}},
            {
                "name": "publish",
                "notebook": "c.ipynb",
                "title": "Publish",
                "gate": {"title": "High findings"},
            },
        ],
    }
)


def ago(seconds: float) -> datetime:
    """A moment before now."""
    return NOW - timedelta(seconds=seconds)


def instance(**changes: object) -> Instance:
    """A review that has collected and stands among its files, with any field changed."""
    made = Instance(
        tenant_id=TENANT,
        instance_id=ROOT,
        root_id=ROOT,
        definition=DefinitionRef(name="review", version="1.0.0", content_hash=Sha256("0" * 64)),
        principal=Principal("local"),
        context={},
        automation_level=60,
        quota=Quota(),
        created_at=ago(75),
        updated_at=NOW,
        started_at=ago(75),
        status=Status.WAITING,
        waiting_reason=WaitingReason.CHILDREN,
        waiting_detail="40 children of phase files",
        phase="files",
        phases={
            "collect": PhaseRecord(
                state=PhaseState.SUCCEEDED, attempts=1, started_at=ago(75), ended_at=ago(70)
            ),
            "files": PhaseRecord(state=PhaseState.ACTIVE, started_at=ago(70)),
        },
        variables={"collect": {"headline": "3 changed files"}},
        fan_out=FanOut(total=40, started=40, ended=37, failed=1),
        descendants=40,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def child(index: int, status: Status, failure: Failure | None = None) -> Instance:
    """The child of file `index`."""
    name = f"shop/file_{index}.py"
    ended = status in (Status.COMPLETED, Status.FAILED)
    return instance(
        instance_id=InstanceId(f"wfi_child{index:03}"),
        parent=ParentLink(instance_id=ROOT, phase="files", index=index, key=name, tolerated=True),
        status=status,
        waiting_reason=None,
        waiting_detail=None,
        phase="review",
        phases={"review": PhaseRecord(state=PhaseState.ACTIVE, attempts=1, started_at=ago(9))},
        started_at=ago(9),
        ended_at=ago(4) if ended else None,
        variables={},
        fan_out=None,
        failure=failure,
        descendants=0,
    )


def attempt(of: Instance, progress: Progress | None) -> AttemptRow:
    """The leased attempt of an instance."""
    return AttemptRow(
        tenant_id=TENANT,
        instance_id=of.instance_id,
        root_id=ROOT,
        attempt_id=AttemptId("a"),
        phase=of.phase or "",
        number=1,
        notebook="n.ipynb",
        kernel=None,
        parameters={},
        timeout_sec=None,
        status="leased",
        fence=1,
        queued_at=ago(9),
        started_at=ago(9),
        progress=progress,
    )


def snapshot(
    root: Instance, children: list[Instance] | None = None, attempts: list[AttemptRow] | None = None
) -> Snapshot:
    """A picture's material."""
    nodes = [root, *(children or [])]
    running = len(attempts or [])
    return Snapshot(
        root=root,
        definition=DEFINITION,
        tree=TreeStatus(
            root_instance_id=ROOT,
            status="running",
            total_nodes=len(nodes),
            failed_nodes=0,
            waiting_nodes=0,
            running_nodes=running,
            completed_nodes=0,
            execution_time_sec=0,
        ),
        nodes={node.instance_id: node for node in nodes},
        attempts={row.instance_id: row for row in attempts or []},
        at=NOW,
    )


def busy_review() -> Snapshot:
    """Forty files: one failed, two running, the rest done."""
    failed = child(7, Status.FAILED, Failure(code="cell_error", message="NameError: \x1b[31mx\x1b[0m"))
    running = [child(index, Status.RUNNING) for index in (38, 39)]
    done = [child(index, Status.COMPLETED) for index in range(38) if index != 7]
    attempts = [
        attempt(running[0], Progress(cell_index=2, cells_total=4, cell_name="try [mutants]")),
        attempt(running[1], None),
    ]
    return snapshot(instance(), [failed, *running, *done], attempts)
