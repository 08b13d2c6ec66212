"""A city.yaml that got lost stops the program: the defaults are those of no city."""

from __future__ import annotations

from pathlib import Path

import pytest

from kodomo_assets.errors import ConfigurationError
from kodomo_assets.settings import Settings
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.own_settings import keep_own, load_kept, load_own

OWN = "screening: {share_percent: 7}\n"


def settings_in(root: Path) -> Settings:
    return Settings.from_environment({"KODOMO_DATA_DIR": str(root), "KODOMO_KEY_FILE": str(root / "k")})


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A city.yaml under which something was stored."""
    file = tmp_path / "city.yaml"
    file.write_text(OWN, "utf-8")
    assert load_own(settings_in(tmp_path)).screening.share_percent == 7
    # to look at it leaves everything as it is
    assert [*tmp_path.iterdir()] == [file]
    with open_to_write(settings_in(tmp_path), load_own(settings_in(tmp_path))):
        pass
    return file


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def commented_out(file: Path) -> None:
    file.write_text("# screening: {share_percent: 7}\n", "utf-8")


def renamed(file: Path) -> None:
    file.rename(file.with_name("city.yaml.txt"))


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def dangling(file: Path) -> None:
    file.unlink()
    file.symlink_to("share-that-is-away.yaml")


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (emptied, "city.yaml: is empty, but this installation was refreshed with settings of its own"),
        (commented_out, "city.yaml: is empty, but"),
        (renamed, "city.yaml: is not there, but"),
        (a_folder, "city.yaml: cannot be read"),
        (dangling, "city.yaml: cannot be read"),
    ],
)
def test_a_file_that_got_lost_is_told(city, lost, told):
    lost(city)
    with pytest.raises(ConfigurationError) as raised:
        load_own(settings_in(city.parent))
    assert told in str(raised.value)
    assert raised.value.ja
    # whom to mail is known all the same
    assert load_kept(settings_in(city.parent)).screening.share_percent == 7
    # as the sentence says
    if city.is_dir():
        city.rmdir()
    city.unlink(missing_ok=True)
    city.write_text("{}", "utf-8")
    assert load_own(settings_in(city.parent)).screening.share_percent == 10
    keep_own(settings_in(city.parent))
    city.unlink()
    assert load_own(settings_in(city.parent)).screening.share_percent == 10


def test_an_installation_without_settings_of_its_own_needs_none(tmp_path):
    for content in (None, "", "# nothing yet\n", "{}\n"):
        if content is not None:
            (tmp_path / "city.yaml").write_text(content, "utf-8")
        assert load_own(settings_in(tmp_path)).screening.share_percent == 10
        keep_own(settings_in(tmp_path))
    (tmp_path / "city.yaml").unlink()
    assert load_own(settings_in(tmp_path)).screening.share_percent == 10


def test_a_file_that_cannot_be_read_leaves_the_copy_of_the_last_that_could(city):
    city.write_text("screening: {share: 1}\n", "utf-8")
    with pytest.raises(ConfigurationError, match="unknown key"):
        load_own(settings_in(city.parent))
    assert load_kept(settings_in(city.parent)).screening.share_percent == 7


@pytest.mark.parametrize("day", ["2024-02-30", "2027-06-31"])
def test_a_day_that_there_is_not_is_told(city, day):
    city.write_text(f"registry: {{agreements: {{x: {{agreed_on: {day}}}}}}}\n", "utf-8")
    with pytest.raises(ConfigurationError, match=r"city.yaml: holds a date or a number that there is not"):
        load_own(settings_in(city.parent))
