"""Answers kept under idempotency keys: one key, at most one transition."""

from datetime import timedelta

from chatflow_jupyter.domain.decision import Decision
from chatflow_jupyter.domain.errors import KeyReused
from chatflow_jupyter.domain.ids import Principal, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.json_values import JsonObject
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import RequestKey
from chatflow_jupyter.ports.state_storage import IInstances

from .acts import request_hash

KEY_LIFETIME = timedelta(days=30)


class KeptAnswers:
    """What was answered to requests that came with a key, and what is to be kept of the next."""

    def __init__(self, storage: IInstances, clock: Clock) -> None:
        """Look in `storage`; what keeps an answer goes into the commit of the request."""
        self._storage = storage
        self._clock = clock

    async def answered(
        self, tenant_id: TenantId, principal: Principal, key: str | None, body: JsonObject
    ) -> JsonObject | None:
        """Return the answer to that request, given before, or None; raises `KeyReused` for another one."""
        if key is None:
            return None
        stored = await self._storage.stored_answer(tenant_id, principal, key)
        if stored is None:
            return None
        if stored.request_sha256 != request_hash(body):
            raise KeyReused(f"the idempotency key {key!r} was used for another request; choose a new one")
        return stored.answer

    def keep(
        self, principal: Principal, key: str | None, body: JsonObject, decision: Decision
    ) -> RequestKey | None:
        """Return what a commit has to store under the key, so that the request is answered alike again."""
        if key is None:
            return None
        return RequestKey(
            principal=principal,
            key=key,
            request_sha256=request_hash(body),
            answer=answer_of(decision.instance),
            expires_at=self._clock.now() + KEY_LIFETIME,
        )


def answer_of(instance: Instance) -> JsonObject:
    """Return the short answer every call about an instance gives."""
    return {
        "instance_id": instance.instance_id,
        "status": instance.shown_status,
        "current_phase": instance.phase,
        "waiting_reason": str(instance.waiting_reason) if instance.waiting_reason else None,
        "error": instance.failure.message if instance.failure else None,
    }
