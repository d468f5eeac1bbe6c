"""The one thread that writes to an SQLite file. What waits at the same moment is committed together."""

import asyncio
import contextlib
import sqlite3
import threading
from asyncio import AbstractEventLoop, Future
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection

from chatflow_jupyter.domain.errors import ChatFlowError

from .dialects import DRIVER_ERRORS

T = TypeVar("T")
Work: TypeAlias = Callable[[Connection], T]

MOST_TOGETHER = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class _Request:
    work: Work[Any]
    loop: AbstractEventLoop
    answer: "Future[Any]"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    value: Any = None
    error: Exception | None = None


def _deliver(answers: "Sequence[tuple[Future[Any], _Outcome]]") -> None:
    """Answer everybody of one commit; to wake a loop for each would cost as much as what was written."""
    for answer, outcome in answers:
        if answer.done():  # whoever asked was cancelled meanwhile
            continue
        if outcome.error is None:
            answer.set_result(outcome.value)
        else:
            answer.set_exception(outcome.error)


class _Abandoned(Exception):
    """SQLite gave the whole transaction up, with the work of others in it."""


class Writer:
    """Runs work in transactions of its own, or in savepoints of one: each still succeeds or fails alone."""

    def __init__(
        self,
        connection: Connection,
        driver: sqlite3.Connection,
        translate: Callable[[Exception], ChatFlowError],
        announce: Callable[[], None],
    ) -> None:
        """Write over `connection`, which nobody else uses; `announce` is called when rows were changed."""
        self._connection = connection
        self._driver = driver
        self._translate = translate
        self._announce = announce
        self._requests: SimpleQueue[_Request | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="chatflow-sqlite-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Work[T]) -> T:
        """Return what `work` returned, once committed; raise what it raised, with nothing written."""
        loop = asyncio.get_running_loop()
        answer: Future[T] = loop.create_future()
        self._requests.put(_Request(work=work, loop=loop, answer=answer))
        return await answer

    def stop(self) -> None:
        """End the thread after what was asked for is done."""
        self._requests.put(None)
        self._thread.join()

    def _serve(self) -> None:
        ended = False
        while not ended:
            together, ended = self._next()
            if together:
                self._answer(together)

    def _next(self) -> tuple[list[_Request], bool]:
        """Wait for a request and take what waits behind it; the second value says that it is the last."""
        request, together = self._requests.get(), []
        while request is not None:
            if not request.answer.cancelled():
                together.append(request)
            if len(together) == MOST_TOGETHER:
                return together, False
            try:
                request = self._requests.get_nowait()
            except Empty:
                return together, False
        return together, True

    def _answer(self, together: Sequence[_Request]) -> None:
        changed_before = self._driver.total_changes
        outcomes = self._commit(together)
        if self._driver.total_changes != changed_before:
            self._announce()
        answers: dict[AbstractEventLoop, list[tuple[Future[Any], _Outcome]]] = defaultdict(list)
        for request, outcome in zip(together, outcomes, strict=True):
            answers[request.loop].append((request.answer, outcome))
        for loop, outcomes_of_loop in answers.items():
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(_deliver, outcomes_of_loop)

    def _commit(self, together: Sequence[_Request]) -> list[_Outcome]:
        """Commit all of it at once; when that fails as a whole, each alone, so that each hears of its own.

        When no transaction can be begun at all (the file stays locked), everybody hears so at once.
        """
        try:
            self._driver.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            return [self._failed(error)] * len(together)
        try:
            return self._transaction(together)
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            if len(together) > 1:
                return [outcome for request in together for outcome in self._commit([request])]
            return [self._failed(error)]

    def _transaction(self, together: Sequence[_Request]) -> list[_Outcome]:
        try:
            if len(together) == 1:
                outcomes = [_Outcome(value=together[0].work(self._connection))]
            else:
                outcomes = [self._savepoint(request.work) for request in together]
            self._driver.execute("COMMIT")
            return outcomes
        finally:
            if self._driver.in_transaction:
                self._driver.execute("ROLLBACK")

    def _savepoint(self, work: Work[Any]) -> _Outcome:
        self._driver.execute("SAVEPOINT alone")
        try:
            outcome = _Outcome(value=work(self._connection))
        except Exception as error:
            if not self._driver.in_transaction:
                raise _Abandoned from error
            self._driver.execute("ROLLBACK TO alone")
            outcome = self._failed(error)
        self._driver.execute("RELEASE alone")
        return outcome

    def _failed(self, error: Exception) -> _Outcome:
        """Return what whoever asked is told: the driver's errors as ours."""
        if not isinstance(error, DRIVER_ERRORS):
            return _Outcome(error=error)
        told = self._translate(error)
        told.__cause__ = error
        return _Outcome(error=told)
