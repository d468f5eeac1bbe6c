"""Acts of people, and the chain that shows when one that is recorded was changed."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias, get_args

from .ids import Principal, Sha256, TenantId
from .json_values import JsonObject, canonical_json

Verb: TypeAlias = Literal[
    "create",
    "start",
    "fork",
    "trigger",
    "retry",
    "approve",
    "reject",
    "pause",
    "resume",
    "terminate",
    "compensate",
    "publish",
    "deprecate",
    "undeprecate",
    "waive",
    "revoke",
    "add",
    "remove",
    "run-now",
]
Kind: TypeAlias = Literal["instance", "definition", "waiver", "schedule"]

VERBS: tuple[Verb, ...] = get_args(Verb)
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_TEXT = 1000
REFUSED = "refused: "
NOTHING_BEFORE = Sha256("0" * 64)
"""What the first row of a tenant is chained to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """Who did what, when, to what, and what came of it. A name that is `claimed` was not verified.

    `outcome` is the status afterwards, or why it was refused; `about` what else it named: the definition that
    was started, the gate that was answered. Parameters and data are only hashed with the request.
    """

    at: datetime
    principal: Principal
    verb: Verb
    kind: Kind
    subject: str
    outcome: str
    claimed: bool = False
    about: str | None = None
    reason: str | None = None
    key: str | None = None
    request_sha256: Sha256 | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    """An act as recorded: `position` is dense from 1, `sha256` is over it and the row before."""

    tenant_id: TenantId
    position: int
    act: Act
    sha256: Sha256


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEnd:
    """How many rows a tenant's chain has, and the hash of the last."""

    position: int = 0
    sha256: Sha256 = NOTHING_BEFORE


def bounded(act: Act) -> Act:
    """Return the act with no text longer than is recorded."""
    reason = act.reason
    if reason is not None and len(reason) > MAX_TEXT:
        reason = f"{reason[: MAX_TEXT - 1]}…"
    return replace(act, reason=reason)


def told(act: Act) -> JsonObject:
    """Return who did what to what, as it is sealed and printed: another form would break every chain."""
    return {
        "principal": act.principal,
        "claimed": act.claimed,
        "verb": act.verb,
        "kind": act.kind,
        "subject": act.subject,
        "about": act.about,
        "outcome": act.outcome,
        "reason": act.reason,
    }


def seal(before: Sha256, tenant_id: TenantId, position: int, act: Act) -> Sha256:
    """Return the hash of a row: over the one of the row before, its place and everything it says."""
    content = canonical_json(
        {
            "before": before,
            "tenant_id": tenant_id,
            "position": position,
            "at": act.at.astimezone(UTC).isoformat(),
            **told(act),
            "key": act.key,
            "request_sha256": act.request_sha256,
        }
    )
    return Sha256(hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest())


def next_row(end: AuditEnd, tenant_id: TenantId, act: Act) -> AuditRow:
    """Return the row that records `act` behind the end of the tenant's chain."""
    position, act = end.position + 1, bounded(act)
    return AuditRow(
        tenant_id=tenant_id, position=position, act=act, sha256=seal(end.sha256, tenant_id, position, act)
    )


class Chain:
    """Follows a tenant's rows from the first on, and says where they are not what was recorded."""

    def __init__(self, tenant_id: TenantId, seen: AuditEnd | None = None) -> None:
        """Begin before the first row; `seen` is an end somebody noted earlier, which must be met."""
        self._tenant_id = tenant_id
        self._seen = seen
        self.end = AuditEnd()

    def follow(self, rows: Iterable[AuditRow]) -> str | None:
        """Go on with the next rows; returns the first fault there is, and is of no use after one."""
        for row in rows:
            expected = self.end.position + 1
            if row.position != expected:
                return f"row {expected} is missing: behind row {expected - 1} comes row {row.position}"
            if row.sha256 != seal(self.end.sha256, self._tenant_id, row.position, row.act):
                return f"row {row.position} is not what was recorded, or does not follow the row before it"
            self.end = AuditEnd(position=row.position, sha256=row.sha256)
            if self._seen is not None and self.end.position == self._seen.position and self.end != self._seen:
                return f"row {row.position} is not the one that was seen: its hash was {self._seen.sha256}"
        return None

    def finish(self, end: AuditEnd) -> str | None:
        """Return what is wrong with the end: rows that are gone or came in past the store's own count."""
        if end.position > self.end.position:
            return f"rows {self.end.position + 1} to {end.position} are missing at the end"
        if end != self.end:
            return f"the chain ends with row {self.end.position}, which is not where it was left"
        if self._seen is not None and self._seen.position > self.end.position:
            return f"row {self._seen.position} was seen, and the chain ends with row {self.end.position}"
        return None
