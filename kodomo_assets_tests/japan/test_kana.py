"""Kana folded over 濁点, 小書き and 長音: a corpus worked out by hand, and what must hold of every name."""

from __future__ import annotations

import unicodedata

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kodomo_assets.japan.kana import fold_sql

_CON = duckdb.connect()
_CON.execute(f"create macro fold(kana) as {fold_sql('kana')}")
_CON.execute(f"create macro plain(kana) as {fold_sql('kana', long_vowels=False)}")

# The kana that stay apart, and what each of them swallows.
APART = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
SWALLOWED = {
    **dict(zip("ガギグゲゴザジズゼゾダヂヅデドバビブベボ", "カキクケコサシスセソタチツテトハヒフヘホ", strict=True)),
    **dict(zip("パピプペポァィゥェォッャュョヮヵヶ", "ハヒフヘホアイウエオツヤユヨワカケ", strict=True)),
    **dict(zip("ヴヷヸヹヺヲヰヱ", "ウワイエオオイエ", strict=True)),
}


def fold(*names: str | None) -> list[str | None]:
    rows = _CON.execute(
        "select fold(names[place]) from (select $1::varchar[] as names), range(1, len($1::varchar[]) + 1) as r(place) "
        "order by place",
        [list(names)],
    ).fetchall()
    return [folded for (folded,) in rows]


def distances(name: str, *others: str) -> list[int]:
    """In one statement: for DuckDB to plan it takes longer than all else."""
    rows = _CON.execute(
        "select damerau_levenshtein(fold($1), fold(other)) from (select unnest($2::varchar[]) as other)",
        [name, list(others)],
    ).fetchall()
    return [distance for (distance,) in rows]


def distance(left: str, right: str) -> int:
    return distances(left, right)[0]


@pytest.mark.parametrize(
    "names",
    [
        ("ヤマダ", "ヤマタ", "やまだ", "やまた"),
        ("ハシモト", "バシモト", "パシモト", "ばしもと"),
        ("キョウコ", "キヨウコ", "キョオコ", "キョーコ", "きょうこ", "きょーこ"),
        ("ハットリ", "ハツトリ", "ハヅドリ"),
        ("リョウ", "リョオ", "リョー", "リヨウ"),
        ("ユウ", "ユー", "ゆう", "ユゥ"),
        ("オオノ", "オーノ", "オウノ", "おおの", "おーの"),
        ("トオル", "トール", "トウル", "ドール"),
        ("ケイコ", "ケエコ", "ケーコ", "ゲイコ"),
        ("シイナ", "シーナ", "ジイナ"),
        ("オカアサン", "オカーサン"),
        ("カヲル", "カオル", "かをる"),
        ("ヰサム", "イサム", "ゐさむ"),
        ("スヱ", "スエ", "すゑ"),
        ("ヴァン", "ウアン", "ゔぁん"),
        ("ミヅキ", "ミツキ", "ミッキ"),
        ("ヂロウ", "チロウ", "ヂロー"),
        ("センダガヤ", "センタカヤ"),
        ("サンカ", "サンヵ"),
        ("ミケ", "ミヶ"),
        ("José García", "JOSE GARCIA", "jose garcia", "José-García", "josegarcia"),
        ("Nguyễn", "NGUYEN", "nguyên"),
        ("O'Neil", "ONEIL", "O’Neil"),
        (
            "ヤマダ タロウ",
            "ヤマダ\u3000タロウ",
            "ヤマダタロウ",
            "ヤマダ・タロウ",
            "ヤマダ\ue000 タロウ",
            " ヤマダ タロウ\n",
        ),
    ],
)
def test_names_that_fold_alike(names):
    (first, *others) = fold(*names)
    assert first
    assert others == [first] * len(others)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("ヤマダ", "ヤマナ"),
        ("タロウ", "タロ"),  # a 長音 that is not written is a slip
        ("イノウエ", "イノエ"),
        ("コウタ", "コタ"),
        ("ミズキ", "ミヅキ"),  # one sound, but ズ is a ス and ヅ a ツ
        ("ジロウ", "ヂロウ"),
        ("アベ", "アメ"),
        ("ソン", "ソソ"),
        ("シノ", "ツノ"),
        ("ヤマダ タロウ", "ヤダマ タロウ"),  # neighbours exchanged
        ("ヤマダ タロウ", "ヤマダダ タロウ"),
        ("Silva", "Silba"),
    ],
)
def test_names_that_one_slip_keeps_apart(left, right):
    assert distance(left, right) == 1


def test_every_kana_folds_to_a_character_of_its_own():
    codes = fold(*APART)
    assert len(set(codes)) == len(APART)
    assert all(code and len(code.encode()) == 1 for code in codes)
    assert not {"'", '"', "\\"} & set(codes)
    # Latin capitals are names of their own
    assert not any(code and code.isupper() for code in codes)
    assert fold(*SWALLOWED) == fold(*SWALLOWED.values())


def test_hiragana_folds_as_katakana():
    hiragana = [chr(code) for code in range(0x3041, 0x3097)]
    assert fold(*hiragana) == fold(*(chr(ord(kana) + 0x60) for kana in hiragana))


def test_half_width_kana_fold_as_full_width_ones_once_they_are_read():
    """Sources are stored after NFKC, which joins ﾀ and ﾞ and makes ｰ a ー."""
    read = [unicodedata.normalize("NFKC", text) for text in ("ﾀﾞﾅｶ ﾘｮｰ", "ﾊﾟｸ", "ｵｰﾉ")]
    assert fold(*read) == fold("ダナカ リョウ", "パク", "オオノ")


def test_a_voice_mark_on_its_own_has_no_part():
    assert fold("カ\u3099", "カ゛", "カ\u309a", "カ゜") == fold("カ", "カ", "カ", "カ")


def test_other_scripts_stay_as_they_are():
    assert fold("김민준", "山田 太郎", "髙﨑", "佐々木", "Ø") == ["김민준", "山田太郎", "髙﨑", "佐々木", "Ø"]


@pytest.mark.parametrize("name", [None, "", " ", "\u3000", "\ue000", "ー", "・", "-", "゛", "'", "\\", '"', "\t\n"])
def test_what_has_nothing_left_is_null(name):
    assert fold(name) == [None]


def test_a_long_vowel_is_drawn_out_once_only():
    # the sign behind a ン, or doubled, has nothing to draw out
    assert fold("トーー", "ケンー") == fold("トー", "ケン")


@pytest.mark.parametrize(("left", "right"), [("オオウチ", "オーウチ"), ("オオウラ", "オーウラ"), ("コオウ", "コーウ")])
def test_a_long_vowel_before_a_u_folds_alike_in_every_spelling(left, right):
    assert fold(left) == fold(right)


@pytest.mark.parametrize("name", ["ワタナベ イチカ", "アベ イオリ", "ササノ ウミ", "キノ ウタ"])
def test_white_space_has_no_part(name):
    assert fold(name) == fold(name.replace(" ", ""))


@pytest.mark.parametrize(
    ("left", "right"),
    [("ユウト", "ヨウト"), ("レイコ", "ライコ"), ("レイコ", "イコ"), ("ソウタ", "サウタ"), ("コウキ", "クウキ")],
)
def test_one_slip_before_a_long_vowel_is_one_in_the_plain_form(left, right):
    """Folding the 長音 makes two of it, so both forms are compared."""
    row = _CON.execute("select damerau_levenshtein(plain($1), plain($2))", [left, right]).fetchone()
    assert row == (1,)
    assert distance(left, right) == 2


@pytest.mark.parametrize("name", ["シ-ナ", "シ−ナ", "シ‐ナ", "シ―ナ"])
def test_a_hyphen_between_kana_is_a_long_vowel(name):
    assert fold(name) == fold("シーナ")


KANA = st.text(APART, min_size=1, max_size=8)
# no 長音 can arise: no kana is followed by ア イ ウ エ オ
PLAIN = st.text(APART[5:], min_size=1, max_size=8)
_SPELT = {basic: basic + "".join(kana for kana, of in SWALLOWED.items() if of == basic) for basic in APART}


@settings(deadline=None)
@given(KANA)
def test_a_kana_name_has_one_byte_per_kana(name):
    (folded,) = fold(name)
    assert folded
    assert len(folded.encode()) == len(name)
    assert folded.isascii()
    assert not {"'", '"', "\\"} & set(folded)


@settings(deadline=None)
@given(PLAIN, st.data())
def test_spellings_fold_alike(name, data):
    spelt = "".join(data.draw(st.sampled_from(_SPELT[kana])) for kana in name)
    hiragana = "".join(chr(ord(kana) - 0x60) if data.draw(st.booleans()) and kana <= "ヶ" else kana for kana in spelt)
    at = data.draw(st.integers(0, len(name)))
    sign = data.draw(st.sampled_from(["", " ", "\u3000", "・", "\ue000"]))
    assert fold(hiragana[:at] + sign + hiragana[at:]) == fold(name)


@settings(deadline=None)
@given(PLAIN, st.data())
def test_one_slip_is_a_distance_of_one(name, data):
    at = data.draw(st.integers(0, len(name) - 1))
    other = data.draw(st.sampled_from([kana for kana in APART[5:] if kana != name[at]]))
    slips = [name[:at] + other + name[at + 1 :], name[:at] + other + name[at:]]
    if len(name) > 1:
        slips.append(name[:at] + name[at + 1 :])
    if at + 1 < len(name) and name[at] != name[at + 1]:
        slips.append(name[:at] + name[at + 1] + name[at] + name[at + 2 :])
    assert distances(name, *slips) == [1] * len(slips)


@settings(deadline=None)
@given(st.text("アオウエイートコケノレヨ", min_size=1, max_size=8))
def test_a_long_vowel_changes_no_more_than_its_kana(name):
    (folded,) = fold(name)
    assert len(folded or "") <= len(name)
    assert (folded or "").isascii()


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=30))
def test_any_text_folds_to_text_or_to_nothing(text):
    (folded,) = fold(text)
    assert folded is None or folded
    assert not set(folded or "") & set("'\"\\ \u3000ー・")
