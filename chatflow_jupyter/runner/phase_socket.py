"""Answer the requests a running notebook makes through `ctx`: `once`, `%%once`, `input`.

Protocol: a Unix socket; each connection carries one JSON line `{"op": …}` and gets one JSON line back,
`{"ok": …}` or `{"error": text, "code": code}`. One connection per request keeps it safe for threads and
for processes a notebook forks.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from chatflow_jupyter.domain.errors import ChatFlowError, InvalidInput
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue, decode_object, encoded_size_bytes
from chatflow_jupyter.planted_files import is_plain_file
from chatflow_jupyter.runner.artifacts import PRIVATE_FOLDER
from chatflow_jupyter.runner.runtime_directory import runtime_directory

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 1024 * 1024
MAX_ONCE_BYTES = 64 * 1024
"""The largest result `ctx.once` may store, in bytes of JSON."""


class OnceValue(Protocol):
    """A stored result of `ctx.once`; the value itself may be null."""

    @property
    def value(self) -> JsonValue:
        """The JSON that was stored."""


class PhaseRequests(Protocol):
    """What a notebook may ask of its attempt. Every write is refused when the attempt's fence is stale."""

    async def once_get(self, name: str) -> OnceValue | None:
        """Return the result stored under `name` by this or an earlier attempt of the phase, or None."""

    async def once_put(self, name: str, value: JsonValue) -> JsonValue:
        """Store a result unless there is one, durably, and return the stored one."""

    async def once_get_file(self, name: str) -> Path | None:
        """Return a local read-only copy of the variables stored under `name`, or None."""

    async def once_put_file(self, name: str, path: Path) -> None:
        """Store the file at `path` under `name`, durably, unless there is one."""

    async def input_file(self, phase: str, name: str, parent: bool) -> Path:
        """Return a local read-only copy of an earlier phase's artifact; raises `LookupError`."""


@asynccontextmanager
async def phase_socket(requests: PhaseRequests) -> AsyncIterator[Path]:
    """Yield the path of a socket (for `CHATFLOW_PHASE_SOCKET`) that answers one attempt's notebook.

    Only the owner of this process can connect. Files the notebook hands over must lie in its private
    folder and be no links.
    """
    service = _Service(requests)
    with runtime_directory() as directory:
        path = directory / "phase.sock"
        server = await asyncio.start_unix_server(service.answer, path=path, limit=MAX_LINE_BYTES)
        async with server:
            yield path


class _Service:
    def __init__(self, requests: PhaseRequests) -> None:
        self._requests = requests

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection."""
        try:
            line = await reader.readline()
            if line:
                writer.write(json.dumps(await self._reply(line)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError) as error:  # the kernel is gone, or the line was too long
            log.debug("a phase request was dropped: %s", error)
        finally:
            writer.close()

    async def _reply(self, line: bytes) -> JsonObject:
        try:
            request = decode_object(line, what="phase request")
            return {"ok": await self._handle(str(request.get("op")), request)}
        except ChatFlowError as error:
            return {"error": error.message, "code": error.code}
        except LookupError as error:
            return {"error": str(error.args[0]) if error.args else "not found", "code": "not_found"}
        except Exception as error:
            log.exception("a phase request failed")
            return {"error": f"the runner could not answer: {error}", "code": "internal"}

    async def _handle(self, op: str, request: Mapping[str, JsonValue]) -> JsonValue:
        name = str(request.get("name"))
        match op:
            case "once_get":
                found = await self._requests.once_get(name)
                return {"found": found is not None, "value": None if found is None else found.value}
            case "once_put":
                value = request.get("value")
                if encoded_size_bytes(value) > MAX_ONCE_BYTES:
                    raise InvalidInput(f"once {name!r}: the result is over {MAX_ONCE_BYTES // 1024} KiB")
                return await self._requests.once_put(name, value)
            case "once_get_file":
                path = await self._requests.once_get_file(name)
                return None if path is None else str(path)
            case "once_put_file":
                handed = await asyncio.to_thread(_handed_over, Path(str(request.get("path"))))
                await self._requests.once_put_file(name, handed)
                return None
            case "input":
                phase, parent = str(request.get("phase")), request.get("parent") is True
                return str(await self._requests.input_file(phase, name, parent))
            case _:
                raise InvalidInput(f"phase request {op!r} is not known")


def _handed_over(path: Path) -> Path:
    if path.parent.name != PRIVATE_FOLDER or not is_plain_file(path):
        raise InvalidInput(f"{path.name}: not a file in the attempt's private folder")
    return path
