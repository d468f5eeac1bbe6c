"""Identifiers, each a type of its own, and the ones derived from others.

Derived ids make a repeated commit harmless: creating the same attempt, child or event a second time
produces the same id and so inserts nothing.
"""

import base64
import hashlib
from typing import Literal, NewType, TypeAlias

TenantId = NewType("TenantId", str)
InstanceId = NewType("InstanceId", str)
AttemptId = NewType("AttemptId", str)
EventId = NewType("EventId", str)
RunnerId = NewType("RunnerId", str)
OwnerId = NewType("OwnerId", str)
Principal = NewType("Principal", str)
Sha256 = NewType("Sha256", str)
WaiverId = NewType("WaiverId", str)
ScheduleId = NewType("ScheduleId", str)

LOCAL_TENANT = TenantId("local")
LOCAL_PRINCIPAL = Principal("local")
ENGINE_PRINCIPAL = Principal("engine")
VERBS = ("read", "run", "author", "admin")
"""What a principal may do in a tenant, each including the ones before it."""
RunAs: TypeAlias = Literal["starter", "tenant"]
"""As whom an attempt runs: whoever started the instance, or the tenant's own runner account."""


def attempt_id(instance: InstanceId, phase: str, number: int) -> AttemptId:
    """Return the id of the `number`-th attempt (from 1) of `phase` in `instance`."""
    return AttemptId(f"{instance}.{phase}.{number}")


def event_id(instance: InstanceId, seq: int, index: int) -> EventId:
    """Return the id of the `index`-th event (from 0) of the instance's transition `seq`."""
    return EventId(f"evt_{instance.removeprefix('wfi_')}_{seq}_{index}")


def child_id(parent: InstanceId, phase: str, index: int) -> InstanceId:
    """Return the id of the child that `phase` of `parent` starts for its item `index` (from 0)."""
    digest = hashlib.sha256(f"{parent}/{phase}/{index}".encode()).digest()
    return InstanceId("wfi_" + base64.b32encode(digest).decode().lower()[:26])
