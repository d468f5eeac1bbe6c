"""A tree as lines of styled text: one per phase, its children below it, a bar for what runs.

Used by the live display and by `chatflow tree`; knows nothing about terminals but their width and signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chatflow_jupyter.domain.compensation import is_step, undo_steps
from chatflow_jupyter.domain.definition import Phase
from chatflow_jupyter.domain.instance import Instance, PhaseRecord, PhaseState, Status, WaitingReason
from chatflow_jupyter.interfaces.cli.snapshot import Snapshot
from chatflow_jupyter.interfaces.cli.terminal import Glyphs, safe_line, shown_duration
from chatflow_jupyter.interfaces.cli.wording import STATUS_STYLE, duration_of, reused_from
from chatflow_jupyter.ports.records import AttemptRow

BAR_CELLS = 12
NARROW = 60
NAME_COLUMNS = 34


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line: `rail` draws the tree, then sign, name, bar (0 to 1), detail and duration."""

    rail: str
    sign: str
    name: str
    style: str = ""
    bar: float | None = None
    detail: str = ""
    duration: str = ""


Span = tuple[str, str]
Line = tuple[Span, ...]


def picture(snapshot: Snapshot, glyphs: Glyphs, *, width: int, max_children: int) -> list[Line]:
    """Return the whole picture, each line at most `width` columns, at most `max_children` shown a phase."""
    rows = _rows(snapshot, glyphs, max_children)
    room = min(max((len(row.rail) + len(row.name) + 2 for row in rows), default=0), NAME_COLUMNS, width // 2)
    return [_header(snapshot, glyphs, width), *(_line(row, glyphs, width, room) for row in rows)]


def _header(snapshot: Snapshot, glyphs: Glyphs, width: int) -> Line:
    root = snapshot.root
    status = root.shown_status
    if root.waiting_reason is WaitingReason.CHILDREN and not root.paused:
        status = snapshot.tree.status
    took = shown_duration(duration_of(root, snapshot.at))
    ident, version = f"  {root.instance_id}", f" {root.definition.version}"
    room = max(width - len(ident) - len(f"  {status}"), 1)  # the id stays whole, to be copied
    name = root.definition.name
    spans: list[Span] = [
        (name if len(name) <= room else name[: room - 1] + glyphs.ellipsis[:1], "bold"),
        ("" if width < NARROW or len(name + version) > room else version, "dim"),
        (ident, "dim"),
        (f"  {status}", STATUS_STYLE.get(status, "")),
        (f"  {took}" if took else "", "dim"),
        (f"  feature {safe_line(root.feature_id, 40)}" if root.feature_id else "", "dim"),
    ]
    return _cut(tuple(span for span in spans if span[0]), width)


def _rows(snapshot: Snapshot, glyphs: Glyphs, max_children: int) -> list[Row]:
    shown = shown_phases(snapshot)
    rows: list[Row] = []
    for number, phase in enumerate(shown):
        last = number == len(shown) - 1
        rows.append(_phase_row(snapshot, phase, glyphs, glyphs.corner if last else glyphs.tee))
        below = "   " if last else glyphs.rail
        children = snapshot.children_of(snapshot.root.instance_id, phase.name)
        rows += _child_rows(snapshot, children, phase.name, glyphs, below, max_children)
    return rows


def shown_phases(snapshot: Snapshot) -> list[Phase]:
    """Every phase of the written order, then the steps that undo; a mere fallback once it was entered."""
    definition, root = snapshot.definition, snapshot.root
    phases = [
        phase
        for phase in definition.phases
        if phase.name not in definition.fallbacks or phase.name in root.phases
    ]
    taken = [name for name in root.phases if is_step(name)]
    coming = undo_steps(definition, root) if root.is_undoing else ()
    return phases + [definition.phase(name) for name in dict.fromkeys([*taken, *coming])]


def _phase_row(snapshot: Snapshot, phase: Phase, glyphs: Glyphs, rail: str) -> Row:
    root = snapshot.root
    record = root.phases.get(phase.name)
    if record is None:
        title = phase.title if not root.ended else ""
        return Row(rail=rail, sign=glyphs.pending, name=phase.name, style="dim", detail=safe_line(title))
    # Who ends an instance leaves its phase as it stood: its clock stops with that of the instance.
    duration = _record_duration(record, root.ended_at or snapshot.at)
    ended = {
        PhaseState.SUCCEEDED: (glyphs.succeeded, "green"),
        PhaseState.FAILED: (glyphs.failed, "red"),
        PhaseState.SKIPPED: (glyphs.skipped, "dim"),
    }.get(record.state)
    if ended is not None:
        if record.state is PhaseState.SUCCEEDED:
            ended = _by_severity(root, [phase.name], glyphs)
        detail = _outcome(root, phase.name) or record.reason or phase.title
        if record.reused_from is not None:
            detail = f"{reused_from(record.reused_from)}  {_outcome(root, phase.name)}".rstrip()
        return Row(
            rail=rail,
            sign=ended[0],
            style=ended[1],
            name=phase.name,
            detail=safe_line(detail),
            duration=duration,
        )
    sign, style, bar, detail = _standing(snapshot, root, glyphs)
    if record.attempts > 1:
        detail = f"attempt {record.attempts}  {detail}"
    return Row(rail=rail, sign=sign, style=style, name=phase.name, bar=bar, detail=detail, duration=duration)


def _standing(snapshot: Snapshot, node: Instance, glyphs: Glyphs) -> tuple[str, str, float | None, str]:
    """Return sign, style, bar and words for where a node stands in its current phase."""
    status = node.shown_status
    if status == "failed":
        message = node.failure.message if node.failure else ""
        return glyphs.failed, "red", None, safe_line(message)
    if status == "terminated":
        return glyphs.terminated, "red", None, "terminated"
    if status == "completed":
        return *_by_severity(node, node.phases, glyphs), None, ""
    attempt = snapshot.attempts.get(node.instance_id)
    if attempt is not None:
        return _running(attempt, glyphs)
    if status == "paused":
        return glyphs.waiting, "yellow", None, "paused"
    if node.waiting_reason is WaitingReason.CHILDREN and node.fan_out is not None:
        fan_out = node.fan_out
        failed = f", {fan_out.failed} failed" if fan_out.failed else ""
        share = fan_out.ended / fan_out.total if fan_out.total else 1.0
        return glyphs.running, "cyan", share, f"{fan_out.ended}/{fan_out.total} done{failed}"
    if node.waiting_reason is not None:
        return (
            glyphs.waiting,
            "yellow",
            None,
            f"{node.waiting_reason}: {safe_line(node.waiting_detail or '')}",
        )
    return glyphs.queued, "dim", None, status


def _running(attempt: AttemptRow, glyphs: Glyphs) -> tuple[str, str, float | None, str]:
    if attempt.status == "queued":
        return glyphs.queued, "dim", None, "queued"
    progress = attempt.progress
    if progress is None or not progress.cells_total:
        return glyphs.running, "cyan", None, "starting its kernel"
    share = min(progress.cell_index / progress.cells_total, 1.0)
    name = f"  {safe_line(progress.cell_name, 60)}" if progress.cell_name else ""
    current = min(progress.cell_index + 1, progress.cells_total)
    return glyphs.running, "cyan", share, f"cell {current}/{progress.cells_total}{name}"


def _child_rows(
    snapshot: Snapshot,
    children: Sequence[Instance],
    phase: str,
    glyphs: Glyphs,
    below: str,
    max_children: int,
) -> list[Row]:
    ranked = sorted(children, key=_interest)
    if len(children) > max_children:
        ranked = [node for node in ranked if node.status is not Status.COMPLETED]
    chosen = {node.instance_id for node in ranked[:max_children]}
    shown = [node for node in children if node.instance_id in chosen]
    hidden = _hidden(snapshot, children, len(shown), phase)
    rows = []
    for number, node in enumerate(shown):
        last = number == len(shown) - 1 and not hidden
        rows.append(_node_row(snapshot, node, glyphs, below + (glyphs.corner if last else glyphs.tee)))
        deeper = snapshot.children_of(node.instance_id)
        rail = below + ("   " if last else glyphs.rail)
        rows += _child_rows(snapshot, deeper, "", glyphs, rail, max(max_children // 2, 1))
    if hidden:
        rows.append(Row(rail=below + glyphs.corner, sign=glyphs.pending, name=hidden, style="dim"))
    return rows


def _hidden(snapshot: Snapshot, children: Sequence[Instance], shown: int, phase: str) -> str:
    """Say how many children are not drawn: done ones if all of them are, else simply more."""
    fan_out = snapshot.root.fan_out if phase and snapshot.root.phase == phase else None
    total = fan_out.started if fan_out is not None else len(children)
    if total <= shown:
        return ""
    done = sum(node.ended for node in children)
    all_done = total == len(children) and len(children) - done <= shown
    return f"+{total - shown} {'done' if all_done else 'more'}"


def _interest(node: Instance) -> tuple[int, int]:
    order = {
        "failed": 0,
        "running": 1,
        "compensating": 1,
        "paused": 2,
        "waiting": 2,
        "created": 3,
        "terminated": 4,
        "completed": 5,
    }
    return order.get(node.shown_status, 6), node.parent.index if node.parent else 0


def _node_row(snapshot: Snapshot, node: Instance, glyphs: Glyphs, rail: str) -> Row:
    sign, style, bar, detail = _standing(snapshot, node, glyphs)
    if not node.ended and node.phase is not None and len(node.phases) > 1:
        detail = f"{node.phase}: {detail}"
    name = safe_line(node.parent.key if node.parent else node.instance_id)
    return Row(
        rail=rail,
        sign=sign,
        style=style,
        name=name,
        bar=bar,
        detail=detail or _latest_outcome(node),
        duration=shown_duration(duration_of(node, snapshot.at)),
    )


def _by_severity(node: Instance, phases: Iterable[str], glyphs: Glyphs) -> tuple[str, str]:
    """Return sign and style of what succeeded: its outcome's `severity` says whether that is good news."""
    outcomes = (node.variables.get(name) for name in phases)
    found = {str(outcome.get("severity")) for outcome in outcomes if isinstance(outcome, dict)}
    if "high" in found:
        return glyphs.alarming, "red"
    return (glyphs.alarming, "yellow") if "medium" in found else (glyphs.succeeded, "green")


def _outcome(node: Instance, phase: str) -> str:
    outcome = node.variables.get(phase)
    if isinstance(outcome, dict) and isinstance(outcome.get("headline"), str):
        return str(outcome["headline"])
    return ""


def _latest_outcome(node: Instance) -> str:
    found = (_outcome(node, name) for name in reversed(list(node.phases)))
    return safe_line(next((text for text in found if text), ""))


def _record_duration(record: PhaseRecord, now: datetime) -> str:
    if record.started_at is None or record.state is PhaseState.SKIPPED:
        return ""
    return shown_duration(((record.ended_at or now) - record.started_at).total_seconds())


def _line(row: Row, glyphs: Glyphs, width: int, room: int) -> Line:
    """Lay one row out: the name padded to `room`, the duration at the right edge where there is space."""
    name_room = max(room - len(row.rail) - 2, 4)
    name = row.name if len(row.name) <= name_room else row.name[: name_room - 1] + glyphs.ellipsis[:1]
    spans: list[Span] = [(row.rail, "dim"), (row.sign + " ", row.style), (name.ljust(name_room), row.style)]
    narrow = width < NARROW
    if row.bar is not None and not narrow:
        done = round(row.bar * BAR_CELLS)
        spans.append(("  " + glyphs.bar_done * done, row.style))
        spans.append((glyphs.bar_left * (BAR_CELLS - done), "dim"))
    spans.append(("  ", ""))
    tail = "" if narrow or not row.duration else f"  {row.duration}"
    left = width - sum(len(text) for text, _ in spans) - len(tail)
    detail = row.detail
    if len(detail) > left:
        detail = detail[: max(left - len(glyphs.ellipsis), 0)] + glyphs.ellipsis if left > 3 else ""
    emphasis = row.style if row.style in ("red", "yellow") else "dim" if row.style in ("green", "dim") else ""
    spans.append((detail.ljust(max(left, 0)) if tail else detail, emphasis))
    if tail:
        spans.append((tail, "dim"))
    return _cut(tuple(spans), width)


def _cut(line: Line, width: int) -> Line:
    """Return `line` cut at `width` columns."""
    kept: list[Span] = []
    left = width
    for text, style in line:
        if left <= 0:
            break
        kept.append((text[:left], style))
        left -= len(text)
    return tuple(kept)
