"""From the files of the offices to the published list, on real files, real DuckDB and through Dagster.

What takes long is said at each test. All others look at one city of 18,000 residents, which is refreshed once in a run
for this and other files (conftest.py): five dates' work of Dagster, ~50 s.
"""

from __future__ import annotations

import csv
import datetime as dt
import shutil
import subprocess
import sys
from pathlib import Path

from kodomo_assets.machine.home import CONFIGURATION, shipped_configuration
from kodomo_assets_tests.conftest import DATES, City

APRIL_24, SEPTEMBER, JANUARY, APRIL = DATES

# everything a refresh of one date writes, but for the time at which a version was made
RESULTS = [
    "linkage.residents",
    "linkage.children",
    "linkage.links",
    "linkage.coverage",
    "features.levels",
    "features.matrix",
    "features.labels",
    "weights.in_force",
    "weights.coefficients",
    "weights.selection_log",
    "weights.model_cards",
    "screening.ranking",
    "screening.contributions",
    "screening.difficulty_scores",
]


def results(city: City, *dates: dt.date) -> dict[str, list[tuple]]:
    wanted = ", ".join(f"date '{day}'" for day in dates)
    return {
        name: city.table(name, "true" if name == "weights.selection_log" else f"reference_date in ({wanted})")
        for name in RESULTS
    }


def test_every_stage_has_rows_at_every_date(refreshed_city):
    for name in RESULTS:
        if name in {"weights.coefficients", "weights.selection_log", "weights.model_cards"}:
            continue
        dates = [row[0] for row in refreshed_city.query(f"select distinct reference_date from {name} order by 1")]
        assert dates == DATES, name


def test_weights_are_fitted_on_the_yearly_dates_only(refreshed_city):
    assert refreshed_city.query("select distinct version from weights.versions order by 1") == [
        ("2024-04-01.1",),
        ("2025-04-01.1",),
    ]
    assert refreshed_city.query("select version from weights.in_force order by reference_date") == [
        ("2024-04-01.1",),
        ("2024-04-01.1",),
        ("2024-04-01.1",),
        ("2025-04-01.1",),
    ]


def test_rows_are_conserved_and_the_quarantine_is_not_empty(refreshed_city):
    broken = refreshed_city.query(
        "select count(*) from sources.deliveries where rows_in <> rows_accepted + rows_quarantined"
    )
    assert broken == [(0,)]
    scopes = refreshed_city.query("select distinct scope from sources.quarantine order by 1")
    assert scopes == [("cell",), ("row",)]


def test_contributions_sum_to_the_score(refreshed_city):
    worst = refreshed_city.query(
        """
        select max(abs(total - score)), count(*)
        from screening.ranking
        join (
            select reference_date, child_key, sum(contribution) as total
            from screening.contributions group by all
        ) using (reference_date, child_key)
        """
    )[0]
    assert worst[0] < 1e-9
    assert worst[1] == refreshed_city.query("select count(*) from screening.ranking")[0][0]


def test_the_floor_of_ten_percent_per_school_year(refreshed_city):
    for n, selected in refreshed_city.query(
        "select count(*), count(*) filter (selected) from screening.ranking group by reference_date, cohort"
    ):
        assert selected == n * 10 // 100


def test_only_screened_schools_are_ranked_and_everyone_is_fitted(refreshed_city):
    screened = set(refreshed_city.catalogue.schools.screened)
    assert {row[0] for row in refreshed_city.query("select distinct school_code from screening.ranking")} == screened
    children = refreshed_city.query("select count(*) from linkage.children where reference_date = '2025-04-01'")
    fitted = refreshed_city.query("select sum(children) from weights.model_cards where version = '2025-04-01.1'")
    assert children == fitted


def test_links_agree_with_the_truth(refreshed_city):
    """Slips, twins and strangers included: no link to a wrong child, nearly every child found, few to be answered."""
    truth_file = refreshed_city.settings.data_dir / "demo_truth" / "links.csv"
    with truth_file.open(encoding="utf-8", newline="") as file:
        truth = {
            (row["table_name"], row["person_ref"]): (row["resident_id"], row["kind"]) for row in csv.DictReader(file)
        }
    linked = {
        (table, ref): resident
        for table, ref, resident in refreshed_city.query(
            "select l.table_name, l.person_ref, c.resident_id from linkage.links as l "
            "join linkage.children as c using (reference_date, child_key) where reference_date = '2025-04-01'"
        )
    }
    assert {truth[number][1] for number in linked} == {"none", "typo", "family_name", "date", "twin"}
    assert [number for number, resident in linked.items() if truth[number][0] != resident] == []
    spine = {
        row[0]
        for row in refreshed_city.query("select resident_id from linkage.children where reference_date = '2025-04-01'")
    }
    in_force = refreshed_city.query(
        """
        select 'school_roster', pupil_id from sources.school_roster where reference_date = '2025-04-01'
        union all
        select 'ssw_records', record_id from sources.ssw_records where reference_date = '2025-04-01'
        union all
        select 'education_counselling', reception_id from sources.education_counselling where reference_date = '2025-04-01'
        union all
        select 'child_consultations', consultation_id from sources.child_consultations
        where reference_date = '2025-04-01' and child_resident_id is null
        """
    )
    with_child = [number for number in in_force if truth[number][0] in spine]
    assert sum(number in linked for number in with_child) >= 0.98 * len(with_child)
    ((asked,),) = refreshed_city.query(
        "select count(distinct (table_name, person_ref)) from linkage.review where reference_date = '2025-04-01'"
    )
    assert asked <= 0.02 * len(in_force)


def test_refreshing_twice_changes_nothing_and_makes_no_version(city):
    """Out of order too. ~10 s: nothing is read, but every result of two dates is made again."""
    before = results(city, *DATES)
    assert city.make("screening.ranking", APRIL, SEPTEMBER)
    assert results(city, *DATES) == before
    assert len(city.query("select distinct version from weights.versions")) == 2


def test_what_is_delivered_later_changes_nothing_before(city):
    """Rows of the future in the deliveries, and a whole delivery of the future, change no earlier result."""
    before = results(city, JANUARY)
    moves = next(city.inbox(JANUARY).glob("異動履歴*"))
    add_row_to_csv(moves, {"異動日": "2025-02-01", "異動事由": "転居"})
    assert city.make("screening.ranking", JANUARY)
    assert city.query("select count(*) from sources.moves where moved_on = '2025-02-01'") == [(1,)]
    assert results(city, JANUARY) == before


def add_row_to_csv(path: Path, changes: dict[str, str]) -> None:
    """Repeats the file's first row with other values in some of its cells."""
    raw = path.read_bytes()
    encoding = next(e for e in ("utf-8-sig", "cp932") if decodes(raw, e))
    lines = raw.decode(encoding).splitlines()
    delimiter = "\t" if "\t" in lines[0] else ","
    header, first = (next(csv.reader([line], delimiter=delimiter)) for line in lines[:2])
    row = dict(zip(header, first, strict=True)) | changes
    text = "\n".join([*lines, delimiter.join(row[name] for name in header)]) + "\n"
    path.write_bytes(text.encode(encoding))


def decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def test_a_refused_file_stops_what_depends_on_it_and_nothing_else(city, capfd):
    before = results(city, APRIL)
    deliveries = city.table("sources.deliveries")
    next(city.inbox(APRIL).glob("生活保護*")).unlink()
    file = city.inbox(APRIL) / "生活保護.csv"
    file.write_text("氏名,住所\n誰か,どこか\n", "utf-8")
    assert not city.make("screening.ranking", APRIL)
    said = capfd.readouterr().err
    assert file.name in said
    assert "宛名番号" in said
    assert "誰か" not in said
    assert "Traceback" not in said
    assert results(city, APRIL) == before
    assert city.table("sources.deliveries") == deliveries


def test_an_empty_file_is_refused_with_its_name(city, capfd):
    file = next(city.inbox(APRIL).glob("就学援助*"))
    file.write_bytes(b"")
    assert not city.make("sources.school_expense_aid", APRIL)
    said = capfd.readouterr().err
    assert file.name in said
    assert "Traceback" not in said


def test_the_installed_package_refreshes_from_the_command_line_and_shows_the_funnel(delivered_city, tmp_path):
    """The wheel, installed where nothing of the checkout is: all its files are there, its dagster.yaml is in force.

    The one test of the whole command line in a process of its own: ~20 s, a wheel and a first refresh with its fit.
    """
    installed = tmp_path / "installed"
    install(installed, tmp_path / "source")
    city = delivered_city.copy(tmp_path / "city")
    settings = city.settings
    environment = {
        "PATH": "",
        "PYTHONPATH": str(installed),
        "KODOMO_DATA_DIR": str(settings.data_dir),
        "KODOMO_KEY_FILE": str(settings.key_file),
        "DAGSTER_HOME": str(settings.dagster_home),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert run("-c", "import kodomo_assets; print(kodomo_assets.__file__)").stdout.startswith(str(installed))
    refused = run("-m", "kodomo_assets", "refresh", "2025-04-02")
    assert refused.returncode == 2
    assert "found '2025-04-02', expected" in refused.stderr
    done = run("-m", "kodomo_assets", "refresh", "2025-04-01")
    assert done.returncode == 0, done.stderr
    assert (settings.dagster_home / CONFIGURATION).read_bytes() == shipped_configuration()
    assert not (settings.dagster_home / "storage" / "compute_logs").exists()
    ranked = city.query("select count(*), count(*) filter (selected) from screening.ranking")[0]
    assert ranked[0] > ranked[1] > 0
    assert f"{ranked[0]:,}" in done.stdout
    assert f"{ranked[1]:,}" in done.stdout
    # no version before it: the termly date fits its own, in the same folder
    assert city.make("weights.coefficients", SEPTEMBER)
    assert city.query("select distinct version from weights.versions order by 1") == [
        ("2024-09-01.1",),
        ("2025-04-01.1",),
    ]


def install(target: Path, source: Path) -> None:
    """The package as a wheel makes it, in ``target``; ``source`` is made and removed again."""
    root = Path(__file__).parents[1]
    shutil.copytree(root / "kodomo_assets", source / "kodomo_assets", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(root / name, source / name)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, capture_output=True)
    shutil.rmtree(source)
