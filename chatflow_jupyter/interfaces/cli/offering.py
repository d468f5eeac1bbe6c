"""What `schemas` and `validate` answer."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.session import Session, in_session
from chatflow_jupyter.interfaces.cli.shapes import print_json
from chatflow_jupyter.interfaces.cli.tables import shown_table
from chatflow_jupyter.interfaces.cli.terminal import safe_line
from chatflow_jupyter.interfaces.cli.versions import warn_if_deprecated
from chatflow_jupyter.runner.installed_kernels import installed_kernels
from chatflow_jupyter.services.validation import Validation, validate_folder

INVALID = 2


def schemas(options: argparse.Namespace) -> int:
    """List what can be run, or describe one of them."""
    if options.name is None:
        return in_session(options, "query", _list)
    return in_session(options, "query", _describe)


def validate(options: argparse.Namespace) -> int:
    """Print every problem of a template, a line each; exit status 2 when there is one.

    A kernel that is not installed here is a warning: the template may be meant for another machine.
    """
    path = Path(options.path).expanduser()
    if not path.exists():
        raise NotFound(
            f"{path}: there is no such file or folder; name a template folder or its definition.yaml"
        )
    found = validate_folder(path)
    problems, warnings = list(found.problems), [*found.warnings, *_warnings(found)]
    if options.json:
        print_json({"path": str(path), "valid": not problems, "problems": problems, "warnings": warnings})
        return INVALID if problems else 0
    for warning in warnings:
        say(f"warning: {safe_line(warning)}")
    if problems:
        for problem in problems:
            print(safe_line(problem))
        say(f"{path}: {len(problems)} {'problem' if len(problems) == 1 else 'problems'}")
    else:
        print(f"{path}: valid")
    return INVALID if problems else 0


def _warnings(found: Validation) -> list[str]:
    installed = installed_kernels() if found.kernels else ()
    there = ", ".join(installed) or "none"
    return [
        f"{place}: no kernel named {name!r} is installed here (installed: {there})"
        for place, name in found.kernels.items()
        if name not in installed
    ]


async def _list(session: Session) -> int:
    rows: list[JsonObject] = [
        _offer(template.definition, template.definition.version, str(template.folder))
        for template in session.app.templates.all()
    ]
    published = await session.app.definitions.all(session.tenant_id)
    rows += [_offer(record.definition, record.reference.version, "published") for record in published]
    if session.options.json:
        print_json(rows)
        return 0
    if not rows:
        print("no templates; CHATFLOW_TEMPLATE_PATH names the folders to look in")
        return 0
    deprecated = await session.app.versions.deprecated(session.tenant_id)
    cells = [[_cell(row[name]) for name in ("name", "aliases", "version", "title", "where")] for row in rows]
    for shown in cells:
        if shown[-1] == "published" and f"{shown[0]}@{shown[2]}" in deprecated:
            shown[-1] = "published, deprecated"
    print(shown_table(cells, ["NAME", "ALIASES", "VERSION", "TITLE", "WHERE"], sys.stdout))
    return 0


async def _describe(session: Session) -> int:
    name = session.options.name
    template = None if "@" in name or "/" in name else session.app.templates.find(name)
    if template is not None:
        definition, version, where = template.definition, template.definition.version, str(template.folder)
    elif ("/" in name or name in (".", "..")) and not name.endswith(".ipynb"):
        definition = await session.app.definitions.look_up(name, session.tenant_id)
        version, where = definition.version, str(Path(name))
    else:
        record = await session.app.definitions.resolve(name, session.tenant_id, even_deprecated=True)
        await warn_if_deprecated(session, record)
        definition, version, where = record.definition, record.reference.version, "published"
    if session.options.json:
        print_json({**_offer(definition, version, where), **_details(definition)})
        return 0
    print(f"{definition.name} {version}  {safe_line(definition.title)}".rstrip())
    if definition.aliases:
        print(f"  also called: {', '.join(definition.aliases)}")
    print(f"  where:       {where}")
    if definition.description:
        print(f"  {safe_line(definition.description)}")
    print("\nphases: " + " -> ".join(phase.name for phase in definition.phases))
    undone = [phase.name for phase in definition.phases if phase.compensate]
    if undone:
        by_itself = ", by themselves after a failure" if definition.on_failure == "compensate" else ""
        print(f"  can be undone{by_itself}: {', '.join(undone)}")
    rows = _parameter_rows(definition)
    print(
        "\n"
        + (
            shown_table(rows, ["PARAMETER", "TYPE", "DEFAULT", "WHAT"], sys.stdout)
            if rows
            else "no declared parameters"
        )
    )
    return 0


def _offer(definition: Definition, version: str, where: str) -> JsonObject:
    return {
        "name": definition.name,
        "aliases": list(definition.aliases),
        "version": version,
        "title": definition.title,
        "where": where,
    }


def _details(definition: Definition) -> JsonObject:
    phases = [
        {"name": phase.name, "title": phase.title, "notebook": phase.notebook, "gate": phase.gate is not None}
        for phase in definition.phases
    ]
    return {
        "description": definition.description,
        "automation_level": definition.automation_level,
        "phases": phases,
        "parameters": definition.parameters,
    }


def _parameter_rows(definition: Definition) -> list[list[str]]:
    properties = definition.parameters.get("properties")
    if not isinstance(properties, Mapping):
        return []
    named = definition.parameters.get("required")
    required = named if isinstance(named, (list, tuple)) else ()
    rows = []
    for name, entry in properties.items():
        declared = entry if isinstance(entry, Mapping) else {}
        kinds = declared.get("type", declared.get("enum", "any"))
        shown = " | ".join(map(str, kinds)) if isinstance(kinds, (list, tuple)) else str(kinds)
        default = "required" if name in required and "default" not in declared else ""
        if "default" in declared:
            default = json.dumps(declared["default"])
        rows.append([name, shown, default, safe_line(str(declared.get("description", "")))])
    return rows


def _cell(value: JsonValue) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return safe_line(str(value))
