"""The hooks in force, and how one is called: in a thread of its own, for a limited time."""

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar, cast

from chatflow_jupyter.domain.hooks import (
    NO_HOOKS,
    Amend,
    ArtifactMade,
    ArtifactProcessor,
    ArtifactVerdict,
    AttemptAhead,
    AttemptBehind,
    Broken,
    Deny,
    EnabledHook,
    HookAnswer,
    HookPlan,
    PostExecutionHook,
    PreExecutionHook,
    Reject,
    verdict_fault,
)
from chatflow_jupyter.domain.instance import HookPoint
from chatflow_jupyter.domain.json_values import own_json

log = logging.getLogger(__name__)

Given = TypeVar("Given")
Returned = TypeVar("Returned")
MAX_CAUSE = 300


class Hooks:
    """Those that the settings enable. They are loaded when first needed: looking at a home needs none."""

    def __init__(self, load: Callable[[], Sequence[EnabledHook]], *, timeout_sec: float) -> None:
        """`load` finds them, or raises `InvalidInput`; each call may take `timeout_sec`."""
        self._load = load
        self._timeout_sec = timeout_sec
        self._loaded: tuple[EnabledHook, ...] | None = None

    @property
    def enabled(self) -> tuple[EnabledHook, ...]:
        """Return all, in order; raises `InvalidInput` when one under policy `closed` cannot be loaded."""
        if self._loaded is None:
            self._loaded = tuple(self._load())
        return self._loaded

    def plan(self) -> HookPlan:
        """Return which are asked where; raises like `enabled`."""
        if not self.enabled:
            return NO_HOOKS
        return HookPlan(
            before=tuple(one.name for one in self.enabled if isinstance(one.hook, PreExecutionHook)),
            after=tuple(one.name for one in self.enabled if isinstance(one.hook, PostExecutionHook)),
            artifacts=tuple(one.name for one in self.processors),
        )

    @property
    def processors(self) -> tuple[EnabledHook, ...]:
        """Return those that look at artifacts."""
        return tuple(one for one in self.enabled if isinstance(one.hook, ArtifactProcessor))

    async def before(self, ahead: AttemptAhead) -> tuple[HookAnswer, ...]:
        """Ask those before an attempt, each with parameters as amended; the first to stop it is the last."""
        answers: list[HookAnswer] = []
        for one in self.enabled:
            if not isinstance(one.hook, PreExecutionHook):
                continue
            verdict = await self._verdict(HookPoint.BEFORE, one, one.hook.before, ahead)
            if isinstance(verdict, Amend):
                ahead = replace(ahead, parameters={**ahead.parameters, **verdict.parameters})
            answers.append(HookAnswer(hook=one.name, verdict=verdict, policy=one.policy))
            if isinstance(verdict, Deny) or (isinstance(verdict, Broken) and one.policy == "closed"):
                break
        return tuple(answers)

    async def after(self, behind: AttemptBehind) -> tuple[HookAnswer, ...]:
        """Ask those behind an attempt; the first that rejects it is the last."""
        answers: list[HookAnswer] = []
        for one in self.enabled:
            if not isinstance(one.hook, PostExecutionHook):
                continue
            verdict = await self._verdict(HookPoint.AFTER, one, one.hook.after, behind)
            answers.append(HookAnswer(hook=one.name, verdict=verdict, policy=one.policy))
            if isinstance(verdict, Reject) or (isinstance(verdict, Broken) and one.policy == "closed"):
                break
        return tuple(answers)

    def none_of(self, names: Collection[str], cause: str) -> tuple[HookAnswer, ...]:
        """Return that these hooks gave no verdict, since there is nothing to show them."""
        shown = f"there is no notebook to look at: {cause}"
        asked = [one for one in self.enabled if one.name in names]
        return tuple(
            HookAnswer(hook=one.name, verdict=self._broken(one, shown), policy=one.policy) for one in asked
        )

    async def process(self, one: EnabledHook, artifact: ArtifactMade) -> ArtifactVerdict | Broken:
        """Ask a processor about an artifact."""
        assert isinstance(one.hook, ArtifactProcessor)
        return await self._verdict(HookPoint.ARTIFACT, one, one.hook.process, artifact)

    async def _verdict(
        self, point: HookPoint, one: EnabledHook, call: Callable[[Given], Returned], given: Given
    ) -> Returned | Broken:
        try:
            async with asyncio.timeout(self._timeout_sec):
                verdict = await in_thread(call, given, name=f"hook {one.name}")
        except TimeoutError:
            return self._broken(one, f"it took longer than {self._timeout_sec:g} s")
        except Exception as error:  # noqa: BLE001 - whatever foreign code raises is its answer
            return self._broken(one, _told(error))
        try:
            fault = verdict_fault(point, verdict)
            if fault is None and isinstance(verdict, Amend):
                return cast("Returned", replace(verdict, parameters=own_json(verdict.parameters)))
        except Exception as error:  # noqa: BLE001 - a verdict is foreign code as well, where it has methods
            fault = f"what it returned cannot be read: {_told(error)}"
        return verdict if fault is None else self._broken(one, fault)

    def _broken(self, one: EnabledHook, cause: str) -> Broken:
        line = " ".join(cause.split())
        shown = "".join(sign if sign.isprintable() else "?" for sign in line)[:MAX_CAUSE]
        log.warning("hook %s (%s) gave no verdict: %s", one.name, one.policy, shown)
        return Broken(cause=shown)


def _told(error: Exception) -> str:
    """Return what foreign code raised, also when that cannot even say what it is."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:  # noqa: BLE001 - the text of an exception is foreign code too
        return name


async def in_thread(call: Callable[[Given], Returned], given: Given, *, name: str) -> Returned:
    """Return what `call` returns, from a thread that keeps nobody waiting when it never ends.

    The loop's own executor would be waited for at the end of the process.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Returned] = loop.create_future()

    def settle(result: Returned | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]  # without an error there is a result
        else:
            done.set_exception(error)

    def work() -> None:
        result: Returned | None = None
        failed: Exception | None = None
        try:
            result = call(given)
        except StopIteration as error:  # no future can hold it
            failed = RuntimeError(repr(error))
        except Exception as error:  # noqa: BLE001 - it is raised where the call is awaited
            failed = error
        except BaseException as error:  # noqa: BLE001 - an exit of foreign code ends only its thread
            failed = RuntimeError(repr(error))
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=work, daemon=True, name=name).start()
    return await done
