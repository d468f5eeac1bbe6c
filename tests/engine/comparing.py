"""What must be equal in both engines, and what must hold in the store whatever the model says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from chatflow_jupyter.domain.decision import TimerKind
from chatflow_jupyter.domain.ids import InstanceId
from chatflow_jupyter.domain.instance import Instance, WaitingReason
from chatflow_jupyter.domain.tree import node_class, tree_status
from chatflow_jupyter.ports.records import AttemptRow
from tests.engine.cache_invariants import check_reused_work, reused_by
from tests.engine.comparing_usage import compare_usage
from tests.engine.fork_properties import check_forks
from tests.engine.hook_invariants import check_amended, check_asked, check_told_once, heard_by
from tests.engine.invariants import check_no_undoing_is_lost, check_standing
from tests.engine.questions import TENANT
from tests.engine.times import START

if TYPE_CHECKING:
    from tests.engine.both_engines import BothEngines

EVER = START + timedelta(days=3650)
OPEN = ("queued", "leased")


async def compare(both: "BothEngines") -> None:
    """Assert that the store and the model tell the same story."""
    store, model = both.storage.inner, both.model
    nodes = {}
    attempts: dict[str, AttemptRow] = {}
    for root in [node for node in model.nodes.values() if node["parent"] is None]:
        tree = await store.tree(TENANT, InstanceId(root["id"]))
        nodes |= {str(node.instance_id): node for node in tree}
        await _compare_roll_up(both, InstanceId(root["id"]), tree)
        for node in tree:
            attempts |= {row.attempt_id: row for row in await store.attempts(TENANT, node.instance_id)}
    for name in nodes:
        told = both.told.get((name, nodes[name].seq))
        if told is None:
            check_standing(nodes[name])
            told = both.told[name, nodes[name].seq] = _told(nodes[name])
        same(name, told, _expected(model, model.nodes.get(name)))
    same("nodes", dict.fromkeys(nodes), dict.fromkeys(model.nodes))
    same(
        "attempts",
        {name: (row.status, row.fence) for name, row in attempts.items()},
        {name: (known["status"], known["fence"]) for name, known in model.attempts.items()},
    )
    _check_attempts(nodes, attempts)
    check_amended(model, attempts)
    check_forks(nodes, attempts)
    check_reused_work(nodes)
    notes = [row.continuation for row in await store.continuations(10_000)]
    same("notes", Counter((str(n.kind), n.instance_id, n.about) for n in notes), Counter(model.notes))
    check_asked(nodes, notes)
    await _compare_timers(both, nodes)
    await compare_usage(both)
    await _compare_events(both, nodes)
    check_no_undoing_is_lost(nodes, both.ended_by_parent)
    _nothing_is_stuck(nodes, attempts, [str(note.instance_id) for note in notes])


def same(what: str, told: Mapping[Any, Any], expected: Mapping[Any, Any] | None) -> None:
    """Assert that both are equal; the message says where they are not."""
    assert expected is not None, f"{what}: nobody asked for it"
    differing = [key for key in {**told, **expected} if told.get(key, "-") != expected.get(key, "-")]
    lines = [
        f"{what}: {key}: told {told.get(key, '-')}, expected {expected.get(key, '-')}" for key in differing
    ]
    assert not differing, "\n".join(lines)


def _told(node: Instance) -> dict[str, Any]:
    outcomes = {name: value for name, value in node.variables.items() if name not in ("trigger", "children")}
    children: Any = node.variables.get("children", {})
    fan = node.fan_out
    attempt = node.attempt and node.attempt.attempt_id
    return {
        "standing": _standing(node),
        "failure": node.failure and node.failure.code,
        "undoing": node.undoing and (node.undoing.goal, node.undoing.done),
        "phases": {
            name: (
                str(one.state),
                one.attempts,
                one.failures,
                one.lost,
                one.cut_off,
                one.triggered,
                one.approved,
                one.gate and (one.gate.decision, one.gate.by),
                one.notebook_done,
                one.origin,
                one.shared,
            )
            for name, one in node.phases.items()
        },
        "attempt": attempt,
        "votes": [(vote.principal, vote.decision) for vote in node.gate.votes] if node.gate else [],
        "escalated": node.gate is not None and node.gate.escalated,
        "fan": fan and (fan.total, fan.started, fan.alive, fan.failed),
        "asked": [(one.schema_ref, one.key, dict(one.context)) for one in node.spawned],
        "outcomes": outcomes,
        "trigger": dict(node.variables.get("trigger", {})),  # type: ignore[arg-type,call-overload]
        "children": {key: _outcome(entry) for key, entry in children.items()},
        "spent": round(node.spent_sec, 6),
        "context": dict(node.context),
        "hooks": heard_by(node),
        "reused": reused_by(node),
    }


def _standing(node: Instance) -> tuple[object, ...]:
    reason = node.waiting_reason and str(node.waiting_reason)
    return str(node.status), reason, node.paused, node.phase


def _outcome(entry: dict[str, Any]) -> dict[str, Any]:
    ours = ("instance_id", "phase", "spent_sec", "descendants", "seq")
    return {name: value for name, value in entry.items() if name not in ours}


def _expected(model: Any, node: dict[str, Any] | None) -> dict[str, Any] | None:
    if node is None:
        return None
    fan = node["fan"]
    return {
        "standing": (node["status"], node["reason"], node["paused"], node["phase"]),
        "failure": node["failure"],
        "undoing": node["undo"] and (node["undo"]["goal"], node["undo"]["done"]),
        "phases": {name: tuple(record.values()) for name, record in node["phases"].items()},
        "attempt": node["attempt"],
        "votes": [(vote["who"], vote["said"]) for vote in node["votes"]],
        "escalated": node["escalated"],
        "fan": fan and (fan["total"], fan["started"], model.alive(node), model.bad(node)),
        "asked": node["asked"],
        "outcomes": {name: value for name, value in node["vars"].items() if name != "children"},
        "trigger": node["trigger"],
        "children": node["vars"].get("children", {}),
        "spent": round(node["spent"], 6),
        "context": node["context"],
        "hooks": model.what_was_heard(node),
        "reused": {phase: of for (name, phase), of in model.reused.items() if name == node["id"]},
    }


async def _compare_roll_up(both: "BothEngines", root: InstanceId, tree: Sequence[Instance]) -> None:
    now = both.clock.now()
    told = await both.storage.inner.tree_status(TENANT, root, now)
    top = tree[0]
    times = {"started_at": top.started_at, "ended_at": top.ended_at, "now": now}
    assert told == tree_status(root, Counter(map(node_class, tree)), **times), (
        "the counters are not a recount"
    )


def _check_attempts(nodes: dict[str, Instance], attempts: dict[str, AttemptRow]) -> None:
    done = Counter((row.instance_id, row.phase) for row in attempts.values() if row.status == "succeeded")
    for (about, phase), count in done.items():
        record = nodes[str(about)].phases[phase]
        rejected = record.ran_sec is not None or record.shared  # perhaps by a hook, and made again
        assert count == 1 or rejected, "a phase was finished twice"
    numbers = Counter((row.instance_id, row.phase) for row in attempts.values())
    for row in attempts.values():
        assert 1 <= row.number <= numbers[row.instance_id, row.phase]
        current = nodes[str(row.instance_id)].attempt
        holds = current is not None and current.attempt_id == row.attempt_id
        assert holds == (row.status in OPEN), f"{row.attempt_id} is {row.status}"


async def _compare_timers(both: "BothEngines", nodes: dict[str, Instance]) -> None:
    rows = await both.storage.inner.due_timers(EVER, 10_000)
    told = {(str(row.instance_id), row.kind, (row.due_at - START).total_seconds()) for row in rows}
    expected = set()
    for node in both.model.nodes.values():
        if node["retry_at"] is not None:
            expected.add((node["id"], TimerKind.RETRY, node["retry_at"]))
        if node["gate_at"] is not None:
            expected.add((node["id"], TimerKind.GATE_EXPIRY, node["gate_at"]))
        for kind, due in zip(
            (TimerKind.INSTANCE_DEADLINE, TimerKind.PHASE_DEADLINE), both.model.clocks(node), strict=True
        ):
            if due is not None:
                expected.add((node["id"], kind, due))
    assert told == expected, f"timers: {sorted(told ^ expected)}"


async def _compare_events(both: "BothEngines", nodes: dict[str, Instance]) -> None:
    first = both.position + 1
    stored = await both.storage.inner.events(TENANT, after=both.position, limit=100_000)
    both.position += len(stored)
    assert [one.position for one in stored] == list(range(first, both.position + 1)), "positions have a gap"
    check_told_once(both, stored)
    by_instance: dict[str, list[tuple[int, int]]] = {}
    for one in stored:
        name = str(one.event.instance_id)
        if str(one.event.data.get("reason")).startswith("its parent was "):
            both.ended_by_parent.add(name)
        by_instance.setdefault(name, both.last_event.get(name, [])).append((one.event.seq, one.event.index))
    for name, places in by_instance.items():
        both.last_event[name] = places[-1:]
        assert places == sorted(set(places)), f"events of {name} out of order or doubled"
        assert places[-1][0] <= nodes[name].seq
        for (seq, index), (next_seq, next_index) in pairwise(places):
            assert next_index == (index + 1 if next_seq == seq else 0), f"an event of {name} is missing"


def _nothing_is_stuck(nodes: dict[str, Instance], attempts: dict[str, AttemptRow], notes: list[str]) -> None:
    """Promise 9: whatever has not ended is held by an attempt, a clock, a child, a note or a person."""
    for name, node in nodes.items():
        if node.ended or node.paused or node.attempt is not None or name in notes:
            continue
        if node.waiting_reason is WaitingReason.CHILDREN:
            alive = [child for child in nodes.values() if child.parent and child.parent.instance_id == name]
            assert any(not child.ended for child in alive), f"{name} waits for children, and all have ended"
