"""The message that announces an event on the bus."""

from chatflow_jupyter.domain.events import Event, EventType
from chatflow_jupyter.domain.json_values import JsonObject

TOPIC = "workflow-events"


def event_message(event: Event) -> JsonObject:
    """Return what consumers get: a trigger's four fields, any other event whole. Times are ISO 8601."""
    if event.type is EventType.STEP_TRIGGERED:
        return {
            "event_type": "STEP_TRIGGERED",
            "instance_id": event.instance_id,
            "trigger_data": event.data.get("trigger_data", {}),
            "timestamp": event.at.isoformat(),
        }
    return {
        "event_id": event.event_id,
        "type": str(event.type),
        "version": event.version,
        "tenant_id": event.tenant_id,
        "instance_id": event.instance_id,
        "root_id": event.root_id,
        "seq": event.seq,
        "index": event.index,
        "phase": event.phase,
        "attempt": event.attempt,
        "at": event.at.isoformat(),
        "principal": event.principal,
        "data": event.data,
    }
