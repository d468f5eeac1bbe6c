"""Plugins: entry points of the group `chatflow.plugins`, made into hooks with their options.

Installed is not enabled: nothing is imported that the settings do not name.
"""

import logging
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.hooks import (
    ArtifactProcessor,
    EnabledHook,
    HookPolicy,
    PostExecutionHook,
    PreExecutionHook,
)

log = logging.getLogger(__name__)

GROUP = "chatflow.plugins"
POINTS = (PreExecutionHook, PostExecutionHook, ArtifactProcessor)


def load_plugins(wanted: Sequence[tuple[str, HookPolicy]], options: Path) -> list[EnabledHook]:
    """Return the wanted plugins as hooks, in their order, each made with its section of the file `options`.

    One that cannot be loaded is left out under the policy `open`; else `InvalidInput` says what to do.
    """
    sections = _read(options)
    unknown = sorted(sections.keys() - {name for name, _ in wanted} - set(installed()))
    if unknown:
        raise InvalidInput(f"{options}: there is no plugin {unknown[0]!r}; {_installed_in_words()}")
    found = []
    for name, policy in wanted:
        try:
            hook = _made(name, sections.get(name, {}), options)
        except InvalidInput as error:
            if policy == "closed":
                raise
            log.warning("%s; it is left out, as its policy is open", error.message)
            continue
        found.append(EnabledHook(name=name, policy=policy, hook=hook))
    return found


def installed() -> Mapping[str, EntryPoint]:
    """Return every plugin that is installed, by name, whether enabled or not."""
    return {point.name: point for point in entry_points(group=GROUP)}


def _made(
    name: str, options: Mapping[str, object], file: Path
) -> PreExecutionHook | PostExecutionHook | ArtifactProcessor:
    point = installed().get(name)
    if point is None:
        raise InvalidInput(
            f"hooks.enabled: the plugin {name!r} is not installed; {_installed_in_words()}. "
            "Install it, or take it out of hooks.enabled"
        )
    try:
        hook = point.load()(options)
    except ValueError as error:
        raise InvalidInput(f"{file}: [{name}] {error}") from None
    except Exception as error:
        log.exception("the plugin %s cannot be loaded", name)
        raise InvalidInput(
            f"hooks.enabled: the plugin {name!r} ({point.value}) cannot be loaded: {error!r:.300}; "
            "mend it, or take it out of hooks.enabled"
        ) from None
    if not isinstance(hook, POINTS):
        raise InvalidInput(
            f"hooks.enabled: the plugin {name!r} ({point.value}) is no hook: "
            "it has none of the methods before, after and process"
        )
    return hook


def _installed_in_words() -> str:
    return f"installed are: {', '.join(sorted(installed())) or 'none'}"


def _read(file: Path) -> Mapping[str, Mapping[str, object]]:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file}: cannot be read: {error}") from None
    for name, section in raw.items():
        if not isinstance(section, dict):
            raise InvalidInput(f'{file}: {name!r} must be a section, such as [style] with action = "deny"')
    return raw
