"""The children a notebook asks for with `ctx.spawn`: what is refused, before any of them is born."""

from collections.abc import Sequence

from .draft import Draft
from .errors import InvalidInput
from .fan_out import MAX_KEY_LENGTH, known_children
from .instance import Failure, Spawned
from .json_values import check_json
from .quota_rules import no_room
from .report_sizes import MAX_SPAWNED, spawned_size_fault


def spawn_failure(draft: Draft, spawned: Sequence[Spawned]) -> Failure | None:
    """Return why the attempt that asked for these children fails, or None.

    They are refused here and not when they would be born: a resumed phase then runs its notebook again,
    which may ask for others.
    """
    fault = _fault(draft, spawned)
    if fault is not None:
        return Failure(code="invalid_children", message=f"spawn: {fault}", phase=draft.phase.name)
    return no_room(draft, len(spawned))


def _fault(draft: Draft, spawned: Sequence[Spawned]) -> str | None:
    spawns, earlier = draft.phase.spawns, known_children(draft.instance)
    if not spawned:
        return None
    if spawns is None:
        return f"phase {draft.phase.name} declares none; name their definitions under `spawns`"
    if len(spawned) > MAX_SPAWNED:
        return f"{len(spawned)} children are more than {MAX_SPAWNED}"
    taken = set[str]()
    for number, each in enumerate(spawned):
        if each.schema_ref not in spawns.schemas:
            return f"{each.schema_ref[:80]!r} is none of {', '.join(spawns.schemas)}"
        if not 0 < len(each.key) <= MAX_KEY_LENGTH:
            return f"the key {each.key[:80]!r} must have 1 to {MAX_KEY_LENGTH} characters"
        if each.key in earlier:
            return f"an earlier phase has a child with the key {each.key!r}; choose another"
        if each.key in taken:
            return f"the key {each.key!r} appears twice"
        taken.add(each.key)
        try:
            check_json([each.key, each.context], what=f"child {number}")
        except InvalidInput as error:
            return error.message
    return spawned_size_fault(spawned)
