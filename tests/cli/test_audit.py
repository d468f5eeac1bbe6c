"""`audit list` and `audit verify`, as they are typed."""

import sqlite3
from contextlib import closing

from tests.cli.program import Program


def test_what_was_done_is_listed_by_every_question_and_page_by_page(chatflow: Program) -> None:
    assert chatflow("audit", "list").stdout == "nothing recorded that matches\n"
    made = chatflow.json("start", "gated", "--idempotency-key", "k")["instance_id"]
    chatflow("terminate", made, "--reason", "not needed")
    chatflow("start", "gated")
    rows = chatflow.json("audit", "list")
    assert [(row["position"], row["verb"]) for row in rows] == [
        (3, "create"),
        (2, "terminate"),
        (1, "create"),
    ]
    assert rows[1]["subject"] == rows[2]["subject"] == made
    assert (rows[1]["outcome"], rows[1]["reason"]) == ("terminated", "not needed")
    assert rows[2]["idempotency_key"] == "k"
    assert [row["position"] for row in chatflow.json("audit", "list", "--instance", made)] == [2, 1]
    assert [row["position"] for row in chatflow.json("audit", "list", "--verb", "create")] == [3, 1]
    assert chatflow.json("audit", "list", "--principal", "nobody") == []
    assert chatflow.json("audit", "list", "--since", "2999-01-01") == []
    assert len(chatflow.json("audit", "list", "--since", "1h")) == 3
    page = chatflow("audit", "list", "--limit", "2")
    assert len(page.stdout.splitlines()) == 3
    assert page.stderr == "chatflow: there may be more: the same with --before 2\n"
    assert [row["position"] for row in chatflow.json("audit", "list", "--before", "2")] == [1]
    assert chatflow.json("audit", "list", "--tenant", "other") == []


def test_a_whole_chain_can_be_noted_and_a_changed_one_is_named(chatflow: Program) -> None:
    for _ in range(3):
        chatflow("start", "gated")
    told = chatflow.json("audit", "verify")
    assert (told["intact"], told["rows"], told["fault"]) == (True, 3, None)
    noted = f"3:{told['sha256']}"
    assert chatflow("audit", "verify").stdout == f"intact: 3 rows\nthe end, to note elsewhere: {noted}\n"
    chatflow("start", "gated")
    assert "intact: 4 rows" in chatflow("audit", "verify", "--seen", noted).stdout
    later = f"9:{told['sha256']}"
    assert "row 9 was seen, and the chain ends with row 4" in (
        chatflow("audit", "verify", "--seen", later, status=1).stderr
    )
    with closing(sqlite3.connect(chatflow.home / "chatflow.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM audit WHERE position = 2")
    fault = "row 2 is missing: behind row 1 comes row 3"
    assert f"audit of tenant local: {fault}; compare" in chatflow("audit", "verify", status=1).stderr
    broken = chatflow.json("audit", "verify", status=1)
    assert (broken["intact"], broken["rows"], broken["fault"]) == (False, 1, fault)
    assert f"audit of tenant local: {fault}" in chatflow("db", "check", status=1).stdout
