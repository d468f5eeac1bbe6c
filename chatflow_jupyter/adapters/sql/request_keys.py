"""Idempotency keys and the answers kept under them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Executable, Row, bindparam, delete, select, tuple_

from chatflow_jupyter.domain.errors import KeyReused
from chatflow_jupyter.domain.ids import Principal, TenantId
from chatflow_jupyter.ports.records import RequestKey, StoredAnswer

from .damage import decodes
from .dialects import Upsert
from .encoding import json_object, to_json, to_us
from .schema import request_keys, tenants
from .statements import Statement


def _take(insert: Upsert) -> Executable:
    row = insert(request_keys)
    kept = {name: row.excluded[name] for name in ("request_sha256", "answer", "expires_at")}
    expired = request_keys.c.expires_at <= bindparam("now")
    taken: Executable = row.on_conflict_do_update(
        index_elements=["tenant_id", "principal", "key"], set_=kept, where=expired
    )
    return taken


TAKE_KEY = Statement(_take)
SELECT_ANSWER = Statement(
    select(*request_keys.c).where(
        request_keys.c.tenant_id == bindparam("tenant"),
        request_keys.c.principal == bindparam("who"),
        request_keys.c.key == bindparam("name"),
        request_keys.c.expires_at > bindparam("now"),
    )
)

_KEY = tuple_(request_keys.c.tenant_id, request_keys.c.principal, request_keys.c.key)
DROP_EXPIRED = Statement(
    delete(request_keys).where(
        _KEY.in_(
            select(request_keys.c.tenant_id, request_keys.c.principal, request_keys.c.key)
            .where(
                # The index begins with it. A key is stored with events, which make the tenant's row.
                request_keys.c.tenant_id.in_(select(tenants.c.tenant_id)),
                request_keys.c.expires_at <= bindparam("now"),
            )
            .limit(bindparam("most"))
        )
    )
)


def take(connection: Connection, tenant_id: TenantId, key: RequestKey, now: datetime) -> None:
    """Store the key with its answer; raises `KeyReused` when it exists unexpired."""
    done = TAKE_KEY.write(
        connection,
        tenant_id=tenant_id,
        principal=key.principal,
        key=key.key,
        request_sha256=key.request_sha256,
        answer=to_json(key.answer),
        expires_at=to_us(key.expires_at),
        now=to_us(now),
    )
    if done == 0:
        raise KeyReused(f"the idempotency key {key.key!r} was used before", code="key_taken")


def answer(
    connection: Connection, tenant_id: TenantId, principal: Principal, key: str, now: datetime
) -> StoredAnswer | None:
    """Return what was stored under the unexpired key."""
    row = SELECT_ANSWER.run(connection, tenant=tenant_id, who=principal, name=key, now=to_us(now)).first()
    return None if row is None else answer_of(row)


@decodes("request_keys", "tenant_id", "key")
def answer_of(row: Row[Any]) -> StoredAnswer:
    """Return the answer of a row."""
    return StoredAnswer(request_sha256=row.request_sha256, answer=json_object(row.answer))


def drop_expired(connection: Connection, now: datetime, limit: int) -> int:
    """Delete expired keys; returns how many."""
    return DROP_EXPIRED.run(connection, now=to_us(now), most=limit).rowcount
