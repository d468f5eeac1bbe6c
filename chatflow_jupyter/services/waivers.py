"""Waivers: somebody's word, given beforehand, that a gate need not ask for some time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from chatflow_jupyter.domain.audit import Act, Verb
from chatflow_jupyter.domain.definition import Definition, Gate, split_schema_id
from chatflow_jupyter.domain.definition_faults import nearest
from chatflow_jupyter.domain.errors import Conflict, InvalidInput, NotFound
from chatflow_jupyter.domain.gates import MAX_REASON
from chatflow_jupyter.domain.ids import Principal, TenantId, WaiverId
from chatflow_jupyter.ports.clock import Clock, IdFactory
from chatflow_jupyter.ports.records import Waiver
from chatflow_jupyter.ports.state_storage import IGates

from .definitions import Definitions

LONGEST = timedelta(days=366)
MAX_FEATURE = 255
SHORTEST_BEGINNING = 8

WaiverState: TypeAlias = Literal["active", "expired", "revoked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewWaiver:
    """What a caller asks for: no question at the gate before `phase` of the definition `schema`."""

    schema: str
    phase: str
    until: datetime
    reason: str
    principal: Principal
    feature_id: str | None = None


class Waivers:
    """The use cases of waivers. A waiver opens gates reached while it holds; none that waits already."""

    def __init__(self, storage: IGates, definitions: Definitions, clock: Clock, ids: IdFactory) -> None:
        """Keep them in `storage`."""
        self._storage = storage
        self._definitions = definitions
        self._clock = clock
        self._ids = ids

    async def add(self, tenant_id: TenantId, new: NewWaiver) -> Waiver:
        """Store a waiver of a gate whose author allows that, and return it.

        Raises `NotFound` for a definition or phase there is none of, `Conflict` (code `not_waivable`), and
        `InvalidInput` for a reason or an end that cannot be.
        """
        now = self._clock.now()
        check_new(new, now)
        definition = await self._definitions.look_up(new.schema, tenant_id)
        if not _gate_of(definition, new.phase).waivable:
            message = f"{definition.name}: the gate before {new.phase} cannot be waived: "
            raise Conflict(f"{message}its definition does not say `waivable: true`", code="not_waivable")
        waiver = Waiver(
            tenant_id=tenant_id,
            waiver_id=WaiverId(f"wvr_{self._ids.token()}"),
            name=definition.name,
            phase=new.phase,
            feature_id=new.feature_id,
            principal=new.principal,
            reason=new.reason.strip(),
            created_at=now,
            expires_at=new.until,
        )
        act = _act_on(waiver, "waive", new.principal, now, "active")
        await self._storage.save_waiver(waiver, act)
        return waiver

    async def all(self, tenant_id: TenantId) -> Sequence[Waiver]:
        """Return every waiver, the newest first, those that ended included."""
        return await self._storage.waivers(tenant_id)

    async def revoke(self, tenant_id: TenantId, text: str, principal: Principal) -> Waiver:
        """End the waiver of that id, or unique beginning of one, and return it as it is then.

        One that has ended already is left as it is. Raises `NotFound`.
        """
        known = await self._storage.waivers(tenant_id)
        matching = [waiver for waiver in known if waiver.waiver_id == text]
        if not matching and len(text) >= SHORTEST_BEGINNING:
            matching = [waiver for waiver in known if waiver.waiver_id.startswith(text)]
        if len(matching) > 1:
            raise InvalidInput(f"{text}: {len(matching)} waivers begin like that; give more of the id")
        if not matching:
            shown = text if text.isprintable() else repr(text)
            raise NotFound(
                f"{shown[:80]}: there is no such waiver; `chatflow waivers list` shows those there are"
            )
        (waiver,) = matching
        if self.state(waiver) != "active":
            return waiver
        now = self._clock.now()
        act = _act_on(waiver, "revoke", principal, now, "revoked")
        return await self._storage.revoke_waiver(tenant_id, waiver.waiver_id, now, act)

    def state(self, waiver: Waiver) -> WaiverState:
        """Return whether it holds now."""
        if waiver.revoked_at is not None:
            return "revoked"
        return "active" if self._clock.now() < waiver.expires_at else "expired"


def check_new(new: NewWaiver, now: datetime) -> None:
    """Raise `InvalidInput` for a waiver that cannot be, whatever is in the store."""
    length = len(new.reason.strip())
    if not length:
        raise InvalidInput("reason: say why the gate need not ask; it is kept with everything it opens")
    if length > MAX_REASON:
        raise InvalidInput(f"reason: {length} characters are more than {MAX_REASON}")
    if not now < new.until <= now + LONGEST:
        wrong = "is over already" if new.until <= now else f"is more than {LONGEST.days} days from now"
        raise InvalidInput(f"until {new.until:%Y-%m-%d %H:%M} UTC: that {wrong}; name a moment in between")
    if new.feature_id is not None and not 0 < len(new.feature_id) <= MAX_FEATURE:
        raise InvalidInput(f"feature: must have 1 to {MAX_FEATURE} characters")
    if "/" not in new.schema and split_schema_id(new.schema)[1] is not None:
        raise InvalidInput(f"{new.schema}: a waiver is about every version; leave the @… out")


def _act_on(waiver: Waiver, verb: Verb, principal: Principal, now: datetime, outcome: str) -> Act:
    feature = "" if waiver.feature_id is None else f" for {waiver.feature_id}"
    return Act(
        at=now,
        principal=principal,
        verb=verb,
        kind="waiver",
        subject=waiver.waiver_id,
        about=f"{waiver.name}/{waiver.phase}{feature}, until {waiver.expires_at.isoformat()}",
        outcome=outcome,
        reason=waiver.reason if verb == "waive" else None,
    )


def _gate_of(definition: Definition, name: str) -> Gate:
    names = [phase.name for phase in definition.phases]
    if name not in names:
        close = nearest(name, names) or f"; there are {', '.join(names)}"
        raise NotFound(f"{definition.name}: there is no phase {name[:80]!r}{close}")
    gate = definition.phase(name).gate
    if gate is None:
        gated = [phase.name for phase in definition.phases if phase.gate is not None]
        there = f"; there are gates before {', '.join(gated)}" if gated else "; it has no gates at all"
        raise NotFound(f"{definition.name}: there is no gate before {name}{there}")
    return gate


__all__ = ["LONGEST", "MAX_REASON", "NewWaiver", "WaiverState", "Waivers", "check_new"]
