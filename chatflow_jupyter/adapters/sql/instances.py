"""One transition, one transaction: everything a request changes is written here, or nothing is."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from chatflow_jupyter.domain.errors import NotFound, SeqConflict
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.ports.records import Commit, Transition

from . import (
    artifacts,
    attempts,
    audit,
    continuations,
    events,
    outcomes,
    parts,
    request_keys,
    schedules,
    shares,
    trees,
    usage,
)
from .gate_rows import vote_columns
from .gate_tables import decisions
from .instance_rows import birth_columns, same_birth, state_columns
from .schema import instances
from .statements import Statement

_THIS = (instances.c.tenant_id == bindparam("tenant"), instances.c.instance_id == bindparam("instance"))
_STATE = ("seq", "status", "waiting_reason", "paused", "phase", "state")
_BIRTH = (
    *("root_id", "parent_id", "parent_phase", "child_index"),
    *("feature_id", "name", "version", "created_at", "birth"),
)

INSERT_INSTANCE = Statement(insert(instances))
ADVANCE_INSTANCE = Statement(
    update(instances)
    .where(*_THIS, instances.c.seq == bindparam("seq_before"))
    .values({name: bindparam(name) for name in _STATE})
)
CHANGE_BIRTH = Statement(update(instances).where(*_THIS).values({name: bindparam(name) for name in _BIRTH}))
SELECT_SEQ = Statement(select(instances.c.seq).where(*_THIS))
INSERT_DECISION = Statement(insert(decisions))

# Run as a construct: the number of ids differs.
EXISTING = select(instances.c.instance_id).where(
    instances.c.tenant_id == bindparam("tenant"),
    instances.c.instance_id.in_(bindparam("ids", expanding=True)),
)


def commit_transitions(connection: Connection, commit: Commit, now: datetime) -> list[tuple[Instance, int]]:
    """Apply a commit; `now` only says whether its key has expired. Raises what the port promises.

    Returns the instances it advanced, each with the characters of its stored state.
    """
    tenant_id = commit.tenant_id
    advanced = []
    if commit.key is not None:
        request_keys.take(connection, tenant_id, commit.key, now)
    if commit.schedule is not None:
        schedules.change(connection, commit.schedule)
    for transition in commit.transitions:
        if transition.before is not None:
            after = transition.decision.instance
            advanced.append((after, _advance(connection, tenant_id, transition.before, after)))
            if commit.no_artifact_but is not None:
                artifacts.require_none(connection, tenant_id, after.instance_id, but=commit.no_artifact_but)
    if commit.shares is not None:
        shares.check(connection, tenant_id, commit.shares)
    for transition in commit.transitions:
        outcomes.check(connection, tenant_id, transition.decision)
    applied = _without_known_births(connection, commit)
    position = events.reserve(connection, tenant_id, applied)
    _insert_births(connection, applied, position)
    trees.count(connection, tenant_id, applied, position, commit.owner_id)
    usage.count(connection, tenant_id, applied)
    events.append(connection, tenant_id, applied, position)
    attempts.change(connection, tenant_id, applied, position)
    if commit.shares is not None:
        shares.share(
            connection, tenant_id, commit.transitions[0].decision.instance.instance_id, commit.shares
        )
    outcomes.take_part(connection, tenant_id, applied)
    continuations.note(connection, tenant_id, applied)
    continuations.consume(connection, tenant_id, commit.consumed)
    votes = [
        vote_columns(transition.decision.instance, vote)
        for transition in applied
        for vote in transition.decision.votes
    ]
    INSERT_DECISION.write_many(connection, votes)
    audit.record(connection, tenant_id, commit.act)
    return advanced


def _advance(connection: Connection, tenant_id: TenantId, before: Instance, after: Instance) -> int:
    this = {"tenant": tenant_id, "instance": after.instance_id}
    columns = state_columns(after)
    done = ADVANCE_INSTANCE.write(connection, **this, seq_before=before.seq, **columns)
    if done == 0:
        stored = SELECT_SEQ.run(connection, **this).scalar_one_or_none()
        if stored is None:
            raise NotFound(f"no instance {after.instance_id}")
        raise SeqConflict(f"instance {after.instance_id} is at transition {stored}, not {before.seq}")
    if not same_birth(before, after):
        CHANGE_BIRTH.write(connection, **this, **birth_columns(after))
    parts.write(connection, before, after)
    return len(columns["state"])


def _without_known_births(connection: Connection, commit: Commit) -> list[Transition]:
    """Leave out instances to be created that exist: a repeated batch of children changes nothing."""
    born = [each.decision.instance.instance_id for each in commit.transitions if each.before is None]
    if not born:
        return list(commit.transitions)
    rows = connection.execute(EXISTING, {"tenant": commit.tenant_id, "ids": born})
    known: set[InstanceId] = {row.instance_id for row in rows}
    return [
        each
        for each in commit.transitions
        if each.before is not None or each.decision.instance.instance_id not in known
    ]


def _insert_births(connection: Connection, applied: list[Transition], position: int) -> None:
    rows = []
    for transition in applied:
        instance = transition.decision.instance
        if transition.before is None:
            rows.append(
                {
                    "tenant_id": instance.tenant_id,
                    "instance_id": instance.instance_id,
                    "born": position,
                    **birth_columns(instance),
                    **state_columns(instance),
                }
            )
        position += len(transition.decision.events)
    INSERT_INSTANCE.write_many(connection, rows)
    for transition in applied:
        if transition.before is None:
            parts.write(connection, None, transition.decision.instance)
