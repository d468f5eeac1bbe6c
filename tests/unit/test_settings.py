"""Settings that decide where things are."""

from pathlib import Path

from chatflow_jupyter.settings import load_settings


def test_a_home_has_one_name_however_it_is_reached(tmp_path: Path) -> None:
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    reached = ("real/home", "link/home", "real/below/../home")
    homes = {load_settings(environ={"CHATFLOW_HOME": str(tmp_path / name)}).home for name in reached}
    assert homes == {tmp_path / "real" / "home"}
