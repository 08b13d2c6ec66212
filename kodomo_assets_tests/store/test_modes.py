"""Who may look where: modes made and set, groups of the configuration, Windows' access lists."""

from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.settings import Settings
from kodomo_assets.store.modes import keep_private, make_private, others_in, who_else_reads_the_inbox

GROUPS = [grp.getgrgid(number).gr_name for number in {os.getgid(), *os.getgroups()}]
SECOND = next((g.gr_name for g in grp.getgrall() if g.gr_name not in GROUPS), "daemon")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment(
        {"KODOMO_DATA_DIR": str(tmp_path / "data"), "KODOMO_KEY_FILE": str(tmp_path / "key" / "k")}
    )


def configured(settings: Settings, text: str = "{}"):
    path = settings.data_dir.with_name("city.yaml")
    path.write_text(text)
    return load_catalogue(path)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_every_confidential_folder_is_made_private(settings):
    keep_private(settings, configured(settings))
    for folder in (settings.data_dir, settings.inbox, settings.outbox):
        assert mode(folder) == 0o700, folder
    assert not settings.key_file.parent.exists()  # a key is made with a new database only, and its folder with it


def test_folders_that_others_may_read_are_set_but_the_inbox_is_told_about(settings):
    folders = (settings.data_dir, settings.inbox, settings.outbox, settings.key_file.parent)
    for folder in folders:
        folder.mkdir(exist_ok=True)
        folder.chmod(0o775)
    catalogue = configured(settings)
    keep_private(settings, catalogue)
    assert [mode(folder) for folder in folders] == [0o700, 0o775, 0o700, 0o700]
    assert "mode 0775), expected its owner only" in who_else_reads_the_inbox(settings, catalogue)
    settings.inbox.chmod(0o700)
    assert who_else_reads_the_inbox(settings, catalogue) is None


def test_the_group_of_the_analysts_passes_and_sees_nothing_else(settings):
    settings.outbox.mkdir(parents=True)
    files = [settings.data_dir / name for name in ("city.yaml", "kodomo.duckdb.wal", "password.txt")]
    folder = settings.data_dir / "templates"
    folder.mkdir(mode=0o755)
    for path in (*files, settings.analyst_database):
        path.write_text("{}")
        path.chmod(0o644)
    group = GROUPS[0]
    keep_private(settings, configured(settings, f"publish: {{group: {group}}}"))
    assert mode(settings.data_dir) == 0o710
    assert settings.data_dir.group() == group
    assert [mode(path) for path in files] == [0o600] * 3
    assert mode(folder) == mode(settings.outbox) == mode(settings.inbox) == 0o700
    assert mode(settings.analyst_database) == 0o644  # its own asset's


def test_the_group_of_the_offices_delivers_and_nobody_else(settings):
    group = GROUPS[0]
    catalogue = configured(settings, f"ingest: {{group: {group}}}")
    keep_private(settings, catalogue)
    assert mode(settings.inbox) == 0o2770
    assert settings.inbox.group() == group
    assert mode(settings.data_dir) == 0o710
    assert who_else_reads_the_inbox(settings, catalogue) is None
    settings.inbox.chmod(0o777)
    keep_private(settings, catalogue)
    assert mode(settings.inbox) == 0o777
    assert f"expected group {group} (ingest.group) and nobody else" in who_else_reads_the_inbox(settings, catalogue)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to a group that it is no member of")
def test_two_groups_pass_and_nobody_lists(settings):
    keep_private(settings, configured(settings, f"{{ingest: {{group: {GROUPS[0]}}}, publish: {{group: {SECOND}}}}}"))
    assert mode(settings.data_dir) == 0o711
    assert settings.inbox.group() == GROUPS[0]


@pytest.mark.parametrize("key", ["publish", "ingest"])
def test_a_group_that_is_none_is_a_mistake_of_the_configuration(settings, key):
    with pytest.raises(
        ConfigurationError, match=f"{key}.group: found 'no such group', expected a group of this machine"
    ):
        keep_private(settings, configured(settings, f"{key}: {{group: no such group}}"))


def test_a_folder_that_everybody_writes_to_is_no_place_for_a_key(tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    with pytest.raises(ConfigurationError, match="everybody writes into this folder"):
        make_private(tmp_path / "tmp")
    assert mode(tmp_path / "tmp") == 0o1777


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match=r"cannot be made private: .*expected a folder"):
        make_private(tmp_path / "file" / "folder")


OWN = "S-1-5-21-1004336348-1177238915-682003330-1001"


@pytest.mark.parametrize(
    ("sddl", "others"),
    [
        # as `icacls key /save` writes it: a file in the user's own profile
        (f"D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;FA;;;{OWN})", []),
        # a file on a drive of its own: Users may read, Authenticated Users may change
        (f"D:AI(A;ID;FA;;;BA)(A;ID;FA;;;SY)(A;ID;0x1301bf;;;AU)(A;ID;0x1200a9;;;BU){OWN}", ["Authenticated Users", "Users"]),
        ("D:P(A;;FA;;;SY)(A;;FR;;;WD)", ["Everyone"]),
        # who is denied is not let in
        (f"D:P(D;;FA;;;BU)(A;;FA;;;{OWN})", []),
        (f"D:P(A;;FA;;;{OWN})(A;;FR;;;S-1-5-21-1004336348-1177238915-682003330-1002)S:AI(AU;SA;FA;;;WD)",
         ["S-1-5-21-1004336348-1177238915-682003330-1002"]),
        # no list at all lets everybody in
        ("D:NO_ACCESS_CONTROL", ["Everyone (no access list)"]),
        (f"O:{OWN}", ["Everyone (no access list)"]),
    ],
)  # fmt: skip
def test_who_is_let_in_by_an_access_list_of_windows(sddl, others):
    assert others_in(sddl, OWN) == others
