"""Phase `publish`: the report in the four forms people and programs ask for."""

from __future__ import annotations

import json

from review.aggregating import Review
from review.decisions import Decision
from review.report_page import as_page
from review.report_text import as_markdown
from review.sarif import as_sarif
from review.values import cleaned


def render(review: Review, version: str, decision: Decision | None = None) -> dict[str, str]:
    """Return the text of ``report.html``, ``report.md``, ``findings.json`` and ``findings.sarif`` by name.

    The first three say who let it be published. The same review and decision always give the same bytes.
    """
    data = {**review.as_json(), "decision": decision.as_json() if decision else None}
    return {
        "report.html": as_page(review, decision),
        "report.md": as_markdown(review, decision),
        "findings.json": json.dumps(cleaned(data), indent=2, ensure_ascii=False, sort_keys=True) + "\n",
        "findings.sarif": json.dumps(as_sarif(review, version), indent=2, ensure_ascii=False) + "\n",
    }
