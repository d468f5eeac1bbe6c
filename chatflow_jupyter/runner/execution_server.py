"""The orchestrator's end of the link: answers a runner process from an `IExecution`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, cast

from chatflow_jupyter.domain.errors import ChatFlowError, InternalError
from chatflow_jupyter.domain.ids import AttemptId, RunnerId
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue
from chatflow_jupyter.ports.execution import IExecution
from chatflow_jupyter.ports.records import AttemptReport, Progress

from .frames import read_frame, write_frame
from .wire import decode, decode_optional, encode, encode_error

log = logging.getLogger(__name__)

Arguments = Mapping[str, Any]


class ExecutionServer:
    """Serves one runner until its end of the link closes."""

    def __init__(
        self, execution: IExecution, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer from `execution` over the given stream."""
        self._execution = execution
        self._reader = reader
        self._writer = writer
        self._calls: Mapping[str, Callable[[Arguments], Awaitable[JsonValue]]] = {
            "lease": self._lease,
            "heartbeat": self._heartbeat,
            "put_artifact": self._put_artifact,
            "fetch_artifact": self._fetch_artifact,
            "fetch_bundle": self._fetch_bundle,
            "once_get": self._once_get,
            "once_put": self._once_put,
            "once_get_file": self._once_get_file,
            "once_put_file": self._once_put_file,
            "complete": self._complete,
        }

    async def serve(self) -> None:
        """Answer calls, several at once, until the runner is gone or speaks nonsense."""
        async with asyncio.TaskGroup() as calls:
            answering = set()
            try:
                while (frame := await read_frame(self._reader)) is not None:
                    task = calls.create_task(self._answer(frame))
                    answering.add(task)
                    task.add_done_callback(answering.discard)
            except InternalError as error:
                log.critical("the runner is given up: %s", error.message)
            for task in answering:
                task.cancel()

    async def _answer(self, frame: JsonObject) -> None:
        number = frame.get("id")
        try:
            call = self._calls.get(str(frame.get("call")), _unknown)
            value = await call(cast("Arguments", frame.get("arguments", {})))
            await write_frame(self._writer, {"id": number, "value": value})
            return
        except ConnectionError:
            log.debug("the runner left before its answer")
            return
        except ChatFlowError as error:
            answer = encode_error(error)
        except Exception as error:
            log.exception("answering %s of the runner failed", frame.get("call"))
            answer = encode_error(InternalError(repr(error)))
        try:
            await write_frame(self._writer, {"id": number, "error": answer})
        except ConnectionError:
            log.debug("the runner left before it could be told: %s", answer)

    async def _lease(self, given: Arguments) -> JsonValue:
        return encode(await self._execution.lease(RunnerId(given["runner_id"]), wait_sec=given["wait_sec"]))

    async def _heartbeat(self, given: Arguments) -> JsonValue:
        await self._execution.heartbeat(*_held(given), decode_optional(Progress, given["progress"]))
        return None

    async def _put_artifact(self, given: Arguments) -> JsonValue:
        name, kind, source = given["name"], given["kind"], Path(given["source"])
        return encode(await self._execution.put_artifact(*_held(given), name=name, kind=kind, source=source))

    async def _fetch_artifact(self, given: Arguments) -> JsonValue:
        await self._execution.fetch_artifact(
            *_held(given),
            phase=given["phase"],
            name=given["name"],
            parent=given["parent"],
            target=Path(given["target"]),
        )
        return None

    async def _fetch_bundle(self, given: Arguments) -> JsonValue:
        await self._execution.fetch_bundle(*_held(given), Path(given["target"]))
        return None

    async def _once_get(self, given: Arguments) -> JsonValue:
        return encode(await self._execution.once_get(*_held(given), given["name"]))

    async def _once_put(self, given: Arguments) -> JsonValue:
        return encode(await self._execution.once_put(*_held(given), given["name"], given["value"]))

    async def _once_get_file(self, given: Arguments) -> JsonValue:
        return await self._execution.once_get_file(*_held(given), given["name"], Path(given["target"]))

    async def _once_put_file(self, given: Arguments) -> JsonValue:
        await self._execution.once_put_file(*_held(given), given["name"], Path(given["source"]))
        return None

    async def _complete(self, given: Arguments) -> JsonValue:
        await self._execution.complete(*_held(given), decode(AttemptReport, given["report"]))
        return None


async def _unknown(given: Arguments) -> JsonValue:
    raise InternalError(f"the runner made a call that there is not, with {sorted(given)}")


def _held(given: Arguments) -> tuple[AttemptId, int]:
    return AttemptId(given["attempt_id"]), int(given["fence"])
