"""`recommend` and `feature` by the program itself."""

from tests.cli.program import Program


def test_a_recommendation_names_the_phase_the_command_and_the_reasons(chatflow: Program) -> None:
    ident = chatflow.json("run", "gated", "--feature", "F-7", status=3)["instance_id"]
    told = chatflow("recommend", "last").stdout.splitlines()
    assert told[0].startswith("second  gated@1.0.0")
    assert f"chatflow trigger {ident} --approve" in told[1]
    assert f"chatflow trigger {ident} --reject" in told[2]
    assert told[3].startswith("  rule:     people are asked: A person must look")
    advice = chatflow.json("recommend", "last")
    assert (advice["next_phase"], advice["request"], advice["compared"]) == ("second", "decide", 0)
    chatflow("trigger", "last", "--approve")
    assert chatflow.json("recommend", "last")["request"] == "nothing"
    chatflow("run", "gated", status=3)
    again = chatflow.json("recommend", "last")
    assert again["compared"] == 1
    assert {"kind": "history", "text": "people were asked before it once, and refused 0"} in again["reasons"]


def test_a_feature_shows_how_many_stand_where_and_who_needs_somebody(chatflow: Program) -> None:
    idents = [chatflow.json("run", "gated", "--feature", "F-8", status=3)["instance_id"] for _ in range(2)]
    chatflow("trigger", idents[0], "--approve")
    status = chatflow.json("feature", "F-8")
    assert (status["total"], status["by_status"]) == (2, {"completed": 1, "waiting": 1})
    assert [one["instance_id"] for one in status["attention"]] == [idents[1]]
    shown = chatflow("feature", "F-8").stdout
    assert shown.startswith("F-8: 2 instances; 1 completed, 1 waiting\n")
    assert f"chatflow trigger {idents[1]} --approve" in shown


def test_an_unknown_label_is_not_found(chatflow: Program) -> None:
    chatflow("start", "gated")
    assert "no instance has that label" in chatflow("feature", "nobody", status=6).stderr


def test_a_brief_status_says_where_it_stands_and_nothing_else(chatflow: Program) -> None:
    ident = chatflow.json("run", "gated", status=3)["instance_id"]
    whole, brief = chatflow.json("status", ident), chatflow.json("status", ident, "--brief")
    assert brief == {name: whole[name] for name in brief}
    line = chatflow("status", ident, "--brief").stdout.split()
    assert line == ["waiting/approval", "second", ident, str(whole["seq"])]
