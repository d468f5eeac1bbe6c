"""Faults about quotas that are shared by a subtree, planted like the others."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from chatflow_jupyter.adapters.memory import commits
from chatflow_jupyter.domain import advance, attempt_rules, birth, fan_out, quota_rules, transition
from chatflow_jupyter.domain.usage import NOTHING_KNOWN, Used
from chatflow_jupyter.services.orchestrator import Orchestrator
from tests.engine.planted_faults import fault, fault_among, put


@fault
def a_child_has_only_its_own_quota(stack: ExitStack) -> None:
    honest = birth.create_child

    def create_child(definition: Any, reference: Any, parent: Any, *more: Any) -> Any:
        return honest(definition, reference, replace(parent, lineage=(), quota=type(parent.quota)()), *more)

    put(stack, create_child, "create_child", birth)
    from chatflow_jupyter.services import orchestrator

    put(stack, create_child, "create_child", orchestrator)


@fault
def only_the_nearest_limit_counts(stack: ExitStack) -> None:
    honest = quota_rules._spent_sec

    def spent(instance: Any, limit: Any, *more: Any) -> float:
        return honest(instance, limit, *more) if limit == instance.limits[-1] else 0.0

    put(stack, spent, "_spent_sec", quota_rules)


@fault
def what_children_spend_counts_at_their_end(stack: ExitStack) -> None:
    async def used(*_: Any, **__: Any) -> Used:
        return NOTHING_KNOWN

    put(stack, used, "_used", Orchestrator)


@fault_among("kin")
def what_a_race_lost_is_not_looked_at(stack: ExitStack) -> None:
    put(stack, lambda *_: None, "check_room", commits)


@fault
def a_retry_costs_nothing(stack: ExitStack) -> None:
    honest = attempt_rules.attempt_failed

    def failed(draft: Any, request: Any) -> Any:
        answer = honest(draft, request)
        draft.spent_sec = 0.0
        return answer

    put(stack, failed, "attempt_failed", transition)


@fault
def declared_children_need_no_room(stack: ExitStack) -> None:
    put(stack, lambda *_: None, "no_room", fan_out)


@fault_among("kin")
def what_was_queued_starts_though_no_time_is_left(stack: ExitStack) -> None:
    put(stack, lambda *_: False, "_too_late", attempt_rules)


@fault_among("kin")
def the_last_second_is_used_twice(stack: ExitStack) -> None:
    honest = quota_rules.budget_exhausted

    def exhausted(draft: Any) -> Any:
        found = honest(draft)
        over = draft.instance.attempt is None and draft.spent_sec
        return None if over else found

    put(stack, exhausted, "budget_exhausted", advance)
