"""Synthetic names with their kana, composed of parts: enough different ones that people of one name are rare."""

from __future__ import annotations

import numpy as np
import pandas as pd

_FIRST = (
    "山ヤマ 川カワ 田タ 小コ 大オオ 中ナカ 高タカ 髙タカ 松マツ 竹タケ 石イシ 木キ 林ハヤシ 森モリ 原ハラ 上ウエ 下シモ "
    "北キタ 南ミナミ 西ニシ 東ヒガシ 吉ヨシ 福フク 長ナガ 青アオ 赤アカ 黒クロ 白シラ 金カネ 藤フジ 梅ウメ 栗クリ 杉スギ 桜サクラ "
    "宮ミヤ 村ムラ 岩イワ 水ミズ 坂サカ 矢ヤ"
).split()
_SECOND = (
    "田ダ 川カワ 山ヤマ 本モト 村ムラ 木キ 井イ 野ノ 原ハラ 島シマ 崎サキ 﨑サキ 沢サワ 藤トウ 口クチ 岡オカ 橋ハシ 谷ヤ 浦ウラ "
    "林バヤシ 塚ツカ 内ウチ 瀬セ 尾オ"
).split()
_BOYS = (
    "翔ショウ 大ダイ 悠ユウ 蓮レン 陽ハル 健ケン 拓タク 直ナオ 隼ハヤ 颯ソウ 涼リョウ 智トモ 雄ユウ 駿シュン 晴ハル 海カイ 和カズ 真マサ 航コウ 匠タク"
).split()
_BOYS_END = "太タ 斗ト 真マ 介スケ 希キ 也ヤ 人ト 輝キ 平ヘイ 馬マ 吾ゴ 樹キ 一イチ 生セイ 郎ロウ 史シ".split()
_GIRLS = (
    "結ユ 美ミ 彩アヤ 陽ヒ 咲サキ 莉リ 心ココ 花ハナ 愛アイ 優ユウ 千チ 真マ 沙サ 奈ナ 遥ハル 琴コト 芽メ 麻マ 由ユ 紗サ"
).split()
_GIRLS_END = "菜ナ 衣イ 花カ 子コ 音ネ 香カオリ 乃ノ 葉ハ 奈ナ 美ミ 里リ 希キ 織オリ 帆ホ 海ミ 月ツキ".split()
_FOREIGN_FAMILY = "Nguyen Tran Silva Santos Kim Lee Wang Zhang Perera Gurung Khan Garcia Smith Brown".split()
# one letter apart; in Japanese names the endings of one kana do the same
_FOREIGN_TWINS = "Ana/Ann Lin/Min Liam/Lian Jun/Jin Asha/Usha Omar/Umar Sara/Tara Maria/Marta".split()
_FOREIGN_GIVEN = "An Linh Maria Joao Min Jun Wei Li Nimal Asha Omar Sara Emma Liam Lucas Ana".split()


def _combine(first: list[str], second: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """All pairs as (written, kana)."""
    written = [a[0] + b[0] for a in first for b in second if a[0] != b[0]]
    kana = [a[1:] + b[1:] for a in first for b in second if a[0] != b[0]]
    return np.array(written, dtype=object), np.array(kana, dtype=object)


_FAMILY = _combine(_FIRST, _SECOND)
_GIVEN = {"男": _combine(_BOYS, _BOYS_END), "女": _combine(_GIRLS, _GIRLS_END)}
FAMILIES = len(_FAMILY[0])
# families by kana, each once
_READINGS = np.unique(_FAMILY[1], return_index=True)[1]


def _twins(first: tuple[list[str], list[str]], second: tuple[list[str], list[str]]) -> np.ndarray:
    """Given names of two twins, (written, kana, written, kana), that begin alike and end in different kana."""
    return np.array(
        [
            (a[0] + c[0], a[1:] + c[1:], b[0] + d[0], b[1:] + d[1:])
            for a in first[0]
            for b in second[0]
            for c in first[1]
            for d in second[1]
            if a[1:] == b[1:] and len(c) == len(d) == 2 and c[1] != d[1] and a[0] != c[0] and b[0] != d[0]
        ],
        dtype=object,
    )


_PARTS = {False: (_BOYS, _BOYS_END), True: (_GIRLS, _GIRLS_END)}
_TWINS = {(one, other): _twins(_PARTS[one], _PARTS[other]) for one in (False, True) for other in (False, True)}


def draw_names(
    rng: np.random.Generator, family: np.ndarray, female: np.ndarray, foreign: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Names and kana of people whose family name has number ``family``; foreigners' are in Latin letters."""
    n = len(family)
    pick = rng.integers(0, 1 << 30, n)
    written = np.empty(n, dtype=object)
    kana = np.empty(n, dtype=object)
    for sex, of_sex in (("男", ~female), ("女", female)):
        names, readings = _GIVEN[sex]
        written[of_sex] = names[pick[of_sex] % len(names)]
        kana[of_sex] = readings[pick[of_sex] % len(names)]
    name = _FAMILY[0][family % FAMILIES] + "\u3000" + written
    name_kana = _FAMILY[1][family % FAMILIES] + " " + kana
    latin = (
        np.array(_FOREIGN_FAMILY, dtype=object)[family % len(_FOREIGN_FAMILY)]
        + " "
        + np.array(_FOREIGN_GIVEN, dtype=object)[pick % len(_FOREIGN_GIVEN)]
    )
    return np.where(foreign, latin, name), np.where(foreign, latin, name_kana)


def draw_twin_names(rng: np.random.Generator, twins: pd.DataFrame) -> pd.DataFrame:
    """``name`` and ``kana`` of ``twins``, two rows a pair, with given names that are one kana (or letter) apart.

    The family names stay.
    """
    first, second = twins.iloc[::2], twins.iloc[1::2]
    named = twins[["name", "kana"]].copy()
    for pair, position in enumerate(rng.random(len(first))):
        one, other = first.iloc[pair], second.iloc[pair]
        if one["kana"].isascii():
            given = _FOREIGN_TWINS[int(position * len(_FOREIGN_TWINS))].split("/")
            names = [f"{one['name'].split(' ')[0]} {own}" for own in given]
            named.iloc[2 * pair : 2 * pair + 2] = [[name, name] for name in names]
            continue
        choice = _TWINS[bool(one["female"]), bool(other["female"])]
        a, a_kana, b, b_kana = choice[int(position * len(choice))]
        family, kana = one["name"].split("\u3000")[0], one["kana"].split(" ")[0]
        named.iloc[2 * pair : 2 * pair + 2] = [
            [f"{family}\u3000{a}", f"{kana} {a_kana}"],
            [f"{family}\u3000{b}", f"{kana} {b_kana}"],
        ]
    return named


def other_family(name: str, kana: str, position: float) -> tuple[str, str]:
    """Name and kana with another family name of the city's; a ``position`` in [0, 1) says which."""
    own, given = kana.split(" ")
    if kana.isascii():
        others = [family for family in _FOREIGN_FAMILY if family != own]
        family = others[int(position * len(others))]
        return f"{family} {given}", f"{family} {given}"
    at = int(position * (len(_READINGS) - 1))
    # the families but the own one
    family = _READINGS[at] if _FAMILY[1][_READINGS[at]] != own else _READINGS[-1]
    return f"{_FAMILY[0][family]}\u3000{name.split(chr(0x3000))[1]}", f"{_FAMILY[1][family]} {given}"
