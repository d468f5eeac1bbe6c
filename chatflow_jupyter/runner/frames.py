"""Frames: JSON objects with their length in front, over a stream between two processes of ours."""

import asyncio
import json

from chatflow_jupyter.domain.errors import InternalError
from chatflow_jupyter.domain.json_values import JsonObject

MAX_FRAME_BYTES = 64 * 1024 * 1024


async def read_frame(reader: asyncio.StreamReader) -> JsonObject | None:
    """Return the next frame, or None when the other side is gone; `InternalError` for anything else."""
    try:
        size_bytes = int.from_bytes(await reader.readexactly(4), "big")
        if size_bytes > MAX_FRAME_BYTES:
            raise InternalError(f"a frame of {size_bytes} bytes is more than the link carries")
        frame = json.loads(await reader.readexactly(size_bytes))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict):
        raise InternalError("the link carried something that is no frame")
    return frame


async def write_frame(writer: asyncio.StreamWriter, frame: JsonObject) -> None:
    """Send a frame, waiting while the other side is slow; raises `ConnectionError` when it is gone."""
    body = json.dumps(frame, separators=(",", ":")).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise InternalError(f"a frame of {len(body)} bytes is more than the link carries")
    writer.write(len(body).to_bytes(4, "big") + body)
    await writer.drain()
