"""The children a notebook asks for with `ctx.spawn`: what is refused, before any of them is born."""

from collections.abc import Sequence

from .draft import Draft
from .errors import InvalidInput
from .fan_out import MAX_KEY_LENGTH, known_children, no_room
from .instance import Failure, Spawned
from .json_values import check_json, encoded_size_bytes

MAX_SPAWNED = 10_000
MAX_SPAWNED_BYTES = 256 * 1024


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
    size_bytes = encoded_size_bytes([[each.schema_ref, each.key, each.context] for each in spawned])
    if size_bytes > MAX_SPAWNED_BYTES:  # the parent's row holds them until they have ended
        return (
            f"schemas, keys and contexts are {size_bytes} bytes, more than the {MAX_SPAWNED_BYTES} allowed; "
            "store large data with ctx.artifact and read it with ctx.parent_input"
        )
    return None
