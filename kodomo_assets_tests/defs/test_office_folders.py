"""inbox/<office>/<date>/: an office's own folder is read as inbox/<date>/ is, and holds its own tables alone."""

from __future__ import annotations

import grp
import os
import unicodedata

import pytest

from kodomo_assets import commands
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.doors.trial import try_file
from kodomo_assets.errors import DeliveryError
from kodomo_assets.office.inbox import dated_folders, scan_inbox
from kodomo_assets_tests.defs.conftest import DAY, Office, checks, said
from kodomo_assets_tests.defs.test_sensor import Watcher

CATALOGUE = load_catalogue()
WELFARE = "社会福祉課"


def put(office: Office, folder: str, name: str, *lines: str, day: str = DAY):
    return office.deliver(f"../{folder}/{day}/{name}", *lines, day=day)


def assistance(office: Office, number: str = "1234567", *, folder: str = WELFARE, day: str = DAY):
    return put(office, folder, "生活保護.csv", "宛名番号,開始日,廃止日", f"{number},2024-03-01", day=day)


@pytest.fixture
def office_(office: Office) -> Office:
    (office.settings.inbox / DAY).mkdir(parents=True)
    (office.settings.inbox / WELFARE / DAY).mkdir(parents=True)
    (office.settings.inbox / "学務課" / DAY).mkdir(parents=True)
    return office


def test_what_lies_in_an_offices_own_folder_is_read_under_its_name(office_):
    assistance(office_)
    result = office_.materialize("sources.public_assistance")
    assert result.success
    assert office_.query("select resident_id from sources.public_assistance") == [("0001234567",)]
    assert office_.query("select file from sources.deliveries") == [(f"{WELFARE}/生活保護.csv",)]
    assert office_.query("select file, table_name from sources.inbox") == [
        (f"{WELFARE}/生活保護.csv", "public_assistance")
    ]
    # the same files once more: nothing is read anew
    assert office_.materialize("sources.public_assistance").success
    assert office_.query("select count(*) from sources.public_assistance") == [(1,)]


def test_one_office_neither_delivers_nor_replaces_anothers_table(office_):
    assistance(office_)
    assistance(office_, "7654321", folder="学務課")
    put(office_, "学務課", "判定会議.xlsx", "x")
    result = office_.materialize("sources.public_assistance")
    assert result.success
    assert office_.query("select resident_id from sources.public_assistance") == [("0001234567",)]
    assert checks(result)["known_files"] is False
    told = said(result, "known_files")
    assert "学務課/判定会議.xlsx (other_office), 学務課/生活保護.csv (other_office)" in told
    assert "in inbox/<office>/ that office's own tables alone" in told


def test_a_date_that_lies_in_an_offices_folder_alone_is_a_date(office_):
    assistance(office_, day="2024-09-01")
    (office_.settings.inbox / "学務課" / "2025-04-01").rmdir()
    assert {"2024-09-01", DAY} == dated_folders(office_.settings.inbox, CATALOGUE).keys()
    dates, others = commands._inbox_dates(office_.settings, CATALOGUE)
    assert [day.isoformat() for day in dates] == ["2024-09-01", DAY]
    assert others == []


def test_the_sensor_sees_a_file_that_an_office_drops(office_):
    office_.configure("ingest: {settle_seconds: 0}")
    watcher = Watcher(office_)
    watcher.look()
    put(
        office_,
        "市民窓口課",
        "住民記録.csv",
        "宛名番号,世帯番号,氏名カナ,生年月日,性別,支援措置,続柄,国籍",
        "1,1,ヤマダ,2015-05-05,男,×",
    )
    watcher.look()
    requests, _ = watcher.look()
    assert [request.partition_key for request in requests] == [DAY]


def test_a_name_as_a_mac_writes_it_is_the_offices_too(office_):
    folder = "こども政策課"
    mac = unicodedata.normalize("NFD", folder)
    assert mac != folder
    put(office_, mac, "児童扶養手当.csv", "x")
    (file,) = (f for f in scan_inbox(office_.settings.inbox / DAY, CATALOGUE) if "児童扶養手当" in f.name)
    assert CATALOGUE.tables[file.table_id].ja == "児童扶養手当"


def test_a_trial_says_so_before_it_is_delivered(office_):
    path = assistance(office_, folder="学務課").resolve()
    day = commands._reference_date(CATALOGUE, DAY)
    trial = try_file(office_.settings, CATALOGUE, path, day)
    assert trial.stops
    assert trial.lines == ["生活保護.csv: other_office, expected in inbox/<office>/ a table of that office"]
    own = try_file(office_.settings, CATALOGUE, assistance(office_).resolve(), day)
    assert not own.stops
    with pytest.raises(DeliveryError):
        try_file(office_.settings, CATALOGUE, office_.settings.inbox / DAY / "生活保護.csv", day)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to a group that it is no member of")
def test_a_refresh_warns_while_somebody_may_look_into_what_is_not_theirs(office_):
    """In counts: which it is tells the command."""
    assistance(office_)
    result = office_.materialize("sources.public_assistance")
    assert checks(result)["shared_as_configured"] is True
    group = next(g.gr_name for g in grp.getgrall() if g.gr_gid and not g.gr_mem)
    office_.configure(f"accounts: {{offices: {{social_welfare: {group}}}}}")
    (office_.settings.inbox / DAY).chmod(0o755)
    result = office_.materialize("sources.public_assistance")
    assert result.success
    assert checks(result)["shared_as_configured"] is False
    assert said(result, "shared_as_configured").endswith(
        "names each and the command that mends it (docs/operations.md)"
    )
