"""Households that are no plain family: every rule of method.md, "Households", from the register to the list."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets.stages.linkage.children import ChildrenCounts, build_children
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.store.pseudonyms import create_pseudonyms
from kodomo_assets.store.tables import replace
from kodomo_assets_tests.linkage.test_linkage import EARLIER, SECRET, R, Register, quarantine

D = dt.date
ADULT = D(1985, 1, 1)


class City(Register):
    """Children have the numbers below 100; a household is written by its register number."""

    def adult(self, who: int, household: int, relationship: str | None, **values) -> None:
        self.resident(who, household, **({"birth": ADULT, "relationship": relationship} | values))

    def pupil_of(self, household: int, who: int, relationship: str | None = "子", **values) -> None:
        self.child(who, household=household, relationship=relationship, **values)

    def on_assistance(self, who: int, day: dt.date = R) -> None:
        self.row("public_assistance", day, resident_id=f"{who:010d}", started_on=D(2020, 4, 1))

    def disabled(self, who: int) -> None:
        self.row("disability_certificates", resident_id=f"{who:010d}", certificate_type="身体", issued_on=D(2020, 4, 1))

    def refresh(self, day: dt.date = R) -> ChildrenCounts:
        create_delivered_views(self.con, self.catalogue, day)
        create_pseudonyms(self.con, SECRET, "delivered_school_register")
        counts = build_children(self.con, self.catalogue, day)
        for name in ("residents", "children"):
            self.keep(f"linkage.{name}", day)
        build_matrix(self.con, self.catalogue, day)
        self.keep("features.matrix", day)
        return counts

    def keep(self, table: str, day: dt.date) -> None:
        new = f"new_{table.split('.')[1]}"
        replace(self.con, [(self.catalogue.output(table), new)], {"reference_date": day})

    def of_child(self, who: int, columns: str, day: dt.date = R) -> tuple:
        """What stands of the child in the spine (household_id as a number) and in the matrix."""
        rows = self.con.execute(
            f"select {columns} from linkage.children join features.matrix using (reference_date, child_key) "
            "where resident_id::integer = $1 and reference_date = $2",
            [who, day],
        ).fetchall()
        assert len(rows) == 1
        return rows[0]


@pytest.fixture
def city() -> City:
    return City()


def in_january(city: City, who: int, household: int, **values) -> None:
    city.row("resident_register", EARLIER, **({"resident_id": f"{who:010d}", "household_id": f"{household:010d}", "birth_date": ADULT} | values))  # fmt: skip


def test_an_unreadable_protection_follows_the_household_that_it_covered(city):
    # The protected mother's row cannot be read in April. The child has stood with her in January and has another
    # 世帯番号 now: she may be in it.
    in_january(city, 101, 1, protection=True)
    in_january(city, 1, 1)
    in_january(city, 2, 2)
    quarantine(city, "resident_register", 9, 101)
    city.pupil_of(5, 1)
    city.pupil_of(5, 3)  # whoever lives with the child now
    city.pupil_of(2, 2)
    city.pupil_of(1, 4)  # has come into the old household
    city.refresh()
    assert [city.of_child(who, "protected") for who in (1, 2, 3, 4)] == [(True,), (False,), (True,), (True,)]


def test_an_unreadable_protection_covers_no_other_resident_of_a_facility(city):
    for who in range(101, 116):
        in_january(city, who, 1, protection=who == 101)
    in_january(city, 1, 1)
    quarantine(city, "resident_register", 9, 101)
    city.pupil_of(5, 1)
    city.refresh()
    assert city.of_child(1, "protected") == (False,)
