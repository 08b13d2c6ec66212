"""A backup is of one moment, whole or none, without the key; what is restored is what was saved, and nothing is made anew."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.defs.running import last_run
from kodomo_assets.errors import BackupError, StoreBusyError, StoreVersionError
from kodomo_assets.refreshing.completions import is_complete
from kodomo_assets.settings import Settings
from kodomo_assets.store.backups import Made, back_up, made_backups, restore
from kodomo_assets.store.connection import connect
from kodomo_assets.store.opening import open_to_write
from kodomo_assets_tests.conftest import DATES, City
from kodomo_assets_tests.defs.conftest import started
from kodomo_assets_tests.holder import held

NOW = dt.datetime(2026, 11, 27, 3, 15, tzinfo=dt.UTC)
NAME = "kodomo-backup-20261127T031500"


def settings_of(root: Path, **others: str) -> Settings:
    given = {
        "KODOMO_DATA_DIR": str(root / "data"),
        "KODOMO_KEY_FILE": str(root / "key" / "pseudonym.key"),
        "DAGSTER_HOME": str(root / "dagster"),
    }
    return Settings.from_environment(given | others)


@pytest.fixture
def small(tmp_path: Path) -> Settings:
    """An installation of which nothing was refreshed yet, with a delivery, a file for people and a run history."""
    settings = settings_of(tmp_path)
    started(settings)
    with open_to_write(settings, load_catalogue()) as con:
        con.execute("create table of_the_test as select 1 as i")
    for path in (settings.inbox / "2025-04-01/出欠_青葉小学校.csv", settings.outbox / "2025-04-01/状況.html"):
        path.parent.mkdir(parents=True)
        path.write_text(path.name, "utf-8")
    (settings.data_dir / "city.yaml").write_text("{}", "utf-8")
    settings.dagster_home.mkdir()
    with closing(sqlite3.connect(settings.dagster_home / "runs.db")) as con, con:
        con.execute("create table runs as select 7 as run")
    return settings


def made(settings: Settings, *, now: dt.datetime = NOW, keep: int | None = None) -> Made:
    return back_up(settings, load_catalogue(settings.overlay), settings.data_dir.parent / "disk", now=now, keep=keep)


def content_of(folder: Path, *apart: str) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] not in apart
    }


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "backup.json").read_text("utf-8"))


def test_a_restored_city_is_the_same_and_nothing_is_made_anew(begun_city: City, tmp_path: Path):
    city = begun_city.copy(tmp_path / "city")
    backup = made(city.settings)
    there = tmp_path / "別の 機械" / "data"
    told = restore(backup.folder, there, city.settings.key_file)
    assert [line for line in told if "このデータの鍵です" in line]
    apart = (".scratch", ".dagster", "backups.jsonl")
    assert content_of(there, *apart) == content_of(city.settings.data_dir, *apart)
    for path in [there, *there.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    restored = City(tmp_path / "restored")
    for name, source in (("data", there), ("dagster", there / ".dagster"), ("key", city.settings.key_file.parent)):
        shutil.copytree(source, restored.root / name)
    with restored.instance() as instance:
        newest = last_run(instance, city.catalogue.calendar.dates_until(DATES[0]))
        assert newest is not None
        assert is_complete(restored.settings, restored.catalogue, DATES[0], newest)


def test_what_a_killed_process_left_beside_the_database_is_in_the_backup(small: Settings, tmp_path: Path):
    script = (
        "import os, signal, sys; from pathlib import Path; from kodomo_assets.store.connection import connect\n"
        "with connect(Path(sys.argv[1])) as con:\n"
        "    con.execute('insert into of_the_test values (2)'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(small.database)], check=False, timeout=600)
    assert small.database.with_name("kodomo.duckdb.wal").exists()
    restore(made(small).folder, tmp_path / "new", small.key_file)
    with connect(tmp_path / "new" / "kodomo.duckdb") as con:
        assert con.execute("from of_the_test order by all").fetchall() == [(1,), (2,)]


def test_the_history_is_of_one_moment_though_the_daemon_writes_it(small: Settings, tmp_path: Path):
    with closing(sqlite3.connect(small.dagster_home / "runs.db")) as con:
        con.execute("pragma journal_mode = wal")
        with con:
            con.execute("insert into runs values (8)")
        con.execute("insert into runs values (9)")  # not committed yet
        backup = made(small)
    assert sorted(path.name for path in (backup.folder / "dagster").iterdir()) == ["runs.db"]
    with closing(sqlite3.connect(backup.folder / "dagster" / "runs.db")) as con:
        assert con.execute("select run from runs order by run").fetchall() == [(7,), (8,)]


@pytest.mark.parametrize("place", ["data/鍵/pseudonym.key", "dagster/pseudonym.key", "elsewhere/pseudonym.key"])
def test_the_key_is_in_no_backup_wherever_it_lies(small: Settings, tmp_path: Path, place: str):
    moved = tmp_path / place
    moved.parent.mkdir(exist_ok=True)
    small.key_file.rename(moved)
    secret = moved.read_bytes().strip()
    backup = made(settings_of(tmp_path, KODOMO_KEY_FILE=str(moved)))
    found = content_of(backup.folder)
    assert len(found) > 4
    assert [name for name, content in found.items() if secret in content] == []


def test_a_restored_installation_is_backed_up_and_restored_as_the_first_was(small: Settings, tmp_path: Path):
    """Its run history lies in its data folder."""
    restore(made(small).folder, tmp_path / "second", small.key_file)
    second = settings_of(
        tmp_path, KODOMO_DATA_DIR=str(tmp_path / "second"), DAGSTER_HOME=str(tmp_path / "second/.dagster")
    )
    again = made(second, now=NOW + dt.timedelta(days=1))
    content = content_of(again.folder, "backup.json")
    # what ``forget`` names: copies that a person has to delete, after a restore as before it
    assert NAME in content.pop("data/backups.jsonl").decode()
    assert content == content_of(tmp_path / "disk" / NAME, "backup.json")


def test_a_copy_of_the_key_is_in_no_backup_either_and_is_told(small: Settings):
    secret = small.key_file.read_bytes()
    (small.data_dir / "鍵.bak").write_bytes(b"\n" + secret)
    os.link(small.key_file, small.outbox / "2025-04-01" / "鍵.txt")
    # those with which the city pools its sums
    of_pool = b'{"signing":"' + b"5e" * 32 + b'","pools":{}}'
    small.pool_key_file.write_bytes(of_pool)
    (small.data_dir / "鍵.json").write_bytes(of_pool)
    backup = made(small)
    held = content_of(backup.folder).values()
    assert [content for content in held if secret.strip() in content or of_pool in content] == []
    assert sorted(text.partition("：")[0] for text in backup.left_out) == [
        "data/outbox/2025-04-01/鍵.txt",
        "data/鍵.bak",
        "data/鍵.json",
    ]
    assert "鍵の写し" in backup.left_out[0]


def test_the_configuration_in_force_is_saved_wherever_it_lies(small: Settings, tmp_path: Path):
    own = tmp_path / "etc" / "our.yaml"
    own.parent.mkdir()
    own.write_text("ingest: {group: kodomo}\n", "utf-8")
    backup = made(settings_of(tmp_path, KODOMO_CONFIG=str(own)))
    assert (backup.folder / "data" / "city.yaml").read_text("utf-8") == "ingest: {group: kodomo}\n"
    restore(backup.folder, tmp_path / "new", small.key_file)
    assert load_catalogue(tmp_path / "new" / "city.yaml").ingest.group == "kodomo"


def test_a_place_outside_that_the_configuration_names_is_told(small: Settings, tmp_path: Path):
    (small.data_dir / "city.yaml").write_text("publish: {folder: ../analysts}\nregistry: {templates: own}\n", "utf-8")
    settings = settings_of(tmp_path)
    (told,) = [
        line
        for line in restore(made(settings).folder, tmp_path / "there" / "new", small.key_file)
        if "city.yaml" in line
    ]
    assert "publish.folder" in told
    assert "更新の前に別の場所に変えてください" in told


def test_a_link_is_not_followed_and_the_backup_is_told_as_not_whole(small, tmp_path, capsys, monkeypatch):
    secret = tmp_path / "secret.txt"
    secret.write_text("not ours", "utf-8")
    (small.inbox / "2025-04-01" / "link.csv").symlink_to(secret)
    for name, value in (("KODOMO_DATA_DIR", small.data_dir), ("KODOMO_KEY_FILE", small.key_file)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("DAGSTER_HOME", str(small.dagster_home))
    assert main(["backup", str(tmp_path / "disk")]) == 2
    told = capsys.readouterr()
    assert "data/inbox/2025-04-01/link.csv：リンクなので写していません" in told.err
    assert "バックアップを作りました" in told.out
    (folder,) = (tmp_path / "disk").iterdir()
    assert not any(b"not ours" in content for content in content_of(folder).values())
    assert main(["restore", str(folder), "--to", str(tmp_path / "new")]) == 0
    assert "作ったときに写せなかったもの：1 個" in capsys.readouterr().out


def test_an_inbox_that_is_a_link_to_a_share_is_saved(small: Settings, tmp_path: Path):
    small.inbox.rename(tmp_path / "share")
    small.inbox.symlink_to(tmp_path / "share")
    restore(made(small).folder, tmp_path / "new", small.key_file)
    delivered = tmp_path / "new" / "inbox" / "2025-04-01" / "出欠_青葉小学校.csv"
    assert delivered.read_text("utf-8") == "出欠_青葉小学校.csv"


def test_while_a_refresh_writes_there_is_no_backup(small: Settings):
    with held(small.database) as process, pytest.raises(StoreBusyError, match=str(process)):
        made(small)
    assert list((small.data_dir.parent / "disk").iterdir()) == []
    assert made(small).files == 5


def test_what_a_refresh_removes_meanwhile_is_no_fault(small: Settings, monkeypatch: pytest.MonkeyPatch):
    """Its temporary files, which are counted before it is waited for."""
    (small.data_dir / ".scratch" / "half.tmp").write_text("", "utf-8")
    real = Path.stat

    def seen_and_gone(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = real(path, follow_symlinks=follow_symlinks)
        if path.name == "half.tmp":
            path.unlink()
        return found

    monkeypatch.setattr(Path, "stat", seen_and_gone)
    assert made(small).files == 5


def test_a_reader_waits_for_nobody(small: Settings):
    with connect(small.database, read_only=True):
        script = (
            "import datetime as dt, sys; from pathlib import Path\n"
            "from kodomo_assets.__main__ import main\nsys.exit(main(['backup', sys.argv[1], '--wait', '0']))"
        )
        environment = {
            **os.environ,
            "KODOMO_DATA_DIR": str(small.data_dir),
            "KODOMO_KEY_FILE": str(small.key_file),
            "DAGSTER_HOME": str(small.dagster_home),
        }
        disk = str(small.data_dir.parent / "disk")
        done = subprocess.run([sys.executable, "-c", script, disk], env=environment, check=False, timeout=600)
        assert done.returncode == 0


def test_deliveries_that_are_taken_away_meanwhile_make_no_backup(small: Settings, monkeypatch: pytest.MonkeyPatch):
    delivered = small.inbox / "2025-04-01" / "出欠_青葉小学校.csv"
    copy = shutil.copy2

    def taken_away(source: Path, target: Path) -> None:
        copy(source, target)
        delivered.unlink(missing_ok=True)

    monkeypatch.setattr(shutil, "copy2", taken_away)
    with pytest.raises(BackupError, match="1 files were taken away"):
        made(small)
    assert list((small.data_dir.parent / "disk").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("file", [1, 3, 6])
def test_a_backup_that_was_killed_is_none_and_the_next_one_clears_it_away(small: Settings, tmp_path: Path, file: int):
    script = (
        "import os, signal, sys\n"
        "from kodomo_assets.__main__ import main\n"
        "real, left = os.fsync, [int(sys.argv[2])]\n"
        "def fsync(handle):\n"
        "    left[0] -= 1\n"
        "    os.kill(os.getpid(), signal.SIGKILL) if not left[0] else real(handle)\n"
        "os.fsync = fsync\n"
        "main(['backup', sys.argv[1]])"
    )
    environment = {
        **os.environ,
        "KODOMO_DATA_DIR": str(small.data_dir),
        "KODOMO_KEY_FILE": str(small.key_file),
        "DAGSTER_HOME": str(small.dagster_home),
    }
    disk = tmp_path / "disk"
    done = subprocess.run(
        [sys.executable, "-c", script, str(disk), str(file)], env=environment, check=False, timeout=600
    )
    assert done.returncode == -9
    (left,) = disk.iterdir()
    assert left.name.endswith(".unfinished")
    with pytest.raises(BackupError, match="stopped before its end"):
        restore(left, tmp_path / "new", small.key_file)
    assert not (tmp_path / "new").exists()
    assert made(small).folder.name == NAME
    assert [path.name for path in disk.iterdir()] == [NAME]
    with open_to_write(small, load_catalogue()):
        pass
    assert [path.name for path in (small.data_dir / ".scratch").iterdir()] == [".gate"]


def changed(folder: Path) -> None:
    path = folder / "data" / "inbox" / "2025-04-01" / "出欠_青葉小学校.csv"
    path.write_bytes(path.read_bytes() + b"\n")


def lost(folder: Path) -> None:
    (folder / "data" / "outbox" / "2025-04-01" / "状況.html").unlink()


def led_out(folder: Path) -> None:
    text = (folder / "backup.json").read_text("utf-8")
    (folder / "backup.json").write_text(text.replace('"data/city.yaml"', '"data/../../city.yaml"'), "utf-8")


def of_another_format(folder: Path) -> None:
    (folder / "backup.json").write_text('{"format": 2}', "utf-8")


def cut_off(folder: Path) -> None:
    (folder / "backup.json").write_bytes((folder / "backup.json").read_bytes()[:-100])


def nothing_of_ours(folder: Path) -> None:
    (folder / "backup.json").unlink()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (changed, "inbox/2025-04-01/出欠_青葉小学校.csv: is not what was saved"),
        (lost, "outbox/2025-04-01/状況.html: is not in the backup"),
        (led_out, r"data/\.\./\.\./city.yaml: no place that a backup's list can name"),
        (of_another_format, "this version of the program .* does not know"),
        (cut_off, "backup.json: cannot be read"),
        (nothing_of_ours, "is no backup"),
    ],
)
def test_what_is_not_as_it_was_saved_is_not_put_back(
    small: Settings, tmp_path: Path, damage: Callable[[Path], None], told: str
):
    backup = made(small).folder
    damage(backup)
    with pytest.raises(BackupError, match=told):
        restore(backup, tmp_path / "there" / "new", small.key_file)
    assert not (tmp_path / "there").exists() or list((tmp_path / "there").iterdir()) == []
    assert not (tmp_path / "city.yaml").exists()


def test_a_backup_of_a_newer_version_is_refused(small: Settings, tmp_path: Path):
    with connect(small.database) as con:
        con.execute("insert into store.migrations values (9999, 'of_tomorrow', now())")
    backup = made(small).folder
    assert manifest_of(backup)["steps"][-1] == "9999 of_tomorrow"
    with pytest.raises(StoreVersionError, match="9999 of_tomorrow"):
        restore(backup, tmp_path / "new", small.key_file)
    assert not (tmp_path / "new").exists()


def test_nothing_is_put_over_what_is_there(small: Settings, tmp_path: Path):
    backup = made(small).folder
    with pytest.raises(BackupError, match="holds something already"):
        restore(backup, small.data_dir, small.key_file)
    with pytest.raises(BackupError, match="lies in the backup"):
        restore(backup, backup / "new", small.key_file)
    (tmp_path / "empty").mkdir()
    restore(backup, tmp_path / "empty", small.key_file)
    assert (tmp_path / "empty" / "kodomo.duckdb").exists()


def test_a_disk_itself_is_no_place_to_restore_to(small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing can be put in the place of a mount point, and beside it is another disk."""
    (tmp_path / "disk2").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "disk2")
    with pytest.raises(BackupError, match=r"a disk is mounted there.* a folder on it \(.*disk2/data, say"):
        restore(made(small).folder, tmp_path / "disk2", small.key_file)
    assert list((tmp_path / "disk2").iterdir()) == []


def test_a_file_is_no_place_for_a_backup(small: Settings, tmp_path: Path):
    (tmp_path / "disk").write_text("", "utf-8")
    with pytest.raises(BackupError, match="is no folder"):
        made(small)


def test_a_history_around_the_data_is_refused(small: Settings, tmp_path: Path):
    for home in (tmp_path, tmp_path / "data"):
        with pytest.raises(BackupError, match="KODOMO_DATA_DIR lies in DAGSTER_HOME"):
            made(settings_of(tmp_path, DAGSTER_HOME=str(home)))


def test_of_a_damaged_database_no_backup_is_made_and_the_ones_before_stand(small: Settings):
    before = made(small)
    with connect(small.database) as con:
        con.execute("create table long as select i, hash(i) as h from range(200_000) as t (i)")
    content = bytearray(small.database.read_bytes())
    at = len(content) - 600_000
    content[at : at + 64] = bytes(64)
    small.database.write_bytes(content)
    with pytest.raises(BackupError, match=r"a part of it cannot be read .*the ones before stand"):
        made(small, now=NOW + dt.timedelta(days=1), keep=1)
    assert list((small.data_dir.parent / "disk").iterdir()) == [before.folder]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root, who may give files away")
def test_the_account_of_the_installation_alone_makes_backups_of_it(small: Settings, tmp_path: Path):
    os.chown(small.database, 4321, 4321)
    with pytest.raises(BackupError, match=r"as that account: sudo -u 4321"):
        made(small)
    os.chown(small.database, 0, 0)
    assert "root のものです" in restore(made(small).folder, tmp_path / "new", small.key_file)[-1]


def test_only_what_a_dead_process_of_this_computer_left_is_cleared_away(small: Settings, tmp_path: Path):
    host, of_day = socket.gethostname(), "kodomo-backup-20261101T030000"
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / "disk" / f"{of_day}.{host}-{int(ended.stdout)}.unfinished"
    others = {f"{of_day}.{host}-{os.getppid()}.unfinished", f"{of_day}.else-1.unfinished", "写真.unfinished"}
    for name in (left.name, *others):
        (tmp_path / "disk" / name).mkdir(parents=True)
    assert {path.name for path in made(small).folder.parent.iterdir()} == {NAME, *others}


@pytest.mark.parametrize("inside", ["data", "data/backup", "dagster/backup"])
def test_a_backup_beside_what_it_saves_is_refused(small: Settings, tmp_path: Path, inside: str):
    with pytest.raises(BackupError, match=r"lies in (KODOMO_DATA_DIR|DAGSTER_HOME)"):
        back_up(small, load_catalogue(), tmp_path / inside, now=NOW)


def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path):
    with pytest.raises(BackupError, match="there is nothing to back up"):
        made(settings_of(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_key_of_another_installation_is_told(small: Settings, tmp_path: Path):
    backup = made(small).folder
    other = tmp_path / "other.key"
    other.write_text("ab" * 32, "ascii")
    other.chmod(0o600)
    assert "このデータの鍵ではありません" in restore(backup, tmp_path / "one", other)[0]
    assert "鍵がないと更新できません" in restore(backup, tmp_path / "two", tmp_path / "none.key")[0]


def test_only_the_newest_of_this_installation_are_kept(small: Settings, tmp_path: Path):
    days = [NOW + dt.timedelta(days=n) for n in range(4)]
    first, second = (made(small, now=day).folder for day in days[:2])
    of_another = json.loads((first / "backup.json").read_text("utf-8")) | {"data_dir": "/srv/another"}
    (first / "backup.json").write_text(json.dumps(of_another), "utf-8")
    (tmp_path / "disk" / "kodomo-backup-notes").mkdir()
    third = made(small, now=days[2]).folder
    fourth = made(small, now=days[3], keep=2)
    assert fourth.dropped == (second,)
    kept = {path.name for path in (tmp_path / "disk").iterdir()}
    assert kept == {first.name, third.name, fourth.folder.name, "kodomo-backup-notes"}
    assert [(day, folder.name) for day, folder in made_backups(small)] == [
        (day, f"kodomo-backup-{day:%Y%m%dT%H%M%S}") for day in days
    ]


def test_the_newest_backup_stays_whatever_the_clock_says_and_the_last_whole_one(small: Settings):
    ahead, first = made(small, now=NOW + dt.timedelta(days=400)), made(small)
    (small.inbox / "link").symlink_to(small.database)
    second = made(small, now=NOW + dt.timedelta(days=1), keep=1)
    # it is not whole
    assert (second.dropped, len(second.left_out)) == ((first.folder,), 1)
    (small.inbox / "link").unlink()
    third = made(small, now=NOW + dt.timedelta(days=2), keep=1)
    assert third.dropped == (second.folder, ahead.folder)
    assert third.folder.is_dir()


def test_every_file_is_named_with_what_it_is(small: Settings):
    backup = made(small)
    found = content_of(backup.folder, "backup.json")
    listed = {entry["path"]: (entry["size"], entry["sha256"]) for entry in manifest_of(backup.folder)["files"]}
    assert listed == {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in found.items()}
    assert set(listed) == {
        "data/kodomo.duckdb",
        "data/city.yaml",
        "data/inbox/2025-04-01/出欠_青葉小学校.csv",
        "data/outbox/2025-04-01/状況.html",
        "dagster/runs.db",
    }
    with duckdb.connect(str(backup.folder / "data" / "kodomo.duckdb"), read_only=True) as con:
        assert con.execute("from of_the_test").fetchall() == [(1,)]
