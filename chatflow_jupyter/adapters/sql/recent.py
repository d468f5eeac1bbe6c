"""Instances as this process last committed them: the next transition need not read what was just written.

Parents know much of their children, and are read for each of them: of these a few are kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from threading import Lock

from chatflow_jupyter.domain.fan_out import known_children
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.json_values import JsonValue

MOST_KEPT = 256
LARGEST_PARENT_CHARS = 1024 * 1024  # what is stored apart is not counted: there are few of them
MOST_PARENTS_KEPT = 16
LARGEST_CHARS = 16 * 1024  # of an instance's stored state, and again of what it was created with


class RecentInstances:
    """The last few instances committed. Any of them may be behind the store, never ahead of it."""

    def __init__(self) -> None:
        """Start empty."""
        self._kept: dict[tuple[TenantId, InstanceId], Instance] = {}
        self._parents: dict[tuple[TenantId, InstanceId], Instance] = {}
        self._lock = Lock()

    def of(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance | None:
        """Return the instance, or None when it is not kept."""
        this = tenant_id, instance_id
        return self._kept.get(this) or self._parents.get(this)

    def keep(self, committed: Iterable[tuple[Instance, int]]) -> None:
        """Keep what was just committed, each with the size of its stored state; nothing large or ended."""
        with self._lock:
            for instance, size_chars in committed:
                this = instance.tenant_id, instance.instance_id
                known = self.of(*this)
                if known is not None and known.seq > instance.seq:
                    continue  # two commits were answered in the other order
                self._kept.pop(this, None)
                self._parents.pop(this, None)
                has_parts = instance.fan_out or known_children(instance) or instance.spawned
                most = LARGEST_PARENT_CHARS if has_parts else LARGEST_CHARS
                if size_chars <= most and not instance.ended and _born_small(instance, known, most):
                    (self._parents if has_parts else self._kept)[this] = instance
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            while len(self._parents) > MOST_PARENTS_KEPT:
                del self._parents[next(iter(self._parents))]


def _born_small(instance: Instance, known: Instance | None, most: int) -> bool:
    if known is not None and known.context is instance.context and known.meta is instance.meta:
        return True
    chars, left = 0, list[JsonValue]((instance.context, instance.meta))
    while left and chars <= most:  # what is far larger is not walked through at every transition
        value = left.pop()
        if isinstance(value, str):
            chars += len(value)
        elif isinstance(value, Mapping):
            chars += sum(map(len, value))
            left.extend(value.values())
        elif isinstance(value, Sequence):
            left.extend(value)
        chars += 2
    return chars <= most
