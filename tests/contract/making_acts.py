"""Acts of people for the suites."""

from typing import Any

from chatflow_jupyter.domain.audit import Act, AuditRow, Chain
from chatflow_jupyter.domain.ids import Sha256, TenantId
from chatflow_jupyter.ports.audit import AuditFilter
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import ALICE, LOCAL, NOW, wfi


def act(subject: str = "a", **fields: Any) -> Act:
    """Alice retries the instance of that name, but for what a test says."""
    values: dict[str, Any] = {
        "at": NOW,
        "principal": ALICE,
        "verb": "retry",
        "kind": "instance",
        "subject": wfi(subject),
        "outcome": "running",
        **fields,
    }
    return Act(**values)


def full_act() -> Act:
    """An act in which every field says something."""
    return act(
        claimed=True,
        about="publish",
        reason="it was the network",
        key="k1",
        request_sha256=Sha256("c" * 64),
    )


async def recorded(storage: IStateStorage, tenant_id: TenantId = LOCAL) -> list[Act]:
    """What was recorded, the first act first; the chain is whole."""
    chain, rows = Chain(tenant_id), await storage.audit_chain(tenant_id)
    assert chain.follow(rows) is None
    assert chain.finish(await storage.audit_end(tenant_id)) is None
    listed = await storage.audit(tenant_id, AuditFilter(limit=len(rows) + 1))
    assert list(listed) == list(reversed(rows))
    return [row.act for row in rows]


async def rows_of(storage: IStateStorage, **wanted: Any) -> list[AuditRow]:
    """The rows that match."""
    return list(await storage.audit(LOCAL, AuditFilter(**wanted)))
