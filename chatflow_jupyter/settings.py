"""Settings: flag > `CHATFLOW_SECTION__NAME` > config file > default, as one frozen value.

Nothing else in the product reads the environment.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from .domain.errors import InvalidInput

SettingValue: TypeAlias = str | int | float
HookPolicy: TypeAlias = Literal["closed", "open"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingSpec:
    """One setting: its dotted name, default, how text becomes its value, and what it is for."""

    name: str
    default: SettingValue
    parse: Callable[[str], SettingValue]
    description: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        section, name = self.name.split(".")
        return f"CHATFLOW_{section.upper()}__{name.upper()}"


def _integer(minimum: int, maximum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.strip().lstrip("-").isdecimal() or not minimum <= int(text) <= maximum:
            raise ValueError(f"a whole number from {minimum} to {maximum}")
        return int(text)

    return parse


def _seconds(minimum: float, maximum: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not minimum <= value <= maximum:
            raise ValueError(f"seconds from {minimum:g} to {maximum:g}")
        return value

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return parse


def _hooks(text: str) -> str:
    try:
        enabled_hooks(text)
    except ValueError:
        raise ValueError("names of plugins, such as style, secrets:open") from None
    return text.strip()


def enabled_hooks(text: str) -> tuple[tuple[str, HookPolicy], ...]:
    """Return the names and policies of `hooks.enabled`, in order; raises `ValueError`."""
    found: dict[str, HookPolicy] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, policy = entry.partition(":")
        if not _HOOK_NAME.fullmatch(name) or policy not in ("", "closed", "open") or name in found:
            raise ValueError(entry)
        found[name] = "open" if policy == "open" else "closed"
    return tuple(found.items())


_HOOK_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
_MIB = 1024 * 1024

SPECS: tuple[SettingSpec, ...] = (
    SettingSpec(
        name="sqlite.sync",
        default="normal",
        parse=_one_of("normal", "full"),
        description="`full` survives power loss; `normal` may lose the last moments but never corrupts.",
    ),
    SettingSpec(
        name="runner.slots",
        default=0,
        parse=_integer(0, 256),
        description="Attempts run at once; 0 means 2 x cores, fewer when memory is short.",
    ),
    SettingSpec(
        name="runner.kernel_start",
        default="forked",
        parse=_one_of("forked", "fresh"),
        description="`forked`: from a process that has imported everything, ahead; `fresh`: each by itself.",
    ),
    SettingSpec(
        name="runner.lease_sec",
        default=30.0,
        parse=_seconds(2, 3600),
        description="How long an attempt is held without a heartbeat before it counts as lost.",
    ),
    SettingSpec(
        name="runner.cell_output_bytes",
        default=10 * _MIB,
        parse=_integer(1024, 1024 * _MIB),
        description="Output one cell may produce before its attempt ends with `output_limit`.",
    ),
    SettingSpec(
        name="runner.notebook_output_bytes",
        default=50 * _MIB,
        parse=_integer(1024, 4096 * _MIB),
        description="Output a whole notebook may produce before its attempt ends with `output_limit`.",
    ),
    SettingSpec(
        name="background.idle_sec",
        default=5.0,
        parse=_seconds(0, 86400),
        description="How long the background runner stays when there is nothing left to run.",
    ),
    SettingSpec(
        name="hooks.enabled",
        default="",
        parse=_hooks,
        description="Plugins that look at attempts and artifacts, in this order: `style, secrets:open`.",
    ),
    SettingSpec(
        name="hooks.timeout_sec",
        default=60.0,
        parse=_seconds(0.1, 3600),
        description="How long one call of a hook may take before it counts as failed.",
    ),
    SettingSpec(
        name="log.level",
        default="info",
        parse=_one_of("debug", "info", "warning", "error"),
        description="What goes to the log file.",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where the value of a setting came from."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Every setting of one process. Paths are absolute."""

    home: Path
    template_path: tuple[Path, ...]
    sqlite_sync: str
    runner_slots: int
    runner_kernel_start: str
    runner_lease_sec: float
    runner_cell_output_bytes: int
    runner_notebook_output_bytes: int
    background_idle_sec: float
    hooks_enabled: str
    hooks_timeout_sec: float
    log_level: str
    environment: Mapping[str, str]
    origins: tuple[Origin, ...]

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.home / "chatflow.db"

    @property
    def artifacts(self) -> Path:
        """The folder of stored bytes."""
        return self.home / "artifacts"

    @property
    def hook_options(self) -> Path:
        """The file with the options of plugins."""
        return self.home / "hooks.toml"

    @property
    def work(self) -> Path:
        """The folder in which attempts run."""
        return self.home / "work"

    def for_child(self) -> dict[str, str]:
        """Return the environment in which a child process of ours finds these same settings."""
        own = {
            "CHATFLOW_HOME": str(self.home),
            "CHATFLOW_TEMPLATE_PATH": os.pathsep.join(map(str, self.template_path)),
        }
        variables = {spec.name: spec.variable for spec in SPECS}
        flagged = {
            variables[origin.name]: origin.value
            for origin in self.origins
            if origin.name in variables and origin.origin == "flag"
        }
        return {**self.environment, **own, **flagged}

    @property
    def logs(self) -> Path:
        """The folder of log files."""
        return self.home / "logs"


def load_settings(
    flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read flags, environment and `CHATFLOW_HOME/config.toml`; raises `InvalidInput` naming the culprit."""
    environ = os.environ if environ is None else environ
    flags = flags or {}
    home, home_origin = _home(flags, environ)
    file = home / "config.toml"
    from_file = _read_file(file)
    _refuse_unknown(environ)
    values: dict[str, SettingValue] = {}
    origins = [Origin(name="home", value=str(home), origin=home_origin)]
    for spec in SPECS:
        text, origin = None, "default"
        for candidate, where in (
            (flags.get(spec.name), "flag"),
            (environ.get(spec.variable), spec.variable),
            (from_file.get(spec.name), str(file)),
        ):
            if candidate is not None:
                text, origin = candidate, where
                break
        values[spec.name.replace(".", "_")] = value = (
            spec.default if text is None else _parse(spec, text, origin)
        )
        origins.append(Origin(name=spec.name, value=str(value), origin=origin))
    template_path, template_origin = _template_path(environ)
    shown = os.pathsep.join(map(str, template_path))
    origins.append(Origin(name="template_path", value=shown, origin=template_origin))
    return Settings(
        home=home,
        template_path=template_path,
        environment=dict(environ),
        origins=tuple(origins),
        **values,  # type: ignore[arg-type]  # each parser returns the type its field has
    )


def _home(flags: Mapping[str, str], environ: Mapping[str, str]) -> tuple[Path, str]:
    for text, origin in ((flags.get("home"), "flag"), (environ.get("CHATFLOW_HOME"), "CHATFLOW_HOME")):
        if text:
            return _real(Path(text).expanduser()), origin
    from jupyter_core.paths import jupyter_data_dir

    return _real(Path(jupyter_data_dir()) / "chatflow"), "default"


def _real(home: Path) -> Path:
    """Return the one name of a home that may be reached by several: processes of attempts are known by it."""
    return Path(os.path.realpath(home))


def _template_path(environ: Mapping[str, str]) -> tuple[tuple[Path, ...], str]:
    from jupyter_core.paths import jupyter_path

    own = [
        Path(entry).absolute()
        for entry in environ.get("CHATFLOW_TEMPLATE_PATH", "").split(os.pathsep)
        if entry
    ]
    found = [Path(entry) for entry in jupyter_path("chatflow", "templates")]
    return tuple(dict.fromkeys([*own, *found])), "CHATFLOW_TEMPLATE_PATH" if own else "default"


def _read_file(file: Path) -> dict[str, str]:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file}: cannot be read: {error}") from None
    flat: dict[str, str] = {}
    for section, entries in raw.items():
        if not isinstance(entries, dict):
            raise InvalidInput(f"{file}: {section!r} must be a section, such as [runner] with slots = 4")
        for name, value in entries.items():
            dotted = f"{section}.{name}"
            _check_known(dotted, f"{file}: ", [spec.name for spec in SPECS])
            flat[dotted] = str(value)
    return flat


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    variables = [spec.variable for spec in SPECS]
    for name in environ:
        if name.startswith("CHATFLOW_") and "__" in name:
            _check_known(name, "environment: ", variables)


def _check_known(name: str, where: str, known: list[str]) -> None:
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
        raise InvalidInput(f"{where}unknown setting {name}{hint}")


def _parse(spec: SettingSpec, text: str, origin: str) -> SettingValue:
    try:
        return spec.parse(text)
    except ValueError as error:
        where = spec.name if origin in ("flag", spec.variable) else f"{origin}: {spec.name}"
        raise InvalidInput(f"{where} = {text!r}: expected {error}") from None
