"""Sentences and blocks about instances, the same wherever they are printed; all made safe to print."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TextIO

from chatflow_jupyter.domain.compensation import is_step
from chatflow_jupyter.domain.events import Event
from chatflow_jupyter.domain.fan_out import children_over, counted, known_children
from chatflow_jupyter.domain.ids import ENGINE_PRINCIPAL
from chatflow_jupyter.domain.instance import Failure, Instance, ReusedFrom, Status, WaitingReason
from chatflow_jupyter.domain.json_values import JsonValue, canonical_json
from chatflow_jupyter.interfaces.cli.terminal import painted, safe_line, safe_text, shown_duration

CommandLine = Callable[..., str]
STATUS_STYLE = {
    "completed": "green",
    "failed": "red",
    "terminated": "red",
    "waiting": "yellow",
    "paused": "yellow",
    "running": "cyan",
    "compensating": "cyan",
}
MAX_CHILDREN_TOLD = 5
FAILURES = (Status.FAILED, Status.TERMINATED)
MAX_OUTPUT_LINES = 8
MAX_VALUE = 160


def event_line(event: Event) -> str:
    """Return an event as one line: time, instance, type, then `name=value` pairs; made to be searched.

    Who caused it is named unless it was the engine itself.
    """
    pairs = []
    if event.phase is not None:
        pairs.append(f"phase={event.phase}")
    if event.attempt is not None:
        pairs.append(f"attempt={event.attempt}")
    if event.principal != ENGINE_PRINCIPAL:
        pairs.append(f"principal={_value(event.principal)}")
    pairs += [f"{name}={_value(value)}" for name, value in event.data.items() if name != "runner_id"]
    moment = event.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return " ".join([moment, event.instance_id, f"{event.type:<18}", *pairs]).rstrip()


def _value(value: JsonValue) -> str:
    if isinstance(value, str):
        line = safe_line(value, MAX_VALUE)
        return line if line and not set(line) & set(' "=') else '"' + line.replace('"', "'") + '"'
    return safe_line(canonical_json(value), MAX_VALUE)


def failure_lines(failure: Failure, instance: Instance, command: CommandLine) -> list[str]:
    """Return what a person needs to act on a failure: cell, error, last output, where the notebook is."""
    phase = failure.phase or instance.phase or ""
    where = f"phase {phase}" if phase else "the instance"
    if failure.cell_index is not None and " cell " not in failure.message:
        name = f" ({safe_line(failure.cell_name, 60)})" if failure.cell_name else ""
        where += f", cell {failure.cell_index + 1}{name}"
    lines = [f"failed in {where}: {safe_line(failure.message, 500)} [{failure.code}]"]
    if failure.last_output and failure.last_output.strip():
        last = safe_text(failure.last_output).rstrip().splitlines()[-MAX_OUTPUT_LINES:]
        lines += ["  last output:", *(f"    {line[:200]}" for line in last)]
    if failure.code == "child_failed":
        lines += [f"  {line}" for line in _failed_children(instance, failure.phase, command)]
    if failure.cell_index is not None or failure.ename is not None:
        save = command("artifacts", instance.instance_id, "--save", "DIR")
        lines.append(f"  the notebook as far as it ran: {save}  ({phase}/{phase}.ipynb)")
    return lines


def _failed_children(instance: Instance, phase: str | None, command: CommandLine) -> list[str]:
    """Return a line for each of the first failed children, with the command that says why."""
    failed = [
        (key, str(entry["instance_id"]))
        for key, entry in known_children(instance).items()
        if isinstance(entry, Mapping)
        and entry["phase"] == phase
        and entry["status"] in ("failed", "terminated")
    ]
    lines = [f"{safe_line(key, 60)}: {command('status', ident)}" for key, ident in failed[:MAX_CHILDREN_TOLD]]
    more = len(failed) - len(lines)
    return [*lines, f"and {more} more"] if more else lines


def waiting_lines(instance: Instance, command: CommandLine, *, answer_as: str | None = None) -> list[str]:
    """Return what an instance waits for and the exact commands that go on.

    `answer_as` is somebody the gate asks, where it does not ask whoever sits here.
    """
    ident = instance.instance_id
    if instance.paused:
        return ["paused", f"  go on:    {command('resume', ident)}"]
    detail = safe_line(instance.waiting_detail or "", 300)
    match instance.waiting_reason:
        case WaitingReason.APPROVAL:
            somebody = () if answer_as is None else answering_as(safe_line(answer_as))
            name = f"{safe_line(instance.parent.key, 60)}: " if instance.parent else ""
            return [
                f"{name}waiting for approval before {instance.phase}: {detail}",
                f"  approve:  {command('trigger', ident, '--approve', *somebody)}",
                f"  reject:   {command('trigger', ident, '--reject', *somebody)}",
            ]
        case WaitingReason.TRIGGER:
            return [
                f"waiting for {detail}",
                f"  go on:    {command('trigger', ident, '--data', quoted('{…}'))}",
            ]
        case WaitingReason.BUDGET:
            end = f"  it cannot be raised; fork it with more, or end it: {command('terminate', ident)}"
            return [f"waiting for budget: {detail}", end]
        case WaitingReason.RETRY:
            return [f"waiting to try again: {detail}", f"  now:      {command('retry', ident)}"]
        case WaitingReason.HOOK:
            return [f"waiting for hooks: {detail}", f"  go on:    {command('resume', ident)}"]
        case WaitingReason.CACHE:
            return [f"looks for {detail}", f"  go on:    {command('resume', ident)}"]
        case WaitingReason.CHILDREN:
            return [f"waiting for {detail}", f"  look:     {command('tree', ident)}"]
        case _:
            return []


def answering_as(name: str) -> tuple[str, ...]:
    """Return the words that answer for somebody; a name that begins with a dash would look like an option."""
    quoted_name = shlex.quote(name)
    return (f"--as={quoted_name}",) if name.startswith("-") else ("--as", quoted_name)


def quoted(text: str) -> str:
    """Return `text` in single quotes, as typed in a shell."""
    return f"'{text}'"


def headline_of(instance: Instance) -> str | None:
    """Return the line a phase offered as `headline`, the latest phase's first."""
    for name in reversed(list(instance.phases)):
        outcome = instance.variables.get(name)
        if isinstance(outcome, dict) and isinstance(outcome.get("headline"), str):
            return safe_line(str(outcome["headline"]), 300)
    return None


def summary_lines(
    instance: Instance,
    *,
    now: datetime,
    artifacts: int,
    stream: TextIO,
    command: CommandLine,
    answer_as: str | None = None,
    termination: Event | None = None,
) -> list[str]:
    """Return the block a followed command ends with: status, duration, outcome, artifacts, what to do.

    `termination` is the event that ended a terminated instance.
    """
    status = painted(instance.shown_status, STATUS_STYLE.get(instance.shown_status, "bold"), stream)
    took = shown_duration(duration_of(instance, now))
    lines = [
        f"{status}  {instance.definition.schema_id}  {instance.instance_id}" + (f"  {took}" if took else "")
    ]
    if instance.forked_from is not None:
        lines.append(f"  fork of:   {instance.forked_from.instance_id} at {instance.forked_from.phase}")
    lines += [f"  {line}" for line in reused_lines(instance)]
    headline = headline_of(instance)
    if headline:
        lines.append(f"  outcome:   {headline}")
    if artifacts:
        save = command("artifacts", instance.instance_id, "--save", "DIR")
        lines.append(f"  artifacts: {artifacts}; {save}")
    if instance.failure is not None and instance.shown_status == "failed":
        lines += [f"  {line}" for line in failure_lines(instance.failure, instance, command)]
        if instance.undoing is None:
            lines.append(f"  {_way_on(instance, command)}")
    if termination is not None:
        lines.append(f"  {termination_line(termination)}")
    lines += [f"  {line}" for line in undoing_lines(instance, command)]
    if not instance.ended:
        lines += [f"  {line}" for line in waiting_lines(instance, command, answer_as=answer_as)]
    return lines


def termination_line(event: Event) -> str:
    """Return why an instance was ended, and by whom unless the reason names them or the engine did it."""
    reason = str(event.data.get("reason", ""))
    named = event.principal == ENGINE_PRINCIPAL or event.principal in reason
    who = "" if named else f"by {safe_line(event.principal, 60)}: "
    return f"ended:     {who}{safe_line(reason, 300)}"


def reused_lines(instance: Instance) -> list[str]:
    """Return a line per phase that stands as another instance did it."""
    return [
        f"{name}: {reused_from(record.reused_from)}"
        for name, record in instance.phases.items()
        if record.reused_from is not None
    ]


def reused_from(source: ReusedFrom) -> str:
    """Return whose outcome was reused, in words."""
    day = source.made_at.astimezone(UTC).date().isoformat()
    return f"reused from {source.instance_id} (attempt {source.attempt}, {day})"


def _way_on(failed: Instance, command: CommandLine) -> str:
    """Return what resumes it, or why nothing does."""
    if failed.phase is None:
        return "it cannot be resumed, for it failed before its first phase; start a new one"
    over = children_over(failed)
    if over:
        return f"it cannot be resumed because of {counted(over)} terminated or undone; start a new one"
    return f"go on from there: {command('retry', failed.instance_id)}"


def undoing_lines(instance: Instance, command: CommandLine) -> list[str]:
    """Return how far the instance came in undoing what it did, why it does, and what to do about it."""
    if instance.undoing is None:
        return []
    reason = safe_line(instance.undoing.reason, 200)
    if instance.compensated:
        return [f"undone:    {_what_was_undone(instance)}; it cannot be resumed, start a new one"]
    if instance.status is Status.FAILED:
        return [
            f"not all that it did is undone, because of: {reason}",
            f"  go on undoing: {command('retry', instance.instance_id)}",
            f"  give it up:    {command('terminate', instance.instance_id)}",
        ]
    if instance.ended:
        look = command("tree", instance.instance_id)
        return [f"not undone: some of what it did, for undoing was given up: {look}"]
    return [f"undoing:   what it did, because of: {reason}"]


def _what_was_undone(instance: Instance) -> str:
    if any(is_step(name) for name in instance.phases):
        return "what it had done"
    return "what its children had done" if instance.descendants else "nothing, for it had done nothing"


def duration_of(instance: Instance, now: datetime) -> float | None:
    """Return for how many seconds the instance ran, or has been running; None before its start."""
    if instance.started_at is None and instance.status == "created":
        return None
    began = instance.started_at or instance.created_at
    return ((instance.ended_at or now) - began).total_seconds()
