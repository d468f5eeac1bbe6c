"""`fork`, as it is typed."""

import json

from tests.cli.program import Program


def opened(chatflow: Program, *parameters: str) -> str:
    """Run `gated` to its end; returns the id."""
    instance_id = str(chatflow.json("run", "gated", *parameters, status=3)["instance_id"])
    chatflow("trigger", instance_id, "--approve")
    return instance_id


def test_a_fork_shares_what_came_before_and_says_so(chatflow: Program) -> None:
    source = opened(chatflow, "-p", "number=4")
    before = chatflow.json("status", source)
    said = chatflow("fork", source, "--from", "second", "-p", "number=5", status=3)
    assert f"chatflow: the phase first stands as in {source}; it ran with number=4" in said.stderr
    assert f"fork of:   {source} at second" in said.stdout
    made = chatflow.json("status", "last")
    assert made["forked_from"] == {"instance_id": source, "phase": "second", "seq": before["seq"]}
    assert (made["context"]["number"], made["outcome"]["first"]["double"]) == (5, 8)
    assert (made["phases"]["first"]["shared"], made["phases"]["second"]["shared"]) == (True, False)
    shared = {record["name"]: record["sha256"] for record in chatflow.json("artifacts", "last")["artifacts"]}
    stored = {record["name"]: record["sha256"] for record in chatflow.json("artifacts", source)["artifacts"]}
    assert shared.items() <= stored.items()
    assert set(shared) == {"first.ipynb", "notes/answer.txt"}
    assert chatflow.json("status", source) == before
    assert chatflow.json("trigger", "last", "--approve")["status"] == "completed"
    told = chatflow.json("history", made["instance_id"])
    assert told[0]["data"]["forked_from"] == source
    assert not [event for event in told if event["phase"] == "first"]
    assert [entry["forked_from"] is not None for entry in chatflow.json("list")] == [True, False]


def test_a_mended_folder_goes_on_where_the_other_stopped(chatflow: Program) -> None:
    source = opened(chatflow)
    folder = chatflow.templates / "gated"
    second = folder / "second.ipynb"
    second.write_text(second.read_text().replace("opened", "mended"))
    made = chatflow.json("fork", source, "--from", "second", "--schema", f"{folder}/", status=3)
    done = chatflow.json("trigger", made["instance_id"], "--approve")
    assert "mended" in done["outcome"]["second"]
    first = folder / "first.ipynb"
    first.write_text(first.read_text().replace("doubled", "twice as much"))
    refused = chatflow("fork", source, "--from", "second", "--schema", f"{folder}/", status=7).stderr
    assert "the notebook first.ipynb of its phase first differs; fork from an earlier phase" in refused


def test_what_cannot_be_forked_is_one_line_and_nothing_is_made(chatflow: Program) -> None:
    source = str(chatflow.json("start", "gated")["instance_id"])
    refused = chatflow("fork", source, "--from", "second", status=7).stderr
    assert refused == f"chatflow: {source}: it never came to phase second: it entered none\n"
    for words, status, said in (
        (["nowhere", "--from", "first"], 6, "there is no such instance"),
        (["last", "--from", "third"], 2, "gated has no phase third; there are first, second"),
        (["last", "--from", "first", "-p", "numbr=3"], 2, "did you mean number?"),
        (["last", "--from", "first", "-p", "number=x"], 2, "number"),
        (["last", "--from", "first", "--automation-level", "101"], 2, "a number from 0 to 100"),
        (["last", "--from", "first", "--schema", "nothing"], 6, "nothing: no definition"),
        (["last"], 2, "--from"),
    ):
        answered = chatflow("fork", *words, status=status).stderr
        assert said in answered
        assert answered.count("\n") == 1
    assert len(chatflow.json("list")) == 1


def test_the_same_key_makes_one_fork_and_detached_it_goes_on_by_itself(chatflow: Program) -> None:
    source = opened(chatflow)
    words = ("fork", source, "--from", "second", "--detach", "--idempotency-key", "k", "--feature", "F")
    first = json.loads(chatflow.apart(*words, "--json"))
    assert json.loads(chatflow.apart(*words, "--json"))["instance_id"] == first["instance_id"]
    assert (
        json.loads(chatflow("list", "--feature", "F", "--json").stdout)[0]["instance_id"]
        == first["instance_id"]
    )
    refused = chatflow("fork", source, "--from", "first", "--idempotency-key", "k", status=7)
    assert "was used for another request" in refused.stderr
