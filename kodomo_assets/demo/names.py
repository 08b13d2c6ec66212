"""Synthetic names with their kana, composed of parts: enough different ones that people of one name are rare."""

from __future__ import annotations

import numpy as np

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
_FOREIGN_GIVEN = "An Linh Maria Joao Min Jun Wei Li Nimal Asha Omar Sara Emma Liam Lucas Ana".split()


def _combine(first: list[str], second: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """All pairs as (written, kana)."""
    written = [a[0] + b[0] for a in first for b in second if a[0] != b[0]]
    kana = [a[1:] + b[1:] for a in first for b in second if a[0] != b[0]]
    return np.array(written, dtype=object), np.array(kana, dtype=object)


_FAMILY = _combine(_FIRST, _SECOND)
_GIVEN = {"男": _combine(_BOYS, _BOYS_END), "女": _combine(_GIRLS, _GIRLS_END)}
FAMILIES = len(_FAMILY[0])


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
