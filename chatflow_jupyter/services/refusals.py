"""From what `decide` refuses to what a caller is told."""

from chatflow_jupyter.domain.decision import Refusal
from chatflow_jupyter.domain.errors import Conflict, InvalidInput, StaleFence
from chatflow_jupyter.domain.ids import InstanceId


def refused(refusal: Refusal, instance_id: InstanceId) -> Conflict | InvalidInput:
    """Turn a refusal of `decide` into the error a caller sees."""
    message = f"{instance_id}: {refusal.message}"
    if refusal.code == "invalid_input":
        return InvalidInput(message)
    if refusal.code == "stale_fence":
        return StaleFence(message)
    return Conflict(message, code=refusal.code)
