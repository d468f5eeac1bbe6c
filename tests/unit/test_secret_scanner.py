"""Secrets: what has a mark of its own is found wherever it hides, and what has none is left alone."""

import base64
import json
import random
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.plugins import Keep, Refuse, Replace
from chatflow_jupyter.plugins.secret_rules import RULES, search
from chatflow_jupyter.plugins.secret_scanner import SecretScanner
from chatflow_jupyter.plugins.testing import check_hook, made, notebook

A, B, C = "a1B2c3D4e5", "ABCDEFGHIJ", "0123456789"
BODY = "\n".join(["MIIEpAIBAAKCAQEA" + "b" * 48] * 5)
KEY = f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{BODY}\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "aws-access-key": "AKIA" + "ABCDEFGH234567AB",
    "github-token": "ghp_" + A * 4,
    "gitlab-token": "glpat-" + A * 2,
    "slack-token": "xoxb-" + C * 3,
    "slack-webhook": "hooks.slack.com/services/T" + B + "/B" + B + "/" + A * 2,
    "google-api-key": "AIza" + A * 3 + "abcde",
    "stripe-key": "sk_live_" + A * 3,
    "npm-token": "npm_" + A * 3 + "abcdef",
    "pypi-token": "pypi-AgE" + A * 6,
    "openai-key": "sk-proj-" + A * 3 + "T3BlbkFJ" + A * 3,
    "anthropic-key": "sk-ant-api03-" + A * 8,
    "hugging-face-token": "hf_" + "a" * 34,
    "sendgrid-key": "SG." + "a" * 22 + "." + "b" * 43,
    "json-web-token": "eyJ" + A * 2 + ".eyJ" + A * 2 + "." + A * 3,
    "password-in-url": "postgresql://bob:hunter22@db.example.org/x",
    "private-key": KEY,
}


def scan(folder: Path, name: str, content: bytes | str, **options: Any) -> Any:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return SecretScanner(options).process(made(file))


@pytest.mark.parametrize("rule", SECRETS)
@pytest.mark.parametrize(
    "around", ["{}", "token={}\n", '"{}"', "\x1b[33m{}\x1b[0m", "é{} ü", "a,{},b", "text\n{}\ntext"]
)
def test_each_kind_is_found_in_text(tmp_path: Path, rule: str, around: str) -> None:
    secret = SECRETS[rule]
    found = scan(tmp_path, "a.log", around.format(secret))
    assert isinstance(found, Replace)
    assert f"{rule} in line" in found.reason
    for line in filter(None, secret.split("\n")):
        assert line not in found.reason
        assert line.encode() not in found.content
    refused = scan(tmp_path, "a.log", around.format(secret), action="refuse")
    assert refused == Refuse(reason=found.reason)


@pytest.mark.parametrize("rule", SECRETS)
def test_each_kind_is_found_in_json(tmp_path: Path, rule: str) -> None:
    found = scan(tmp_path, "a.json", json.dumps({"text": f"before\n{SECRETS[rule]}\nafter"}))
    assert isinstance(found, Replace)
    kept = json.loads(found.content)["text"]
    assert not any(line in kept for line in filter(None, SECRETS[rule].split("\n")))


@pytest.mark.parametrize("rule", SECRETS)
def test_each_kind_is_found_in_a_notebook_and_it_stays_one(tmp_path: Path, rule: str) -> None:
    lines = [f"{line}\n" for line in SECRETS[rule].split("\n")]
    content = notebook("x = 1", f"print(key)\n# {SECRETS[rule]}", outputs=("before\n", *lines))
    found = scan(tmp_path, "one.ipynb", content)
    assert isinstance(found, Replace)
    assert found.reason == f"{rule} in cell 2 outputs line 2, {rule} in cell 2 source line 2"
    cells = json.loads(found.content)["cells"]
    assert f"[redacted: {rule}]" in "".join(cells[1]["source"])
    printed = "".join(cells[1]["outputs"][0]["text"])
    assert printed.startswith(f"before\n[redacted: {rule}]")
    assert cells[0] == json.loads(content)["cells"][0]


def test_a_notebook_is_read_everywhere_but_in_its_pictures(tmp_path: Path) -> None:
    token = SECRETS["github-token"]
    picture = base64.b64encode(b"\x89PNG" + bytes(range(256)) * 50).decode() + f"/{token}/"
    cell = {
        "cell_type": "code",
        "metadata": {"note": token},
        "source": "x",
        "outputs": [
            {"output_type": "display_data", "data": {"image/png": picture, "text/html": [f"<b>{token}</b>"]}},
            {"output_type": "display_data", "data": {"application/json": {"deep": [{"x": token}], token: 1}}},
            {
                "output_type": "error",
                "traceback": ["\x1b[31mone\x1b[0m", f"\x1b[33m'{token}'"],
                "evalue": token,
            },
        ],
    }
    body = {"cells": [cell], "metadata": {"papermill": {"parameters": {"t": token}}}, "nbformat": 4}
    found = scan(tmp_path, "one.ipynb", json.dumps(body))
    assert isinstance(found, Replace)
    left = json.loads(found.content)
    assert left["cells"][0]["outputs"][0]["data"].pop("image/png") == picture
    assert token not in json.dumps(left)
    assert left["cells"][0]["outputs"][2]["traceback"][0] == "\x1b[31mone\x1b[0m"


@pytest.mark.parametrize(
    "content",
    [
        "a password is hunter2 and nobody can tell",
        "d41d8cd98f00b204e9800998ecf8427e da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "https://example.org/path:with@signs http://user@example.org ssh://git@github.com:22/x",
        "https://{user}:{password}@example.org https://$USER:$PASS@example.org",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
        "a file begins with -----BEGIN PRIVATE KEY----- and that is all",
        "ghp_short sk_live_short AKIA AKIAabcdefgh234567ab npm_install hf_hub_download",
        base64.b64encode(random.Random(7).randbytes(300_000)).decode(),
    ],
)
def test_what_has_no_mark_is_left_alone(tmp_path: Path, content: str) -> None:
    assert scan(tmp_path, "a.txt", content) == Keep()
    assert scan(tmp_path, "one.ipynb", notebook(content, outputs=(content,))) == Keep()


def test_pictures_and_other_bytes_are_kept(tmp_path: Path) -> None:
    assert scan(tmp_path, "a.png", b"\x89PNG" + random.Random(8).randbytes(2_000_000)) == Keep()


def test_a_torn_notebook_is_read_as_bytes(tmp_path: Path) -> None:
    found = scan(tmp_path, "one.ipynb", notebook(SECRETS["npm-token"])[:-5])
    assert isinstance(found, Replace)
    assert found.reason == "npm-token in line 1"


def test_rules_can_be_ignored_and_large_artifacts_are_refused_unread(tmp_path: Path) -> None:
    url = SECRETS["password-in-url"]
    assert scan(tmp_path, "a.txt", url, ignore_rules=["password-in-url"]) == Keep()
    too_large = scan(tmp_path, "a.txt", b"x" * 1_100_000, max_mib=1)
    assert too_large == Refuse(reason="larger than the 1 MiB that are searched")
    with pytest.raises(ValueError, match="there is no rule 'aws'"):
        SecretScanner({"ignore_rules": ["aws"]})


def test_a_reason_names_some_places_and_counts_the_others(tmp_path: Path) -> None:
    text = "\n".join(f"ghp_{number:036d}" for number in range(1, 41))
    found = scan(tmp_path, "a.txt", text)
    assert found.reason.startswith("github-token in line 1, github-token in line 2, ")
    assert found.reason.endswith(" and 35 more")
    assert b"ghp_" not in found.content


@pytest.mark.parametrize(
    "piece", [b"http://a:", b"-----BEGIN PRIVATE KEY-----", b"eyJaaaaaaaaaa.", b"sk-a", b"a line of a log\n"]
)
def test_fifty_mebibytes_take_bounded_time_and_memory(tmp_path: Path, piece: bytes) -> None:
    file = tmp_path / "large.txt"
    file.write_bytes(piece * (50 * 1024 * 1024 // len(piece)) + b"\n" + SECRETS["stripe-key"].encode())
    tracemalloc.start()
    try:
        began = time.process_time()
        found = SecretScanner({"max_mib": 100}).process(made(file))
        took_sec, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(found, Replace)
    assert SECRETS["stripe-key"].encode() not in found.content
    assert took_sec < 20
    assert peak < 200 * 1024 * 1024


def test_every_rule_has_an_example() -> None:
    assert [name for name, _ in RULES] == list(SECRETS)
    for name, secret in SECRETS.items():
        assert [found.rule for found in search(secret.encode())] == [name]


@pytest.mark.parametrize("options", [{}, {"action": "refuse"}, {"ignore_rules": ["aws-access-key"]}])
def test_it_passes_the_kit(options: dict[str, Any]) -> None:
    check_hook(SecretScanner, options)
