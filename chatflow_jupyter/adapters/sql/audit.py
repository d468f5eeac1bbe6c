"""The chain of what people did: its rows, and where it ends."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Executable, Row, Select, bindparam, func, insert, select

from chatflow_jupyter.domain.audit import KINDS, VERBS, Act, AuditEnd, AuditRow, Chain, next_row
from chatflow_jupyter.domain.ids import Principal, Sha256, TenantId
from chatflow_jupyter.ports.audit import AuditFilter

from .audit_tables import audit, audit_ends
from .damage import DamagedRow, decodes
from .dialects import DRIVER_ERRORS, Upsert, likely, rarely
from .encoding import from_us, text, to_us, whole_number
from .statements import Statement

PAGE = 500
_VERBS = {str(verb): verb for verb in VERBS}
_KINDS = {str(kind): kind for kind in KINDS}
_OF_TENANT = audit.c.tenant_id == bindparam("tenant")


def _put_end(insert_into: Upsert) -> Executable:
    row = insert_into(audit_ends)
    kept = {name: row.excluded[name] for name in ("position", "sha256")}
    upsert: Executable = row.on_conflict_do_update(index_elements=["tenant_id"], set_=kept)
    return upsert


INSERT_ROW = Statement(insert(audit))
PUT_END = Statement(_put_end)
SELECT_END = Statement(
    select(audit_ends.c.tenant_id, audit_ends.c.position, audit_ends.c.sha256).where(
        audit_ends.c.tenant_id == bindparam("tenant")
    )
)
SELECT_CHAIN = Statement(
    select(*audit.c)
    .where(_OF_TENANT, audit.c.position > bindparam("seen"))
    .order_by(audit.c.position)
    .limit(bindparam("most"))
)
SELECT_SAME = Statement(
    select(audit.c.position)
    .where(
        _OF_TENANT,
        rarely(audit.c.subject == bindparam("about")),
        audit.c.principal == bindparam("who"),
        audit.c.verb == bindparam("did"),
        audit.c.outcome == bindparam("came"),
    )
    .limit(1)
)
# No tenant has a chain without its end, and none an end without rows; whoever tampers may leave either.
SELECT_TENANTS = Statement(
    select(audit_ends.c.tenant_id).union(select(audit.c.tenant_id).distinct()).order_by("tenant_id")
)


def record(connection: Connection, tenant_id: TenantId, act: Act | None) -> None:
    """Write the act, if any, as the next row of the tenant's chain.

    The end is read and moved within the writing transaction; on SQLite there is one such at a time. On a
    chain that was tampered with nothing is built: raises `DamagedRow`.
    """
    if act is None:
        return
    last = end(connection, tenant_id)
    if SELECT_CHAIN.one(connection, tenant=tenant_id, seen=last.position, most=1) is not None:
        raise DamagedRow(f"table audit: tenant {tenant_id} has rows behind {last.position}, where it ends")
    row = next_row(last, tenant_id, act)
    INSERT_ROW.write(connection, **audit_columns(row))
    PUT_END.write(connection, tenant_id=tenant_id, position=row.position, sha256=row.sha256)


def record_refusal(connection: Connection, tenant_id: TenantId, act: Act) -> None:
    """Write the refused act, unless the same came to the same before."""
    wanted = {"who": act.principal, "did": act.verb, "came": act.outcome}
    if SELECT_SAME.one(connection, tenant=tenant_id, about=act.subject, **wanted) is None:
        record(connection, tenant_id, act)


def end(connection: Connection, tenant_id: TenantId) -> AuditEnd:
    """Return where the tenant's chain ends."""
    row = SELECT_END.run(connection, tenant=tenant_id).first()
    return AuditEnd() if row is None else end_of(row)


def chain(connection: Connection, tenant_id: TenantId, after: int, limit: int) -> tuple[AuditRow, ...]:
    """Return the rows behind a position, in order."""
    return tuple(map(audit_row_of, SELECT_CHAIN.run(connection, tenant=tenant_id, seen=after, most=limit)))


def listed(connection: Connection, tenant_id: TenantId, wanted: AuditFilter) -> tuple[AuditRow, ...]:
    """Return matching rows, the latest first."""
    return tuple(map(audit_row_of, connection.execute(question_for(tenant_id, wanted))))


def question_for(tenant_id: TenantId, wanted: AuditFilter) -> Select[tuple[Any, ...]]:
    """Return the question for matching rows, put so that an index answers it."""
    columns = audit.c
    question = select(*columns).where(columns.tenant_id == tenant_id)
    asked = (
        (columns.subject, wanted.subject),
        (columns.verb, wanted.verb),
        (columns.principal, wanted.principal),
    )
    given = [column == value for column, value in asked if value is not None]
    for number, condition in enumerate(given):  # one index is used: that of what has the fewest rows
        question = question.where(likely(condition) if number else rarely(condition))
    if wanted.before is not None:
        question = question.where(columns.position < wanted.before)
    if wanted.since is not None:
        # Clocks are set back at times, so a position says nothing of the time. How far back to look is told
        # by the index of times alone; `+ 0` keeps SQLite from looking for the least position row by row.
        since = to_us(wanted.since)
        of_late = select(func.min(columns.position + 0)).where(
            columns.tenant_id == tenant_id, columns.at >= since
        )
        question = question.where(columns.at >= since, columns.position >= of_late.scalar_subquery())
    return question.order_by(columns.position.desc()).limit(wanted.limit)


def faults_of_chains(connection: Connection, most: int) -> Iterator[str]:
    """Name the first fault of every tenant's chain, at most `most`."""
    for row in SELECT_TENANTS.run(connection).all():
        if most <= 0:
            return
        if not isinstance(row.tenant_id, str):
            continue  # its rows cannot be read, which is a fault of its own
        try:
            fault = _fault_of(connection, TenantId(row.tenant_id))
        except DRIVER_ERRORS as error:
            fault = str(error)
        if fault is not None:
            most -= 1
            yield fault


def _fault_of(connection: Connection, tenant_id: TenantId) -> str | None:
    follower = Chain(tenant_id)
    while rows := chain(connection, tenant_id, follower.end.position, PAGE):
        if (fault := follower.follow(rows)) is not None:
            return _named(tenant_id, fault)
    return _named(tenant_id, follower.finish(end(connection, tenant_id)))


def _named(tenant_id: TenantId, fault: str | None) -> str | None:
    return None if fault is None else f"audit of tenant {tenant_id[:80]}: {fault}"


def audit_columns(row: AuditRow) -> dict[str, Any]:
    """Return the row as it is stored."""
    fields = {name: getattr(row.act, name) for name in Act.__dataclass_fields__}
    return {
        **fields,
        "at": to_us(row.act.at),
        "tenant_id": row.tenant_id,
        "position": row.position,
        "sha256": row.sha256,
    }


@decodes("audit", "tenant_id", "position")
def audit_row_of(row: Row[Any]) -> AuditRow:
    """Return the recorded act of a row."""
    if row.claimed not in (0, 1):
        raise ValueError("claimed is neither yes nor no")
    return AuditRow(
        tenant_id=TenantId(text(row.tenant_id)),
        position=whole_number(row.position),
        sha256=Sha256(text(row.sha256)),
        act=Act(
            at=from_us(whole_number(row.at)),
            principal=Principal(text(row.principal)),
            claimed=bool(row.claimed),
            verb=_VERBS[row.verb],
            kind=_KINDS[row.kind],
            subject=text(row.subject),
            about=_optional(row.about),
            outcome=text(row.outcome),
            reason=_optional(row.reason),
            key=_optional(row.key),
            request_sha256=None if row.request_sha256 is None else Sha256(text(row.request_sha256)),
        ),
    )


@decodes("audit_ends", "tenant_id")
def end_of(row: Row[Any]) -> AuditEnd:
    """Return the end of a chain."""
    text(row.tenant_id)
    return AuditEnd(position=whole_number(row.position), sha256=Sha256(text(row.sha256)))


def _optional(stored: object) -> str | None:
    return None if stored is None else text(stored)
