"""異体字 in match keys: folded where NFKC leaves them apart, and nowhere else."""

from __future__ import annotations

import unicodedata

import duckdb
import pytest

from kodomo_assets.japan.variants import _WRITTEN, match_key_sql


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("髙﨑 花子", "高崎花子"),
        ("渡邊　太郎", "渡辺太郎"),
        ("渡邉太郎", "渡辺太郎"),
        ("齋藤", "斉藤"),
        ("齊藤", "斉藤"),
        ("濱田", "浜田"),
        ("澤", "沢"),
        ("𠮷田", "吉田"),
        ("葛\U000e0100城", "葛城"),  # a selector tells only how 葛 is drawn
        ("\ue000田", "田"),  # 外字 are never part of a key
        ("ﾔﾏﾀﾞ", "ヤマダ"),
        ("神", "神"),  # a compatibility character: NFKC alone brings it together
    ],
)
def test_keys(written, key):
    assert match_keys(written) == [key]


@pytest.mark.parametrize("group", _WRITTEN.split())
def test_every_form_of_a_group_is_the_usual_one_and_stands_once(group):
    assert match_keys(*group) == [group[0]] * len(group)
    assert [char for char in group if unicodedata.normalize("NFKC", char) != char] == []
    assert [char for char in group if _WRITTEN.count(char) != 1] == []


def match_keys(*names: str) -> list[str]:
    """The keys of names that were read: after NFKC (method §1), as the linkage compares them."""
    read = [unicodedata.normalize("NFKC", name) for name in names]
    with duckdb.connect() as con:
        rows = con.execute(f"select {match_key_sql('name')} from (select unnest($1::varchar[]) as name)", [read])
        return [key for (key,) in rows.fetchall()]
