"""What a notebook tells the engine, as display messages of their own MIME types."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.instance import Spawned
from chatflow_jupyter.domain.json_values import JsonValue, check_json, encoded_size_bytes
from chatflow_jupyter.domain.report_sizes import (
    MAX_OUTCOME_BYTES,
    MAX_SPAWNED,
    spawned_bytes_fault,
    told_of,
)
from chatflow_jupyter.runner.notebook_job import NotebookListener

OUTPUT_MIME = "application/vnd.chatflow.output.v1+json"
"""Carries `{"key": name, "value": any JSON}`."""

RISK_MIME = "application/vnd.chatflow.risk.v1+json"
"""Carries `{"value": 0…100, "reason": text}`."""

SPAWN_MIME = "application/vnd.chatflow.spawn.v1+json"
"""Carries `{"schema": text, "key": text, "context": any JSON object}`."""

MOST_HELD_BYTES = 64 * MAX_OUTCOME_BYTES
"""How much of outcomes is held until the end, which refuses far less: what comes then changes nothing."""

OUTPUT_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)

log = logging.getLogger(__name__)


class Outcomes:
    """Collects what display messages report; a malformed report is logged and otherwise ignored.

    A runner holds this for several notebooks at once: what cannot be reported anyway is not collected on.
    """

    def __init__(self, listener: NotebookListener) -> None:
        self._listener = listener
        self.values: dict[str, JsonValue] = {}
        self.risk: int | None = None
        self.spawned: list[Spawned] = []
        self.spawn_fault: str | None = None
        self._sizes: dict[str, int] = {}
        self._held_bytes = 0
        self._spawned_bytes = 0

    def read(self, data: Mapping[str, Any]) -> None:
        """Take what the MIME bundle `data` of a display message reports, if anything."""
        if OUTPUT_MIME in data:
            self._output(data[OUTPUT_MIME])
        if RISK_MIME in data:
            self._risk(data[RISK_MIME])
        if SPAWN_MIME in data:
            self._spawn(data[SPAWN_MIME])

    def _output(self, body: object) -> None:
        match body:
            case {"key": str(key), "value": value} if OUTPUT_KEY.fullmatch(key):
                try:
                    check_json(value, what=key)
                except InvalidInput as error:
                    log.warning("an outcome of the notebook was ignored: %s", error)
                    return
                if self._held_bytes > MOST_HELD_BYTES:
                    return  # the attempt fails for its size, whatever else it says
                size_bytes = len(key) + encoded_size_bytes(value)
                self._held_bytes += size_bytes - self._sizes.get(key, 0)
                self._sizes[key] = size_bytes
                self.values[key] = value
                self._listener.output(key, value)
            case _:
                log.warning("an outcome of the notebook was ignored: it needs a key and a value")

    def _spawn(self, body: object) -> None:
        match body:
            case {"schema": str(schema), "key": str(key), "context": dict(context)}:
                try:
                    check_json(context, what=f"spawn {key[:80]!r}: the context")
                except InvalidInput as error:
                    self._misfit(error.message)
                    return
                if len(self.spawned) >= MAX_SPAWNED:
                    self._misfit(f"spawn: more than {MAX_SPAWNED} children of one attempt")
                    return
                one = Spawned(schema_ref=schema, key=key, context=context)
                self._spawned_bytes += encoded_size_bytes(told_of(one))
                fault = spawned_bytes_fault(self._spawned_bytes)
                if fault is not None:
                    self._misfit(fault)
                    return
                self.spawned.append(one)
            case _:
                self._misfit("spawn: a child needs schema, key and context")

    def _misfit(self, message: str) -> None:
        """Remember the first child that cannot be born: a success without it would be false."""
        if self.spawn_fault is None:
            self.spawn_fault = message

    def _risk(self, body: object) -> None:
        match body:
            case {"value": int(value), "reason": str(reason)} if 0 <= value <= 100:
                self.risk = value if self.risk is None else max(self.risk, value)
                self._listener.risk(value, reason)
            case _:
                log.warning("a risk reported by the notebook was ignored: it needs a value from 0 to 100")
