"""Settings that decide where things are."""

from pathlib import Path

import pytest

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.settings import enabled_hooks, load_settings


def test_a_home_has_one_name_however_it_is_reached(tmp_path: Path) -> None:
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    reached = ("real/home", "link/home", "real/below/../home")
    homes = {load_settings(environ={"CHATFLOW_HOME": str(tmp_path / name)}).home for name in reached}
    assert homes == {tmp_path / "real" / "home"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("style", (("style", "closed"),)),
        (" secrets:open , style:closed,", (("secrets", "open"), ("style", "closed"))),
    ],
)
def test_enabled_hooks_are_names_in_order_with_policies(
    text: str, expected: tuple[tuple[str, str], ...]
) -> None:
    assert enabled_hooks(text) == expected


@pytest.mark.parametrize("text", ["style:maybe", "style,style:open", "a b", "é", ":open", "style:open:x"])
def test_what_is_no_list_of_hooks_is_refused(tmp_path: Path, text: str) -> None:
    environ = {"CHATFLOW_HOME": str(tmp_path), "CHATFLOW_HOOKS__ENABLED": text}
    with pytest.raises(InvalidInput, match=r"hooks.enabled = .* expected names of plugins, such as style, "):
        load_settings(environ=environ)
