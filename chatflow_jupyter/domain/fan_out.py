"""Children of a phase: created lazily, counted as they end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from .conditions import look_up
from .decision import ChildRequest, ContinuationKind
from .definition import BATCH_SIZE, Children
from .draft import Draft
from .events import EventType
from .ids import child_id
from .instance import Failure, FanOut, Instance, ParentLink, Spawned, Status
from .json_values import JsonObject, JsonValue, encoded_size_bytes
from .quota_rules import no_room
from .references import resolve
from .requests import ChildResult

MAX_ITEMS = 100_000
MAX_KEY_LENGTH = 255
MAX_CONTEXTS_BYTES = 64 * 1024 * 1024
REOPENED = str(Status.RUNNING)
_UNSUCCESSFUL = frozenset({str(Status.FAILED), str(Status.TERMINATED)})


def begin_fan_out(draft: Draft) -> Failure | None:
    """Count the children of the current phase and start the first; or say why that cannot be."""
    try:
        total = _count(draft)
    except (LookupError, ValueError) as error:
        return Failure(code="invalid_children", message=f"children: {error}", phase=draft.phase.name)
    if draft.phase.children is not None:  # what a notebook asked for has had its room since then
        failure = no_room(draft, total)
        if failure is not None:
            return failure
        draft.ask_for(total)
    instance = draft.instance
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
    first, last = fan_out.started, fan_out.started + count
    tolerated = offspring.on_failure == "continue"
    draft.children += [
        _child(draft, wanted, index, tolerated=tolerated)
        for index, wanted in enumerate(_wanted(draft, first, last), first)
    ]
    draft.change(fan_out=replace(fan_out, started=last))
    draft.change_record(had_children=True)
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
    known = dict(known_children(draft.instance))
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


def failed_children(instance: Instance) -> dict[str, JsonObject]:
    """Return the entries of the current phase's children that can be resumed, by key."""
    return {
        key: entry
        for key, entry in known_children(instance).items()
        if isinstance(entry, Mapping)
        and (entry["status"], entry["phase"]) == (Status.FAILED, instance.phase)
        and entry.get("compensation") != "done"
    }


def children_over(instance: Instance) -> int:
    """Return how many of the current phase's children keep the instance from ever being resumed.

    They were terminated, or what they did was undone. On its way back an instance needs none of them.
    """
    fan_out = instance.fan_out
    if fan_out is None or instance.is_undoing:
        return 0
    return fan_out.failed - len(failed_children(instance))


def counted(children: int) -> str:
    """Return the number with its noun."""
    return "1 child" if children == 1 else f"{children} children"


def has_stuck_child(instance: Instance) -> bool:
    """Whether a child of any phase, as far as the instance has heard, could not undo what it did."""
    known = known_children(instance).values()
    return any(
        isinstance(entry, Mapping)
        and not _is_shared(instance, entry)
        and (entry["status"], entry.get("compensation")) == (Status.FAILED, "failed")
        for entry in known
    )


def _is_shared(instance: Instance, entry: JsonObject) -> bool:
    """Whether it is a child of the instance that this one is a fork of."""
    record = instance.phases.get(str(entry["phase"]))
    return record is not None and record.shared


def stuck_children(instance: Instance) -> Failure | None:
    """Return what keeps the instance from undoing its own: children of its phase that could not, or None."""
    failed = failed_children(instance) if instance.fan_out is not None else {}
    stuck = [key for key, entry in failed.items() if entry.get("compensation") == "failed"]
    if instance.fan_out is None or not stuck:
        return None
    some = f"{len(stuck)} of {counted(instance.fan_out.total)}"
    message = f"{some} could not undo what was done: {stuck[0]}"
    return Failure(code="child_failed", message=message, phase=instance.phase)


def reopen_failures(draft: Draft) -> int:
    """Count failed children as alive again, because they are about to be resumed; returns how many."""
    fan_out = draft.instance.fan_out
    assert fan_out is not None
    known = known_children(draft.instance)
    reopened = {key: {**entry, "status": REOPENED} for key, entry in failed_children(draft.instance).items()}
    count = len(reopened)
    draft.change(
        variables={**draft.instance.variables, "children": {**known, **reopened}},
        fan_out=replace(fan_out, ended=fan_out.ended - count, failed=fan_out.failed - count),
    )
    return count


def is_reopened(parent: Instance, key: str) -> bool:
    """Whether `parent` waits for its failed child `key` to be resumed."""
    entry = known_children(parent).get(key)
    return isinstance(entry, Mapping) and entry["status"] == REOPENED


def is_awaited(parent: Instance, key: str) -> bool:
    """Whether `parent` knows of no end of its child `key` since it last asked for one."""
    return key not in known_children(parent) or is_reopened(parent, key)


def had_children(instance: Instance, phase: str) -> bool:
    """Whether children of that phase were started, as far as the instance has heard of them."""
    if phase in instance.phases and instance.phases[phase].had_children:
        return True
    if instance.phase == phase and instance.fan_out is not None and instance.fan_out.started:
        return True
    known = known_children(instance).values()
    return any(isinstance(entry, Mapping) and entry["phase"] == phase for entry in known)


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
        **({} if result.compensation is None else {"compensation": result.compensation}),
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


def _child(draft: Draft, wanted: Spawned, index: int, *, tolerated: bool) -> ChildRequest:
    phase, parent = draft.phase.name, draft.instance.instance_id
    return ChildRequest(
        instance_id=child_id(parent, phase, index),
        schema_ref=wanted.schema_ref,
        link=ParentLink(instance_id=parent, phase=phase, index=index, key=wanted.key, tolerated=tolerated),
        context=wanted.context,
    )


def _wanted(draft: Draft, first: int = 0, last: int | None = None) -> Iterator[Spawned]:
    """Yield the children of the phase from `first` on, declared ones worked out one by one."""
    spec, phase, view = draft.phase.children, draft.phase.name, draft.instance.view
    if spec is None:
        yield from draft.instance.spawned[first:last]
        return
    for index, item in enumerate(_items(spec, view)[first:last], first):
        context = resolve(spec.context, {**view, "item": item, "index": index})
        assert isinstance(context, Mapping)
        key = _key(spec, phase, item, index)
        yield Spawned(schema_ref=spec.schema_ref, key=key, context=context)


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


def _count(draft: Draft) -> int:
    """Every key and every context must resolve before the first child is born; returns how many there are."""
    taken = set(known_children(draft.instance))
    before, size_bytes = len(taken), 0
    for wanted in _wanted(draft):
        size_bytes += encoded_size_bytes(wanted.context)
        if size_bytes > MAX_CONTEXTS_BYTES:
            raise ValueError(
                f"their contexts are more than {MAX_CONTEXTS_BYTES} bytes together; hand large data over as "
                "artifacts and read it with ctx.parent_input"
            )
        if wanted.key in taken:
            raise ValueError(f"the key {wanted.key!r} appears twice")
        taken.add(wanted.key)
    return len(taken) - before


def _key(spec: Children, phase: str, item: JsonValue, index: int) -> str:
    if spec.key is None:
        return f"{phase}-{index}"
    key = resolve(spec.key, {"item": item, "index": index})
    if not isinstance(key, (str, int)) or isinstance(key, bool) or not 0 < len(str(key)) <= MAX_KEY_LENGTH:
        raise ValueError(f"the key of item {index} must be text of 1 to {MAX_KEY_LENGTH} characters")
    return str(key)


def known_children(instance: Instance) -> JsonObject:
    """Return what became of the children of all phases so far, by key."""
    known = instance.variables.get("children")
    return known if isinstance(known, Mapping) else {}
