"""The demo's six worlds differ in what they say they differ in; the linear one is the city of before."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.__main__ import main
from kodomo_assets.demo.city import make_city, write_city
from kodomo_assets.demo.footprint import TRUTH, WORLD
from kodomo_assets.demo.risk import observed
from kodomo_assets.demo.schools import attendance_of
from kodomo_assets.demo.tables import City
from kodomo_assets.demo.worlds import CONTACT, FEEDBACK, INTERACTIONS, LINEAR, SCHOOLS, WEAK, WORLDS
from kodomo_assets.errors import ConfigurationError
from kodomo_assets_tests.demo.test_city import SMALL, digests

RESIDENTS = 120_000


@pytest.fixture(scope="module")
def cities() -> dict[str, City]:
    return {world: make_city(RESIDENTS, p.SEED, world) for world in WORLDS}


def known_of(city: City) -> pd.DataFrame:
    return observed(city.levels, city.blanks, city.pupils, city.has, p.LAST)


def consulted(city: City) -> np.ndarray:
    return city.pupils.index.isin(city.consultations["pupil"])


def upper(city: City) -> np.ndarray:
    return city.pupils["year_last"].between(4, 9).to_numpy()


def test_in_one_world_nearly_every_item_adds_a_little(cities):
    """As many needs as in the linear one, of effects none of which is above 0.036 (three steps of the largest size)."""
    weak, known = cities[WEAK], known_of(cities[WEAK])
    assert weak.need.mean() == pytest.approx(cities[LINEAR].need.mean(), rel=0.05)
    here = upper(weak)
    columns = [(known[item] == level)[here] for item, of in p.WEAK_WEIGHTS["upper"].items() for level in range(1, len(of) + 1)]  # fmt: skip
    design = np.column_stack([np.ones(here.sum()), *columns]).astype(float)
    effects = np.linalg.lstsq(design, weak.need[here], rcond=None)[0][1:]
    truth = np.array([weight for of in p.WEAK_WEIGHTS["upper"].values() for weight in of])
    assert truth.max() == pytest.approx(0.036)
    assert len(p.WEAK_WEIGHTS["upper"]) == 39
    # the floor of the chance takes a little of each
    assert np.corrcoef(effects, truth)[0, 1] > 0.95


def test_what_is_reported_differs_and_the_need_does_not(cities):
    for world in (SCHOOLS, CONTACT, FEEDBACK):
        np.testing.assert_array_equal(cities[world].need, cities[LINEAR].need)
        assert not np.array_equal(consulted(cities[world]), consulted(cities[LINEAR]))
    for world in (LINEAR, INTERACTIONS, SCHOOLS, CONTACT):
        assert consulted(cities[world]).sum() == pytest.approx(cities[world].need.sum(), rel=0.03)


def test_trouble_at_home_and_at_school_multiply_in_one_world_alone(cities):
    """What both add beyond each: of children with one level at home, at school, with both, with none of the others."""
    beyond = {}
    for world in (LINEAR, INTERACTIONS):
        city = cities[world]
        known, here = known_of(city), upper(city)
        columns = [(known[item] == level)[here] for item, of in p.WEIGHTS["upper"].items() for level in range(1, len(of) + 1)]  # fmt: skip
        home, school = ((known[list(items)] > 0).any(axis=1).to_numpy()[here] for items in (p.AT_HOME, p.AT_SCHOOL))
        design = np.column_stack([np.ones(here.sum()), *columns, home & school]).astype(float)
        beyond[world] = np.linalg.lstsq(design, city.need[here], rcond=None)[0][-1]
    # the floor of the chance bends the linear one a little
    assert beyond[LINEAR] == pytest.approx(0.01, abs=0.01)
    assert beyond[INTERACTIONS] > 0.04


def spread_over_schools(city: City) -> float:
    """p value of records against needs, school by school."""
    code = attendance_of(city.pupils, city.schools, p.LAST)["school_code"].to_numpy()
    sums = pd.DataFrame({"code": code, "need": city.need, "records": consulted(city)}).groupby("code").sum()
    return float(chi2.sf(((sums["records"] - sums["need"]) ** 2 / sums["need"]).sum(), len(sums)))


def test_schools_differ_in_what_they_report_in_one_world_alone(cities):
    assert spread_over_schools(cities[LINEAR]) > 0.01
    # a city of this size has no more consultations than a real one
    assert spread_over_schools(cities[SCHOOLS]) < 1e-5


def heard(city: City) -> float:
    """Records per need of those who draw a benefit, over that of all others."""
    contact = (known_of(city)[list(p.WELFARE)] > 0).any(axis=1).to_numpy()
    share = [consulted(city)[of].sum() / city.need[of].sum() for of in (contact, ~contact)]
    return share[0] / share[1]


def test_contact_with_welfare_is_heard_of_three_times_as_often_in_one_world_alone(cities):
    assert heard(cities[LINEAR]) == pytest.approx(1, abs=0.2)
    # a chance has a bound, so a little less
    assert heard(cities[CONTACT]) == pytest.approx(p.HEARD_IN_CONTACT, abs=0.5)


def test_a_list_of_the_year_before_breeds_records_in_one_world_alone(cities):
    """They begin after that year's meeting, among those who had most need by what was known then."""
    records = {world: cities[world].consultations for world in (LINEAR, FEEDBACK)}
    after = np.datetime64(p.DATES[0]) + p.DAYS_TO_MEETING
    late = {world: int((of["received"] >= after).sum()) for world, of in records.items()}
    children = cities[LINEAR].pupils_at(p.DATES[0])
    assert late[FEEDBACK] - late[LINEAR] == pytest.approx(len(children) * 0.1 * p.BRED_SHARE, rel=0.1)
    assert len(records[FEEDBACK]) - len(records[LINEAR]) == late[FEEDBACK] - late[LINEAR]
    assert records[FEEDBACK]["received"].is_monotonic_increasing
    more = ~records[FEEDBACK]["pupil"].isin(records[LINEAR]["pupil"])
    need = cities[LINEAR].need
    assert need[records[FEEDBACK].loc[more, "pupil"]].mean() > 2.5 * need.mean()


def test_a_flag_writes_another_world_and_without_it_the_same_bytes_as_ever(tmp_path: Path, monkeypatch):
    """~8 s: cities are written, each with all its workbooks."""
    data = tmp_path / "data"
    write_city(data, SMALL, seed=5)
    linear = digests(data)
    given = ["--data-dir", str(data), "--residents", str(SMALL), "--seed", "5", "--world", CONTACT]
    monkeypatch.setattr(sys, "argv", ["demo", *given])
    assert main() == 0
    assert (data / TRUTH / WORLD).read_text("utf-8") == "contact\n"
    contact = digests(data)
    changed = {name for name in linear if linear[name] != contact.get(name)}
    assert any("児童相談記録" in name for name in changed)
    assert not any("出欠" in name for name in changed)
    # once it was refreshed, the city stays in its world
    (data / "kodomo.duckdb").touch()
    with pytest.raises(ConfigurationError, match=r"kodomo\.duckdb holds lists of the world contact, .* of the world linear"):  # fmt: skip
        write_city(data, SMALL, seed=5)
    (data / "kodomo.duckdb").unlink()
    assert digests(data) == contact
    # and back again: the same bytes, and nothing of the other world
    write_city(data, SMALL, seed=5)
    assert digests(data) == linear


@pytest.mark.parametrize("flag", ["--compare", "--meeting", "--support"])
def test_what_needs_a_refresh_says_so(tmp_path: Path, monkeypatch, capsys, flag: str):
    monkeypatch.setattr(sys, "argv", ["demo", "--data-dir", str(tmp_path), flag])
    for there, missing in ((), "demo_truth"), (("demo_truth",), "kodomo.duckdb"):
        for name in there:
            (tmp_path / name).mkdir()
        assert main() == 2
        assert f"{tmp_path.name}/{missing} is not there, expected that of the demo: " in capsys.readouterr().err


TRUTHS = {
    "links.csv": "table_name,person_ref,resident_id,kind\n",
    "weights.csv": "band,item,level,weight\n",
    "cases.csv": "case,plain,resident_id\n",
}


def write_truths(folder: Path, **other: str | None) -> None:
    folder.mkdir(exist_ok=True)
    for name, head in {**TRUTHS, **{f"{key}.csv": head for key, head in other.items()}}.items():
        (folder / name).unlink(missing_ok=True)
        if head is not None:
            (folder / name).write_text(head, "utf-8")


@pytest.mark.parametrize("flag", ["--compare", "--meeting", "--support"])
@pytest.mark.parametrize("other", [{"cases": "case,resident_id\n"}, {"cases": None}, {"links": None}, {"weights": ""}])
def test_a_truth_that_is_gone_or_of_an_earlier_demo_is_said(tmp_path: Path, monkeypatch, capsys, flag: str, other):
    monkeypatch.setattr(sys, "argv", ["demo", "--data-dir", str(tmp_path), flag])
    (tmp_path / "kodomo.duckdb").touch()
    write_truths(tmp_path / "demo_truth", **other)
    assert main() == 2
    (name,) = other
    said = f"demo_truth/{name}.csv is not there or of an earlier version of the demo, expected the columns"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "lacking", "todo"),
    [
        ("--meeting", "判定会議.xlsx", "refresh 2025-04-01 first"),
        ("--support", "支援対象者_*.xlsx", "play the meeting (--meeting), then `after-meeting 2025-04-01`"),
    ],
)
def test_what_people_would_fill_in_is_asked_for_before_anything_is_written(
    tmp_path: Path, monkeypatch, capsys, flag: str, lacking: str, todo: str
):
    """Another date was refreshed, or the file was taken away; one that was set aside is none."""
    monkeypatch.setattr(sys, "argv", ["demo", "--data-dir", str(tmp_path), flag])
    write_truths(tmp_path / "demo_truth")
    (tmp_path / "kodomo.duckdb").touch()
    outbox = tmp_path / "outbox" / "2025-04-01"
    outbox.mkdir(parents=True)
    (outbox / "支援対象者_081001_旧20250501.xlsx").touch()
    (outbox / "個人票_081001.xlsx").touch()
    assert main() == 2
    said = f"error: outbox/2025-04-01 holds no {lacking}, expected what a refresh writes: {todo}"
    assert said in capsys.readouterr().err
    assert not (tmp_path / "inbox").exists()
