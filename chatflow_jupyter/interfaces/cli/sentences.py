"""What happens, told in words: a line each time something begins or ends, for people who read along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from chatflow_jupyter.domain.events import Event, EventType
from chatflow_jupyter.domain.json_values import JsonValue
from chatflow_jupyter.interfaces.cli.displays import PlainDisplay
from chatflow_jupyter.interfaces.cli.snapshot import Snapshot
from chatflow_jupyter.interfaces.cli.terminal import glyphs_for, safe_line, shown_duration

MAX_SAID = 150
_ENDS = {
    EventType.INSTANCE_COMPLETED: "completed",
    EventType.INSTANCE_FAILED: "failed",
    EventType.INSTANCE_TERMINATED: "terminated",
}


class SentenceDisplay(PlainDisplay):
    """A line per phase that begins or ends, with its sign, its headline and how long it took."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        super().__init__(stream)
        self._glyphs = glyphs_for(stream)
        self._keys: dict[str, str] = {}

    def event(self, event: Event) -> None:
        """Write a line, if the event is one that people wait for."""
        key = event.data.get("key")
        if event.type is EventType.INSTANCE_CREATED and event.instance_id != event.root_id:
            self._keys[event.instance_id] = safe_line(str(key or event.instance_id[-6:]), 60)
        told = self._told(event)
        if told is not None:
            sign, words = told
            self.lines([f"  {sign} {self._place(event)}: {safe_line(words, MAX_SAID)}"])

    def snapshot(self, snapshot: Snapshot) -> None:
        """Learn the names of children that were born before the following began."""
        for node in snapshot.nodes.values():
            if node.parent is not None:
                self._keys.setdefault(node.instance_id, safe_line(node.parent.key, 60))

    def _place(self, event: Event) -> str:
        phase = event.phase or "the instance"
        if event.instance_id == event.root_id:
            return phase
        name = self._keys.get(event.instance_id, event.instance_id[-6:])
        return f"{name}, {phase}" if event.phase else name

    def _told(self, event: Event) -> tuple[str, str] | None:
        """Return sign and words, or None for what is not told."""
        data, glyphs = event.data, self._glyphs
        match event.type:
            case EventType.PHASE_STARTED:
                again = f" (attempt {event.attempt})" if (event.attempt or 1) > 1 else ""
                return glyphs.running, f"begins{again}"
            case EventType.PHASE_SUCCEEDED:
                return glyphs.succeeded, _outcome(event)
            case EventType.PHASE_FAILED | EventType.RETRY_SCHEDULED:
                return glyphs.failed, str(data.get("message", "failed"))
            case EventType.PHASE_REUSED:
                return glyphs.running, f"reused from {data.get('reused_from')}"
            case EventType.PHASE_SKIPPED:
                return glyphs.skipped, f"skipped, {data.get('reason', '')}"
            case EventType.ATTEMPT_LOST:
                return glyphs.failed, f"attempt {event.attempt} is lost, {data.get('cause', '')}"
            case EventType.CHILDREN_STARTED:
                return glyphs.running, f"{data.get('total')} children"
            case EventType.INSTANCE_WAITING if data.get("reason") in ("approval", "trigger", "budget"):
                return glyphs.waiting, f"waits for {data['reason']}: {data.get('detail', '')}"
            case EventType.COMPENSATION_STARTED:
                names = ", ".join(map(str, _listed(data.get("phases")))) or "what its children did"
                return glyphs.running, f"undoing {names}, because of: {data.get('cause')}"
            case EventType.HOOK_ANSWERED if data.get("verdict") not in ("allow", "accept", "processed"):
                verdict = str(data["verdict"]).replace("_", " ")
                return glyphs.running, f"hook {data.get('hook')}: {verdict}, {data.get('reason')}"
            case EventType.GATE_DECIDED:
                return glyphs.running, f"{data.get('decision')} by {event.principal}"
            case _ if event.type in _ENDS and event.instance_id == event.root_id:
                undone = ", all it did is undone" if data.get("compensated") else ""
                sign = glyphs.succeeded if _ENDS[event.type] == "completed" else glyphs.failed
                return sign, _ENDS[event.type] + undone
        return None


def _listed(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, list | tuple) else ()


def _outcome(event: Event) -> str:
    """Return the headline the phase gave itself, and how long it took."""
    outputs, took = event.data.get("outputs"), event.data.get("duration_sec")
    headline = outputs.get("headline") if isinstance(outputs, dict) else None
    words = str(headline) if headline else "done"
    return f"{words}  ({shown_duration(took)})" if isinstance(took, float) else words
