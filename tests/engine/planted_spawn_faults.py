"""Faults about children that notebooks ask for, planted like the others."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from chatflow_jupyter.domain import attempt_rules, fan_out, spawn_rules
from chatflow_jupyter.domain.draft import Draft
from chatflow_jupyter.domain.instance import Spawned
from tests.engine.planted_faults import fault, put


@fault
def children_are_born_of_an_attempt_that_failed(stack: ExitStack) -> None:
    honest = attempt_rules._outcome_failure

    def failure(draft: Draft, request: Any) -> Any:
        found = honest(draft, request)
        if found is not None and found.code == "invalid_outputs" and request.spawned:
            draft.change(spawned=request.spawned)
            fan_out.begin_fan_out(draft)
        return found

    put(stack, failure, "_outcome_failure", attempt_rules)


@fault
def a_spawned_key_may_be_that_of_an_earlier_phase(stack: ExitStack) -> None:
    put(stack, lambda _: {}, "known_children", spawn_rules)


def overlook(stack: ExitStack, words: str) -> None:
    """Let children be born though they were refused in these words."""
    honest = attempt_rules.spawn_failure

    def failure(draft: Draft, spawned: Sequence[Spawned]) -> Any:
        found = honest(draft, spawned)
        return None if found is not None and words in found.message else found

    put(stack, failure, "spawn_failure", attempt_rules)


@fault
def a_spawned_key_may_repeat(stack: ExitStack) -> None:
    overlook(stack, "appears twice")


@fault
def any_schema_may_be_spawned(stack: ExitStack) -> None:
    overlook(stack, "is none of")


@fault
def spawned_children_survive_into_the_next_phase(stack: ExitStack) -> None:
    honest = Draft.change

    def change(self: Draft, **fields: Any) -> None:
        if fields.get("spawned") == () and "attempt" not in fields:
            del fields["spawned"]
        honest(self, **fields)

    put(stack, change, "change", Draft)


@fault
def the_last_spawned_child_of_a_commit_is_born_again_in_the_next(stack: ExitStack) -> None:
    honest = fan_out._wanted

    def wanted(draft: Draft, first: int = 0, last: int | None = None) -> Any:
        again = 1 if draft.instance.spawned and first else 0
        return honest(draft, first - again, None if last is None else last - again)

    put(stack, wanted, "_wanted", fan_out)


@fault
def spawned_children_need_no_room_in_the_tree(stack: ExitStack) -> None:
    put(stack, lambda *_: None, "no_room", spawn_rules)
