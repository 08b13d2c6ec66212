"""linkage.schools: what a school is called at a reference date."""

from __future__ import annotations

import datetime as dt

from kodomo_assets.stages.linkage.children import build_children
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.store.pseudonyms import create_pseudonyms
from kodomo_assets_tests.linkage.register import Register
from kodomo_assets_tests.linkage.test_linkage import SECRET, D, R

EARLIER, LATER = D(2024, 10, 1), D(2025, 10, 1)


def named(register: Register, day: dt.date) -> list[tuple]:
    create_delivered_views(register.con, register.catalogue, day)
    create_pseudonyms(register.con, SECRET, "delivered_school_register")
    build_children(register.con, register.catalogue, day)
    return register.con.execute("from new_schools order by all").fetchall()


def at(register: Register, day: dt.date, who: int, code: str, name: str) -> None:
    register.row("school_register", day, resident_id=f"{who:010d}", school_code=code, school_name=name, school_year=2)


def test_a_school_has_one_name_whatever_its_rows_write():
    register = Register()
    register.child(1)
    at(register, R, 2, "081009", "南小学校")
    at(register, R, 3, "081009", "南小")
    # nobody of this school is resident: it is a school of the register all the same
    at(register, R, 4, "081010", "北小学校")
    # another register's name does not count
    at(register, EARLIER, 2, "081009", "あ小学校")
    at(register, EARLIER, 5, "081011", "旧小学校")
    assert named(register, R) == [(R, "081001", "081001小学校"), (R, "081009", "南小"), (R, "081010", "北小学校")]


def test_an_earlier_register_in_force_names_the_schools_of_a_later_date():
    register = Register()
    register.child(1)
    assert named(register, LATER) == [(LATER, "081001", "081001小学校")]
