"""Rules about what a definition declares: schemas that fit nothing, fields and codes that do not exist."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from .attempt_codes import ATTEMPT_CODES
from .conditions import Comparison
from .declared_types import Undeclared, kinds_at, misfit
from .definition_faults import nearest
from .schema_contradictions import contradictions

if TYPE_CHECKING:
    from .definition import Definition, Phase
    from .json_values import JsonObject

Path: TypeAlias = tuple[int | str, ...]
OF_THE_ENGINE = frozenset({"status", "gate"})
"""What every phase has beside its outcome."""


def schema_problems(definition: "Definition") -> Iterator[tuple[Path, str]]:
    """Yield every contradiction within the schemas of `definition`."""
    for path, schema in _schemas(definition):
        for within, message in contradictions(schema or {}):
            is_told_elsewhere = path == ("parameters",) and len(within) == 3 and within[-1] == "default"
            if not is_told_elsewhere:
                yield (*path, *within), message


def retry_problems(phase: "Phase") -> Iterator[tuple[Path, str]]:
    """Yield every code of `retries.on` that no attempt ever ends with."""
    for number, code in enumerate(phase.retries.on or ()):
        if code not in ATTEMPT_CODES:
            known = ", ".join(sorted(ATTEMPT_CODES))
            hint = nearest(code, ATTEMPT_CODES) or f"; there are {known}"
            yield ("retries", "on", number), f"no attempt fails with {code[:80]!r}{hint}"


def depth_problems(definition: "Definition") -> Iterator[tuple[Path, str]]:
    """Yield every phase whose children `max_depth` leaves no room for."""
    for position, phase in enumerate(definition.phases if definition.max_depth == 1 else ()):
        if phase.child_schemas:
            key = "children" if phase.children is not None else "spawns"
            yield ("phases", position, key), "`max_depth: 1` leaves no room for children"


class Declared:
    """What is declared of the variables of one definition."""

    def __init__(self, definition: "Definition") -> None:
        """Look into its `parameters` and the `outputs` of its phases."""
        self._parameters = definition.parameters
        self._outputs = {phase.name: phase.outputs for phase in definition.phases}

    def of_field(self, field: str) -> Iterator[str]:
        """Yield why there can be no such variable."""
        try:
            self._kinds(field)
        except Undeclared as error:
            yield f"{field[:80]}: {error}"

    def of_comparison(self, comparison: Comparison) -> Iterator[str]:
        """Yield why the comparison is about nothing, or is never answered."""
        try:
            kinds = self._kinds(comparison.field)
        except Undeclared as error:
            yield f"{comparison.field[:80]}: {error}"
            return
        problem = None if kinds is None else misfit(comparison, kinds)
        if problem is not None:
            yield problem

    def of_list(self, field: str) -> Iterator[str]:
        """Yield why the variable is no list."""
        try:
            kinds = self._kinds(field)
        except Undeclared as error:
            yield f"{field[:80]}: {error}"
            return
        if kinds is not None and "list" not in kinds:
            yield f"{field[:80]} is declared {' or '.join(sorted(kinds))}, not a list"

    def _kinds(self, field: str) -> frozenset[str] | None:
        root, *path = field.split(".")
        if root == "context":
            return kinds_at(self._parameters, path, complete=True) if path else None
        outputs = self._outputs.get(root)
        if outputs is None or not path or path[0] in OF_THE_ENGINE:
            return None
        return kinds_at(outputs, path, complete=False)


def _schemas(definition: "Definition") -> Iterator[tuple[Path, "JsonObject | None"]]:
    yield ("parameters",), definition.parameters
    for position, phase in enumerate(definition.phases):
        here: Path = ("phases", position)
        yield (*here, "outputs"), phase.outputs
        yield (*here, "start", "on_trigger", "schema"), phase.trigger_schema
        if phase.gate is not None:
            yield (*here, "gate", "schema"), phase.gate.data_schema
