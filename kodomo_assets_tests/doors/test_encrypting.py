"""An encrypted city is the plain one to whoever has the key, and nothing of anybody to whoever has its files only."""

from __future__ import annotations

import ast
import datetime as dt
import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.doors import doctor
from kodomo_assets.doors.service_files import Installation
from kodomo_assets.errors import ConfigurationError, ProgramError
from kodomo_assets.machine import cipher
from kodomo_assets.machine.scratch import SCRATCH
from kodomo_assets.refreshing.status import write_status
from kodomo_assets.settings import Settings
from kodomo_assets.store.backups import MADE
from kodomo_assets.store.connection import connect
from kodomo_assets.store.encryption import add_key, fingerprint, is_encrypted, keys_in, opened_under
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.publish import published
from kodomo_assets_tests.conftest import DATES, City, made_once
from kodomo_assets_tests.offline import ROOT

PLANTED = "園田ミツキノスケ"


@dataclass(frozen=True)
class EncryptedCity(City):
    @property
    def key_file(self) -> Path:
        return self.root / "stick" / "encryption.key"

    @property
    def settings(self) -> Settings:
        return super().settings.model_copy(update={"encryption_key_file": self.key_file})

    def name_paths(self, patch: pytest.MonkeyPatch, *, off: bool = False) -> None:
        """The variables as the shell has them; ``off``: none names the key."""
        settings = self.settings
        given = {"KODOMO_DATA_DIR": settings.data_dir, "KODOMO_KEY_FILE": settings.key_file}
        given |= {"DAGSTER_HOME": settings.dagster_home, "KODOMO_ENCRYPTION_KEY_FILE": "" if off else self.key_file}
        for name, value in given.items():
            patch.setenv(name, str(value))

    def kodomo(self, *words: str, patch: pytest.MonkeyPatch, off: bool = False) -> int:
        self.name_paths(patch, off=off)
        return main(list(words))


def tables_of(con: duckdb.DuckDBPyConnection) -> dict[str, tuple]:
    """Table -> its rows, by number and a sum of hashes, without what tells when and in which run they were made."""
    own = "database_name = current_database() and not internal"
    found = {}
    for schema, name in con.execute(f"select schema_name, table_name from duckdb_tables() where {own}").fetchall():
        columns = con.execute(
            f"select column_name from duckdb_columns() where {own} and schema_name = $1 and table_name = $2 "
            "and data_type not like 'TIMESTAMP%' and column_name not like '%run%'",
            [schema, name],
        ).fetchall()
        hashed = ", ".join(f'"{column}"' for (column,) in columns)
        found[f"{schema}.{name}"] = con.execute(f"select count(*), sum(hash({hashed})) from {schema}.{name}").fetchone()
    return found


@pytest.fixture(scope="module")
def encrypted_city(delivered_city: City, begun_city: City, shared: Path) -> EncryptedCity:
    """``begun_city`` as it is where encryption was on from the first refresh. Do not change it: copy it."""

    def make(root: Path) -> None:
        shutil.copytree(delivered_city.root, root)
        shutil.copytree(begun_city.settings.key_file.parent, root / "key")
        city = EncryptedCity(root)
        with pytest.MonkeyPatch.context() as patch:
            assert city.kodomo("encrypt", patch=patch) == 0
        assert city.key_file.stat().st_mode & 0o777 == 0o600
        assert city.refresh(DATES[0])

    return EncryptedCity(made_once(shared / "encrypted", make))


@pytest.fixture
def city(tmp_path: Path) -> EncryptedCity:
    """Of the test's own, with a table of its own: nothing was refreshed in it yet."""
    made = EncryptedCity(tmp_path)
    add_key(made.key_file)
    with open_to_write(made.settings, made.catalogue) as con:
        con.execute("create table of_the_test as select range as number, 'n' || range as name from range(5000)")
    return made


def test_a_city_refreshed_encrypted_is_the_plain_one_table_by_table(begun_city: City, encrypted_city: EncryptedCity):
    settings = encrypted_city.settings
    assert is_encrypted(settings.database)
    assert not is_encrypted(begun_city.settings.database)
    with (
        connect(begun_city.settings.database, read_only=True) as plain,
        connect(settings.database, settings.encryption_key_file, read_only=True) as con,
    ):
        expected = tables_of(plain)
        assert tables_of(con) == expected
        assert expected["linkage.children"][0] > 1000
        assert con.execute("select encrypted, cipher from duckdb_databases() where database_name = current_database()").fetchone() == (True, "GCM")  # fmt: skip
        # what a connection tells of itself does not tell the key, nor does what a refresh left
        (key,) = keys_in(encrypted_city.key_file)
        told = con.execute("select * from duckdb_databases()").fetchall(), con.execute("from duckdb_settings()").fetchall()  # fmt: skip
        assert key not in str(told)
        assert con.execute("select current_setting('temp_file_encryption')").fetchone() == (True,)
        with pytest.raises(duckdb.PermissionException):
            con.execute("from read_csv('http://127.0.0.1:1/x.csv')")
    holding = [path for path in encrypted_city.root.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
    assert holding == [encrypted_city.key_file]
    # what analysts read is plain, as documented
    with published(settings.analyst_database) as analysts:
        assert analysts.execute("select count(*) > 0 from catalogue.publication").fetchone() == (True,)


_KILLED = """
import os, sys
from pathlib import Path
from kodomo_assets.store.backups import MADE
from kodomo_assets.store.connection import connect
with connect(Path(sys.argv[1]), Path(sys.argv[2])) as con:
    con.execute("create table linkage.planted as select $1 as name", [sys.argv[3]])
    con.execute("checkpoint")
    con.execute("insert into linkage.planted values ($1)", [sys.argv[3]])
    con.execute("set memory_limit = '80MB'; set preserve_insertion_order = false")
    con.execute("create temp table spilt as select repeat($1, 20) || range as name from range(600000)", [sys.argv[3]])
    print("spilt", flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("on", [True, False])
def test_no_name_is_in_the_bytes_of_database_log_and_temporary_files(tmp_path: Path, on: bool):
    database, key_file = tmp_path / "data" / "kodomo.duckdb", tmp_path / "stick" / "encryption.key"
    add_key(key_file)
    with connect(database, key_file if on else None) as con:
        con.execute("create schema linkage")
    # the same without a key, or nothing would be proved
    script = _KILLED if on else _KILLED.replace(", Path(sys.argv[2])", "")
    words = [sys.executable, "-c", script, str(database), str(key_file), PLANTED]
    killed = subprocess.run(words, check=False, timeout=300, stdout=subprocess.PIPE)
    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout.endswith(b"spilt\n")  # a slow machine shows how far it is before
    written = {path.suffix: path.read_bytes() for path in database.parent.rglob("*") if path.is_file()}
    assert {".duckdb", ".wal", ".tmp"} <= written.keys()
    assert {kind for kind, content in written.items() if PLANTED.encode() in content} == (
        set() if on else {".duckdb", ".wal", ".tmp"}
    )
    with connect(database, key_file if on else None) as con:
        assert con.execute("from linkage.planted").fetchall() == [(PLANTED,)] * 2


def test_a_key_that_is_missing_wrong_or_open_to_others_is_told(city: EncryptedCity, monkeypatch, capsys):
    settings, key_file = city.settings, city.key_file
    (key,) = keys_in(key_file)
    before = settings.database.read_bytes()

    def refused(named: Path | None, told: str, *, read_only: bool = True) -> None:
        with pytest.raises(ConfigurationError, match=told) as error, connect(settings.database, named, read_only=read_only):  # fmt: skip
            pass
        assert key not in str(error.value)
        assert settings.database.read_bytes() == before

    refused(None, r"kodomo\.duckdb is encrypted, and KODOMO_ENCRYPTION_KEY_FILE is not set")
    refused(None, "is encrypted", read_only=False)
    refused(city.root / "none.key", "is missing, expected the encryption key")
    key_file.chmod(0o640)
    refused(key_file, "others may read the encryption key")
    key_file.chmod(0o600)
    for content, told in (("", "found an empty file"), ("secret\n", "found something else"), (key[:-1], "something else")):  # fmt: skip
        key_file.write_text(content)
        refused(key_file, told)
    key_file.write_text("0" * 64)
    refused(key_file, f"holds no key that opens it .fingerprints {fingerprint('0' * 64)}.", read_only=False)
    # the daemon's page and notice say it too, which are all that anybody looks at
    problem = write_status(settings, city.catalogue, DATES[0], dt.datetime.now(dt.UTC), [], None, notice=True)
    page, notice = (settings.outbox / DATES[0].isoformat() / name for name in ("状況.html", "要対応.txt"))
    said = f"kodomo.duckdb：KODOMO_ENCRYPTION_KEY_FILEの鍵（指紋 {fingerprint('0' * 64)}）では開けません"
    assert problem is None
    assert notice.read_text("utf-8-sig").splitlines()[1:3] == ["・データベースが読めないので、更新は止まっています", f"・{said}。何も変えていません。暗号化したときの鍵を戻してください（バックアップの鍵の指紋は、その backup.json にあります）"]  # fmt: skip
    assert said in page.read_text("utf-8")
    assert city.kodomo("doctor", patch=monkeypatch) == 2
    told = capsys.readouterr().out
    assert f"× 暗号化：{said}" in told
    assert "△ データベース：暗号化のため開けないので" in told
    key_file.write_text(f"{'0' * 64}\n{key}\n")
    assert city.kodomo("doctor", patch=monkeypatch) == 2
    assert "× 暗号化：前の鍵" in capsys.readouterr().out
    assert city.kodomo("encrypt", patch=monkeypatch) == 0
    with connect(settings.database, key_file, read_only=True):
        assert opened_under(settings.database) == fingerprint("0" * 64)
    settings.dagster_home.mkdir()
    services = Installation.of(settings, city.catalogue)
    assert services.environment["KODOMO_ENCRYPTION_KEY_FILE"] == str(key_file)
    with monkeypatch.context() as patch:
        patch.setattr(cipher, "_EXTENSION", "kodomo_none")
        with pytest.raises(ConfigurationError, match=r"not installed.*kodomo_assets\[encryption\]"), connect(settings.database, key_file):  # fmt: skip
            pass


def test_a_plain_database_is_never_taken_for_an_encrypted_one(tmp_path: Path):
    city = EncryptedCity(tmp_path)
    with pytest.raises(ConfigurationError, match="no database was made"), connect(city.settings.database, city.key_file):  # fmt: skip
        pass
    assert not city.settings.database.exists()
    add_key(city.key_file)
    with connect(city.settings.database):
        pass
    for read_only in (True, False):
        with pytest.raises(ConfigurationError, match=r"not encrypted.*`kodomo encrypt`"), connect(city.settings.database, city.key_file, read_only=read_only):  # fmt: skip
            pass


def test_on_to_a_new_key_and_off_again_nothing_is_lost(city: EncryptedCity, monkeypatch, capsys):
    settings = city.settings
    (first,) = keys_in(city.key_file)
    with connect(settings.database, city.key_file, read_only=True) as con:
        rows = tables_of(con)
    assert city.kodomo("encrypt", patch=monkeypatch) == 0
    assert "何も変えていません" in capsys.readouterr().out
    assert city.kodomo("backup", str(city.root / "disk"), patch=monkeypatch) == 0
    assert city.kodomo("encrypt", "--rotate", patch=monkeypatch) == 0
    told = capsys.readouterr().out
    second, kept = keys_in(city.key_file)
    assert kept == first
    assert (fingerprint(first) in told, fingerprint(second) in told) == (True, True)
    assert {first in told, second in told} == {False}
    # a rotation that was ended on its way left its key: the same command goes on with that one
    third = "c" * len(second)
    city.key_file.write_text(f"{third}\n{second}\n")
    assert city.kodomo("encrypt", "--rotate", patch=monkeypatch) == 0
    assert keys_in(city.key_file) == (third, second)
    assert fingerprint(third) in capsys.readouterr().out
    city.key_file.write_text(f"{second}\n{third}\n")
    assert city.kodomo("encrypt", patch=monkeypatch) == 0
    capsys.readouterr()
    city.key_file.write_text(f"{second}\n")
    with connect(settings.database, city.key_file, read_only=True) as con:
        assert tables_of(con) == rows
        assert opened_under(settings.database) == fingerprint(second)
    # a backup of before: it says which key it needs, and holds none
    (backup,) = (city.root / "disk").iterdir()
    assert json.loads((backup / "backup.json").read_text("utf-8"))["encrypted_under"] == fingerprint(first)
    assert not [path for path in backup.rglob("*") if path.is_file() and first.encode() in path.read_bytes()]
    capsys.readouterr()
    assert city.kodomo("restore", str(backup), "--to", str(city.root / "without"), patch=monkeypatch) == 0
    told = capsys.readouterr().out
    assert f"指紋 {fingerprint(first)} の鍵で暗号化されています。戻しましたが" in told
    assert f"の鍵：指紋 {fingerprint(second)}" in told
    city.key_file.write_text(f"{second}\n{first}\n")
    assert city.kodomo("restore", str(backup), "--to", str(city.root / "with"), patch=monkeypatch) == 0
    told = capsys.readouterr().out
    assert "前の鍵なので、更新の前に `kodomo encrypt`" in told
    assert "このデータの鍵です" in told
    with connect(city.root / "with" / "kodomo.duckdb", city.key_file, read_only=True) as con:
        assert tables_of(con) == rows
    assert city.kodomo("encrypt", "--off", patch=monkeypatch) == 0
    assert not is_encrypted(settings.database)
    with connect(settings.database, read_only=True) as con:
        assert tables_of(con) == rows
    assert city.kodomo("encrypt", "--off", patch=monkeypatch) == 0
    assert "暗号化されていません" in capsys.readouterr().out
    assert city.kodomo("encrypt", patch=monkeypatch, off=True) == 2
    assert "KODOMO_ENCRYPTION_KEY_FILE is not set" in capsys.readouterr().err
    assert not list(settings.data_dir.glob("*.wal"))


_KILLED_IN_ROTATION = """
import os, sys
from kodomo_assets.__main__ import main
from kodomo_assets.doors import encrypting
kill, step = lambda *_: os.kill(os.getpid(), 9), sys.argv[1]
if step == "old":
    encrypting.put_in_place = kill
else:
    swap = encrypting.put_in_place
    encrypting.put_in_place = lambda *given: (swap(*given), kill())
main(["encrypt", "--rotate"])
"""


@pytest.mark.parametrize("left", ["old", "new"])
def test_a_rotation_that_is_killed_leaves_the_old_file_or_the_new_one(city: EncryptedCity, monkeypatch, left: str):
    with connect(city.settings.database, city.key_file, read_only=True) as con:
        rows = tables_of(con)
    city.name_paths(monkeypatch)
    killed = subprocess.run([sys.executable, "-c", _KILLED_IN_ROTATION, left], check=False, timeout=300, stdout=subprocess.DEVNULL)  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    new, old = keys_in(city.key_file)
    with connect(city.settings.database, city.key_file) as con:
        assert tables_of(con) == rows
    assert opened_under(city.settings.database) == fingerprint(new if left == "new" else old)
    assert city.kodomo("encrypt", patch=monkeypatch) == 0
    with connect(city.settings.database, city.key_file, read_only=True):
        assert opened_under(city.settings.database) == fingerprint(new)


_KILLED_IN_OFF = """
import os
from kodomo_assets.__main__ import main
from kodomo_assets.doors import encrypting
encrypting.put_in_place = lambda *_: os.kill(os.getpid(), 9)
main(["encrypt", "--off"])
"""


def test_what_killed_commands_left_is_told_until_it_is_removed(city: EncryptedCity, monkeypatch):
    """Of an ``encrypt --off`` it is everybody in clear text."""
    settings, now = city.settings, dt.datetime.now(dt.UTC)

    def told() -> list[doctor.Finding]:
        return [one for one in doctor.examine(settings, 1, now) if one.what == "途中で止まったコマンド"]

    city.name_paths(monkeypatch)
    with connect(settings.database, city.key_file) as con:
        con.execute("insert into of_the_test values (0, $1)", [PLANTED])
    assert [one.mark for one in told()] == [doctor.WELL]
    killed = subprocess.run([sys.executable, "-c", _KILLED_IN_OFF], check=False, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    scratch = settings.data_dir / SCRATCH
    assert [path for path in scratch.rglob("kodomo.duckdb*") if PLANTED.encode() in path.read_bytes()]
    left = settings.outbox / "2025-04-01" / ".x.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    unfinished = city.root / "disk" / f"kodomo-backup-20250401T000000.{socket.gethostname()}-{2**22 + 1}.unfinished"
    unfinished.mkdir(parents=True)
    noted = {"made": now.isoformat(), "folder": str(unfinished.parent / "x")}
    (settings.data_dir / MADE).write_text(json.dumps(noted))
    in_scratch, in_outbox, of_backup = told()
    assert (in_scratch.mark, in_outbox.mark, of_backup.mark) == (doctor.WRONG, doctor.WRONG, doctor.NOTE)
    assert in_scratch.found.startswith(f"{scratch} に、途中で止められた")
    assert "`kodomo encrypt --off`" in in_scratch.remedy
    assert in_outbox.found.startswith(str(left.parent))
    assert "終わらなかったバックアップが 1 個" in of_backup.found
    assert city.kodomo("encrypt", patch=monkeypatch) == 0
    assert [one.mark for one in told()] == [doctor.NOTE]
    assert not list(scratch.rglob("kodomo.duckdb*"))
    assert not left.exists()


def test_what_is_asked_of_an_open_database_gives_up_no_lock(city: EncryptedCity):
    """To close a file gives up every lock that the process has on it: two would write, and one lose it all."""
    other = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    database = city.settings.database
    with connect(database, city.key_file):
        assert opened_under(database) == fingerprint(keys_in(city.key_file)[0])
        # nor is it opened once more, which looks into it first
        with pytest.raises(ProgramError, match="already"), connect(database, city.key_file, read_only=True):
            pass
        refused = subprocess.run([sys.executable, "-c", other, str(database)], capture_output=True, text=True)
    assert "BlockingIOError" in refused.stderr


def test_the_encryption_takes_no_key_file_and_no_folder_of_another(city: EncryptedCity, monkeypatch, capsys):
    shared = city.root / "etc"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "hosts").write_text("x")
    add_key(shared / "kodomo.key")
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    pseudonyms = city.settings.key_file
    secret = pseudonyms.read_bytes()
    city.name_paths(monkeypatch)
    monkeypatch.setenv("KODOMO_ENCRYPTION_KEY_FILE", str(pseudonyms))
    assert main(["encrypt", "--rotate"]) == 2
    assert "is the file of the pseudonym key too" in capsys.readouterr().err
    assert pseudonyms.read_bytes() == secret


def test_whoever_opens_kodomo_duckdb_says_where_its_key_is():
    """A call without would work until a city encrypts."""
    calls = []
    for path in (ROOT / "kodomo_assets").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "connect":
                calls.append((path.name, node.lineno, len(node.args)))
    assert len(calls) > 10
    assert [call for call in calls if call[2] != 2] == []
