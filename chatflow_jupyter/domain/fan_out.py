"""Children of a phase: created lazily, counted as they end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .conditions import look_up
from .decision import ChildRequest, ContinuationKind
from .definition import BATCH_SIZE, Children, Spawns
from .draft import Draft
from .errors import InvalidInput
from .events import EventType
from .ids import child_id
from .instance import Failure, FanOut, Instance, ParentLink, Spawned, Status
from .json_values import JsonObject, JsonValue, check_json, encoded_size_bytes
from .references import resolve
from .requests import ChildResult

MAX_ITEMS = 100_000
MAX_KEY_LENGTH = 255
MAX_SPAWNED = 10_000
MAX_SPAWNED_BYTES = 256 * 1024
REOPENED = str(Status.RUNNING)
_UNSUCCESSFUL = frozenset({str(Status.FAILED), str(Status.TERMINATED)})


def begin_fan_out(draft: Draft) -> Failure | None:
    """Count the children of the current phase and start the first; or say why that cannot be."""
    try:
        plan = _plan(draft)
        _check_keys(plan, draft)
    except (LookupError, ValueError) as error:
        return Failure(code="invalid_children", message=f"children: {error}", phase=draft.phase.name)
    instance, limit, total = draft.instance, draft.instance.quota.max_children, len(plan)
    if limit is not None and instance.descendants + total > limit:
        message = f"children: {total} more children would exceed max_children {limit}"
        return Failure(code="quota_exceeded", message=message, phase=draft.phase.name)
    if total and instance.depth + 1 >= draft.definition.max_depth:
        message = f"children: the tree may be at most {draft.definition.max_depth} deep"
        return Failure(code="too_deep", message=message, phase=draft.phase.name)
    draft.change(fan_out=FanOut(total=total), descendants=instance.descendants + total)
    if instance.parent is not None and instance.seq == 1 and total:
        draft.continue_self(ContinuationKind.FAN_OUT)  # a child being born: its own children come later
    else:
        start_more(draft)
    return None


def start_more(draft: Draft) -> None:
    """Start as many further children as `max_parallel` and one commit allow."""
    fan_out, offspring = draft.instance.fan_out, draft.phase.offspring
    assert fan_out is not None
    assert offspring is not None
    room = min(offspring.max_parallel - fan_out.alive, fan_out.total - fan_out.started)
    count = min(room, BATCH_SIZE)
    if count <= 0 or (fan_out.failed and offspring.on_failure == "fail"):
        return
    plan = _plan(draft)
    first, last = fan_out.started, fan_out.started + count
    for index in range(first, last):
        draft.children.append(_child(draft, offspring, plan.child(index), index))
    draft.change(fan_out=replace(fan_out, started=last))
    draft.emit(
        EventType.CHILDREN_STARTED,
        phase=draft.phase.name,
        first_index=first,
        count=count,
        total=fan_out.total,
    )
    if room > count:
        draft.continue_self(ContinuationKind.FAN_OUT)


def spawn_fault(draft: Draft, spawned: Sequence[Spawned]) -> str | None:
    """Return why the notebook's children cannot be born, or None."""
    spawns, phase = draft.phase.spawns, draft.phase.name
    if not spawned:
        return None
    if spawns is None:
        return f"phase {phase} declares none; name their definitions under `spawns`"
    if len(spawned) > MAX_SPAWNED:
        return f"{len(spawned)} children are more than {MAX_SPAWNED}"
    taken = set(_children(draft.instance.variables))
    for each in spawned:
        if each.schema_ref not in spawns.schemas:
            return f"{each.schema_ref!r} is none of {', '.join(spawns.schemas)}"
        if not 0 < len(each.key) <= MAX_KEY_LENGTH:
            return f"a key has 1 to {MAX_KEY_LENGTH} characters"
        if each.key in taken:
            return f"the key {each.key!r} appears twice"
        taken.add(each.key)
        try:
            check_json(each.context, what=f"the context of {each.key!r}")
        except InvalidInput as error:
            return error.message
    size_bytes = encoded_size_bytes([each.context for each in spawned])
    if size_bytes > MAX_SPAWNED_BYTES:
        return f"the contexts are {size_bytes} bytes, more than {MAX_SPAWNED_BYTES}; name artifacts instead"
    return None


def count_results(draft: Draft, results: Sequence[ChildResult]) -> int:
    """Enter the ends not yet known and return how many; a child's later end replaces its earlier one."""
    known = dict(_children(draft.instance.variables))
    fan_out, spent_sec = draft.instance.fan_out, draft.instance.spent_sec
    descendants, counted = draft.instance.descendants, 0
    assert fan_out is not None
    for result in results:
        entry = known.get(result.key)
        before = entry if isinstance(entry, Mapping) else {}
        if result.seq <= _number(before, "seq"):
            continue
        standing = before.get("status", REOPENED)
        failed = (result.status is not Status.COMPLETED) - (standing in _UNSUCCESSFUL)
        ended = int(standing == REOPENED)
        fan_out = replace(fan_out, ended=fan_out.ended + ended, failed=fan_out.failed + failed)
        spent_sec += result.spent_sec - _number(before, "spent_sec")
        descendants += result.descendants - int(_number(before, "descendants"))
        known[result.key] = _entry(result)
        counted += 1
        _announce(draft, result)
    draft.change(fan_out=fan_out, spent_sec=spent_sec, descendants=descendants)
    draft.change(variables={**draft.instance.variables, "children": known})
    return counted


def failed_children(draft: Draft) -> dict[str, JsonObject]:
    """Return the entries of the current phase's failed children, by key."""
    known, phase = _children(draft.instance.variables), draft.phase.name
    return {
        key: entry
        for key, entry in known.items()
        if isinstance(entry, Mapping) and entry["status"] == Status.FAILED and entry["phase"] == phase
    }


def reopen_failures(draft: Draft) -> int:
    """Count failed children as alive again, because they are about to be resumed; returns how many."""
    fan_out = draft.instance.fan_out
    assert fan_out is not None
    known = _children(draft.instance.variables)
    reopened = {key: {**entry, "status": REOPENED} for key, entry in failed_children(draft).items()}
    count = len(reopened)
    draft.change(
        variables={**draft.instance.variables, "children": {**known, **reopened}},
        fan_out=replace(fan_out, ended=fan_out.ended - count, failed=fan_out.failed - count),
    )
    return count


def is_reopened(parent: Instance, key: str) -> bool:
    """Whether `parent` waits for its failed child `key` to be resumed."""
    entry = _children(parent.variables).get(key)
    return isinstance(entry, Mapping) and entry["status"] == REOPENED


def _entry(result: ChildResult) -> JsonObject:
    """Return what conditions and later phases may read of an ended child."""
    return {
        **result.outcome,  # by phase; no phase can have one of the names below
        "status": str(result.status),
        "instance_id": result.instance_id,
        "phase": result.phase,
        "spent_sec": result.spent_sec,
        "descendants": result.descendants,
        "seq": result.seq,
    }


def _number(entry: JsonObject, name: str) -> float:
    value = entry.get(name, 0)
    assert isinstance(value, (int, float))
    return value


def _announce(draft: Draft, result: ChildResult) -> None:
    draft.emit(
        EventType.CHILD_ENDED,
        phase=draft.phase.name,
        child_id=result.instance_id,
        key=result.key,
        status=str(result.status),
    )


def _child(draft: Draft, offspring: Children | Spawns, wanted: Spawned, index: int) -> ChildRequest:
    phase, parent = draft.phase.name, draft.instance.instance_id
    link = ParentLink(
        instance_id=parent,
        phase=phase,
        index=index,
        key=wanted.key,
        tolerated=offspring.on_failure == "continue",
    )
    return ChildRequest(
        instance_id=child_id(parent, phase, index),
        schema_ref=wanted.schema_ref,
        link=link,
        context=wanted.context,
    )


class _Declared:
    """The children that a definition declares, one per item; each is worked out when it is asked for."""

    def __init__(self, spec: Children, phase: str, view: JsonObject) -> None:
        self._spec = spec
        self._phase = phase
        self._view = view
        self._items = _items(spec, view)

    def __len__(self) -> int:
        return len(self._items)

    def child(self, index: int) -> Spawned:
        """Return the child at `index`; raises `LookupError` or `ValueError`."""
        item = self._items[index]
        context = resolve(self._spec.context, {**self._view, "item": item, "index": index})
        assert isinstance(context, Mapping)
        key = _key(self._spec, self._phase, item, index)
        return Spawned(schema_ref=self._spec.schema_ref, key=key, context=context)


class _AskedFor:
    """The children that the phase's notebook asked for."""

    def __init__(self, spawned: Sequence[Spawned]) -> None:
        self._spawned = spawned

    def __len__(self) -> int:
        return len(self._spawned)

    def child(self, index: int) -> Spawned:
        """Return the child at `index`."""
        return self._spawned[index]


def _plan(draft: Draft) -> _Declared | _AskedFor:
    declared = draft.phase.children
    if declared is None:
        return _AskedFor(draft.instance.spawned)
    return _Declared(declared, draft.phase.name, draft.instance.view)


def _items(spec: Children, view: JsonObject) -> Sequence[JsonValue]:
    if spec.items is not None:
        return spec.items
    assert spec.foreach is not None
    found = look_up(view, spec.foreach)
    if not isinstance(found, (list, tuple)):
        raise ValueError(f"foreach: {spec.foreach!r} is not a list")
    if len(found) > MAX_ITEMS:
        raise ValueError(f"foreach: {len(found)} items are more than {MAX_ITEMS}")
    return found


def _check_keys(plan: _Declared | _AskedFor, draft: Draft) -> None:
    """Every key and every context must resolve before the first child is born."""
    taken = set(_children(draft.instance.variables))
    for index in range(len(plan)):
        key = plan.child(index).key
        if key in taken:
            raise ValueError(f"the key {key!r} appears twice")
        taken.add(key)


def _key(spec: Children, phase: str, item: JsonValue, index: int) -> str:
    if spec.key is None:
        return f"{phase}-{index}"
    key = resolve(spec.key, {"item": item, "index": index})
    if not isinstance(key, (str, int)) or isinstance(key, bool) or not 0 < len(str(key)) <= MAX_KEY_LENGTH:
        raise ValueError(f"the key of item {index} must be text of 1 to {MAX_KEY_LENGTH} characters")
    return str(key)


def _children(variables: JsonObject) -> JsonObject:
    known = variables.get("children")
    return known if isinstance(known, Mapping) else {}
