"""Children of a phase: created lazily, counted as they end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .conditions import look_up
from .decision import ChildRequest, ContinuationKind
from .definition import BATCH_SIZE, Children
from .draft import Draft
from .events import EventType
from .ids import child_id
from .instance import Failure, FanOut, Instance, ParentLink, Status
from .json_values import JsonObject, JsonValue
from .references import resolve
from .requests import ChildResult

MAX_ITEMS = 100_000
MAX_KEY_LENGTH = 255
REOPENED = str(Status.RUNNING)
_UNSUCCESSFUL = frozenset({str(Status.FAILED), str(Status.TERMINATED)})


def begin_fan_out(draft: Draft) -> Failure | None:
    """Count the items of the current phase and start the first children; or say why that cannot be."""
    spec = _spec(draft)
    try:
        items = _items(spec, draft.instance.view)
        _check_keys(spec, draft, items)
    except (LookupError, ValueError) as error:
        return Failure(code="invalid_children", message=f"children: {error}", phase=draft.phase.name)
    instance, limit = draft.instance, draft.instance.quota.max_children
    if limit is not None and instance.descendants + len(items) > limit:
        message = f"children: {len(items)} more children would exceed max_children {limit}"
        return Failure(code="quota_exceeded", message=message, phase=draft.phase.name)
    if items and instance.depth + 1 >= draft.definition.max_depth:
        message = f"children: the tree may be at most {draft.definition.max_depth} deep"
        return Failure(code="too_deep", message=message, phase=draft.phase.name)
    draft.change(fan_out=FanOut(total=len(items)), descendants=instance.descendants + len(items))
    if instance.parent is not None and instance.seq == 1 and items:
        draft.continue_self(ContinuationKind.FAN_OUT)  # a child being born: its own children come later
    else:
        start_more(draft)
    return None


def start_more(draft: Draft) -> None:
    """Start as many further children as `max_parallel` and one commit allow."""
    fan_out = draft.instance.fan_out
    assert fan_out is not None
    spec = _spec(draft)
    room = min(spec.max_parallel - fan_out.alive, fan_out.total - fan_out.started)
    count = min(room, BATCH_SIZE)
    if count <= 0 or (fan_out.failed and spec.on_failure == "fail"):
        return
    view = draft.instance.view
    items = _items(spec, view)
    first, last = fan_out.started, fan_out.started + count
    for index in range(first, last):
        draft.children.append(_child(draft, spec, view, items[index], index))
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


def _child(draft: Draft, spec: Children, view: JsonObject, item: JsonValue, index: int) -> ChildRequest:
    phase, parent = draft.phase.name, draft.instance.instance_id
    context = resolve(spec.context, {**view, "item": item, "index": index})
    assert isinstance(context, Mapping)
    link = ParentLink(
        instance_id=parent,
        phase=phase,
        index=index,
        key=_key(spec, phase, item, index),
        tolerated=spec.on_failure == "continue",
    )
    return ChildRequest(
        instance_id=child_id(parent, phase, index), schema_ref=spec.schema_ref, link=link, context=context
    )


def _spec(draft: Draft) -> Children:
    assert draft.phase.children is not None
    return draft.phase.children


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


def _check_keys(spec: Children, draft: Draft, items: Sequence[JsonValue]) -> None:
    """Every key and every context must resolve before the first child is born."""
    taken, view = set(_children(draft.instance.variables)), draft.instance.view
    for index, item in enumerate(items):
        key = _key(spec, draft.phase.name, item, index)
        if key in taken:
            raise ValueError(f"the key {key!r} appears twice")
        taken.add(key)
        resolve(spec.context, {**view, "item": item, "index": index})


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
