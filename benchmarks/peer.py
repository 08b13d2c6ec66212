"""The list as an analyst would make it with the method in hand: one plain pandas and statsmodels program.

    python -m benchmarks.peer --data-dir FOLDER --date 2025-04-01 --work FOLDER

It shares no code with kodomo_assets and was written from the method's text, so its agreement with the product is
evidence; and its seconds are what the product's checks, history and graph are held against (benchmarks/speed.py).

In it: reading the files in force, residents and households, the spine, all items, the label, least squares with errors
clustered by household, scores and ranks; on a date without a fit the coefficients that the last one left in ``--work``.

Not in it: whose name is whose (the rows of linkage.links are read; 宛名番号 is matched here), which items stay and
which levels share a column (read off weights.coefficients: the search is the product's), and all that is around the
list: quarantine, checks, publication, workbooks. A row sent twice counts once, and what cannot be read is a blank cell,
while the product asks what it might have said; the demo's few broken rows are about nobody, so that nothing differs.

With ``--compare`` it ends with how far the two are apart: cells of the matrix that differ (expected 0), and the largest
difference of any coefficient, standard error and score (expected under 1e-8), and ranks that differ (expected 0).
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import hmac
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import statsmodels.api as sm
import yaml

NO, BLANK, NONE = "no_record", "blank", "not_applicable"
MISSING = (NONE, BLANK, NO)
FACILITY = 15
ERAS = {"令和": 2018, "R": 2018, "5": 2018, "平成": 1988, "H": 1988, "4": 1988, "昭和": 1925, "S": 1925, "3": 1925}
ERA_DATE = re.compile(r"(令和|平成|昭和|[RHS])(元|\d+)[年.](\d+)[月.](\d+)日?")

# the first table of each item that has its own column for children without a record (method §5)
SCHOOL_TABLES = {
    "attendance": ("absence_days", "late_or_early_leave", "nurse_office_visits"),
    "school_health_checks": ("untreated_teeth", "overweight", "underweight", "low_vision"),
    "school_lunch_fees": ("lunch_fee_arrears",),
    "grades": ("low_grades",),
    "ssw_records": ("ssw_family", "ssw_bullying"),
    "education_counselling": ("counselling_truancy",),
    "infant_checkups": ("missed_checkups",),
    "epds": ("maternal_epds",),
    "pregnancy_notifications": ("young_mother", "late_notification"),
    "school_survey": (
        "worry_study",
        "worry_friends",
        "worry_family",
        "bullied",
        "skips_breakfast",
        "short_sleep",
        "dislikes_school",
        "low_self_esteem",
        "family_care_duties",
        "no_one_to_talk_to",
        "screen_time",
    ),
}
UPPER_ONLY = (*SCHOOL_TABLES["school_survey"], "low_grades")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="holds inbox/, city.yaml and kodomo.duckdb")
    parser.add_argument("--key-file", type=Path, required=True, help="the key of the pseudonyms")
    parser.add_argument("--date", type=dt.date.fromisoformat, required=True)
    parser.add_argument("--work", type=Path, required=True, help="keeps the coefficients from fit to fit")
    parser.add_argument("--compare", action="store_true", help="hold the result against the product's")
    given = parser.parse_args()
    with duckdb.connect(str(given.data_dir / "kodomo.duckdb"), read_only=True) as product:
        city = City(given.data_dir, given.key_file, given.date, product)
        matrix = Features(city).matrix()
        children = city.spine.join(matrix)
        children["event"] = city.events()
        file = given.work / "coefficients.csv"
        plan = _plan(product, given.date)
        if plan is not None:
            fit(children, plan).to_csv(file, index=False, float_format="%.17g")
        coefficients = pd.read_csv(file, dtype={"level": str}, keep_default_na=False, na_values={"std_error": [""]})
        ranking = rank(children, coefficients, given.date, city.screened())
        ranking.to_csv(given.work / f"ranking-{given.date}.csv", float_format="%.17g")
        if given.compare:
            return compare(product, given.date, children, coefficients, ranking, fitted=plan is not None)
    return 0


class City:
    """The files in force at a reference date, and who lives and goes to school there."""

    def __init__(self, data_dir: Path, key_file: Path, day: dt.date, product: duckdb.DuckDBPyConnection) -> None:
        self.day = pd.Timestamp(day)
        self._data_dir = data_dir
        self._folders = sorted((f for f in (data_dir / "inbox").iterdir() if f.name <= day.isoformat()), reverse=True)
        self._links = product.execute(
            "select table_name, person_ref, child_key from linkage.links where reference_date = $1", [day]
        ).df()
        self.residents = self._residents()
        self.spine = self._spine(bytes.fromhex(key_file.read_text().strip()))
        self._resident_of = pd.Series(self.spine.index, index=self.spine["child_key"])

    def read(self, table: str, ids: Mapping[str, int] = {}, dates: Sequence[str] = ()) -> pd.DataFrame:
        """All files of a table's latest delivery; blank cells are missing."""
        files: list[Path] = []
        for folder in self._folders:
            files = sorted(f for f in folder.iterdir() if re.fullmatch(rf"{table}(_.*)?\.(csv|xlsx)", f.name))
            if files:
                break
        frame = pd.concat([_read_file(file) for file in files], ignore_index=True).drop_duplicates()
        for name, width in ids.items():
            digits = frame[name].map(_nfkc, na_action="ignore")
            frame[name] = digits.str.zfill(width)
        for name in dates:
            frame[name] = _dates(frame[name])
        return frame

    def _residents(self) -> pd.DataFrame:
        people = self.read(
            "住民記録", {"宛名番号": 10, "世帯番号": 10}, ("生年月日", "住民となった日", "消除日")
        ).set_index("宛名番号")
        here = (people["住民となった日"].isna() | (people["住民となった日"] <= self.day)) & (
            people["消除日"].isna() | (people["消除日"] > self.day)
        )
        people = people[here].copy()
        members = people.groupby("世帯番号")["世帯番号"].transform("size")
        people["facility"] = members > FACILITY
        people["household"] = people["世帯番号"].where(~people["facility"], "facility:" + people.index.to_series())
        # a year of life is complete the day before the birthday
        eve = people["生年月日"] - pd.Timedelta(days=1)
        before = (eve.dt.month * 100 + eve.dt.day) > (self.day.month * 100 + self.day.day)
        people["age"] = self.day.year - eve.dt.year - before
        fiscal = eve.dt.year - (eve.dt.month < 4)
        people["legal_year"] = self.fiscal_year - fiscal - 6
        return people

    def _spine(self, key: bytes) -> pd.DataFrame:
        register = self.read("学齢簿", {"宛名番号": 10, "学校コード": 6}).set_index("宛名番号")
        spine = register[["学校コード", "学年"]].join(
            self.residents[["household", "facility", "続柄", "性別", "国籍", "legal_year"]], how="inner"
        )
        spine["year"] = _numbers(spine["学年"]).fillna(spine["legal_year"].clip(1, 9)).astype(int)
        spine["band"] = np.where(spine["year"] <= 3, "lower", "upper")
        spine["child_key"] = [hmac.new(key, r.encode(), hashlib.sha256).hexdigest()[:32] for r in spine.index]
        return spine

    @property
    def fiscal_year(self) -> int:
        return int(self.day.year - (self.day.month < 4))

    def linked(self, table: str) -> pd.Series:
        """person_ref -> 宛名番号 of the child."""
        rows = self._links[self._links["table_name"] == table]
        return rows.set_index("person_ref")["child_key"].map(self._resident_of).dropna()

    def events(self) -> pd.Series:
        """Whether a child has a consultation record by the reference date: by 宛名番号, else by its name."""
        rows = self.read("児童相談記録", {"児童宛名番号": 10}, ("受付日",))
        child = rows["児童宛名番号"].where(rows["児童宛名番号"].isin(self.spine.index))
        by_name = rows["相談番号"].map(self.linked("child_consultations"))
        child = child.where(rows["児童宛名番号"].notna(), by_name)
        return self.spine.index.to_series().isin(child[rows["受付日"] <= self.day])

    def screened(self) -> list[str] | None:
        file = self._data_dir / "city.yaml"
        own = yaml.safe_load(file.read_text("utf-8")) if file.exists() else {}
        schools = (own.get("schools") or {}).get("screened", "all")
        return None if schools == "all" else [str(code) for code in schools]


def _read_file(file: Path) -> pd.DataFrame:
    if file.suffix == ".xlsx":
        return pd.read_excel(file, dtype=str, engine="calamine")
    content = file.read_bytes()
    try:
        content.decode("utf-8")
        encoding = "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "cp932"
    separator = "\t" if b"\t" in content.split(b"\n", 1)[0] else ","
    return pd.read_csv(file, dtype=str, encoding=encoding, sep=separator, keep_default_na=False, na_values=[""])


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _dates(texts: pd.Series) -> pd.Series:
    """Dates in any of the offices' hands; each distinct text is read once."""
    return pd.to_datetime(texts.map({text: _date(text) for text in texts.dropna().unique()}))


def _numbers(texts: pd.Series) -> pd.Series:
    return pd.to_numeric(texts, errors="coerce")


def _months(texts: pd.Series) -> pd.Series:
    return pd.to_datetime(texts + "-01", format="%Y-%m-%d", errors="coerce")


def _date(text: str) -> dt.date | None:
    try:
        return _read_date(text)
    except ValueError:
        return None


def _read_date(text: str) -> dt.date:
    if era := ERA_DATE.fullmatch(text):
        count = 1 if era[2] == "元" else int(era[2])
        return dt.date(ERAS[era[1]] + count, int(era[3]), int(era[4]))
    if re.fullmatch(r"\d{7}", text):
        return dt.date(ERAS[text[0]] + int(text[1:3]), int(text[3:5]), int(text[5:]))
    if re.fullmatch(r"\d{8}", text):
        return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    year, month, day = re.split(r"[-/]", text[:10])
    return dt.date(int(year), int(month), int(day))


class Features:
    """One level per child and item (items.yaml)."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._day, self._spine = city.day, city.spine
        self._found: dict[str, pd.Series] = {}
        people = city.residents.reset_index(names="person")[["person", "household", "続柄", "age"]]
        children = self._spine["household"].rename_axis("child").reset_index()
        self._members = children.merge(people, on="household")
        self._pupils = city.linked("school_roster")

    def matrix(self) -> pd.DataFrame:
        self._household()
        self._benefits()
        self._health()
        self._school()
        self._records()
        matrix = pd.DataFrame(self._found).reindex(self._spine.index)
        lower = self._spine["band"] == "lower"
        matrix.loc[lower, list(UPPER_ONLY)] = NONE
        return matrix

    def _put(self, item: str, levels: pd.Series, rest: str) -> None:
        # of two rows that contradict one another the first counts
        self._found[item] = levels[~levels.index.duplicated()].reindex(self._spine.index).fillna(rest)

    def _put_numbers(
        self, item: str, numbers: pd.Series, steps: Mapping[str, float], rest: str, *, under: bool = False
    ) -> None:
        """``steps``: level -> threshold, mildest first; a missing number is a blank."""
        levels = pd.Series(NONE, index=numbers.index, dtype=object)
        for level, threshold in steps.items():
            levels[(numbers < threshold) if under else (numbers >= threshold)] = level
        levels[numbers.isna()] = BLANK
        self._put(item, levels, rest)

    def _put_codes(self, item: str, child: pd.Series, codes: pd.Series, own: Mapping[str, str], rest: str) -> None:
        """The strongest own level of a child's rows; blank cells are skipped (``own`` in order, mildest first)."""
        order = {NONE: 0} | {level: at for at, level in enumerate(dict.fromkeys(own.values()), start=1)}
        strength = codes.map(own).map(order).where(codes.map(own).notna(), np.where(codes.notna(), 0, np.nan))
        best = strength.groupby(child).max()
        names = {at: level for level, at in order.items()}
        self._put(item, best.map(names).fillna(BLANK), rest)

    def _active(self, rows: pd.DataFrame, start: str, end: str) -> pd.Series:
        return (rows[start].isna() | (rows[start] <= self._day)) & (rows[end].isna() | (rows[end] > self._day))

    def _until_now(self, rows: pd.DataFrame, day: str) -> pd.DataFrame:
        return rows[rows[day].isna() | (rows[day] <= self._day)]

    def _holds(self, item: str, children: Iterable[str], level: str = "applicable") -> None:
        self._put(item, pd.Series(level, index=pd.Index(children).unique()), NONE)

    def _household(self) -> None:
        members, spine = self._members, self._spine
        under_age = (members["age"] < 18).groupby(members["child"]).sum()
        self._put_numbers("many_children", under_age, {"3": 3, "4+": 4}, NONE)
        moves = self._city.read("異動履歴", {"宛名番号": 10}, ("異動日",))
        moves = moves[moves["異動事由"].isin(["転入", "転居"])]
        moves = moves[(moves["異動日"] >= self._day - pd.DateOffset(years=3)) & (moves["異動日"] < self._day)]
        self._put_numbers("residential_moves", moves.groupby("宛名番号").size(), {"1": 1, "2+": 2}, NONE)
        old = members["続柄"].isin(["祖父", "祖母", "妻の父", "妻の母", "夫の父", "夫の母"])
        child_is_child = members["child"].map(spine["続柄"]) == "子"
        parents = members["続柄"].isin(["父", "母"]) & child_is_child
        self._holds("three_generations", [*members["child"][old | parents], *spine.index[spine["続柄"] == "子の子"]])
        self._put("sex", spine["性別"].map({"女": "female", "男": NONE}), BLANK)
        foreign = spine["国籍"].notna() & (spine["国籍"] != "日本")
        self._holds("nationality", spine.index[foreign], "foreign")

    def _benefits(self) -> None:
        city, members = self._city, self._members
        allowance = city.read("児童扶養手当", {"児童宛名番号": 10}, ("認定日", "資格喪失日"))
        allowance = allowance[self._active(allowance, "認定日", "資格喪失日")]
        paid = {"全部停止": "stopped", "一部支給": "partial", "全部支給": "full"}
        self._put_codes("child_rearing_allowance", allowance["児童宛名番号"], allowance["支給区分"], paid, NONE)

        subsidy = city.read("医療費助成", {"宛名番号": 10}, ("資格開始日", "資格終了日"))
        subsidy = subsidy[self._active(subsidy, "資格開始日", "資格終了日")]
        spouse = members["child"][members["続柄"].isin(["妻", "夫", "妻（未届）", "夫（未届）"])]
        spine = self._spine
        alone = (spine["続柄"] == "子") & ~spine["facility"] & ~spine.index.isin(spouse)
        single = spine.index.isin(subsidy["宛名番号"][subsidy["助成区分"] == "ひとり親"]) | alone
        single &= ~spine.index.isin(allowance["児童宛名番号"])
        self._holds("single_parent", spine.index[single], "without_allowance")
        visits = _numbers(subsidy["受診件数"]).groupby(subsidy["宛名番号"]).sum(min_count=1)
        self._put_numbers("no_medical_visits", visits, {"applicable": 1}, BLANK, under=True)

        aid = self._until_now(city.read("就学援助", {"児童宛名番号": 10}, ("認定日",)), "認定日")
        year = _numbers(aid["年度"])
        rows = year[year <= city.fiscal_year].value_counts()
        latest = max(y for y, n in rows.items() if 2 * n >= rows.get(y - 1, 0))
        aid = aid[year == latest]
        needy = {"準要保護": "semi_needy", "要保護": "needy"}
        self._put_codes("school_expense_aid", aid["児童宛名番号"], aid["認定区分"], needy, NONE)

        welfare = city.read("生活保護", {"宛名番号": 10}, ("開始日", "廃止日"))
        welfare = welfare[self._active(welfare, "開始日", "廃止日")]
        self._holds("public_assistance", members["child"][members["person"].isin(welfare["宛名番号"])])
        insured = city.read("国民健康保険", {"宛名番号": 10}, ("取得日", "喪失日"))
        insured = members.merge(
            insured[self._active(insured, "取得日", "喪失日")], left_on="person", right_on="宛名番号"
        )
        arrears = _numbers(insured["滞納期数"]).groupby(insured["child"]).max()
        self._put_numbers("nhi_arrears", arrears, {"1-3": 1, "4+": 4}, NONE)

        nursery = self._until_now(city.read("保育所入所", {"宛名番号": 10}, ("入所日",)), "入所日")
        self._holds("nursery_attended", nursery["宛名番号"])
        fees = _numbers(nursery["保育料滞納月数"]).groupby(nursery["宛名番号"]).sum(min_count=1)
        self._put_numbers("nursery_fee_arrears", fees, {"applicable": 1}, NONE)

    def _health(self) -> None:
        city, members = self._city, self._members
        others = members[members["child"] != members["person"]]
        certificate = city.read("障害者手帳", {"宛名番号": 10}, ("交付日", "返還日"))
        holders = certificate["宛名番号"][self._active(certificate, "交付日", "返還日")]
        self._holds("child_disability", holders)
        self._holds("household_disability", others["child"][others["person"].isin(holders)])
        services = city.read("障害児通所支援", {"宛名番号": 10}, ("支給開始日", "支給終了日"))
        self._holds("child_services", services["宛名番号"][self._active(services, "支給開始日", "支給終了日")])
        care = city.read("要介護認定", {"宛名番号": 10}, ("認定開始日", "認定終了日"))
        care = others.merge(care[self._active(care, "認定開始日", "認定終了日")], left_on="person", right_on="宛名番号")
        light = ["要支援1", "要支援2", "要介護1", "要介護2"]
        heavy = ["要介護3", "要介護4", "要介護5"]
        levels = dict.fromkeys(light, "light") | dict.fromkeys(heavy, "heavy")
        self._put_codes("household_care", care["child"], care["要介護度"], levels, NONE)

        birth = self._until_now(city.read("妊娠届", {"児宛名番号": 10}, ("届出日",)), "届出日").set_index("児宛名番号")
        age, weeks = _numbers(birth["届出時年齢"]), _numbers(birth["届出週数"])
        self._put_numbers("young_mother", age, {"applicable": 20}, NO, under=True)
        self._put_numbers("late_notification", weeks, {"applicable": 20}, NO)
        checkups = city.read("乳幼児健診", {"宛名番号": 10}, ("受診日",))
        due = _months(checkups["対象年月"]) < self._day
        missed = due & (checkups["受診日"].isna() | (checkups["受診日"] > self._day))
        self._put_numbers("missed_checkups", missed.groupby(checkups["宛名番号"]).sum(), {"1": 1, "2+": 2}, NO)
        epds = self._until_now(city.read("EPDS", {"児宛名番号": 10}, ("実施日",)), "実施日")
        total, tenth = _numbers(epds["合計点"]), _numbers(epds["設問10"])
        result = ((total >= 9) | (tenth >= 1)).map({True: "yes", False: "no"}).where(total.notna() | tenth.notna())
        self._put_codes("maternal_epds", epds["児宛名番号"], result, {"yes": "applicable"}, NO)

    def _of_pupils(self, table: str, dates: Sequence[str] = ()) -> pd.DataFrame:
        rows = self._city.read(table, {"学籍番号": 8}, dates)
        rows["child"] = rows["学籍番号"].map(self._pupils)
        return rows[rows["child"].notna()]

    def _school(self) -> None:
        months = self._of_pupils("出欠")
        first = _months(months["年月"])
        months = months[(first >= self._day - pd.DateOffset(years=1)) & (first < self._day)]

        def total(name: str) -> pd.Series:
            return _numbers(months[name]).groupby(months["child"]).sum(min_count=1)

        self._put_numbers("absence_days", total("欠席日数"), {"10-19": 10, "20-29": 20, "30+": 30}, NO)
        late = total("遅刻回数").add(total("早退回数"), fill_value=0)
        self._put_numbers("late_or_early_leave", late, {"10-19": 10, "20+": 20}, NO)
        self._put_numbers("nurse_office_visits", total("保健室利用回数"), {"10+": 10}, NO)

        checks = self._until_now(self._of_pupils("学校健診", ("実施日",)), "実施日")
        # last() skips blank cells
        latest = (
            checks.sort_values(["実施日", "学籍番号"]).groupby("child")[["未処置歯数", "肥満度", "視力区分"]].last()
        )
        teeth, obesity = _numbers(latest["未処置歯数"]), _numbers(latest["肥満度"])
        self._put_numbers("untreated_teeth", teeth, {"1-2": 1, "3+": 3}, NO)
        self._put_numbers("overweight", obesity, {"applicable": 20}, NO)
        self._put_numbers("underweight", -obesity, {"applicable": 20}, NO)
        sight = dict.fromkeys(["C", "D"], "applicable")
        self._put_codes("low_vision", latest.index.to_series(), latest["視力区分"], sight, NO)

        fees = self._of_pupils("給食費")
        fees = fees.assign(**{name: _numbers(fees[name].map(_nfkc)) for name in ("年度", "滞納月数")})
        fees = fees[fees["年度"] <= self._city.fiscal_year]
        fees = fees[fees["年度"] == fees.groupby("child")["年度"].transform("max")]
        self._put_numbers("lunch_fee_arrears", fees.groupby("child")["滞納月数"].max(), {"applicable": 1}, NO)
        grades = self._of_pupils("成績")
        grades = grades.assign(**{name: _numbers(grades[name]) for name in ("年度", "学期", "評定")})
        grades["term"] = grades["年度"] * 10 + grades["学期"]
        grades = grades[grades["年度"] <= self._city.fiscal_year]
        grades = grades[grades["term"] == grades.groupby("child")["term"].transform("max")]
        mean = grades.groupby("child")["評定"].mean()
        self._put_numbers("low_grades", mean, {"below_2_5": 2.5, "below_1_8": 1.8}, NO, under=True)
        self._survey()

    def _survey(self) -> None:
        rows = self._until_now(self._of_pupils("生活アンケート", ("実施日",)), "実施日")
        rows = rows.sort_values(["実施日", "学籍番号"]).drop_duplicates("child", keep="last").set_index("child")
        child = rows.index.to_series()
        worries = {"worry_study": "悩み_勉強", "worry_friends": "悩み_友人", "worry_family": "悩み_家族"}
        for item, column in (worries | {"bullied": "いじめ被害"}).items():
            self._put_codes(item, child, rows[column], dict.fromkeys("○◯〇1", "applicable"), NO)
        little = {"あまり": "somewhat", "まったく": "strongly"}
        for item, column, codes in (
            ("skips_breakfast", "朝食", {"時々食べない": "sometimes", "ほとんど食べない": "mostly"}),
            ("dislikes_school", "学校は楽しい", little),
            ("low_self_esteem", "自分には良いところがある", little),
            ("family_care_duties", "家族の世話", {"週に数回": "weekly", "ほぼ毎日": "daily"}),
            ("no_one_to_talk_to", "相談できる人", {"いない": "applicable"}),
        ):
            self._put_codes(item, child, rows[column], codes, NO)
        sleep, screen = _numbers(rows["睡眠時間"]), _numbers(rows["スクリーンタイム"])
        self._put_numbers("short_sleep", sleep, {"<7": 7, "<6": 6}, NO, under=True)
        self._put_numbers("screen_time", screen, {"4-6": 4, "6+": 6}, NO)

    def _records(self) -> None:
        ssw = self._until_now(self._city.read("SSW相談記録", {}, ("相談日",)), "相談日")
        child = ssw["記録番号"].map(self._city.linked("ssw_records"))
        family = dict.fromkeys(["家庭環境", "貧困", "虐待"], "applicable")
        self._put_codes("ssw_family", child, ssw["相談種別"], family, NO)
        self._put_codes("ssw_bullying", child, ssw["相談種別"], {"いじめ": "applicable"}, NO)
        advice = self._until_now(self._city.read("教育相談", {}, ("相談日",)), "相談日")
        child = advice["受付番号"].map(self._city.linked("education_counselling"))
        kind = advice["相談種別"].fillna(advice["適応指導教室"])
        kind = kind.where(~advice["適応指導教室"].isin(["有", "○", "1"]), "不登校")
        self._put_codes("counselling_truancy", child, kind, {"不登校": "applicable"}, NO)


def _plan(product: duckdb.DuckDBPyConnection, day: dt.date) -> pd.DataFrame | None:
    """Which items and levels the product's fit of this date kept; rows that share weight and error share a column."""
    rows = product.execute(
        "select c.band, c.item, c.level, c.weight, c.std_error from weights.coefficients as c "
        "join weights.in_force as f using (version) where f.reference_date = $1 and c.reference_date = $1",
        [day],
    ).df()
    return None if rows.empty else rows


def fit(children: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Both bands: columns band, item, level, weight, std_error, mean_weight."""
    return pd.concat(
        [_fit_band(children[children["band"] == band], rows) for band, rows in plan.groupby("band")], ignore_index=True
    )


def _fit_band(children: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    estimated = plan[plan["std_error"].notna()]
    columns = {
        tuple(zip(rows["item"], rows["level"], strict=True)): _indicator(children, item, list(rows["level"]), plan)
        for (item, _, _), rows in estimated.groupby(["item", "weight", "std_error"], sort=False)
    }
    design = np.column_stack(list(columns.values())).astype(float)
    model = sm.OLS(children["event"].to_numpy(dtype=float), design)
    groups = pd.factorize(children["household"])[0]
    result = model.fit(cov_type="cluster", cov_kwds={"groups": groups})
    found = {
        place: (weight, error)
        for group, weight, error in zip(columns, result.params, result.bse, strict=True)
        for place in group
    }
    weights = plan[["band", "item", "level"]].copy()
    places = list(zip(weights["item"], weights["level"], strict=True))
    weights["weight"] = [found.get(place, (0.0, np.nan))[0] for place in places]
    weights["std_error"] = [found.get(place, (0.0, np.nan))[1] for place in places]
    weights.loc[weights["item"] == "(base)", "weight"] = children["event"].mean()
    held = [_indicator(children, item, [level], plan).mean() for item, level in places]
    weights["mean_weight"] = (weights["weight"] * held).groupby(weights["item"]).transform("sum")
    return weights


def _indicator(children: pd.DataFrame, item: str, levels: list[str], plan: pd.DataFrame) -> np.ndarray:
    if item.startswith("table:"):
        missing = _without_record(children, item, set(plan["item"]))
        return missing if levels == [NO] else ~missing
    if item == "(school_year)":
        return np.asarray(children["year"].astype(str).isin(levels))
    if item.startswith("("):
        return np.ones(len(children), dtype=bool)
    return np.asarray(children[item].isin(levels))


def _without_record(children: pd.DataFrame, table: str, kept: set[str]) -> np.ndarray:
    items = [item for item in SCHOOL_TABLES[table.removeprefix("table:")] if item in kept]
    missing: np.ndarray = (children[items] == NO).any(axis=1).to_numpy()
    return missing


def rank(children: pd.DataFrame, coefficients: pd.DataFrame, day: dt.date, screened: list[str] | None) -> pd.DataFrame:
    """Score, place within the school year and selection of the children of the screened schools."""
    listed = children if screened is None else children[children["学校コード"].isin(screened)]
    bands = [
        _score(listed[listed["band"] == band], rows[~rows["item"].isin(["(intercept)", "(school_year)"])])
        for band, rows in coefficients.groupby("band")
    ]
    scores = pd.concat(bands).join(children[["child_key", "year"]])
    scores["lot"] = [hashlib.sha256(f"{day}|{key}".encode()).hexdigest() for key in scores["child_key"]]
    scores["compared"] = -scores["score"].round(9)
    scores["fewer"] = -scores["own_levels"]
    scores = scores.sort_values(["year", "compared", "fewer", "lot"])
    scores["rank"] = scores.groupby("year").cumcount() + 1
    scores["selected"] = scores["rank"] <= scores.groupby("year")["rank"].transform("size") * 10 // 100
    return scores.set_index("child_key")[["score", "own_levels", "rank", "selected"]]


def _score(children: pd.DataFrame, coefficients: pd.DataFrame) -> pd.DataFrame:
    score = pd.Series(0.0, index=children.index)
    own = pd.Series(0, index=children.index)
    kept = set(coefficients["item"])
    for item, rows in coefficients.groupby("item"):
        mean, weights = rows["mean_weight"].iloc[0], rows.set_index("level")["weight"]
        if item == "(base)":
            score += weights.iloc[0]
        elif item.startswith("table:"):
            score += np.where(_without_record(children, item, kept), weights[NO], 0.0) - mean
        else:
            score += children[item].map(weights).fillna(0.0) - mean
            own += ~children[item].isin(MISSING)
    return pd.DataFrame({"score": score, "own_levels": own})


def compare(
    product: duckdb.DuckDBPyConnection,
    day: dt.date,
    children: pd.DataFrame,
    coefficients: pd.DataFrame,
    ranking: pd.DataFrame,
    *,
    fitted: bool,
) -> int:
    """Prints how far the two results are apart; 1 where it is more than the method leaves open."""
    matrix = product.execute("select * exclude (reference_date) from features.matrix where reference_date = $1", [day])
    theirs = matrix.df().set_index("child_key").sort_index()
    ours = children.set_index("child_key").sort_index()[list(theirs.columns)]
    same_children = ours.index.equals(theirs.index)
    cells = (ours.to_numpy(dtype=str) != theirs.to_numpy(dtype=str)) if same_children else np.ones(ours.shape, bool)
    found = {"cells": int(cells.sum()), "coefficients": 0.0, "errors": 0.0}
    for item, differing in zip(theirs.columns, cells.sum(axis=0), strict=True):
        if differing:
            print(f"{day}  {item}: {differing} cells differ")
    if fitted:
        both = coefficients.merge(_plan(product, day), on=["band", "item", "level"], suffixes=("", "_theirs"))
        found["coefficients"] = float((both["weight"] - both["weight_theirs"]).abs().max())
        found["errors"] = float((both["std_error"] - both["std_error_theirs"]).abs().max())
    listed = product.execute(
        "select child_key, score, rank, selected from screening.ranking where reference_date = $1", [day]
    )
    theirs_listed = listed.df().set_index("child_key").add_suffix("_theirs")
    lists = ranking.join(theirs_listed, how="outer")
    found["scores"] = float((lists["score"] - lists["score_theirs"]).abs().max(skipna=False))
    found["ranks"] = int((lists["rank"] != lists["rank_theirs"]).sum())
    found["selected"] = int((lists["selected"] != lists["selected_theirs"]).sum())
    print(
        f"{day}  of {cells.size:,} cells and {len(lists):,} children differ: "
        + ", ".join(
            f"{name} {value:.1e}" if isinstance(value, float) else f"{name} {value}" for name, value in found.items()
        )
    )
    return int(any(value > 1e-8 for value in found.values()))


if __name__ == "__main__":
    sys.exit(main())
