"""Households that are no plain family: every rule of method.md, "Households", from the register to the list."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets.stages.linkage.children import ChildrenCounts, build_children
from kodomo_assets.stages.screening.scoring import build_screening
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.store.pseudonyms import create_pseudonyms
from kodomo_assets.store.tables import replace
from kodomo_assets_tests.linkage.test_linkage import EARLIER, SECRET, R, Register, quarantine

NA, BLANK, YES, SINGLE = "not_applicable", "blank", "applicable", "without_allowance"
D = dt.date
ADULT = D(1985, 1, 1)
ADDRESS = "つくば市吾妻1丁目1番地"


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
        for name in ("levels", "matrix"):
            self.keep(f"features.{name}", day)
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


FAMILY_ITEMS = "single_parent, three_generations, many_children"


def two_parents_apart(city: City) -> None:
    """世帯分離: mother and child in household 1, the father alone in household 2 at the same address."""
    city.adult(101, 1, "世帯主", address=ADDRESS)
    city.pupil_of(1, 1, address=ADDRESS)
    city.adult(102, 2, "世帯主", address="つくば市 吾妻１丁目１番地")


def test_a_split_household_is_two_households(city):
    two_parents_apart(city)
    city.disabled(102)
    city.on_assistance(102)
    counts = city.refresh()
    assert counts.split_households == 1
    assert city.of_child(1, "household_id::integer, single_parent") == (1, SINGLE)
    assert city.of_child(1, "public_assistance, household_disability") == (NA, NA)


def test_protection_follows_the_household_of_the_register_and_not_the_address(city):
    two_parents_apart(city)
    city.pupil_of(2, 2, address=ADDRESS)
    city.adult(103, 2, "同居人", address=ADDRESS, protection=True)
    counts = city.refresh()
    assert (city.of_child(1, "protected"), city.of_child(2, "protected")) == ((False,), (True,))
    assert (counts.protected, counts.split_households) == (1, 2)


@pytest.mark.parametrize(
    ("childs", "others", "birth", "split"),
    [
        ("吾妻1-1", "吾妻1-1", ADULT, 1),
        ("吾妻1-1", "吾妻１－１", ADULT, 1),  # full width
        ("吾妻1-1", "吾妻\u30001-1 ", ADULT, 1),
        ("ﾊｲﾂ吾妻", "ハイツ吾妻", ADULT, 1),
        ("吾妻1-1", "吾妻1-10", ADULT, 0),
        (None, None, ADULT, 0),
        ("\u3000", " ", ADULT, 0),
        ("吾妻1-1", None, ADULT, 0),
        ("吾妻1-1", "吾妻1-1", D(2007, 4, 2), 1),  # completes 18 today
        ("吾妻1-1", "吾妻1-1", D(2007, 4, 3), 0),
    ],
)
def test_a_split_household_has_the_same_address_and_an_adult(city, childs, others, birth, split):
    city.adult(101, 1, "世帯主", address=childs)
    city.pupil_of(1, 1, address=childs)
    city.adult(102, 2, "世帯主", address=others, birth=birth)
    assert city.refresh().split_households == split


def test_neither_the_own_household_nor_a_facility_nor_who_has_left_is_a_split_household(city):
    city.adult(101, 1, "世帯主", address=ADDRESS)
    city.pupil_of(1, 1, address=ADDRESS)
    for who in range(201, 217):  # sixteen
        city.adult(who, 2, None, address=ADDRESS)
    city.adult(301, 3, "世帯主", address=ADDRESS, removed_on=R)
    assert city.refresh().split_households == 0


def test_a_child_with_several_split_households_counts_once(city):
    two_parents_apart(city)
    city.adult(103, 3, "世帯主", address=ADDRESS)
    assert city.refresh().split_households == 1


def merged(city: City) -> None:
    """世帯合併: mother and child, alone in January, stand in the grandfather's household in April."""
    for table in city.catalogue.tables:
        city.deliver(table, EARLIER)
    born = D(2015, 5, 5)
    for day, household, mother, child in ((EARLIER, 1, "世帯主", "子"), (R, 2, "子", "子の子")):
        for who, number, birth, relationship, protection in (
            (1, household, born, child, None),
            (101, household, ADULT, mother, None),
            (201, 2, D(1950, 1, 1), "世帯主", True),
        ):
            city.row("resident_register", day, resident_id=f"{who:010d}", household_id=f"{number:010d}", birth_date=birth, relationship=relationship, protection=protection)  # fmt: skip
        city.row("school_register", day, resident_id="0000000001", school_code="081001", school_name="吾妻小学校", school_year=4)  # fmt: skip
        city.on_assistance(201, day)


def test_a_merged_household_counts_from_its_reference_date_on(city):
    merged(city)
    columns = "household_id::integer, protected, single_parent, three_generations, public_assistance"
    before = (1, False, SINGLE, NA, NA)
    city.refresh(EARLIER)
    assert city.of_child(1, columns, EARLIER) == before
    city.refresh(R)
    assert city.of_child(1, columns) == (2, True, NA, YES, YES)
    city.refresh(EARLIER)
    assert city.of_child(1, columns, EARLIER) == before


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


def test_a_child_alone_in_the_register_has_no_others(city):
    city.pupil_of(1, 1, "世帯主")
    city.disabled(1)
    city.on_assistance(1)
    city.pupil_of(2, 2)
    city.adult(102, 2, "世帯主")
    for who in range(201, 217):  # sixteen: a facility, not a child alone
        city.adult(who, 3, None)
    city.registered(201)
    counts = city.refresh()
    assert (counts.children, counts.living_alone) == (3, 1)
    assert city.of_child(1, FAMILY_ITEMS) == (NA, NA, NA)
    assert city.of_child(1, "household_disability, household_care") == (NA, NA)
    assert city.of_child(1, "child_disability, public_assistance") == (YES, YES)


def test_a_household_is_alone_without_those_who_have_left(city):
    city.pupil_of(1, 1)
    city.adult(101, 1, "世帯主", removed_on=R)
    assert city.refresh().living_alone == 1
    # 子 in a household without 妻 and 夫, as the contract words it
    assert city.of_child(1, "single_parent") == (SINGLE,)


def siblings_under_grandparents(city: City, relationship: str, *, grandmother: bool = True) -> None:
    city.adult(101, 1, "世帯主", birth=D(1950, 1, 1))
    if grandmother:
        city.adult(102, 1, "妻", birth=D(1950, 1, 1))
    city.pupil_of(1, 1, relationship)
    city.pupil_of(1, 2, relationship)
    city.resident(3, 1, D(2022, 5, 5), relationship=relationship)  # not at school yet
    city.resident(4, 1, D(2007, 4, 2), relationship=relationship)  # 18


@pytest.mark.parametrize("grandmother", [True, False])
def test_siblings_under_grandparents(city, grandmother):
    siblings_under_grandparents(city, "子の子", grandmother=grandmother)
    city.refresh()
    for who in (1, 2):
        assert city.of_child(who, f"household_id::integer, {FAMILY_ITEMS}") == (1, NA, YES, "3")


def test_the_subsidy_for_lone_parents_counts_under_grandparents_too(city):
    siblings_under_grandparents(city, "子の子")
    city.row("medical_subsidies", resident_id="0000000001", subsidy_type="ひとり親", eligible_from=D(2020, 4, 1))
    city.refresh()
    assert [city.of_child(who, "single_parent") for who in (1, 2)] == [(SINGLE,), (NA,)]


@pytest.mark.parametrize(("words", "level"), [("[子の子]", NA), ("[子の子, 孫]", YES)])
def test_another_word_for_a_grandchild_is_configuration(tmp_path, words, level):
    overlay = tmp_path / "city.yaml"
    overlay.write_text(f"items: {{three_generations: {{words: {{grandchild: {words}}}}}}}", "utf-8")
    city = City(load_catalogue(overlay))
    siblings_under_grandparents(city, "孫")
    city.refresh()
    assert city.of_child(1, FAMILY_ITEMS) == (NA, level, "3")


@pytest.mark.parametrize("couple", [True, False])
def test_a_child_that_is_a_lodger_belongs_to_the_household(city, couple):
    city.adult(101, 1, "世帯主", protection=True)
    if couple:
        city.adult(102, 1, "妻")
    city.pupil_of(1, 1, "同居人")
    city.pupil_of(1, 2)
    city.pupil_of(1, 3)
    city.on_assistance(101)
    city.disabled(1)
    city.refresh()
    # 同居人 is not 子: never a single parent's by the household, the family's own children by the contract's words
    assert city.of_child(1, FAMILY_ITEMS) == (NA, NA, "3")
    assert city.of_child(2, FAMILY_ITEMS) == (NA if couple else SINGLE, NA, "3")
    assert city.of_child(1, "household_id::integer, protected, public_assistance, household_disability") == (1, True, YES, NA)  # fmt: skip
    assert city.of_child(2, "household_id::integer, protected, public_assistance, household_disability") == (1, True, YES, YES)  # fmt: skip


def test_an_adult_lodger_is_a_member_and_no_spouse(city):
    city.adult(101, 1, "世帯主")
    city.adult(102, 1, "同居人", protection=True)
    city.pupil_of(1, 1)
    city.disabled(102)
    city.on_assistance(102)
    city.refresh()
    assert city.of_child(1, f"protected, {FAMILY_ITEMS}") == (True, SINGLE, NA, NA)
    assert city.of_child(1, "public_assistance, household_disability") == (YES, YES)


@pytest.mark.parametrize(
    ("relationship", "couple", "single"),
    [("同居人の子", False, NA), ("同居人の子", True, NA), ("子", False, SINGLE), ("子", True, NA)],
)
def test_a_lodgers_child_counts_as_it_is_written(city, relationship, couple, single):
    city.adult(101, 1, "世帯主")
    if couple:
        city.adult(102, 1, "夫")
    city.adult(103, 1, "同居人")
    city.pupil_of(1, 1, relationship)
    city.pupil_of(1, 2)
    city.pupil_of(1, 3)
    city.refresh()
    assert city.of_child(1, FAMILY_ITEMS) == (single, NA, "3")


@pytest.mark.parametrize(
    ("childs", "others", "single", "three_generations"),
    [
        ("子", ("世帯主", "世帯主"), SINGLE, NA),  # several 世帯主: no spouse among them
        ("子", ("世帯主", "世帯主", "夫"), NA, NA),
        ("世帯主", ("世帯主", "母"), NA, NA),
        ("子", ("妻",), NA, NA),  # no 世帯主
        ("子", ("母",), SINGLE, YES),
        ("子", (None, None), SINGLE, NA),  # a blank member is skipped, the child's own word decides
        (None, ("世帯主",), BLANK, BLANK),
        (None, ("世帯主", "妻"), NA, BLANK),
        (None, ("世帯主", "祖母"), BLANK, YES),
        (None, (), BLANK, BLANK),
    ],
)
def test_odd_relationships_neither_fail_nor_lose_a_child(city, childs, others, single, three_generations):
    city.pupil_of(1, 1, childs)
    for who, relationship in enumerate(others, start=101):
        city.adult(who, 1, relationship)
    counts = city.refresh()
    assert counts.children == 1
    assert city.of_child(1, f"household_id::integer, {FAMILY_ITEMS}") == (1, single, three_generations, NA)


def test_siblings_on_the_list_and_clusters_of_the_fit_are_the_households_of_the_register(city):
    city.pupil_of(1, 1, address=ADDRESS)
    city.pupil_of(1, 2, "同居人", address=ADDRESS, school_year=5)
    city.pupil_of(2, 3, address=ADDRESS, school_year=5)  # split off
    city.disabled(1)
    for who in range(201, 217):  # sixteen: two children of one facility
        city.resident(who, 9)
    city.registered(201, school_year=6)
    city.registered(202, school_year=6)
    for who in range(11, 20):  # with child 1 ten in school year 4, of whom one is selected
        city.pupil_of(who, who)
    city.refresh()

    run_sql(city.con, "kodomo_assets.stages.weights", "fit_data", {"reference_date": R, "features_at": R, "incident": False})  # fmt: skip
    clusters = dict(
        city.con.execute(
            "select c.resident_id::integer, f.household_id from fit_data as f "
            "join linkage.children as c using (child_key) where c.resident_id::integer not between 11 and 19"
        ).fetchall()
    )
    assert clusters == {
        1: "0000000001",
        2: "0000000001",
        3: "0000000002",
        201: "facility:0000000201",
        202: "facility:0000000202",
    }

    city.insert("weights.in_force", reference_date=R, version="v")
    for item, level, weight in (("(base)", "(base)", 0.0), ("child_disability", NA, 0.0), ("child_disability", YES, 0.3)):  # fmt: skip
        city.insert("weights.coefficients", version="v", reference_date=R, band="upper", item=item, level=level, weight=weight, children=100, mean_weight=0.0)  # fmt: skip
    build_screening(city.con, city.catalogue, R)
    flags = city.con.execute(
        "select c.resident_id::integer, r.selected, r.sibling_selected from new_ranking as r "
        "join linkage.children as c using (child_key) where r.selected or r.sibling_selected order by all"
    ).fetchall()
    assert flags == [(1, True, False), (2, False, True)]
