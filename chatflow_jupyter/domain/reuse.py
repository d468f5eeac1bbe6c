"""When a phase says `cache: inputs`: what counts as unchanged, and what is kept of an outcome.

The inputs are all that a notebook can read through us. What it reads otherwise (a file that a parameter
names, the network, the clock) is not known here: its author says that it does not matter.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from .decision import ContinuationKind, KeptOutcome
from .definition import Phase
from .draft import Draft
from .ids import Sha256
from .instance import Instance, PhaseState, Sought, WaitingReason
from .json_values import JsonObject, JsonValue, canonical_json

KEPT_FOR = timedelta(days=90)
"""For how long an outcome may be reused after it was made."""


def is_cached(phase: Phase) -> bool:
    """Whether an earlier outcome of this phase may stand for a new one."""
    return phase.cache is not None and phase.notebook is not None and phase.offspring is None


def must_look(draft: Draft) -> bool:
    """Whether an earlier outcome has to be looked for before the current phase may be queued.

    An answer holds for the transition it came with: whatever lets time pass in between may change inputs.
    """
    if not is_cached(draft.phase) or draft.instance.is_undoing:
        return False
    sought = draft.record.sought
    return sought is None or not sought.answered or sought.seq != draft.instance.seq


def look_for_outcome(draft: Draft) -> None:
    """Have an earlier outcome looked for after the commit, and wait for the answer."""
    number, earlier = draft.record.attempts + 1, draft.record.sought or Sought(attempt=0, seq=0)
    sought = replace(earlier, attempt=number, seq=draft.instance.seq, answered=False)
    draft.change_record(sought=sought)
    draft.wait(WaitingReason.CACHE, f"an earlier outcome of phase {draft.phase.name}")
    draft.continue_self(ContinuationKind.LOOK_FOR_CACHED)


def keep_outcome(draft: Draft) -> None:
    """Keep what the current attempt handed over for those with the same inputs, now that it counts.

    What an earlier attempt with other inputs left in the journal may be part of it: then it is not kept.
    Nor is what hooks judged, though none was in force when its inputs were looked at.
    """
    record, phase, sought = draft.record, draft.phase, draft.record.sought
    if sought is None or sought.key is None or sought.mixed or sought.attempt != record.attempts:
        return
    if draft.hooks.judges:
        return
    if not is_cached(phase) or draft.instance.is_undoing or draft.instance.spawned:
        return
    draft.kept = KeptOutcome(
        key=sought.key,
        phase=phase.name,
        attempt=record.attempts,
        risk=draft.instance.reported_risk,
        made_at=draft.now,
        expires_at=draft.now + KEPT_FOR,
    )


def key_of(
    phase: Phase,
    instance: Instance,
    parameters: JsonObject,
    *,
    files: Sha256,
    scheduled_at: str | None,
    artifacts: JsonValue,
) -> Sha256:
    """Return the hash of everything the next attempt of `phase` can read.

    `files` is a hash over the bundle without the definition, of which the phase as written counts;
    `artifacts` names those of other phases with their hashes.
    """
    inputs: JsonObject = {
        "form": 2,
        "tenant": instance.tenant_id,
        "definition": instance.definition.name,
        "phase": json.loads(phase.model_dump_json(by_alias=True, exclude_defaults=True)),
        "files": files,
        "as": instance.principal if phase.run_as == "starter" else None,
        "parameters": parameters,
        "variables": _readable(instance),
        "feature": instance.feature_id,
        "scheduled_at": scheduled_at,
        "artifacts": artifacts,
    }
    return Sha256(hashlib.sha256(canonical_json(inputs).encode()).hexdigest())


def stands(source: Instance, phase: str, attempt: int) -> bool:
    """Whether that attempt is what the phase succeeded with, and is not undone or to be."""
    record = source.phases.get(phase)
    succeeded = record is not None and record.state is PhaseState.SUCCEEDED and record.attempts == attempt
    return succeeded and source.undoing is None


def outcome_of(source: Instance, phase: str, attempt: int) -> JsonObject | None:
    """Return what that attempt handed over, if it stands."""
    outputs = source.variables.get(phase)
    return outputs if stands(source, phase, attempt) and isinstance(outputs, Mapping) else None


def settled_phases(instance: Instance) -> tuple[str, ...]:
    """Return the phases whose artifacts a notebook can fetch: those are among its inputs, and no others."""
    return tuple(
        name
        for name, record in instance.phases.items()
        if record.state is PhaseState.SUCCEEDED or record.notebook_done
    )


def notebook_name(phase: str) -> str:
    """Return the name of the artifact that is the executed notebook of a phase: it differs with every run."""
    return f"{phase}.ipynb"


def _readable(instance: Instance) -> JsonObject:
    """Return the variables without what differs with every run: when gates were answered, children's ids."""
    gates = [name for name, record in instance.phases.items() if record.gate is not None]
    known = dict(instance.view)
    for name in gates:
        outcome = known[name]
        assert isinstance(outcome, Mapping)
        known[name] = {**outcome, "gate": _without(outcome["gate"], "at")}
    children = known.get("children")
    if isinstance(children, Mapping):
        known["children"] = {key: _without(entry, *_OF_THE_RUN) for key, entry in children.items()}
    return known


_OF_THE_RUN = ("instance_id", "seq", "spent_sec")


def _without(value: JsonValue, *names: str) -> JsonValue:
    if not isinstance(value, Mapping):
        return value
    return {name: entry for name, entry in value.items() if name not in names}
