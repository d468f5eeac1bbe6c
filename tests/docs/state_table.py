"""The tables of `docs/reference/states.md`, asked of `decide`.

`python -m tests.docs.state_table` writes them.
"""

from collections.abc import Callable, Mapping

from chatflow_jupyter.domain.decision import Refusal
from chatflow_jupyter.domain.instance import Instance, WaitingReason
from chatflow_jupyter.domain.requests import (
    FanOutDue,
    GateExpiryDue,
    InstanceDeadlineDue,
    ParentOverdue,
    PhaseDeadlineDue,
    Request,
    RetryDue,
)
from tests.docs.histories import (
    APPROVE,
    COMPENSATE,
    PAUSE,
    REJECT,
    RESUME,
    START,
    TERMINATE,
    History,
    answered,
    child_ended,
    failed,
    looked_up,
    lost,
    states,
    succeeded,
)
from tests.docs.pages import DOCS, put_generated

PAGE = DOCS / "reference" / "states.md"
Ask = Callable[[History], Request | None]


def _reported(report: Callable[[History], Request]) -> Ask:
    return lambda history: None if history.instance.attempt is None else report(history)


PEOPLE: Mapping[str, Ask] = {
    "trigger": lambda _: START,
    "approve": lambda _: APPROVE,
    "reject": lambda _: REJECT,
    "pause": lambda _: PAUSE,
    "resume": lambda _: RESUME,
    "terminate": lambda _: TERMINATE,
    "terminate --compensate": lambda _: COMPENSATE,
}
ENGINE: Mapping[str, Ask] = {
    "attempt succeeded": _reported(succeeded),
    "attempt failed": _reported(failed),
    "attempt lost": _reported(lost),
    "retry due": lambda _: RetryDue(),
    "gate expired": lambda history: GateExpiryDue() if history.later(120) else None,
    "phase deadline over": lambda history: PhaseDeadlineDue() if history.later(1000) else None,
    "deadline over": lambda history: InstanceDeadlineDue() if history.later(10_000) else None,
    "parent's deadline over": lambda _: ParentOverdue(),
    "child ended": lambda _: child_ended(0),
    "more children due": lambda _: FanOutDue(),
    "outcomes looked through": lambda history: looked_up(history) if _seeks(history) else None,
    "hooks answered": lambda history: None if history.instance.hooks_asked is None else answered(history),
}


def _seeks(history: History) -> bool:
    return history.instance.waiting_reason is WaitingReason.CACHE


def table(requests: Mapping[str, Ask]) -> str:
    """Return the Markdown table of every state and these requests."""
    lines = [f"| state | {' | '.join(requests)} |", "|---" * (len(requests) + 1) + "|"]
    for name in states():
        cells = [_cell(states()[name], ask) for ask in requests.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(history: History, ask: Ask) -> str:
    request = ask(history)
    if request is None:
        return "—"
    answer = history.ask(request)
    if isinstance(answer, Refusal):
        return "—" if answer.stale else f"`{answer.code}`"
    return state_of(answer.instance)


def state_of(instance: Instance) -> str:
    """Return the state as the tables write it."""
    underlying = (
        f"{instance.status}/{instance.waiting_reason}" if instance.waiting_reason else str(instance.status)
    )
    return f"paused ({underlying})" if instance.shown_status == "paused" else underlying


if __name__ == "__main__":
    put_generated(PAGE, "people", table(PEOPLE))
    put_generated(PAGE, "engine", table(ENGINE))
