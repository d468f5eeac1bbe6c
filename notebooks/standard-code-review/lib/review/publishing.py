"""Phase `publish`: the report in the four forms people and programs ask for."""

from __future__ import annotations

import json

from review.aggregating import Review
from review.report_page import as_page
from review.report_text import as_markdown
from review.sarif import as_sarif


def render(review: Review, version: str) -> dict[str, str]:
    """Return the text of ``report.html``, ``report.md``, ``findings.json`` and ``findings.sarif`` by name.

    The same review always gives the same bytes.
    """
    return {
        "report.html": as_page(review),
        "report.md": as_markdown(review),
        "findings.json": json.dumps(review.as_json(), indent=2, ensure_ascii=False, sort_keys=True) + "\n",
        "findings.sarif": json.dumps(as_sarif(review, version), indent=2, ensure_ascii=False) + "\n",
    }
