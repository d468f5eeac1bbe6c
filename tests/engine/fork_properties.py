"""What is true of forks, whatever was asked: of each beside its source, at every moment."""

from collections.abc import Mapping
from dataclasses import replace

from chatflow_jupyter.domain.instance import Instance, PhaseRecord, PhaseState
from chatflow_jupyter.ports.records import AttemptRow


def check_forks(nodes: Mapping[str, Instance], attempts: Mapping[str, AttemptRow]) -> None:
    """Assert that what a fork shares is, and stays, what its source did, and that nobody undoes it twice."""
    for fork in nodes.values():
        if fork.forked_from is None:
            assert not any(record.shared for record in fork.phases.values()), "shared with nobody"
            continue
        source = nodes[str(fork.forked_from.instance_id)]
        assert (fork.parent, fork.depth) == (None, 0)
        assert fork.forked_from.seq <= source.seq
        assert fork.forked_from.phase in fork.phases, "it did not begin where it was to"
        shared = [name for name, record in fork.phases.items() if record.shared]
        assert shared == list(fork.phases)[: len(shared)], "what it did itself comes after what it shares"
        for name in shared:
            record = fork.phases[name]
            assert record.state is not PhaseState.ACTIVE
            lent = replace(_lent(source, name, to=fork), triggered_before=record.triggered_before)
            assert record == lent, f"{name} is another than the source's"
            assert fork.variables.get(name) == source.variables.get(name)
            assert f"{name}.compensate" not in fork.phases, f"{name} was undone by a fork"
        assert _ended(attempts, fork, shared) == _ended(attempts, source, shared)


def _lent(source: Instance, name: str, *, to: Instance) -> PhaseRecord:
    """Return the source's record as a fork has it: without what was only about making its attempts."""
    record = source.phases[name]
    same = (to.context, to.definition) == (source.context, source.definition)
    origin = record.origin if same else None
    return replace(
        record, shared=True, origin=origin, clearance=None, sought=None, ran_sec=None, unjudged=False
    )


def _ended(attempts: Mapping[str, AttemptRow], of: Instance, phases: list[str]) -> set[tuple[str, int, str]]:
    rows = [row for row in attempts.values() if row.instance_id == of.instance_id and row.phase in phases]
    return {(row.phase, row.number, row.status) for row in rows}
