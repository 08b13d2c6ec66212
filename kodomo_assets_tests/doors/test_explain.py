"""``explain CHILD DATE``: one child by any of its numbers, in Japanese; what it refuses; what it never says; the log of who
asked."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.doors import explaining
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import connect
from kodomo_assets.store.opening import open_to_write
from kodomo_assets_tests.template import save
from kodomo_assets_tests.town import MADE_BY, SECRET, Town, key, number_of

ROOT = Path(__file__).parents[2]
DAY = "2025-04-01"
LEVELS = {"single_parent": "without_allowance", "absence_days": "30+", "school_expense_aid": "needy"}
CONTRIBUTIONS = {
    "(base)": ("(base)", 0.05),
    "single_parent": ("without_allowance", 0.12),
    "absence_days": ("30+", -0.0204),
}


class Centre:
    """A data folder that holds what a town stores, and its command."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings.from_environment(
            {"KODOMO_DATA_DIR": str(root / "data"), "KODOMO_KEY_FILE": str(root / "key" / "k")}
        )

    def hold(self, town: Town) -> None:
        """Makes the folder: what ``town`` stores, under its key."""
        self.settings.key_file.parent.mkdir(mode=0o700)
        self.settings.key_file.write_text(SECRET.hex())
        self.settings.key_file.chmod(0o600)
        with open_to_write(self.settings, town.catalogue) as con:
            con.execute(f"attach '{save(town.con)}' as town (read_only)")
            for table in town.catalogue.outputs.values():
                if table.stored and table.db_schema != "store":
                    con.execute(f"insert into {table.qualified} by name from town.{table.qualified}")

    def everything(self) -> dict[str, bytes]:
        folder = self.settings.data_dir
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill(town: Town) -> None:
    town.configure("meeting: {sample_below_cut: 0}")
    town.insert("weights.versions", version="2025-04-01.1", band="upper", reference_date=town.day, fingerprint="f", label="ever", created_at=town.clock, origin="own", in_force_from=town.day, reason="")  # fmt: skip
    for number in (1, 2, 3):
        town.child(number, selected=number == 1, score=0.1496, protected=number == 2, levels=LEVELS, contributions=CONTRIBUTIONS)  # fmt: skip
        town.in_class(number, f"子 {number}", "1")
        town.insert("sources.deliveries", reference_date=town.day, table_name="attendance", file=f"出欠_{number}校.csv", sha256="abc"[number - 1] * 64, received_at=town.day, superseded=False, status="accepted", rows_in=0, rows_accepted=0, rows_quarantined=0, absent_columns=[], surplus_columns=[])  # fmt: skip
        town.insert("sources.attendance", reference_date=town.day, pupil_id=f"{number:08d}", month=town.day, absence_days=9, source_file=f"出欠_{number}校.csv", source_row=2, invalid_cells=[], unknown_cells=[])  # fmt: skip
    town.child(4, selected=None)
    town.insert("screening.stability", reference_date=town.day, child_key=key(1), selected_share=0.9, standing="sure")
    town.list()
    town.explain()


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    """A centre's folder, to be copied: making it takes longer than a test."""
    root = tmp_path_factory.mktemp("centre")
    town = Town(tmp_path_factory.mktemp("town"))
    fill(town)
    Centre(root).hold(town)
    return root


@pytest.fixture
def centre(filled, tmp_path, monkeypatch) -> Centre:
    made = Centre(shutil.copytree(filled, tmp_path / "centre"))
    monkeypatch.setenv("KODOMO_DATA_DIR", str(made.settings.data_dir))
    monkeypatch.setenv("KODOMO_KEY_FILE", str(made.settings.key_file))
    return made


ROLE, REASON = "こども未来センター職員", "面談の準備"
ASKER = ["--role", ROLE, "--reason", REASON]


def explain(child: str, day: str = DAY) -> int:
    return main(["explain", child, day, *ASKER])


def accesses(settings: Settings) -> list[tuple]:
    with connect(settings.database, read_only=True) as con:
        return con.execute(
            "select command, dry_run, role, reason, resident_id, request from rights.accesses"
        ).fetchall()


def test_place_points_and_every_factor_with_its_delivery(centre, capsys):
    assert explain(key(1)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "基準日 2025-04-01   小4   南小学校",
        "順位 1 / 3   得点 149.6点   抽出（確実）",
        "重み 2025-04-01.1（この市で推定した重み）",
        "参考情報であり、判定ではありません。得点は確率ではありません",
        "取扱注意：関係者以外に渡さないでください",
        "",
        "得点の内訳（点、強い順）",
        "   +50.0  基準率（だれにも同じ）",
        "  +120.0  上げる  ひとり親（児童扶養手当なし）：手当なし   "
        "[住民記録（ほかに医療費助成、児童扶養手当）  2025-04-01の納品  resident_register2025-04-01.csv]",
        "   -20.4  下げる  欠席日数：30日以上   [出欠  2025-04-01の納品  出欠_1校.csv]",
        "",
        "得点を変えないもの（該当、欠損）",
        "    +0.0  変えない  就学援助：要保護   [就学援助  納品なし]",
        "",
        "もとのファイルのSHA-256（当時のもの）",
        f"  出欠_1校.csv   {'a' * 64}",
        "",
        f"作成 {MADE_BY}",
    ]


@pytest.mark.parametrize(
    "number",
    [
        key(1),
        key(1).upper(),
        "0000000001",
        "1",
        "００００００００１",
        number_of(1),
        number_of(1).replace("-", ""),
        number_of(1).lower(),
        " " + "".join(chr(ord(sign) + 0xFEE0) for sign in number_of(1)) + "\n",
    ],
)
def test_any_of_its_numbers_leads_to_the_child(centre, capsys, number):
    assert explain(number) == 0
    out = capsys.readouterr().out
    assert out.startswith("基準日 2025-04-01   小4   南小学校\n順位 1 / 3")
    # and the answer does not say whose it is
    assert not any(told in out for told in (key(1), "0000000001", number_of(1)))


def test_the_number_may_be_typed_where_no_history_of_the_shell_keeps_it(centre, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{number_of(1)}\n"))
    assert explain("-") == 0
    assert "順位 1 / 3" in capsys.readouterr().out


def test_a_protected_child_is_told_of_without_school_and_file(centre, capsys):
    assert explain(key(2)) == 0
    out = capsys.readouterr().out
    assert out.startswith("基準日 2025-04-01   小4   支援措置\n順位 2 / 3   得点 149.6点   抽出されていない\n")
    assert "校" not in out.replace("学校", "")
    assert "南小学校" not in out
    assert "[出欠  2025-04-01の納品  ファイルは示さない（支援措置）]" in out


@pytest.mark.parametrize(
    ("child", "day", "told"),
    [
        ("0000000099", DAY, "CHILD: nobody of the children of 2025-04-01 has it, expected a 児童キー"),
        ("", DAY, "CHILD: nobody of the children of 2025-04-01 has it"),
        ("0000000004", DAY, "this child is not ranked at 2025-04-01: its school is not among schools.screened"),
        ("0000000001", "2024-04-01", "2024-04-01: kodomo.duckdb holds no list of this reference date"),
        ("0000000001", "2025-04-02", "reference date: found '2025-04-02', expected"),
        ("0000000001", "today", "reference date: found 'today', expected"),
    ],
)
def test_what_cannot_be_told_is_a_sentence_without_the_number(centre, capsys, child, day, told):
    assert explain(child, day) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {told}")
    # in English, in Japanese, and who mends it
    assert err.count("\n") == 3
    assert err.splitlines()[-1].startswith("→ ")
    assert not child or child not in err


def test_a_number_of_two_children_is_of_neither(centre, capsys):
    """A 配布番号 of digits only that is another child's 宛名番号."""
    with connect(centre.settings.database) as con:
        con.execute(
            "update linkage.children set resident_id = $1 where child_key = $2",
            [number_of(1).replace("-", "").zfill(10), key(2)],
        )
    assert explain(number_of(1)) == 2
    assert "the 宛名番号 of one child and the 配布番号 of another" in capsys.readouterr().err


def test_a_list_of_before_factors_were_kept(centre, capsys):
    with connect(centre.settings.database) as con:
        con.execute("delete from explanation.factors")
    assert explain(key(1)) == 2
    assert "`python -m kodomo_assets after-meeting 2025-04-01` makes them" in capsys.readouterr().err


def test_a_database_of_an_earlier_version_is_refused_in_one_sentence(centre, capsys):
    """As it lay before there were factors: every numbered step done, the tables of now not made."""
    with connect(centre.settings.database) as con:
        con.execute("drop table explanation.factors; drop table features.follow_ups")
    assert explain(key(1)) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: kodomo.duckdb is of an earlier version of this program: table ")
    assert "Refresh any date first (or make its `after-meeting`), which brings it to this version\n" in err
    assert "先に、どれかの基準日を更新してください" in err
    assert err.count("\n") == 3


@pytest.mark.parametrize("day", [DAY, "2024-04-01"])
def test_another_key_is_refused_before_anything_is_read(centre, capsys, day):
    """Also by a child_key, which needs no key to be found, and of a date without a list."""
    path = centre.settings.key_file
    path.write_text("ab" * 32)
    for child in (key(1), "0000000001", number_of(1)):
        assert explain(child, day) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"error: {path}: is not the pseudonym key that kodomo.duckdb was made with: nothing was")


def test_a_reader_that_went_away_is_no_error(centre):
    """As `explain | head` meets it."""
    gone, pipe = os.pipe()
    os.close(gone)
    command = [sys.executable, "-m", "kodomo_assets", "explain", key(1), DAY, *ASKER]
    with os.fdopen(pipe, "w") as out:
        ended = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_every_look_is_logged_and_nothing_of_what_was_seen(centre, capsys):
    for child in (number_of(1), "0000000004"):
        explain(child)
    command = f"explain {DAY}"
    assert accesses(centre.settings) == [
        (command, False, ROLE, REASON, "0000000001", None),
        # that it is not ranked is told, and so it is a look
        (command, False, ROLE, REASON, "0000000004", None),
    ]
    out, err = capsys.readouterr()
    assert "0000000004" not in out + err


def test_who_finds_nobody_changes_nothing(centre, capsys):
    before = centre.everything()
    assert explain("0000000099") == 2
    assert centre.everything() == before


def test_what_cannot_be_logged_is_not_told(centre, capsys, monkeypatch):
    """Another process begins to write between the reading and the log."""
    held = [sys.executable, "-c", "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"]  # fmt: skip
    read, holders = explaining.read_factors, []

    def then_held(*given):
        factors = read(*given)
        given[0].close()
        holder = subprocess.Popen([*held, str(centre.settings.database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
        assert holder.stdout.readline() == "held\n"
        holders.append(holder)
        return factors

    monkeypatch.setattr(explaining, "read_factors", then_held)
    try:
        assert explain(key(1)) == 2
    finally:
        for holder in holders:
            holder.communicate("")
    out, err = capsys.readouterr()
    assert out == ""
    assert f"is held by process {holders[0].pid}" in err
    assert accesses(centre.settings) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "--role: nothing was given, expected one of こども未来センター長・"),
        (["--role", " ", "--reason", REASON], "--role: nothing was given"),
        (["--role", "こども未来センタ職員", "--reason", REASON], "did you mean 'こども未来センター職員'?"),
        (["--role", ROLE], "--reason: nothing was given"),
        (["--role", ROLE, "--reason", "\u3000 "], "--reason: nothing was given"),
    ],
)
def test_who_does_not_say_who_and_why_is_refused(centre, capsys, given, told):
    before = centre.everything()
    assert main(["explain", key(1), DAY, *given]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert "センタ職員" not in err.replace("did you mean 'こども未来センター職員'?", "")
    assert centre.everything() == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a file away")
def test_another_account_than_the_databases_own_is_refused(centre, capsys):
    """Root may read what is another's; as the centre it is refused all the same."""
    os.chown(centre.settings.database, 65534, -1)
    assert explain(key(1)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "kodomo.duckdb: belongs to another account, expected the centre's own" in err


def test_while_the_meeting_is_blind_the_centre_is_told_so(tmp_path, town, monkeypatch, capsys):
    town.child(1, selected=True, levels=LEVELS, contributions=CONTRIBUTIONS)
    town.child(2, levels=LEVELS, contributions=CONTRIBUTIONS)
    town.list()
    town.explain()
    centre = Centre(tmp_path)
    centre.hold(town)
    monkeypatch.setenv("KODOMO_DATA_DIR", str(centre.settings.data_dir))
    monkeypatch.setenv("KODOMO_KEY_FILE", str(centre.settings.key_file))
    assert explain(key(2)) == 0
    assert "判定する人に見せないでください" in capsys.readouterr().out
