"""What comes next: for one instance, and for all that carry one label."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.recommendation import Recommendation
from chatflow_jupyter.domain.timely import recommend_in_time
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import FeatureCount, InstanceFilter
from chatflow_jupyter.ports.state_storage import IStateStorage

from .deadline_now import deadline_of
from .pinned import PinnedDefinitions

MAX_COMPARED = 50
"""How many instances are read to compare with: the newest, of which those count that have ended."""
MAX_ATTENTION = 20
ENDS_ONLY_BY_A_PERSON = ("failed", "paused", "created")
WAITS_FOR_A_PERSON = ("approval", "trigger", "budget")


@dataclass(frozen=True, kw_only=True, slots=True)
class Attention:
    """An instance that goes on only when a person does something, and what."""

    instance: Instance
    advice: Recommendation


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureStatus:
    """Where the roots of one feature stand.

    `attention` holds the newest that need a person, `more` is how many others do.
    """

    feature_id: str
    total: int
    by_status: Mapping[str, int]
    counts: Sequence[FeatureCount]
    attention: Sequence[Attention]
    more: int


class Advice:
    """Recommendations and the status of features; only reads."""

    def __init__(self, storage: IStateStorage, pinned: PinnedDefinitions, clock: Clock) -> None:
        """Read from `storage`; `clock` tells what is overdue."""
        self._clock = clock
        self._storage = storage
        self._pinned = pinned

    async def recommend_next_phase(self, instance: Instance) -> Recommendation:
        """Return what should be done next with the instance, compared with earlier ones of its definition.

        A root is compared with roots, a child with its siblings.
        """
        return await self._compared(instance, await self._earlier(instance))

    async def feature_status(self, tenant_id: TenantId, feature_id: str) -> FeatureStatus:
        """Return where the roots of the feature stand; raises `NotFound` when there is none."""
        counts = await self._storage.feature_counts(tenant_id, feature_id)
        if not counts:
            raise NotFound(
                f"{feature_id}: no instance has that label; `chatflow list --json` shows the labels there are"
            )
        by_status: Counter[str] = Counter()
        for count in counts:
            by_status[count.status] += count.number
        needing = sum(count.number for count in counts if _needs_somebody(count.status, count.waiting_reason))
        attention, earlier = list[Attention](), dict[str, Sequence[Instance]]()
        for one in await self._needing(tenant_id, feature_id):
            name = one.definition.name
            if name not in earlier:
                earlier[name] = await self._earlier(one)
            attention.append(Attention(instance=one, advice=await self._compared(one, earlier[name])))
        return FeatureStatus(
            feature_id=feature_id,
            total=by_status.total(),
            by_status=dict(by_status),
            counts=counts,
            attention=tuple(attention),
            more=max(needing - len(attention), 0),
        )

    async def _needing(self, tenant_id: TenantId, feature_id: str) -> Sequence[Instance]:
        found: list[Instance] = []
        alone = [(status, None) for status in ENDS_ONLY_BY_A_PERSON]
        for status, reason in (*alone, *(("waiting", reason) for reason in WAITS_FOR_A_PERSON)):
            found += await self._storage.instances(
                tenant_id,
                InstanceFilter(
                    feature_id=feature_id,
                    status=status,
                    waiting_reason=reason,
                    limit=MAX_ATTENTION,
                    families=False,
                ),
            )
        found.sort(key=lambda one: (one.created_at, one.instance_id), reverse=True)
        return found[:MAX_ATTENTION]

    async def _compared(self, instance: Instance, earlier: Sequence[Instance]) -> Recommendation:
        record = await self._pinned.of(instance.tenant_id, instance.definition)
        others = [one for one in earlier if one.instance_id != instance.instance_id]
        due = await deadline_of(self._storage, instance)
        return recommend_in_time(record.definition, instance, others, due=due, now=self._clock.now())

    async def _earlier(self, instance: Instance) -> Sequence[Instance]:
        parent = instance.parent
        wanted = InstanceFilter(
            name=instance.definition.name,
            parent_id=parent.instance_id if parent else None,
            phase=parent.phase if parent else None,
            limit=MAX_COMPARED,
            families=False,
        )
        found = await self._storage.instances(instance.tenant_id, wanted)
        return [one for one in found if one.ended]


def _needs_somebody(status: str, waiting_reason: str | None) -> bool:
    """Whether nothing goes on by itself; a failed instance counts even when it cannot be resumed."""
    return status in ENDS_ONLY_BY_A_PERSON or waiting_reason in WAITS_FOR_A_PERSON
