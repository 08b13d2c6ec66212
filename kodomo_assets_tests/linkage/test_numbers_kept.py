"""A 学籍番号 that is another pupil's next year would bring last year's records to a child they are not about."""

from __future__ import annotations

import pytest

from kodomo_assets.checks import CheckOutcome
from kodomo_assets.stages.linkage.checks import check_links
from kodomo_assets_tests.linkage.register import EARLIER, D, Register


@pytest.fixture
def register() -> Register:
    return Register()


def outcome(register: Register) -> CheckOutcome:
    register.link()
    return next(o for o in check_links(register.con, register.catalogue) if o.name == "numbers_kept")


def name(n: int) -> str:
    return "ヤマダ " + "".join("アイウエオカキクケコ"[int(digit)] for digit in f"{n:03d}")


def born(n: int) -> D:
    return D(2015, 5 + n // 28, 1 + n % 28)


def school(register: Register, children: int, then_of: dict[int, int]) -> None:
    """A class whose number n was that of child ``then_of[n]`` (n where it is left out) at the earlier date."""
    register.deliver("school_roster", EARLIER)
    for n in range(children):
        register.child(n, name(n), born(n))
        register.pupil(n, name(n), born(n))
        before = then_of.get(n, n)
        register.pupil(n, name(before), born(before), day=EARLIER)


def test_numbers_that_move_up_each_year_stop_the_refresh(register):
    school(register, 30, {n: (n + 1) % 30 for n in range(30)})
    found = outcome(register)
    assert (found.passed, found.blocking) == (False, True)
    assert found.facts.items() >= {"numbers": 30, "of_another_person": 30}.items()
    assert "30 of 30 学籍番号" in found.message
    assert "not one of 学年・組・番号" in found.message


def test_a_number_or_two_of_somebody_else_are_told(register):
    school(register, 30, {1: 2, 2: 1})
    found = outcome(register)
    assert (found.passed, found.blocking) == (False, False)
    assert found.facts.items() >= {"numbers": 30, "of_another_person": 2}.items()


def test_a_corrected_name_or_birth_date_is_the_same_person(register):
    register.deliver("school_roster", EARLIER)
    for n in range(20):
        register.child(n, name(n), born(n))
        register.pupil(n, name(n), born(n))
    for n in range(20):
        kana = "スズキ タロウ" if n < 10 else None if n < 12 else name(n)
        register.pupil(n, kana, born(n) if n < 10 else D(2014, 1, 1), day=EARLIER)
    assert outcome(register).passed
