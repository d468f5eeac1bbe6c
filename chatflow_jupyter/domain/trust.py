"""Whose word counts: outcomes of phases that the tenant's own runners ran, against those of whoever started.

Whoever runs an attempt can report what he likes, so a rule that shall stop him may not read that.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .conditions import comparisons_of
from .json_values import JsonObject

if TYPE_CHECKING:
    from .definition import Gate, Phase
    from .instance import Instance

TRUSTED = "tenant"


def readable_by(gate: "Gate", instance: "Instance") -> JsonObject:
    """Return the variables that the rule of `gate` may read; of a governed one the tenant's own word only."""
    view = instance.view
    if not gate.governed:
        return view
    return {name: view[name] for name, record in instance.phases.items() if record.origin == TRUSTED}


def trust_problems(phase: "Phase", earlier: Sequence["Phase"]) -> Iterator[str]:
    """Yield what makes the rule of a governed gate read somebody's word who could be the one it stops."""
    gate = phase.gate
    if gate is None or not gate.governed:
        return
    if gate.auto is None:
        yield "is about the rule `auto`, and there is none: people are asked anyway"
        return
    trusted = [one.name for one in earlier if one.run_as == TRUSTED and one.notebook is not None]
    for field in dict.fromkeys(one.field for one in comparisons_of(gate.auto)):
        if field.partition(".")[0] not in trusted:
            there = ", ".join(trusted) or "there is none before it"
            yield (
                f"{field[:80]!r} may be set by whoever starts the instance; a governed gate reads only "
                f"phases with `run_as: tenant` ({there})"
            )
