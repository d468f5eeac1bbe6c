"""Instances as this process last committed them: the next transition need not read what was just written."""

from collections.abc import Iterable
from threading import Lock

from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.domain.instance import Instance

MOST_KEPT = 256
LARGEST_CHARS = 16 * 1024  # of an instance's stored state; its context, up to 1 MiB, is not counted


class RecentInstances:
    """The last few instances committed. Any of them may be behind the store, never ahead of it."""

    def __init__(self) -> None:
        """Start empty."""
        self._kept: dict[tuple[TenantId, InstanceId], Instance] = {}
        self._lock = Lock()

    def of(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance | None:
        """Return the instance, or None when it is not kept."""
        return self._kept.get((tenant_id, instance_id))

    def keep(self, committed: Iterable[tuple[Instance, int]]) -> None:
        """Keep what was just committed, each with the size of its stored state; nothing large or ended."""
        with self._lock:
            for instance, size_chars in committed:
                this = instance.tenant_id, instance.instance_id
                known = self._kept.get(this)
                if known is not None and known.seq > instance.seq:
                    continue  # two commits were answered in the other order
                self._kept.pop(this, None)
                if size_chars <= LARGEST_CHARS and not instance.ended:
                    self._kept[this] = instance
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
