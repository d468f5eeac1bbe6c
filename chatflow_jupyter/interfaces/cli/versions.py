"""What `schemas publish`, `versions`, `deprecate` and `undeprecate` do."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chatflow_jupyter.domain.json_values import JsonObject
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.session import Session, in_session
from chatflow_jupyter.interfaces.cli.shapes import print_json, shown_time
from chatflow_jupyter.interfaces.cli.tables import shown_table
from chatflow_jupyter.interfaces.cli.terminal import safe_line
from chatflow_jupyter.ports.records import DefinitionRecord
from chatflow_jupyter.services.templates import ENTRY
from chatflow_jupyter.services.versions import NOBODY, KnownVersion

HEAD = ["VERSION", "PUBLISHED", "CONTENT", "INSTANCES", "UNFINISHED", "DEPRECATED"]
MAX_REASON_SHOWN = 60


def publish(options: argparse.Namespace) -> int:
    """Publish a template folder under the version it names."""
    path = Path(options.folder).expanduser()
    folder = path.absolute().parent if path.name == ENTRY and path.is_file() else path

    async def store(session: Session) -> int:
        published = await session.app.versions.publish(folder, session.tenant_id, session.principal)
        deprecation = await session.app.versions.deprecation_of(session.tenant_id, published.record.reference)
        version = KnownVersion(record=published.record, deprecation=deprecation, use=NOBODY)
        if session.options.json:
            print_json({**_published(version), "is_new": published.is_new})
            return 0
        named = published.record.reference.schema_id
        print(f"{named}  published" if published.is_new else f"{named}  is published already, like this")
        _mention_template(session, published.record)
        return 0

    return in_session(options, "query", store)


def listing(options: argparse.Namespace) -> int:
    """Print published versions, the newest first."""

    async def answer(session: Session) -> int:
        found = await session.app.versions.all(session.tenant_id, options.name)
        if options.json:
            print_json([version_object(version) for version in found])
        elif not found:
            print("nothing is published")
        else:
            print(shown_table([_row(version) for version in found], HEAD, sys.stdout))
        return 0

    return in_session(options, "query", answer)


def deprecate(options: argparse.Namespace) -> int:
    """Say that a version is not to be started any more."""

    async def store(session: Session) -> int:
        versions = session.app.versions
        _print(
            session,
            await versions.deprecate(session.tenant_id, options.version, options.reason, session.principal),
        )
        return 0

    return in_session(options, "query", store)


def undeprecate(options: argparse.Namespace) -> int:
    """Take a deprecation back."""

    async def end(session: Session) -> int:
        _print(
            session,
            await session.app.versions.withdraw(session.tenant_id, options.version, session.principal),
        )
        return 0

    return in_session(options, "query", end)


def version_object(version: KnownVersion) -> JsonObject:
    """Return a published version as `--json` prints it."""
    return {
        **_published(version),
        "instances": version.use.instances,
        "unfinished": version.use.unfinished,
    }


async def warn_if_deprecated(session: Session, record: DefinitionRecord) -> None:
    """Say that the version somebody named exactly is deprecated, and why."""
    deprecation = await session.app.versions.deprecation_of(session.tenant_id, record.reference)
    if deprecation is not None:
        say(f"{record.reference.schema_id} is deprecated: {safe_line(deprecation.reason, MAX_REASON_SHOWN)}")


def _published(version: KnownVersion) -> JsonObject:
    reference, deprecation = version.record.reference, version.deprecation
    return {
        "schema_id": reference.schema_id,
        "name": reference.name,
        "version": reference.version,
        "content_hash": reference.content_hash,
        "published_at": shown_time(version.record.published_at),
        "pins": {child: pin.schema_id for child, pin in version.record.pins.items()},
        "deprecated": None
        if deprecation is None
        else {
            "reason": deprecation.reason,
            "principal": deprecation.principal,
            "at": shown_time(deprecation.deprecated_at),
        },
    }


def _mention_template(session: Session, record: DefinitionRecord) -> None:
    """Say that a bare name means the template on the path, where there is one, and not what was published."""
    template = session.app.templates.find(record.reference.name)
    if template is not None:
        say(
            f"{record.reference.name} alone means the template in {template.folder}; this version is "
            f"{record.reference.schema_id}"
        )


def _print(session: Session, version: KnownVersion) -> None:
    if session.options.json:
        print_json(version_object(version))
        return
    deprecation = version.deprecation
    if deprecation is None:
        words = "is not deprecated any more"
    else:
        words = f"deprecated: {safe_line(deprecation.reason, MAX_REASON_SHOWN)}"
    left = version.use.unfinished
    going_on = f"; unfinished instances that go on: {left}" if left and deprecation is not None else ""
    print(f"{version.record.reference.schema_id}  {words}{going_on}")


def _row(version: KnownVersion) -> list[str]:
    reference, deprecation = version.record.reference, version.deprecation
    return [
        reference.schema_id,
        version.record.published_at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        reference.content_hash[:8],
        str(version.use.instances),
        str(version.use.unfinished),
        "" if deprecation is None else safe_line(deprecation.reason, MAX_REASON_SHOWN),
    ]
