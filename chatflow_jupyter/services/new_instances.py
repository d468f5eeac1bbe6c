"""Roots that are to be born: what a caller asks for, and what is decided about it."""

from dataclasses import dataclass, field

from chatflow_jupyter.domain.decision import Decision
from chatflow_jupyter.domain.ids import OwnerId, Principal
from chatflow_jupyter.domain.json_values import JsonObject
from chatflow_jupyter.ports.records import DefinitionRecord, SharedWork


@dataclass(frozen=True, kw_only=True, slots=True)
class NewInstance:
    """What a caller asks for: a root instance of `record`, begun at once with `start`.

    `owner_id` is the embedded process that drives its tree from the first moment. With `anew`
    no phase of it reuses an earlier outcome.
    """

    record: DefinitionRecord
    context: JsonObject
    principal: Principal
    feature_id: str | None = None
    meta: JsonObject = field(default_factory=dict)
    automation_level: int | None = None
    start: bool = False
    anew: bool = False
    owner_id: OwnerId | None = None

    @property
    def body(self) -> JsonObject:
        """What two requests with one idempotency key must have in common."""
        return {
            "call": "create",
            "schema_id": self.record.reference.name,
            "context": self.context,
            "feature_id": self.feature_id,
            "automation_level": self.automation_level,
            "meta": self.meta,
            "start": self.start,
            **({"anew": True} if self.anew else {}),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Birth:
    """A root about to be born, of `record`, and what it shares with another instance."""

    record: DefinitionRecord
    decision: Decision
    shares: SharedWork | None = None
