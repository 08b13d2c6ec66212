"""The analysts' file through Dagster: who can read it, where it lies, and what stands when it cannot be replaced."""

from __future__ import annotations

import grp
import os
import shutil
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.store.connection import connect
from kodomo_assets.store.publish import published_file
from kodomo_assets_tests.defs.conftest import Office, checks, said

KEY = "0" * 31 + "a"
RANKED = "insert into screening.ranking (reference_date, weights_version, band, cohort, rank, child_key, school_code, score, own_levels, selected, share_of, tied_at_cut, newly_found_equal, legacy_hits, open_consultation, known_before, incomplete_delivery, sibling_selected) values (date '2025-04-01', '2025-04-01.1', 'upper', 4, 1, $1, '081001', 0.1, 1, true, 'cohort', false, false, 0, false, false, false, false)"
NAMED = "insert into sources.resident_register (reference_date, resident_id, household_id, name, birth_date, source_file, source_row, invalid_cells, unknown_cells) values (date '2025-04-01', '0000000001', '0000000001', $1, date '2015-01-01', 'f', 1, [], [])"


@pytest.fixture
def group() -> str:
    """A group of this machine that the process may give files to, and is not its first one."""
    numbers = [entry.gr_gid for entry in grp.getgrall()] if os.geteuid() == 0 else os.getgroups()
    other = [number for number in numbers if number != os.getegid()]
    if not other:
        pytest.skip("the account is in one group only")
    return grp.getgrgid(other[0]).gr_name


def publish(office: Office):
    return office.materialize("published.analyst")


def mode(path: Path) -> tuple[str, str]:
    found = path.stat()
    return oct(found.st_mode & 0o7777), grp.getgrgid(found.st_gid).gr_name


def list_of(path: Path) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute("select list_of::varchar from catalogue.publication").fetchall()


def test_without_a_group_the_file_is_its_owners_only(office):
    assert publish(office).success
    assert oct(office.settings.analyst_database.stat().st_mode & 0o7777) == "0o600"


def test_a_group_reads_the_file_and_nothing_else_at_every_swap(office, group):
    office.configure(f"publish: {{group: {group}}}")
    for _ in range(2):
        assert publish(office).success
        assert mode(office.settings.analyst_database) == ("0o640", group)
        assert mode(office.settings.data_dir) == ("0o710", group)
        assert mode(office.settings.database)[0] == "0o600"


def test_a_folder_of_its_own_is_the_groups_and_the_old_file_is_gone(office, group):
    assert publish(office).success
    office.configure(f"publish: {{group: {group}, folder: for_analysts}}")
    folder = office.settings.data_dir / "for_analysts"
    for _ in range(2):
        assert publish(office).success
        assert mode(folder) == ("0o2750", group)
        assert mode(folder / "analyst.duckdb") == ("0o640", group)
        assert [path.name for path in folder.iterdir()] == ["analyst.duckdb"]
    # or analysts would go on reading a list of before
    assert not office.settings.analyst_database.exists()


def test_a_folder_that_cannot_be_is_named_by_its_key(office):
    office.configure("publish: {folder: city.yaml}")
    result = publish(office)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "publish.folder: city.yaml cannot be made" in failure.step_failure_data.user_failure_data.description


def test_the_host_is_given_a_file_of_its_group_once_there_is_a_list(office, group):
    folder = office.root / "given" / "082201_架空市"
    folder.mkdir(parents=True)
    shutil.chown(folder, group=group)
    folder.chmod(0o2750)
    office.configure(f"host: {{folder: {folder}}}\npool: {{code: '082201'}}")
    assert office.materialize("published.analyst", "published.aggregates").success
    assert list(folder.iterdir()) == []
    with connect(office.settings.database) as con:
        con.execute(RANKED, [KEY])
        counts = ", ".join(f"0 as {c}" for c in load_catalogue().output("evaluation.funnel").counts)
        con.execute(f"insert into evaluation.funnel by name select date '2025-04-01' as reference_date, {counts}")
    assert office.materialize("published.analyst", "published.aggregates").success
    assert mode(folder / "aggregates.json") == ("0o640", group)
    assert KEY not in (folder / "aggregates.json").read_text("utf-8")
    shutil.rmtree(folder)
    result = office.materialize("published.aggregates")
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert (
        "is no folder, expected the one that the host made" in failure.step_failure_data.user_failure_data.description
    )


@pytest.mark.parametrize("folder", ["", "for_analysts"])
def test_what_a_killed_publication_left_is_swept(office, folder):
    office.configure(f"publish: {{folder: '{folder}'}}" if folder else "{}")
    target = published_file(office.settings, load_catalogue(office.settings.overlay))
    target.parent.mkdir(exist_ok=True)
    for name in ("analyst.duckdb.0b1d7a52-0c3f-4b8e-9a55-1f2e3d4c5b6a", "analyst.duckdb.0b1d7a52-0c3f-4b8e-9a55-1f2e3d4c5b6a.wal"):  # fmt: skip
        (target.parent / name).write_bytes(b"half")
    assert publish(office).success
    assert [path.name for path in sorted(target.parent.glob("analyst*"))] == ["analyst.duckdb"]


def test_a_publication_that_fails_is_red_and_says_which_list_still_stands(office):
    assert publish(office).success
    with connect(office.settings.database) as con:
        con.execute(RANKED, [KEY])
    assert publish(office).success
    target = office.settings.analyst_database
    before = target.read_bytes()
    assert list_of(target) == [("2025-04-01",)]
    with connect(office.settings.database) as con:
        con.execute(NAMED, [KEY])  # somebody is called like a child's key: that can be no chance
    result = publish(office)
    assert not result.success
    assert not checks(result)["no_identity_value"]
    assert "screening.ranking.child_key" in said(result, "no_identity_value")
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    description = failure.step_failure_data.user_failure_data.description
    assert "analyst.duckdb was left as it is: it still tells the list of 2025-04-01, published on 20" in description
    assert KEY not in description
    assert target.read_bytes() == before
