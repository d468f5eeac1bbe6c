"""Hooks in a real home: killed in the middle, refused at the start, and a secret that reaches no file."""

import json
from pathlib import Path

import pytest

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop
from tests.contract.packages import lay
from tests.waiting import until

TOKEN = "ghp_" + "a1B2c3D4e5" * 4
ONE = "name: one\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb}\n"
SLOW = """
import time
from pathlib import Path
from chatflow_jupyter.plugins import Accept, Allow

class Slow:
    def __init__(self, options):
        self.room = Path(options["room"])

    def _answer(self, point, verdict):
        with (self.room / "calls").open("a") as calls:
            calls.write(point + "\\n")
        while not (self.room / point).exists():
            time.sleep(0.02)
        return verdict

    def before(self, attempt):
        return self._answer("before", Allow())

    def after(self, attempt):
        return self._answer("after", Accept())
"""


def everything_in(home: Path) -> dict[str, bytes]:
    """Every file of a home, the database included."""
    return {str(file.relative_to(home)): file.read_bytes() for file in home.rglob("*") if file.is_file()}


def calls(workshop: Workshop) -> list[str]:
    file = workshop.room / "calls"
    return file.read_text().split() if file.exists() else []


def verdicts(product: Product) -> list[tuple[str, str, int, str]]:
    told = [event.data for event in product.events() if event.type == "HookAnswered"]
    return [(one["hook"], one["point"], one["for_attempt"], one["verdict"]) for one in told]


@pytest.mark.parametrize("point", ["before", "after"])
def test_everything_is_killed_while_a_hook_is_asked_and_one_verdict_stands(
    product: Product, workshop: Workshop, point: str
) -> None:
    folder = workshop.template("one", ONE)
    workshop.notebook("one/one.ipynb", ["mark('ran')", "ctx.output('n', 3)"])
    site = lay(workshop.folder / "site", "slow_plugin", SLOW, slow="Slow")
    product.home.mkdir()
    (product.home / "hooks.toml").write_text(f"[slow]\nroom = {json.dumps(str(workshop.room))}\n")
    hooked = {"PYTHONPATH": str(site), "CHATFLOW_HOOKS__ENABLED": "slow"}
    if point == "after":
        workshop.let("before")
    product.spawn("run", folder, **hooked)
    until(lambda: point in calls(workshop), what=f"the hook is asked {point} the attempt")
    status = product.run("status", "last", "--json", status=0).json
    assert (status["status"], status["waiting_reason"]) == ("waiting", "hook")
    shown = product.run("status", "last", status=0).out
    assert f"waiting for hooks: slow, {point} attempt 1 of phase one" in shown
    product.kill_everything()
    product.none_left()
    workshop.let("before")
    workshop.let("after")
    done = product.run("resume", "last", "--json", status=0, **hooked).json
    assert (done["status"], done["outcome"]["one"]) == ("completed", {"n": 3})
    assert calls(workshop).count(point) == 2, "it was killed while it was asked"
    assert verdicts(product) == [("slow", "before", 1, "allow"), ("slow", "after", 1, "accept")]
    assert workshop.marks["ran"] == 1
    assert product.attempts() == [("one", 1, "succeeded")]
    product.run("db", "check", status=0)


def test_a_secret_that_is_printed_reaches_no_file_of_the_home(product: Product, workshop: Workshop) -> None:
    folder = workshop.template("one", ONE)
    (workshop.room / "token").write_text(TOKEN)
    cells = [
        "token = (ROOM / 'token').read_text(); print('the token is', token)",
        "Path('artifacts').mkdir(exist_ok=True)",
        "Path('artifacts/made.json').write_text('{\"t\": \"' + token + '\"}')",
        "ctx.output('said', 'token ' + token)",
        "if not (ROOM / 'mended').exists(): raise ValueError('cannot use ' + token)",
    ]
    workshop.notebook("one/one.ipynb", cells)
    hooked = {"CHATFLOW_HOOKS__ENABLED": "secrets"}
    failed = product.run("run", folder, status=4, **hooked)
    assert TOKEN not in failed.out + failed.err
    assert "cannot use [redacted: github-token]" in failed.out + failed.err
    workshop.let("mended")
    done = product.run("retry", "last", "--json", status=0, **hooked).json
    assert done["outcome"]["one"] == {"said": "token [redacted: github-token]"}
    product.none_left()
    product.run("db", "check", status=0)
    found = [name for name, content in everything_in(product.home).items() if TOKEN.encode() in content]
    assert found == []
    assert product.artifacts() == [
        ("one", 1, "made.json"),
        ("one", 1, "one.ipynb"),
        ("one", 2, "made.json"),
        ("one", 2, "one.ipynb"),
    ]
    history = product.run("history", "last", status=0).out
    assert "github-token in cell 2 outputs line 1" in history
    assert TOKEN not in history


def test_a_killed_attempt_leaves_no_secret_once_somebody_tidied_up(
    product: Product, workshop: Workshop
) -> None:
    folder = workshop.template("one", ONE)
    (workshop.room / "token").write_text(TOKEN)
    cells = [
        "print((ROOM / 'token').read_text())",
        "mark('printed'); wait_for('go')",
    ]
    workshop.notebook("one/one.ipynb", cells)
    hooked = {"CHATFLOW_HOOKS__ENABLED": "secrets"}
    product.spawn("run", folder, **hooked)
    until(lambda: workshop.marks["printed"], what="the token is printed")
    product.kill_everything()
    workshop.let("go")
    product.run("resume", "last", status=0, **hooked)
    product.none_left()
    found = [name for name, content in everything_in(product.home).items() if TOKEN.encode() in content]
    assert found == []
    assert ("one", 1, "one.ipynb") in product.artifacts()


def test_a_refused_artifact_is_named_with_what_to_look_at(product: Product, workshop: Workshop) -> None:
    folder = workshop.template("one", ONE)
    (workshop.room / "token").write_text(TOKEN)
    workshop.notebook("one/one.ipynb", ["x = 1", "print('a'); print((ROOM / 'token').read_text())"])
    product.home.mkdir()
    (product.home / "hooks.toml").write_text('[secrets]\naction = "refuse"\n')
    failed = product.run("run", folder, status=4, CHATFLOW_HOOKS__ENABLED="secrets")
    words = "hook secrets refused one.ipynb: github-token in cell 3 outputs line 2"
    assert words in failed.out + failed.err
    assert "[artifact_refused]" in failed.out
    assert TOKEN.encode() not in b"".join(everything_in(product.home).values())


def test_a_policy_asks_people_who_go_on(product: Product, workshop: Workshop) -> None:
    folder = workshop.template("one", ONE)
    workshop.notebook("one/one.ipynb", ["!true", "ctx.output('n', 1)"])
    hooked = {"CHATFLOW_HOOKS__ENABLED": "style"}
    asked = product.run("run", folder, status=3, CHATFLOW_PLAIN="words", **hooked)
    assert "one: hook style: ask, one.ipynb: cell 2 line 1" in asked.err + asked.out
    assert "hook style asks: one.ipynb: cell 2 line 1: it calls a shell or installs something" in asked.out
    done = product.run("trigger", "last", "--approve", "--json", status=0, **hooked).json
    assert done["outcome"]["one"] == {"n": 1}


def test_an_interrupted_command_does_not_wait_for_a_hook_that_never_ends(
    product: Product, workshop: Workshop
) -> None:
    folder = workshop.template("one", ONE)
    workshop.notebook("one/one.ipynb", ["mark('ran')"])
    site = lay(workshop.folder / "site", "slow_plugin", SLOW, slow="Slow")
    product.home.mkdir()
    (product.home / "hooks.toml").write_text(f"[slow]\nroom = {json.dumps(str(workshop.room))}\n")
    hooked = {"PYTHONPATH": str(site), "CHATFLOW_HOOKS__ENABLED": "slow"}
    running = product.spawn("run", folder, **hooked)
    until(lambda: "before" in calls(workshop), what="the hook is asked")
    running.interrupt()
    ended = running.wait(timeout_sec=15)
    assert ended.status == 130
    assert "is kept; go on with: chatflow resume" in ended.err
    late = product.run("resume", "last", status=4, CHATFLOW_HOOKS__TIMEOUT_SEC="0.5", **hooked)
    assert "hook slow failed: it took longer than 0.5 s" in late.out


def test_a_hook_that_cannot_be_loaded_begins_nothing_and_the_home_can_still_be_looked_at(
    product: Product, workshop: Workshop
) -> None:
    folder = workshop.template("one", ONE)
    workshop.notebook("one/one.ipynb", ["mark('ran')"])
    product.run("run", folder, status=0)
    for wrong in ("absent", "style, absent"):
        refused = product.run("run", folder, status=2, CHATFLOW_HOOKS__ENABLED=wrong)
        assert "the plugin 'absent' is not installed; installed are: secrets, style" in refused.err
        detached = product.run("run", folder, "--detach", status=2, CHATFLOW_HOOKS__ENABLED=wrong)
        assert "is not installed" in detached.err
        product.run("status", "last", status=0, CHATFLOW_HOOKS__ENABLED=wrong)
    assert len(product.instances()) == 1
    assert workshop.marks["ran"] == 1
    passed = product.run("run", folder, status=0, CHATFLOW_HOOKS__ENABLED="absent:open")
    assert "it is left out, as its policy is open" in passed.err
    looked = product.run("doctor", "--json", CHATFLOW_HOOKS__ENABLED="absent").json
    (check,) = [one for one in looked["checks"] if one["name"] == "hooks"]
    assert check["level"] == "fail"


def test_the_background_has_the_same_hooks(product: Product, workshop: Workshop) -> None:
    folder = workshop.template("one", ONE)
    workshop.notebook("one/one.ipynb", ["1 + 1"])
    product.run("run", folder, "--detach", status=0, CHATFLOW_HOOKS__ENABLED="style, secrets")
    product.wait_for("InstanceCompleted")
    assert verdicts(product) == [("style", "before", 1, "allow")]
    product.none_left(deadline_sec=20)


def test_doctor_says_what_is_in_force(product: Product) -> None:
    looked = product.run("doctor", "--json", CHATFLOW_HOOKS__ENABLED="style, secrets:open").json
    (check,) = [one for one in looked["checks"] if one["name"] == "hooks"]
    assert check["found"] == "style (closed), secrets (open); before: style; artifacts: secrets"
    assert check["level"] == "ok"


LATE = "name: late\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb, deadline_sec: 3}\n"
PARENT = (
    "name: parent\nautomation_level: 100\ndeadline_sec: 3\nphases:\n"
    "  - {name: all, children: {schema: ./child.yaml, items: [1]}}\n"
)


@pytest.mark.parametrize("parent", [False, True])
def test_what_a_deadline_ended_while_a_hook_was_asked_is_not_said_to_go_on(
    product: Product, workshop: Workshop, parent: bool
) -> None:
    folder = workshop.template("late", PARENT if parent else LATE, child__yaml=ONE)
    workshop.notebook("late/one.ipynb", ["mark('ran')"])
    site = lay(workshop.folder / "site", "slow_plugin", SLOW, slow="Slow")
    product.home.mkdir()
    (product.home / "hooks.toml").write_text(f"[slow]\nroom = {json.dumps(str(workshop.room))}\n")
    hooked = {"PYTHONPATH": str(site), "CHATFLOW_HOOKS__ENABLED": "slow"}
    ended = product.run("run", folder, status=4, timeout_sec=30, **hooked)
    assert calls(workshop) == ["before"], "the hook was being asked"
    assert "deadline_exceeded" in ended.out
    assert "goes on in the background" not in ended.err
    product.none_left()
    assert workshop.marks["ran"] == 0
