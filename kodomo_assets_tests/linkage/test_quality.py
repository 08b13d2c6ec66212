"""What a refresh says of its own links: shares by method, what the probabilities promise, what changed, what stops it."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.stages.linkage.checks import check_links
from kodomo_assets_tests.linkage.test_linkage import EARLIER, R, Register

BORN = dt.date(2015, 5, 5)


@pytest.fixture
def register() -> Register:
    return Register()


def linked_share(register: Register) -> CheckOutcome:
    return next(o for o in check_links(register.con, register.catalogue) if o.name == "linked_share")


def test_shares_by_method_review_and_unlinked_add_up_per_table_and_school(register):
    register.child(1, "ヤマダ タロウ")
    register.child(2, "スズキ ハナコ", school="081002")
    register.child(3, "サトウ ミ", household=9)
    register.child(4, "サトウ ミ", household=10)
    register.pupil(11, "ヤマダ タロウ")  # exact
    register.pupil(12, "スズキ ハナゴ", school="081002")  # 濁点
    register.pupil(13, "サトウ ミ")  # two children alike: for a person
    register.pupil(14, "ダレデモ ナイ", dt.date(2016, 1, 1))  # nobody
    register.link()
    rows = register.con.execute(
        "select school_code, method, persons, share from new_quality where table_name = 'school_roster' order by all"
    ).fetchall()
    assert rows == [
        ("081001", "in_review", 1, pytest.approx(1 / 3)),
        ("081001", "kana_birth_sex_school", 1, pytest.approx(1 / 3)),
        ("081001", "unlinked", 1, pytest.approx(1 / 3)),
        ("081002", "splink", 1, 1.0),
    ]
    coverage = register.con.execute(
        "select school_code, persons, linked, unlinked, in_review, persons_of_school_age, linked_of_school_age "
        "from new_coverage where table_name = 'school_roster' order by all"
    ).fetchall()
    assert coverage == [("081001", 3, 1, 2, 1, 3, 1), ("081002", 1, 1, 0, 0, 1, 1)]


def test_what_the_probabilities_promise(register):
    register.child(1, "ヤマダ タロウ")
    register.child(2, "スズキ ハナコ")
    register.child(3, "サトウ ミ", household=9)
    register.child(4, "サトウ ミ", household=10)
    register.pupil(11, "ヤマダ タロウ")
    register.pupil(12, "スズキ ハナゴ")
    register.pupil(13, "サトウ ミ")
    register.link()
    ((slip,),) = register.con.execute("select probability from new_links where person_ref = '00000012'").fetchall()
    assert 0.95 < slip < 1
    ((precision, recall),) = register.con.execute(
        "select expected_precision, expected_recall from new_coverage where table_name = 'school_roster'"
    ).fetchall()
    assert precision == pytest.approx((1 + slip) / 2)
    # 13 is one of the two almost surely, and linked to neither
    assert recall == pytest.approx((1 + slip) / (1 + slip + 1), rel=1e-6)


def was(register: Register, child: int, table: str | None = None, ref: str | None = None) -> None:
    """What the last refresh held: the child, and a link to it."""
    ((key, resident),) = register.con.execute(
        "select distinct child_key, resident_id from linkage.children where resident_id = $1", [f"{child:010d}"]
    ).fetchall()
    register.con.execute(
        "insert into linkage.children by name select * replace ($1::date as reference_date) from linkage.children "
        "where reference_date = $2 and resident_id = $3 "
        "and not exists (from linkage.children where reference_date = $1 and resident_id = $3)",
        [EARLIER, R, resident],
    )
    if table:
        register.insert("linkage.links", reference_date=EARLIER, table_name=table, person_ref=ref, child_key=key, method="kana_birth", probability=1.0)  # fmt: skip


def test_links_that_changed_since_the_last_refresh_are_listed(register):
    names = {1: "ヤマダ タロウ", 2: "スズキ ハナコ", 3: "タカハシ ケン", 4: "イトウ リン", 5: "カトウ サキ", 6: "オオタ ユイ"}  # fmt: skip
    for who, kana in names.items():
        register.child(who, kana)
    register.build()
    number = {who: f"{10 + who:08d}" for who in names}
    was(register, 1, "school_roster", number[1])  # as now
    was(register, 3, "school_roster", number[2])  # was another child's
    was(register, 2)
    was(register, 4)  # its number was there and reached nobody
    was(register, 5, "ssw_records", "W5")  # reaches nobody now
    register.deliver("school_roster", EARLIER)
    register.deliver("ssw_records", EARLIER)
    for who in (1, 2, 4):
        register.pupil(10 + who, "ムカシ ノナ", dt.date(2015, 1, 1), day=EARLIER)
    for day in (EARLIER, R):
        register.row(
            "ssw_records", day, record_id="W5", name_kana="ダレカ ホカ", birth_date=BORN, school_name="081001小学校"
        )
    for who in (1, 2, 4, 6):  # 6 is new, child and number
        register.pupil(10 + who, names[who])
    register.link()
    rows = register.con.execute(
        "select person_ref, change, c.resident_id::integer, p.resident_id::integer, previous_date, previous_method "
        "from new_changes as n "
        f"left join linkage.children as c on c.child_key = n.child_key and c.reference_date = date '{R}' "
        f"left join linkage.children as p on p.child_key = n.previous_child_key and p.reference_date = date '{R}' "
        "order by person_ref"
    ).fetchall()
    assert rows == [
        (number[2], "moved", 2, 3, EARLIER, "kana_birth"),
        (number[4], "gained", 4, None, EARLIER, None),
        ("W5", "lost", None, 5, EARLIER, "kana_birth"),
    ]


def pupils(register: Register, linked: int, strangers: int) -> None:
    for who in range(1, linked + 1):
        kana = "アイウエオカキクケコ"[who % 10] * 3 + " " + "サシスセソタチツテト"[who // 10] * 3
        register.child(who, kana)
        register.pupil(who, kana)
    for number in range(1001, 1001 + strangers):
        register.pupil(number, f"{'ナニヌネノ'[number % 5] * 6} ハハハ", dt.date(2014, 7, 7))


def before(register: Register, persons: int, linked: int) -> None:
    register.insert("linkage.coverage", reference_date=EARLIER, table_name="school_roster", school_code="081001", persons=persons, linked=linked, unlinked=persons - linked, persons_of_school_age=persons, linked_of_school_age=linked)  # fmt: skip


@pytest.mark.parametrize(
    ("linked", "strangers", "then", "passed"),
    [
        (90, 10, (100, 93), True),  # more than two points, but three persons: too few to tell
        (90, 10, (100, 100), False),
        (90, 10, (100, 91), True),
        (90, 10, None, True),
        (9, 10, None, False),  # under half
        (9, 9, None, True),
        (1, 9, None, True),  # under half, but of nine
    ],
)
def test_a_linked_share_that_is_low_or_fell_stops_the_refresh(register, linked, strangers, then, passed):
    pupils(register, linked, strangers)
    if then:
        before(register, *then)
    register.link()
    outcome = linked_share(register)
    assert outcome.blocking
    assert outcome.passed is passed, outcome.message
    assert outcome.facts["linked_share_school_roster"] == pytest.approx(linked / (linked + strangers))
    if not passed:
        assert "校務支援学籍" in outcome.message
        assert "expected" in outcome.message


def test_a_city_sets_its_own_floor(tmp_path):
    (tmp_path / "city.yaml").write_text("linkage: {min_linked_share: 0.95}", "utf-8")
    register = Register(load_catalogue(tmp_path / "city.yaml"))
    pupils(register, 90, 10)
    register.link()
    assert linked_share(register).message == "校務支援学籍 90.0%, expected at least 95.0%"
