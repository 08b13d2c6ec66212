"""``weights try``: what a proposal would change is what it does change once it stands in city.yaml; nothing is kept."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.doors.comparison import aic
from kodomo_assets.settings import Settings
from kodomo_assets.stages.screening.scoring import build_screening
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.evidence import OfChildren
from kodomo_assets.stages.weights.fit import fit_band
from kodomo_assets.stages.weights.selection import Selection
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.tables import replace
from kodomo_assets_tests.weights.test_fit import band_of
from kodomo_assets_tests.weights.test_versions import YEARLY, FittedCity

OWN = "weights: {min_events_per_level: 0}\n"
LOWER, UPPER = band_of(900, seed=3), band_of(900, seed=4)
EXCLUDED = """
weights:
  min_events_per_level: 0
  decisions:
    - {item: child_disability, action: exclude, band: lower, role: 社会福祉士, reason: 様式が変わった}
"""


class Office(FittedCity):
    """A city whose database lies in a file, with its list of the yearly date, and the command line."""

    def __init__(self, root: Path, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys, self._key = root, capsys, ""
        # where it stays what tests begin with: the fits take longer than most tests
        self._kept = kept
        self.settings = Settings.from_environment()
        self._overlay = self.settings.data_dir / "city.yaml"
        self._overlay.parent.mkdir()

    def configure(self, text: str) -> None:
        self._overlay.write_text(text, "utf-8")
        self.catalogue = load_catalogue(self._overlay)

    def made(self, text: str, lower: Children = LOWER) -> None:
        """With the settings ``text``: the matrix, the weights and the list of the yearly date."""
        self.configure(text)
        kept = self._kept / hashlib.sha256(repr((text, lower.event.tobytes())).encode()).hexdigest()
        if not kept.exists():
            self._make(lower)
            shutil.copytree(self.settings.database.parent, kept / "data")
            shutil.copy2(self.settings.key_file, kept / "key")
        else:
            shutil.copytree(kept / "data", self.settings.database.parent, dirs_exist_ok=True)
            shutil.copy2(kept / "key", self.settings.key_file)

    def _make(self, lower: Children) -> None:
        with open_to_write(self.settings, self.catalogue) as self.con:
            self.build(YEARLY, lower=lower, upper=UPPER)
            items = ", ".join(item.id for item in self.catalogue.matrix_items)
            self.con.execute(
                "insert into features.levels by name select reference_date, child_key, item, level "
                f"from (unpivot features.matrix on {items} into name item value level)"
            )
            self.rank()

    def rank(self) -> None:
        self.refresh(YEARLY)
        create_delivered_views(self.con, self.catalogue, YEARLY)
        build_screening(self.con, self.catalogue, YEARLY)
        ranking = self.catalogue.output("screening.ranking")
        replace(self.con, [(ranking, "new_ranking")], {"reference_date": YEARLY})

    def selected(self) -> set[tuple[int, str]]:
        return set(self._read("select cohort, child_key from screening.ranking where selected"))

    def _read(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.settings.database), read_only=True) as con:
            return con.execute(query).fetchall()

    def propose(self, text: str, *options: str) -> tuple[int, str]:
        file = self.root / "提案.yaml"
        file.write_text(text, "utf-8")
        before = self.settings.database.read_bytes()
        code = main(["weights", "try", str(file), *options])
        out, error = self.capsys.readouterr()
        assert self.settings.database.read_bytes() == before
        return code, out + error


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def office(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Office:
    monkeypatch.setenv("KODOMO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("KODOMO_KEY_FILE", str(tmp_path / "key"))
    return Office(tmp_path, kept, capsys)


def numbers(line: str) -> list[str]:
    return re.sub(r"\([\d,]+\)", "", line).split()


def test_what_is_told_is_what_happens(office):
    """Numbers of both lists, points of both versions: as the refresh makes them once the proposal is the setting."""
    office.made(OWN)
    before = office.selected()
    code, told = office.propose(EXCLUDED)
    assert code == 0
    assert "何も変えていない nothing was changed" in told
    assert "child_disability  本人の障害者手帳" in told
    office.configure(EXCLUDED)
    with open_to_write(office.settings, office.catalogue) as office.con:
        office.rank()
    after = office.selected()
    assert before != after
    lines = told.splitlines()
    for year in range(1, 7):
        both, enter, leave = (len([c for c, _ in of if c == year]) for of in (before & after, after - before, before - after))  # fmt: skip
        (line,) = [line for line in lines if numbers(line)[-1:] == [str(year)] and numbers(line)[0].isdigit()]
        of_year = len([c for c, _ in before if c == year])
        assert numbers(line)[1:6] == [str(n) for n in (of_year, of_year, both, enter, leave)]
    # the key of nobody stands in it
    assert not any(key in told for _, key in before | after)
    rows = office._read(
        "select version, round(weight * 1000, 1) from weights.coefficients "
        "where band = 'lower' and item = 'public_assistance' and level = 'applicable' order by version"
    )
    first = next(line for line in lines if "public_assistance (applicable)" in line)
    assert numbers(first)[:2] == [f"{points:.1f}" for _, points in rows]
    gone = next(line for line in lines if "child_disability (applicable)" in line)
    assert numbers(gone)[1] == "-"
    (cost,) = office._read("select statistic from weights.selection_log where reason = 'person'")
    decided = next(line for line in lines if " drop " in line)
    assert numbers(decided)[0] == f"{cost[0]:.1f}"


def test_events_per_column_aic_and_what_serves(office):
    """A proposal by which the number of own levels serves in one band; the AIC is that of the search."""
    office.made(OWN)
    serves = "weights: {serves: {upper: {origin: count, decided_by: 課長, reason: 試行}}, decisions: []}"
    code, told = office.propose(serves, "--validate")
    assert code == 0
    lower, upper, _ = re.split(r"\n\n", told.split("\n\n", 1)[1])
    facts = {line.split("   ")[-1].split("（")[0]: numbers(line)[:2] for line in upper.splitlines() if "   " in line}
    assert facts["用いる重み serves"] == ["own", "count"]
    assert facts["列 columns"][1] == "1"
    assert facts["相談記録のある児童 events"] == [str(UPPER.event.sum())] * 2
    fit = fit_band(office.catalogue, "upper", upper_of(), {})
    evidence = OfChildren(upper_of(), office.catalogue.weights)
    expected = evidence.moments.aic_of(Selection(office.catalogue, "upper", evidence, {}).chosen())
    card = fit.card
    assert aic(card["children"], card["events"], card["columns"] + 3, card["r_squared"]) == pytest.approx(expected)
    assert facts["項目ごとの重みのAIC of the own fit"] == [f"{expected:,.1f}"] * 2
    assert "交差検証 out of fold" in lower
    # nothing changes below
    assert all(numbers(line)[0] == numbers(line)[1] for line in lower.splitlines() if "(applicable)" in line)


def upper_of() -> Children:
    return Children(UPPER.levels, UPPER.event, UPPER.household, UPPER.school_year + 3)


def test_decisions_where_the_count_serves_are_told_to_change_no_list(office):
    office.made("weights: {min_events_per_level: 1000}")
    code, told = office.propose(EXCLUDED.replace("min_events_per_level: 0", "min_events_per_level: 1000"))
    assert code == 0
    assert "the count serves: they change no list" in told
    assert [numbers(line)[4:6] for line in told.splitlines() if "全体 all" in line] == [["0", "0"]]


def test_what_a_fixed_list_leaves_out_is_no_decision_of_an_item(office):
    office.made(OWN)
    fixed = "weights: {min_events_per_level: 0, fixed_items: {lower: [public_assistance]}}"
    code, told = office.propose(fixed)
    assert code == 0
    assert "人が決めたこと" not in told
    assert "child_disability (applicable)" in told


def test_what_is_kept_and_has_no_weight_all_the_same_is_told_with_the_reason(office):
    """Of who has child_disability five have a record, fewer than of the others: all of it joins 非該当."""
    held = LOWER.levels["child_disability"].to_numpy() == "applicable"
    event = LOWER.event & (~held | (np.cumsum(LOWER.event & held) <= 5))
    assert event[held].sum() == 5
    assert event[held].mean() < event[~held].mean()
    office.made(OWN, lower=Children(LOWER.levels, event, LOWER.household, LOWER.school_year))
    kept = OWN.replace("}", ", decisions: [{item: child_disability, action: keep, role: 社会福祉士, reason: 試行}]}")
    code, told = office.propose(kept)
    assert code == 0
    lower, upper, _ = re.split(r"\n\n", told.split("\n\n", 1)[1])
    said = "child_disability 本人の障害者手帳 に重みはつかない（sign）"
    assert said in lower
    assert "without a weight all the same (sign)" in lower
    assert said not in upper


def test_a_proposal_that_changes_nothing_is_told_as_that(office):
    office.made(OWN)
    code, told = office.propose("weights: {}")
    assert code == 0
    assert "提案は現行と同じ" in told


def test_what_city_yaml_changed_without_a_refresh_is_not_the_proposals(office):
    """The share is doubled after the list was made: both sides are lists of the doubled share."""
    office.made(OWN)
    code, told = office.propose(EXCLUDED)
    assert code == 0
    assert "注意 " not in told
    stored = len(office.selected())
    office.configure(OWN + "screening: {share_percent: 20}\n")
    code, told = office.propose(EXCLUDED)
    assert code == 0
    (line,) = [line for line in told.splitlines() if "全体 all" in line]
    doubled = sum(n * 20 // 100 for (n,) in office._read("select count(*) from screening.ranking group by cohort"))
    assert stored < doubled
    assert numbers(line)[1:3] == [str(doubled)] * 2
    assert f"{doubled - stored} children stand otherwise in the stored list" in told
    assert "settings or data changed" not in told


def test_weights_of_other_settings_than_those_of_city_yaml_are_told(office):
    office.made(OWN)
    office.configure("weights: {min_events_per_level: 0, max_wald_p: 0.04}")
    code, told = office.propose(EXCLUDED)
    assert code == 0
    assert "settings or data changed since 2025-04-01.1: that is part of the difference" in told


def test_a_threshold_that_the_matrix_does_not_have_yet_is_city_yamls(office):
    office.made(OWN)
    office.configure(OWN + 'items: {absence_days: {thresholds: {"30+": 25}}}')
    code, said = office.propose(EXCLUDED)
    assert code == 2
    assert said.startswith(
        "error: city.yaml: absence_days: changed since the matrix of 2025-04-01 was made, which has other levels; "
        "expected the settings of then. Refresh 2025-04-01 first, then try the proposal\n"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("screening: {share_percent: 5}", "提案.yaml: screening: expected weights and items, as city.yaml has them"),
        ("weights: {max_walt_p: 0.1}", "提案.yaml: unknown key weights.max_walt_p; did you mean 'max_wald_p'?"),
        ("weights: [", "提案.yaml: is no valid YAML"),
        ("weights: {decisions: [{item: sex, action: keep, role: 社会福祉士, reason: x}]}", "weights.decisions.0.item: 'sex'"),
        ('items: {absence_days: {thresholds: {"30+": 25}}}', "absence_days: other levels than in the matrix of 2025-04-01"),
        ("weights: {caused_by_list: counted}", "weights.caused_by_list decides which records count"),
        ("weights: {min_band_events: 800}", "the proposal makes no weights: "),
        ("weights: {label: incident_12m}", "label incident_12m at 2025-04-01 needs the matrix of 2024-04-01"),
    ],
)  # fmt: skip
def test_a_proposal_that_cannot_be_tried_is_told_why(office, text, told):
    office.made(OWN)
    code, said = office.propose(text)
    assert code == 2
    assert told in said
    assert "list:" not in said


def test_a_city_without_a_yearly_list_is_told_so(office):
    office.configure(OWN)
    with open_to_write(office.settings, office.catalogue):
        pass
    code, said = office.propose(OWN)
    assert code == 2
    assert "holds no list of a yearly reference date (04-01)" in said


def test_a_database_of_an_earlier_version_is_refused_in_one_sentence(office):
    office.configure(OWN)
    with open_to_write(office.settings, office.catalogue) as con:
        con.execute("drop table features.follow_ups")
    code, said = office.propose(OWN)
    assert code == 2
    assert said.startswith(
        "error: kodomo.duckdb is of an earlier version of this program: table features.follow_ups is due. Refresh any"
    )
    assert said.count("\n") == 3
