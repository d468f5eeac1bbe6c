"""Put kernel messages into cells with nbclient's rules, within limits."""

import asyncio
import copy
import logging
from collections.abc import Callable, Mapping
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_output

from chatflow_jupyter.runner.outcomes import Outcomes

log = logging.getLogger(__name__)

Message = dict[str, Any]

_ALWAYS_KEPT_BYTES = 1024 * 1024
"""An error report up to this size is kept even when a limit has been reached, in bytes."""

_OUTPUT_BYTES = 200
"""What an output takes in a notebook file besides its content, in bytes."""


class OutputCollector(NotebookClient):
    """nbclient's handling of messages (display ids, clearing, widgets) without its way of waiting.

    Adds limits, merges what a stream writes in a row, keeps a cell's late messages in that cell, and passes
    outcomes on. `on_limit` is called once, with the text that was also put into the notebook.
    """

    def __init__(
        self,
        notebook: NotebookNode,
        *,
        outcomes: Outcomes,
        cell_bytes: int,
        notebook_bytes: int,
        on_limit: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(notebook)
        self.received = 0
        self._outcomes = outcomes
        self._cell_limit = cell_bytes
        self._notebook_limit = notebook_bytes
        self._on_limit = on_limit
        self._on_change = on_change
        self._owners: dict[str, tuple[NotebookNode, int]] = {}
        self._idle: dict[str, asyncio.Future[None]] = {}
        self._sizes: dict[int, int] = {}
        self._display_sizes: dict[str, int] = {}
        self.limited = False
        self._open_stream: NotebookNode | None = None
        self._pending: list[str] = []

    def idle(self, msg_id: str) -> asyncio.Future[None]:
        """Return the future that is done once the kernel has said it finished request `msg_id`."""
        if msg_id not in self._idle:
            self._idle[msg_id] = asyncio.get_running_loop().create_future()
        return self._idle[msg_id]

    def begin(self, msg_id: str, cell: NotebookNode, position: int) -> None:
        """From now on messages about request `msg_id` belong to `cell` at `position` of the notebook."""
        cell["metadata"]["execution"] = NotebookNode()
        cell["outputs"] = []
        self.clear_before_next_output = False
        self._owners[msg_id] = (cell, position)
        self.idle(msg_id)

    def receive(self, msg: Message) -> None:
        """Take one message of the kernel's broadcast channel."""
        self.received += 1
        parent = msg["parent_header"].get("msg_id")
        kind = msg["msg_type"]
        if kind == "display_data":
            self._outcomes.read(msg["content"].get("data") or {})
        owner = self._owners.get(parent)
        if owner is not None and kind != "iopub_welcome":
            cell, position = owner
            if kind in ("status", "execute_input", "clear_output") or self._admit(msg, cell, position):
                self._store(msg, cell, position)
        if kind == "status" and msg["content"].get("execution_state") == "idle" and parent in self._idle:
            done = self._idle[parent]
            if not done.done():
                done.set_result(None)

    def snapshot(self) -> NotebookNode:
        """Return the notebook as it is now, safe to write in a thread while execution goes on."""
        self._join_stream()
        cells = []
        for cell in self.nb.cells:
            frozen = NotebookNode(cell)
            frozen["metadata"] = copy.deepcopy(cell.metadata)
            if "outputs" in cell:
                frozen["outputs"] = list(cell.outputs)
            cells.append(frozen)
        whole = NotebookNode(self.nb)
        whole["metadata"] = copy.deepcopy(self.nb.metadata)
        whole["cells"] = cells
        return whole

    def output(
        self, outs: list[NotebookNode], msg: Message, display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Add an output; text that continues the last stream output is appended to it."""
        if self.output_hook_stack.get(msg["parent_header"].get("msg_id", "")):
            return super().output(outs, msg, display_id, cell_index)
        content, kind = msg["content"], msg["msg_type"]
        if self.clear_before_next_output:
            self.clear_before_next_output = False
            outs[:] = []
            self.clear_display_id_mapping(cell_index)
        last = outs[-1] if outs else None
        if (
            kind == "stream"
            and last is not None
            and last is self._open_stream
            and last.name == content["name"]
        ):
            self._pending.append(content["text"])
            return last
        self._join_stream()
        added = _output(kind, content)
        if added is None:
            log.debug("a message of type %s has no place in a notebook", kind)
            return None
        if display_id:
            self._display_id_map.setdefault(display_id, {}).setdefault(cell_index, []).append(len(outs))
        outs.append(added)
        self._open_stream = added if kind == "stream" else None
        return added

    def clear_output(self, outs: list[NotebookNode], msg: Message, cell_index: int) -> None:
        """Clear a cell's outputs, or note that the next output is to do so; cleared text counts no more."""
        self._join_stream()
        super().clear_output(outs, msg, cell_index)
        self._sizes[cell_index] = 0

    def _store(self, msg: Message, cell: NotebookNode, position: int) -> None:
        try:
            self.process_message(msg, cell, position)
        except CellExecutionComplete:
            self._join_stream()
        else:
            self._on_change()

    def _join_stream(self) -> None:
        if self._pending and self._open_stream is not None:
            self._open_stream["text"] += "".join(self._pending)
        self._pending = []

    def _admit(self, msg: Message, cell: NotebookNode, position: int) -> bool:
        """Count a message; returns whether it is kept, cutting a stream's text at the limit."""
        kind, content = msg["msg_type"], msg["content"]
        size_bytes = _size(content) + sum(len(memoryview(buffer)) for buffer in msg.get("buffers") or ())
        if kind == "error" and size_bytes <= _ALWAYS_KEPT_BYTES:
            return True
        if self.limited:
            return False
        growth = self._growth(kind, content, size_bytes)
        used = self._sizes.get(position, 0)
        left_cell = self._cell_limit - used
        left = min(left_cell, self._notebook_limit - sum(self._sizes.values()))
        if growth <= left:
            self._sizes[position] = used + growth
            return True
        if kind == "stream" and left > 0:
            content["text"] = content["text"][:left]
            self._store(msg, cell, position)
        what, limit = (
            ("one cell", self._cell_limit) if left == left_cell else ("one notebook", self._notebook_limit)
        )
        self._reach_limit(cell, f"more than the {limit / 2**20:g} MiB of output allowed for {what}")
        return False

    def _growth(self, kind: str, content: Mapping[str, Any], size_bytes: int) -> int:
        """Return by how much a message makes the notebook grow: an update replaces what it updates."""
        display_id = (content.get("transient") or {}).get("display_id")
        key = f"display {display_id}" if display_id else ""
        if kind in ("comm_msg", "comm_close"):
            key = f"comm {content.get('comm_id')}"
        if kind in ("display_data", "execute_result"):
            size_bytes += _OUTPUT_BYTES
        if not key or kind == "display_data":
            self._display_sizes[key] = size_bytes
            return size_bytes
        growth = max(0, size_bytes - self._display_sizes.get(key, 0))
        self._display_sizes[key] = self._display_sizes.get(key, 0) + growth
        return growth

    def _reach_limit(self, cell: NotebookNode, problem: str) -> None:
        self.limited = True
        self._join_stream()
        self._open_stream = None
        marker = f"\n[chatflow] {problem}: the rest was dropped and the notebook stopped here.\n"
        cell.outputs.append(new_output("stream", name="stderr", text=marker))
        self._on_limit(problem)


def _output(kind: str, content: Mapping[str, Any]) -> NotebookNode | None:
    """Return a message as an output of format 4; nbformat's own validates each, at half a millisecond."""
    match kind:
        case "stream":
            return NotebookNode(output_type=kind, name=content["name"], text=content["text"])
        case "error":
            fields = {name: content[name] for name in ("ename", "evalue", "traceback")}
            return NotebookNode(output_type=kind, **fields)
        case "display_data" | "execute_result":
            output = NotebookNode(
                output_type=kind, data=from_dict(content["data"]), metadata=from_dict(content["metadata"])
            )
            if kind == "execute_result":
                output["execution_count"] = content["execution_count"]
            return output
    return None


def _size(value: object) -> int:
    """Return roughly how many bytes a message's content takes in a notebook."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, Mapping):
        return sum(len(key) + _size(entry) for key, entry in value.items())
    if isinstance(value, list):
        return sum(map(_size, value))
    return 8
