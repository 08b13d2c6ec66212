"""What a value of 住民記録 means for the children: from the file to the items (issue 10, §4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.office.inbox import scan_inbox
from kodomo_assets.stages.sources.read import read_delivery
from kodomo_assets_tests.linkage.test_households import NA, YES, City
from kodomo_assets_tests.linkage.test_linkage import R

HEADER = "宛名番号,世帯番号,生年月日,続柄,支援措置"


def city_of(folder: Path, overlay: str, *lines: str) -> City:
    """A city whose 住民記録 is read from a file; every resident numbered below 10 is a pupil."""
    (folder / "city.yaml").write_text(overlay, "utf-8")
    city = City(load_catalogue(folder / "city.yaml"))
    inbox = folder / "inbox"
    inbox.mkdir()
    (inbox / "住民記録.csv").write_text("\n".join([HEADER, *lines, ""]), "utf-8")
    table = city.catalogue.tables["resident_register"]
    # an empty delivery of every other table stands there; the register is the file's
    city.adult(101, 1, "世帯主")
    city.con.execute("delete from sources.resident_register")
    read_delivery(city.con, city.catalogue, table, scan_inbox(inbox, city.catalogue), R)
    city.con.execute("insert into sources.resident_register by name select * from new_resident_register")
    for line in lines:
        number = int(line.split(",")[0])
        if number < 10:
            city.row(
                "school_register",
                resident_id=f"{number:010d}",
                school_code="082201",
                school_name="架空小",
                school_year=4,
            )
    city.refresh()
    return city


GRANDPARENTS = ("101,1,1950-01-01,02,", "102,1,1952-01-01,03,", "1,1,2015-05-05,88,", "2,1,2017-05-05,８８,")


@pytest.mark.parametrize(("codes", "level"), [("{}", NA), ('{"02": 世帯主, "03": 妻, "88": 子の子}', YES)])
def test_codes_of_relationships_come_before_the_words_of_the_items(tmp_path, codes, level):
    overlay = f"tables: {{resident_register: {{columns: {{relationship: {{codes: {codes}}}}}}}}}"
    city = city_of(tmp_path, overlay, *GRANDPARENTS)
    assert city.of_child(1, "three_generations") == (level,)
    assert city.of_child(2, "three_generations") == (level,)


def test_people_without_a_household_number_are_no_household(tmp_path):
    lines = [
        f"{n},{none},2015-05-05,子,{'有' if n == 1 else ''}"
        for n, none in enumerate(("0000000000", "0", "9999999999", "99999999"), start=1)
    ]
    city = city_of(tmp_path, "{}", *lines)
    households = city.con.execute("select count(distinct household_id), count(*) from linkage.children").fetchall()
    assert households == [(4, 4)]
    assert [city.of_child(n, "protected, many_children") for n in (1, 2, 3, 4)] == [(True, NA), *[(False, NA)] * 3]
