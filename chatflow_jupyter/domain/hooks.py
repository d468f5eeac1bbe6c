"""Hooks: code of other people that looks at an attempt before and after it, and at what it made.

A hook is called outside of any transition, perhaps more than once; its verdict is committed once. The three
protocols are what a plugin implements, one or several of them. They stand here and not among the ports,
because they say nothing that an adapter has to keep: they only name the values that `decide` judges, which
plugins and their tests import together with them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from .errors import InvalidInput
from .ids import InstanceId, TenantId
from .instance import DefinitionRef, HookPoint
from .json_values import JsonObject, check_json, encoded_size_bytes

HookPolicy: TypeAlias = Literal["closed", "open"]
MAX_REASON = 1000
"""Characters of a reason: it is kept with the history."""
MAX_AMENDED_BYTES = 64 * 1024
"""Of the parameters one verdict may set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Allow:
    """The attempt may be made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deny:
    """The attempt is not made; its phase fails as `denied`."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """People are asked before the attempt is made, whatever the gate before the phase says."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Amend:
    """The attempt gets these parameters too, instead of those of the same name."""

    parameters: JsonObject
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SetRisk:
    """Going on is at least this risky, from 0 to 100."""

    risk: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Accept:
    """What the notebook handed over counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """What the notebook handed over does not count; with `retryable` its phase may be tried again."""

    reason: str
    retryable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """The artifact is stored as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replace:
    """These bytes are stored instead of the artifact's."""

    content: bytes
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Refuse:
    """Nothing of the artifact is stored, and its attempt fails as `artifact_refused` at its end."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """Not a verdict of a hook but what is noted of one that gave none: it raised, took too long, or erred."""

    cause: str


PreVerdict: TypeAlias = Allow | Deny | Ask | Amend | SetRisk
PostVerdict: TypeAlias = Accept | Reject | SetRisk
ArtifactVerdict: TypeAlias = Keep | Replace | Refuse
Verdict: TypeAlias = PreVerdict | PostVerdict | Broken

_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_EXPECTED: Mapping[HookPoint, tuple[type, ...]] = {
    HookPoint.BEFORE: (Allow, Deny, Ask, Amend, SetRisk),
    HookPoint.AFTER: (Accept, Reject, SetRisk),
    HookPoint.ARTIFACT: (Keep, Replace, Refuse),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptAhead:
    """An attempt about to be made. `content` is its notebook, `parameters` what it would get."""

    tenant_id: TenantId
    instance_id: InstanceId
    feature_id: str | None
    definition: DefinitionRef
    phase: str
    number: int
    notebook: str
    content: bytes
    parameters: JsonObject
    variables: JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptBehind:
    """An attempt whose notebook ran to its end: what it handed over, and the names of its artifacts."""

    tenant_id: TenantId
    instance_id: InstanceId
    feature_id: str | None
    definition: DefinitionRef
    phase: str
    number: int
    notebook: str
    content: bytes
    outputs: JsonObject
    risk: int
    artifacts: tuple[str, ...]
    variables: JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactMade:
    """A file an attempt made, about to be stored. `path` is a private copy to read, gone afterwards."""

    tenant_id: TenantId
    instance_id: InstanceId
    phase: str
    number: int
    name: str
    kind: str
    media_type: str
    size_bytes: int
    path: str


@runtime_checkable
class PreExecutionHook(Protocol):
    """Looks at every attempt of a notebook before it is queued."""

    def before(self, attempt: AttemptAhead) -> PreVerdict:
        """Return what is to become of the attempt."""


@runtime_checkable
class PostExecutionHook(Protocol):
    """Looks at what a notebook handed over that ran to its end."""

    def after(self, attempt: AttemptBehind) -> PostVerdict:
        """Return whether it counts."""


@runtime_checkable
class ArtifactProcessor(Protocol):
    """Looks at every artifact before it is stored."""

    def process(self, artifact: ArtifactMade) -> ArtifactVerdict:
        """Return what is stored of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HookPlan:
    """The names of the hooks in force at each point, in the order in which they are asked."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()

    @property
    def judges(self) -> bool:
        """Whether any may let what an attempt hands over not count, or change it."""
        return bool(self.after or self.artifacts)

    def at(self, point: HookPoint) -> tuple[str, ...]:
        """Return those asked at `point`, before or after an attempt."""
        return self.before if point is HookPoint.BEFORE else self.after


NO_HOOKS = HookPlan()


@dataclass(frozen=True, kw_only=True, slots=True)
class EnabledHook:
    """A hook in force under its name; `policy` says what a failure of its own does."""

    name: str
    policy: HookPolicy
    hook: PreExecutionHook | PostExecutionHook | ArtifactProcessor


@dataclass(frozen=True, kw_only=True, slots=True)
class HookAnswer:
    """What one hook answered; `policy` says what becomes of an attempt when that is no proper verdict."""

    hook: str
    verdict: Verdict
    policy: HookPolicy = "closed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What became of one artifact, and why."""

    name: str
    verdict: Literal["replaced", "refused", "broken"]
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Processed:
    """What one processor did to the artifacts of an attempt: the first ones, and how many more there were."""

    hook: str
    findings: tuple[Finding, ...]
    more: int = 0


def verdict_fault(point: HookPoint, verdict: object) -> str | None:
    """Return why `verdict` cannot be used at that point, or None."""
    expected = _EXPECTED[point]
    if not isinstance(verdict, expected):
        wanted = ", ".join(kind.__name__ for kind in expected)
        return f"it returned {type(verdict).__name__}, not one of {wanted}"
    reason: object = getattr(verdict, "reason", "")
    if not isinstance(reason, str) or len(reason) > MAX_REASON:
        return f"its reason must be text of at most {MAX_REASON} characters"
    try:
        check_json(reason, what="its reason")
        if isinstance(verdict, Amend):
            return _amendment_fault(verdict.parameters)
    except InvalidInput as error:
        return error.message
    if isinstance(verdict, SetRisk) and not (type(verdict.risk) is int and 0 <= verdict.risk <= 100):
        return "its risk must be a whole number from 0 to 100"
    content: object = getattr(verdict, "content", b"")
    if not isinstance(content, bytes):
        return "what it replaces an artifact with must be bytes"
    return None


def _amendment_fault(parameters: object) -> str | None:
    if not isinstance(parameters, Mapping):
        return "the parameters it amends must be a mapping by name"
    check_json(parameters, what="the parameters it amends")
    odd = next((name for name in parameters if not _PARAMETER.fullmatch(name)), None)
    if odd is not None:
        return f"it amends {odd[:80]!r}, which no parameter can be called"
    size_bytes = encoded_size_bytes(parameters)
    if size_bytes > MAX_AMENDED_BYTES:
        return f"the parameters it amends have {size_bytes} bytes, more than {MAX_AMENDED_BYTES}"
    return None
