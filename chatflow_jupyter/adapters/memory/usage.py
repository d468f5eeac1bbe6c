"""What subtrees have used of their limits, and how many children were asked for in each tree."""

from collections import Counter
from collections.abc import Sequence

from chatflow_jupyter.domain.errors import SeqConflict, StoreDamaged
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.domain.usage import MAX_CHILDREN_OF_TREE, NONE_USED, Limit, Usage
from chatflow_jupyter.ports.records import Transition

from .tables import Tables


def usage_of(tables: Tables, tenant_id: TenantId, instance_id: InstanceId) -> Usage:
    """Return what the instance and all below it have used; raises `StoreDamaged`."""
    found = tables.usage.get((tenant_id, instance_id))
    if found is None:
        raise StoreDamaged(f"there is no row of what {instance_id} and all below it have used")
    return found


def check_room(tables: Tables, applied: Sequence[Transition]) -> None:
    """Raise `SeqConflict` when more children are asked for than there is room for."""
    asked, in_trees = Counter[tuple[TenantId, Limit]](), Counter[tuple[TenantId, InstanceId]]()
    for transition in applied:
        instance, more = transition.decision.instance, transition.decision.asked
        in_trees[instance.tenant_id, instance.root_id] += more
        asked.update({(instance.tenant_id, limit): more for limit in instance.limits})
    for tree, more in in_trees.items():
        if more and tables.asked_in_trees[tree] + more > MAX_CHILDREN_OF_TREE:
            raise SeqConflict(f"tree {tree[1]} has no room for {more} more children")
    for (tenant_id, limit), more in asked.items():
        known = tables.usage.get((tenant_id, limit.instance_id), NONE_USED).children
        if more and limit.max_children is not None and known + more > limit.max_children:
            raise SeqConflict(f"{limit.instance_id} has no room for {more} more children")


def count_usage(tables: Tables, transition: Transition) -> None:
    """Count what was spent and asked for on everybody whose limits the instance is under."""
    decision, instance = transition.decision, transition.decision.instance
    tenant_id, limits = instance.tenant_id, instance.limits
    if transition.before is None and limits != instance.lineage:
        tables.usage.setdefault((tenant_id, instance.instance_id), NONE_USED)
    tables.asked_in_trees[(tenant_id, instance.root_id)] += decision.asked
    for limit in limits if decision.spent_sec or decision.asked else ():
        known = tables.usage.get((tenant_id, limit.instance_id), NONE_USED)
        tables.usage[(tenant_id, limit.instance_id)] = Usage(
            spent_sec=known.spent_sec + decision.spent_sec, children=known.children + decision.asked
        )
