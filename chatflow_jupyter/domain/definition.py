"""A definition: the immutable description of phases, gates and limits, validated when loaded."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticKnownError

from .conditions import Condition
from .definition_fields import (
    NAME,
    SCHEMA_NAME,
    STORED,
    VERSION,
    Approver,
    BundlePath,
    ConditionField,
    JsonFields,
    JsonItems,
    JsonSchema,
    PhaseName,
    SchemaReference,
    is_condition,
    is_local_schema,
    is_schema_name,
    split_schema_id,
)
from .definition_rules import END, RESERVED_NAMES, Contradictions, problems_of
from .ids import RunAs
from .json_values import JsonObject, check_json
from .references import field_reference

BATCH_SIZE = 200
UNDO = "compensate"
"""What the step that undoes a phase is called after: `charge.compensate`. No phase has a dot in its name."""


class _Goto(str):
    """What `{goto: …}` named, told apart from a key `reject_to` that somebody wrote."""

    __slots__ = ()


class Model(BaseModel):
    """Frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Quota(Model):
    """Limits on an instance and its subtree; `None` is no limit."""

    max_tokens: int | None = Field(default=None, ge=0)
    max_duration_sec: float | None = Field(default=None, ge=0, strict=False)
    max_cost_usd: float | None = Field(default=None, ge=0, strict=False)
    max_children: int | None = Field(default=None, ge=0)


MAX_EXPIRES_SEC = 3_155_760_000
"""A hundred years: what lies much further ahead is no date any more."""


class Retries(Model):
    """How often a failed attempt is made again, and how long after (doubling each time, at most an hour)."""

    max_attempts: int = Field(default=1, ge=1, le=100)
    backoff_sec: float = Field(default=0, ge=0, le=86400, strict=False)
    on: tuple[str, ...] | None = Field(default=None, strict=False)


class Route(Model):
    """One possible successor of a phase; without `when` it always matches."""

    when: ConditionField = None
    to: str


class Gate(Model):
    """The stop before a phase that a rule must open, or as many people as `quorum` who agree.

    `approvers` are names of principals or `verb:…`; nobody named is anybody. `{goto: phase}` in the source of
    `on_reject` is kept as `goto` and `reject_to`.
    """

    title: str = ""
    auto: ConditionField = None
    approvers: tuple[Approver, ...] = Field(default=(), max_length=100, strict=False)
    quorum: int = Field(default=1, ge=1, le=100)
    on_reject: Literal["terminate", "fail", "goto"] = "terminate"
    reject_to: SkipJsonSchema[str | None] = Field(default=None)
    expires_sec: float | None = Field(default=None, gt=0, le=MAX_EXPIRES_SEC, strict=False)
    on_expire: Literal["reject", "escalate", "approve"] = "reject"
    escalate_to: tuple[Approver, ...] = Field(default=(), max_length=100, strict=False)
    waivable: bool = False
    governed: bool = False
    data_schema: JsonSchema | None = Field(default=None, alias="schema")

    @model_validator(mode="before")
    @classmethod
    def _flatten_reject(cls, raw: object) -> object:
        if isinstance(raw, Mapping):
            to = raw.get("on_reject")
            if isinstance(to, Mapping) and set(to) == {"goto"} and isinstance(to["goto"], str):
                return {**raw, "on_reject": "goto", "reject_to": _Goto(to["goto"])}
        return raw

    @field_validator("reject_to", mode="before")
    @classmethod
    def _only_by_goto(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, _Goto):
            return str(value)
        if info.context is STORED:
            return value
        raise PydanticKnownError("extra_forbidden")


class TriggerStart(Model):
    """The phase waits for a trigger whose data fits `schema`."""

    data_schema: JsonSchema | None = Field(default=None, alias="schema")


class Children(Model):
    """The children a phase starts: one per item, at most `max_parallel` alive at a time."""

    schema_ref: SchemaReference = Field(alias="schema")
    foreach: str | None = None
    items: JsonItems | None = Field(default=None, strict=False)
    key: JsonFields | None = None
    context: JsonFields = Field(default_factory=dict)
    max_parallel: int = Field(default=16, ge=1, le=10_000)
    on_failure: Literal["fail", "continue"] = "fail"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.foreach is None) == (self.items is None):
            raise ValueError("children need exactly one of `foreach` (a variable) and `items` (a list)")
        check_json(self.items, what="items")
        if self.key is not None and field_reference(self.key) is None:
            raise ValueError("key must be a reference such as {field: item.name}")
        return self


class Spawns(Model):
    """What the notebook of a phase may start with `ctx.spawn`: definitions, pinned like declared children."""

    schemas: tuple[SchemaReference, ...] = Field(min_length=1, max_length=50, strict=False)
    max_parallel: int = Field(default=16, ge=1, le=10_000)
    on_failure: Literal["fail", "continue"] = "fail"


class Phase(Model):
    """A named step: a notebook, children, or a notebook followed by children."""

    name: PhaseName
    title: str = ""
    notebook: BundlePath | None = None
    kernel: str | None = None
    start: Literal["auto", "on_trigger"] | TriggerStart = "auto"
    when: ConditionField = None
    fallback: str | None = None
    next: tuple[Route, ...] = Field(default=(), strict=False)
    risk: int = Field(default=0, ge=0, le=100)
    gate: Gate | None = None
    timeout_sec: float | None = Field(default=None, gt=0, strict=False)
    deadline_sec: float | None = Field(default=None, gt=0, le=MAX_EXPIRES_SEC, strict=False)
    retries: Retries = Retries()
    parameters: JsonFields = Field(default_factory=dict)
    children: Children | None = None
    spawns: Spawns | None = None
    outputs: JsonSchema | None = None
    run_as: RunAs = "starter"
    compensate: BundlePath | None = None
    compensate_after: Literal["success", "start"] = "success"
    cache: Literal["inputs"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _flatten_start(cls, raw: object) -> object:
        if isinstance(raw, Mapping):
            start = raw.get("start")
            if isinstance(start, Mapping) and set(start) == {"on_trigger"}:
                return {**raw, "start": start["on_trigger"] or {}}
        return raw

    @property
    def offspring(self) -> Children | Spawns | None:
        """What the phase says about its children, declared or asked for by its notebook."""
        return self.children or self.spawns

    @property
    def child_schemas(self) -> tuple[str, ...]:
        """The definitions its children may have, as written."""
        if self.children is not None:
            return (self.children.schema_ref,)
        return self.spawns.schemas if self.spawns is not None else ()

    @property
    def undo(self) -> "Phase | None":
        """The step that undoes this phase, itself a phase with nothing before or behind it; None without."""
        if self.compensate is None:
            return None
        return Phase.model_construct(
            name=f"{self.name}.{UNDO}",
            title=f"undo {self.title or self.name}",
            notebook=self.compensate,
            kernel=self.kernel,
            timeout_sec=self.timeout_sec,
            retries=self.retries,
            parameters=self.parameters,
            run_as=self.run_as,
        )

    @property
    def waits_for_trigger(self) -> bool:
        """Whether the phase starts only when triggered."""
        return self.start != "auto"

    @property
    def trigger_schema(self) -> JsonObject | None:
        """The JSON Schema its trigger data must fit, if any."""
        return self.start.data_schema if isinstance(self.start, TriggerStart) else None


class Definition(Model):
    """What an instance is an instance of. `pins` maps each child schema to an exact version."""

    name: str = Field(pattern=SCHEMA_NAME)
    version: str = Field(default="0.0.0", pattern=VERSION)
    aliases: tuple[Annotated[str, Field(pattern=SCHEMA_NAME)], ...] = Field(default=(), strict=False)
    title: str = ""
    description: str = ""
    parameters: JsonSchema = Field(default_factory=dict)
    automation_level: int = Field(default=60, ge=0, le=100)
    quota: Quota = Quota()
    deadline_sec: float | None = Field(default=None, gt=0, le=MAX_EXPIRES_SEC, strict=False)
    max_depth: int = Field(default=5, ge=1, le=20)
    on_failure: Literal["fail", "compensate"] = "fail"
    phases: tuple[Phase, ...] = Field(min_length=1, max_length=200, strict=False)

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        if info.context is STORED:
            return self
        problems = problems_of(self)
        if problems:
            raise Contradictions(problems)
        return self

    @classmethod
    def load(cls, text: str | bytes) -> Self:
        """Return the definition that `dump` gave, without checking its schemas again."""
        return cls.model_validate_json(text, context=STORED)

    def dump(self) -> str:
        """Return the definition as JSON, for `load`."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)

    def phase(self, name: str) -> Phase:
        """Return the phase, or the step that undoes one, called `name`; raises `KeyError` without any."""
        own, dot, _ = name.partition(".")
        for phase in self.phases:
            if phase.name == own:
                found = phase.undo if dot else phase
                if found is not None and found.name == name:
                    return found
        raise KeyError(name)

    @property
    def fallbacks(self) -> frozenset[str]:
        """Names of the phases entered only as somebody's fallback or by an explicit `next`."""
        return frozenset(phase.fallback for phase in self.phases if phase.fallback)

    def following(self, name: str | None) -> str | None:
        """Return the phase after `name` in the written order (the first for None), passing over fallbacks."""
        names = [phase.name for phase in self.phases]
        position = 0 if name is None else names.index(name) + 1
        return next((other for other in names[position:] if other not in self.fallbacks), None)


__all__ = [
    "BATCH_SIZE",
    "END",
    "NAME",
    "RESERVED_NAMES",
    "UNDO",
    "Children",
    "Condition",
    "Definition",
    "Gate",
    "Phase",
    "Quota",
    "Retries",
    "Route",
    "Spawns",
    "TriggerStart",
    "field_reference",
    "is_condition",
    "is_local_schema",
    "is_schema_name",
    "split_schema_id",
]
