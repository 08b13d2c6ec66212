"""What the synthetic city's offices write: files of the contract, told apart only by their programs' habits."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pandas as pd
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.city import make_city, write_city
from kodomo_assets.demo.risk import observed
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.stages.papers.entries import check_settled

RESIDENTS = 6_000


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small city. Do not change it."""
    root = tmp_path_factory.mktemp("demo") / "data"
    write_city(root, RESIDENTS)
    return root


def digests(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read(root: Path, ja: str) -> pd.DataFrame:
    """All files of one table of the last date, as text; independent of the project's own reader."""
    parts = []
    for path in sorted((root / "inbox" / p.LAST.isoformat()).glob(f"{ja}*")):
        if path.suffix == ".xlsx":
            parts.append(pd.read_excel(path, engine="openpyxl", dtype=str, keep_default_na=False))
            continue
        raw = path.read_bytes()
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("cp932")
        lines = text.splitlines()
        mark = "\t" if "\t" in lines[0] else ","
        parts.append(pd.DataFrame([line.split(mark) for line in lines[1:]], columns=lines[0].split(mark)))
    return pd.concat(parts, ignore_index=True)


def test_every_table_has_all_its_columns(data_dir):
    for table in load_catalogue().tables.values():
        headers = set(read(data_dir, table.ja).rename(columns={"氏名ｶﾅ": "氏名カナ"}))
        assert headers >= {column.ja for column in table.columns.values()}, table.ja


def test_offices_write_in_many_ways(data_dir):
    """Encodings, kinds of file, half-width kana, full-width digits, lost zeros, and the forms of a date."""
    folder = data_dir / "inbox" / p.LAST.isoformat()
    assert {path.suffix for path in folder.iterdir()} == {".csv", ".xlsx", ".txt"}
    assert (folder / "住民記録.csv").read_bytes().decode("cp932").startswith("宛名番号,")
    assert (folder / "異動履歴.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert "\t" in (folder / "国民健康保険.csv").read_bytes().decode("cp932")
    assert read(data_dir, "教育相談")["児童氏名カナ"].str.contains("[ｱ-ﾝ]").any()
    assert read(data_dir, "給食費")["年度"].str.contains("２０２４").any()
    assert read(data_dir, "生活保護")["宛名番号"].str.len().min() < 10
    assert read(data_dir, "児童扶養手当")["認定日"].str.fullmatch(r"50[2-5]\d{4}").any()
    assert read(data_dir, "要介護認定")["認定開始日"].str.startswith("R5.").any()
    assert read(data_dir, "障害者手帳")["交付日"].str.contains("令和").any()


def test_the_files_tell_the_true_levels(data_dir):
    """A handful of items worked out from the files alone, against what the consultations were drawn from."""
    city = make_city(RESIDENTS, p.SEED)
    known = observed(city.levels, city.blanks, city.pupils, city.has, p.LAST)
    known.index = pd.Index(city.pupils["resident_id"])
    there = city.pupils_at(p.LAST)
    true = known.loc[there["resident_id"]].reset_index(drop=True)

    months = read(data_dir, "出欠")
    months = months[months["欠席日数"].str.fullmatch(r"\d+")].drop_duplicates(["学籍番号", "年月"])
    days = months["欠席日数"].astype(int).groupby(months["学籍番号"].str.zfill(8)).sum()
    total = sum(there[number].map(days).fillna(0) for number in ("elementary_number", "junior_number"))
    level = pd.cut(total, [-1, 9, 19, 29, 400], labels=False)
    settled = ~there["newcomer"].to_numpy()
    assert (level.to_numpy() == true["absence_days"])[settled].all()

    tests = read(data_dir, "EPDS")
    high = (pd.to_numeric(tests["合計点"], "coerce") >= 9) | (pd.to_numeric(tests["設問10"], "coerce") >= 1)
    level = there["resident_id"].isin(tests.loc[high, "児宛名番号"])
    assert (level.to_numpy() == (true["maternal_epds"] > 0)).all()

    rows = read(data_dir, "児童扶養手当").drop_duplicates("児童宛名番号").set_index("児童宛名番号")
    level = there["resident_id"].map(rows["支給区分"].map({"全部停止": 1, "一部支給": 2, "全部支給": 3})).fillna(0)
    assert (level.to_numpy() == true["child_rearing_allowance"]).all()


def test_the_truth_names_the_child_behind_every_number(data_dir):
    links = pd.read_csv(data_dir / "demo_truth" / "links.csv", dtype=str)
    assert not links.duplicated(["table_name", "person_ref"]).any()
    people = read(data_dir, "住民記録").drop_duplicates("宛名番号").set_index("宛名番号")
    roster = read(data_dir, "校務支援学籍")
    of_roster = links[links["table_name"] == "school_roster"].set_index("person_ref")
    owner, kind = (roster["学籍番号"].map(of_roster[column]) for column in ("resident_id", "kind"))
    assert kind.notna().mean() > 0.99
    assert (owner.isna() == (kind == "stranger"))[kind.notna()].all()
    born = owner.dropna().map(people["生年月日"])
    written = pd.to_datetime(roster.loc[born.index, "生年月日"]).dt.strftime("%Y%m%d")
    assert ((born == written) == (kind[born.index] != "date")).all()
    cases = pd.read_csv(data_dir / "demo_truth" / "cases.csv", dtype=str)
    assert cases[["case", "plain"]].to_numpy().tolist() == [
        ["1", "no"],
        ["2", "no"],
    ]  # too few families for their twins
    assert cases["resident_id"].isin(people.index).all()


def test_it_writes_over_itself_and_over_nothing_else(tmp_path):
    """~8 s: four cities are written, each with all its workbooks."""
    root = tmp_path / "data"
    write_city(root, 6_000, 1)
    assert [folder.stat().st_mode & 0o777 for folder in (root, root / "inbox")] == [0o700, 0o700]
    write_city(root, 2_000, 1)
    write_city(tmp_path / "fresh", 2_000, 1)
    assert digests(root) == digests(tmp_path / "fresh")
    foreign = root / "inbox" / "2025-04-01" / "異動履歴_本番.csv"
    foreign.write_text("宛名番号\n", "utf-8")
    before = digests(root)
    with pytest.raises(ConfigurationError, match="異動履歴_本番"):
        write_city(root, 2_000, 1)
    assert digests(root) == before
    foreign.unlink()
    changed = root / "inbox" / "2025-04-01" / "学齢簿.csv"
    changed.write_bytes(changed.read_bytes() + b"\n")
    with pytest.raises(ConfigurationError, match="学齢簿"):
        write_city(root, 2_000, 1)


@pytest.mark.parametrize("name", ["city.yaml", "inbox/2025-04-01/住民記録.csv", "kodomo.duckdb"])
def test_it_refuses_a_citys_own_folder(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ConfigurationError, match=Path(name).name):
        write_city(tmp_path, 2_000)
    assert list(digests(tmp_path)) == [name]


def test_the_demo_city_settled_with_every_office_but_one(data_dir):
    catalogue = load_catalogue(data_dir / "city.yaml")
    outcome = check_settled(catalogue, dt.date(2025, 4, 1))
    # one table of one office: five entries
    assert outcome.facts.items() >= {"empty": 5, "tables": 1}.items()
    assert "介護保険課 要介護認定" in outcome.message
