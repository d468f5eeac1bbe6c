"""How much an attempt may report: checked where it runs, before it is sent, and again where it is decided."""

from collections.abc import Sequence

from .instance import Spawned
from .json_values import JsonObject, JsonValue, encoded_size_bytes

MAX_OUTCOME_BYTES = 256 * 1024
MAX_SPAWNED = 10_000
MAX_SPAWNED_BYTES = 256 * 1024


def outcome_size_fault(outputs: JsonObject) -> str | None:
    """Return why the outcome is too large, or None."""
    size_bytes = encoded_size_bytes(outputs)
    if size_bytes <= MAX_OUTCOME_BYTES:
        return None
    return (
        f"outputs: {size_bytes} bytes are more than the {MAX_OUTCOME_BYTES} allowed; "
        "store large data with ctx.artifact"
    )


def spawned_size_fault(spawned: Sequence[Spawned]) -> str | None:
    """Return why the children are too large, or None: they are in one report, and one commit."""
    return spawned_bytes_fault(encoded_size_bytes([told_of(each) for each in spawned]))


def told_of(one: Spawned) -> JsonValue:
    """Return what a report says of a child."""
    return [one.schema_ref, one.key, one.context]


def spawned_bytes_fault(size_bytes: int) -> str | None:
    """Return why that many bytes about children are too many, or None."""
    if size_bytes <= MAX_SPAWNED_BYTES:
        return None
    return (
        f"schemas, keys and contexts are {size_bytes} bytes, more than the {MAX_SPAWNED_BYTES} allowed; "
        "store large data with ctx.artifact and read it with ctx.parent_input"
    )
