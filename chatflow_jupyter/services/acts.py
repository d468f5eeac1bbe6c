"""What is recorded of what people ask of instances."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from chatflow_jupyter.domain.audit import REFUSED, Act, Verb
from chatflow_jupyter.domain.decision import Decision
from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.ids import InstanceId, Principal, Sha256
from chatflow_jupyter.domain.instance import Instance, Status
from chatflow_jupyter.domain.json_values import JsonObject, canonical_json
from chatflow_jupyter.domain.requests import Pause, Request, Terminate, Trigger, principal_of

MAX_KEY_LENGTH = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A person's request, as it came: its idempotency key, and a hash over all it says."""

    key: str | None = None
    request_sha256: Sha256 | None = None


def check_key(key: str | None) -> None:
    """Raise `InvalidInput` for an idempotency key that cannot be one."""
    if key is not None and not 0 < len(key) <= MAX_KEY_LENGTH:
        raise InvalidInput(f"idempotency key: must have 1 to {MAX_KEY_LENGTH} characters")


def request_hash(body: JsonObject) -> Sha256:
    """Return the hash that tells two requests with one key apart."""
    return Sha256(hashlib.sha256(canonical_json(body).encode()).hexdigest())


def act_of(request: Request, before: Instance, decision: Decision, asked: Asked) -> Act:
    """Return what is recorded of a person's request about an instance."""
    after = decision.instance
    return Act(
        at=after.updated_at,
        principal=principal_of(request),
        claimed=isinstance(request, Trigger) and request.claimed,
        verb=_verb(request, before),
        kind="instance",
        subject=after.instance_id,
        about=before.phase,
        outcome=after.shown_status,
        reason=request.reason if isinstance(request, Trigger | Terminate) else None,
        key=asked.key,
        request_sha256=asked.request_sha256,
    )


def act_of_birth(
    decision: Decision, body: JsonObject, principal: Principal, key: str | None, about: str | None
) -> Act:
    """Return what is recorded when somebody creates an instance; `about` is where a fork begins."""
    instance = decision.instance
    verb: Verb = "start" if body.get("start") else "create"
    return Act(
        at=instance.created_at,
        principal=principal,
        verb="fork" if body["call"] == "fork" else verb,
        kind="instance",
        subject=instance.instance_id,
        about=about or instance.definition.schema_id,
        outcome=instance.shown_status,
        key=key,
        request_sha256=request_hash(body),
    )


def act_refused(request: Trigger, instance_id: InstanceId, code: str, asked: Asked, now: datetime) -> Act:
    """Return what is recorded of an answer that was refused."""
    return Act(
        at=now,
        principal=request.principal,
        claimed=request.claimed,
        verb=request.decision or "trigger",
        kind="instance",
        subject=instance_id,
        about=request.phase,
        outcome=f"{REFUSED}{code}",
        reason=request.reason,
        key=asked.key,
        request_sha256=asked.request_sha256,
    )


def _verb(request: Request, before: Instance) -> Verb:
    match request:
        case Trigger(decision=None):
            if before.status is Status.CREATED:
                return "start"
            return "retry" if before.status is Status.FAILED else "trigger"
        case Trigger(decision="approve"):
            return "approve"
        case Trigger():
            return "reject"
        case Terminate(compensate=True):
            return "compensate"
        case Terminate():
            return "terminate"
        case _:
            return "pause" if isinstance(request, Pause) else "resume"
