"""Secrets that give themselves away: tokens with a prefix of their issuer's, private keys, passwords in URLs.

Each rule is one that a text hardly matches by accident. What has no such mark, as a plain password, is not
found: guessing by entropy flags hashes and images all day, and people then disable it. RE2 searches in a time
linear in the text, whatever that is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

_START = r"(?:\b|\[[0-9;]*m|\\[bfnrt])"
"""Also behind a colour, and behind a line break as JSON writes it: both end with a letter."""
_KEY = (
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[\s\\nr\"',]|[A-Za-z-]+: [^\\\n]*(?:\n|\\n))*[A-Za-z0-9+/=]{20}(?:[^-]|-[^-])*"
    r"(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----)?"
)
RULES: tuple[tuple[str, str], ...] = (
    ("aws-access-key", _START + r"(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("github-token", _START + r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})"),
    ("gitlab-token", _START + r"gl(?:pat|dt|rt|ptt)-[A-Za-z0-9_-]{20,}"),
    ("slack-token", _START + r"xox[abposr]-[0-9A-Za-z-]{20,}"),
    ("slack-webhook", r"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}"),
    ("google-api-key", _START + r"AIza[0-9A-Za-z_-]{35}"),
    ("stripe-key", _START + r"[rs]k_(?:live|test)_[0-9A-Za-z]{20,}"),
    ("npm-token", _START + r"npm_[A-Za-z0-9]{36}\b"),
    ("pypi-token", _START + r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    ("openai-key", _START + r"sk-[A-Za-z0-9_-]{20,100}T3BlbkFJ[A-Za-z0-9_-]{20,}"),
    ("anthropic-key", _START + r"sk-ant-[a-z]{3,6}[0-9]{2}-[A-Za-z0-9_-]{60,}"),
    ("hugging-face-token", _START + r"hf_[A-Za-z]{34}\b"),
    ("sendgrid-key", _START + r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("json-web-token", _START + r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
    ("password-in-url", _START + r"[a-z][a-z0-9+.-]*://[^\s/:@\"'<>{}$]+:[^\s/:@\"'<>{}$]{3,}@[A-Za-z0-9]"),
    ("private-key", _KEY),
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """One secret: the rule it matches, and where it lies. What it is is never kept."""

    rule: str
    start: int
    end: int


def search(content: bytes) -> list[Found]:
    """Return every secret in `content`, in order, none within another."""
    found: list[Found] = []
    for match in _finder()(content):
        rule = RULES[match.lastindex - 1][0]
        found.append(Found(rule=rule, start=match.start(), end=match.end()))
    return found


def redacted(content: bytes, found: list[Found]) -> bytes:
    """Return `content` with the name of the rule in place of every secret."""
    pieces, at = [], 0
    for one in found:
        pieces += [content[at : one.start], f"[redacted: {one.rule}]".encode()]
        at = one.end
    return b"".join([*pieces, content[at:]])


@cache
def _finder() -> Callable[[bytes], Iterator[Any]]:
    import re2  # needed only where the scanner is enabled

    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = 64 * 1024 * 1024
    compiled = re2.compile("|".join(f"({pattern})" for _, pattern in RULES).encode(), options=options)
    return compiled.finditer  # type: ignore[no-any-return]  # re2 has no types
