"""Faults about gates, planted like those of `planted_faults`."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from chatflow_jupyter.adapters.memory.gates import MemoryGates
from chatflow_jupyter.domain import attempt_rules, gate_rules, gates, transition
from chatflow_jupyter.domain.draft import Draft
from chatflow_jupyter.domain.instance import OpenGate
from chatflow_jupyter.services.orchestrator import Orchestrator
from tests.engine.planted_faults import fault, fault_among, put


@fault
def one_person_is_a_quorum(stack: ExitStack) -> None:
    honest = gate_rules.gate_of
    put(stack, lambda phase: honest(phase).model_copy(update={"quorum": 1}), "gate_of", gate_rules)


@fault
def anybody_may_answer(stack: ExitStack) -> None:
    put(stack, lambda *_: True, "may_answer", gate_rules)


@fault_among("board")
def a_vote_counts_though_the_artifact_changed(stack: ExitStack) -> None:
    honest = gate_rules.answer_gate

    def answer(draft: Draft, request: Any) -> Any:
        gate = draft.instance.gate
        assert gate is not None
        draft.change(gate=replace(gate, votes=tuple(replace(v, shown=request.shown) for v in gate.votes)))
        return honest(draft, request)

    put(stack, answer, "answer_gate", transition)


@fault_among("review")
def a_governed_gate_reads_what_nobody_vouches_for(stack: ExitStack) -> None:
    put(stack, lambda _, instance: instance.view, "readable_by", gates)


@fault
def a_changed_mind_counts_twice(stack: ExitStack) -> None:
    honest = gate_rules.open_gate

    def open_gate(draft: Draft) -> OpenGate:
        gate = honest(draft)
        return replace(gate, votes=tuple(replace(v, principal=f"{v.principal} once") for v in gate.votes))

    put(stack, open_gate, "open_gate", gate_rules)


@fault
def an_escalation_goes_on_for_ever(stack: ExitStack) -> None:
    honest = gate_rules.open_gate
    put(stack, lambda draft: replace(honest(draft), escalated=False), "open_gate", gate_rules)


@fault
def a_void_approval_runs(stack: ExitStack) -> None:
    put(stack, lambda *_: False, "approval_is_void", attempt_rules)


@fault
def what_one_says_counts_before_the_others_agree(stack: ExitStack) -> None:
    honest = gate_rules.answer_gate

    def answer(draft: Draft, request: Any) -> Any:
        refusal = honest(draft, request)
        if refusal is None:
            draft.merge_trigger(request.data)
        return refusal

    put(stack, answer, "answer_gate", transition)


@fault
def a_waiver_of_another_feature_counts(stack: ExitStack) -> None:
    async def waiver_for(
        self: Any, tenant: Any, name: Any, phase: Any, feature: Any, now: Any, given_by: Any
    ) -> Any:
        found = [w for w in await self.waivers(tenant) if (w.name, w.phase) == (name, phase)]
        found = [w for w in found if w.created_at <= given_by]
        return max((w for w in found if w.expires_at > now), key=lambda w: w.expires_at, default=None)

    put(stack, waiver_for, "waiver_for", MemoryGates)


@fault_among("board")
def a_rejection_leads_nowhere(stack: ExitStack) -> None:
    put(stack, lambda draft, name: draft.complete(), "go_to", gate_rules)


@fault
def a_guess_at_what_is_shown_is_believed(stack: ExitStack) -> None:
    honest = Orchestrator._informed

    async def informed(self: Any, instance: Any, request: Any, *, is_stored: bool) -> Any:
        asked, _ = await honest(self, instance, request, is_stored=is_stored)
        return asked, None

    put(stack, informed, "_informed", Orchestrator)


@fault_among("board")
def approvals_of_different_data_agree(stack: ExitStack) -> None:
    def agreeing(votes: Any, like: Any) -> Any:
        return [vote for vote in votes if vote.decision == like.decision]

    put(stack, agreeing, "agreeing", gate_rules)


@fault
def the_data_of_a_void_approval_stays(stack: ExitStack) -> None:
    put(stack, lambda *_: None, "_take_back", gate_rules)


@fault
def nobody_remembers_as_whom_an_attempt_ran(stack: ExitStack) -> None:
    honest = Draft.change_record

    def change_record(draft: Draft, **changes: Any) -> None:
        honest(draft, **({**changes, "origin": None} if "origin" in changes else changes))

    put(stack, change_record, "change_record", Draft)


@fault
def the_word_of_everybody_is_that_of_the_tenant(stack: ExitStack) -> None:
    honest = Draft.change_record

    def change_record(draft: Draft, **changes: Any) -> None:
        honest(draft, **({**changes, "origin": "tenant"} if "origin" in changes else changes))

    put(stack, change_record, "change_record", Draft)
