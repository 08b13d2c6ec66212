"""異体字 in match keys: folded where NFKC leaves them apart, and nowhere else."""

from __future__ import annotations

import unicodedata

import duckdb
import pytest

from kodomo_assets.japan.variants import match_key, sql_folding


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
    assert match_key(written) == key


def test_sql_folds_as_python_does():
    variants, usual = sql_folding()
    with duckdb.connect() as con:
        (folded,) = con.execute("select translate($1, $1, $2)", [variants, usual]).fetchone() or ("",)
    assert folded == usual == "".join(match_key(char) for char in variants)


def test_every_folded_form_is_one_that_nfkc_leaves_apart_and_stands_once():
    variants, usual = sql_folding()
    assert len(set(variants)) == len(variants)
    assert not set(variants) & set(usual)
    assert all(unicodedata.normalize("NFKC", char) == char for char in variants)
