"""What whoever reads a list, a sheet or the page has to know of it before anything else (method §1, §5, §6)."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.adopted import adoptions, judged_by
from kodomo_assets.catalogue import Catalogue
from kodomo_assets.vocabulary import FLAGS, RULES, school_year_ja

#: 住民記録 comes without the column: nobody is known to be protected.
NO_PROTECTION = "支援措置の情報なし"


def protection_caution(catalogue: Catalogue) -> tuple[str, ...]:
    """For every list, sheet and page: whether 支援措置 comes at all."""
    return (NO_PROTECTION,) if catalogue.tables["resident_register"].is_without("protection") else ()


def meeting_cautions(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date, *, hidden: bool
) -> tuple[str, ...]:
    """For the meeting's files, besides: bands whose weights are a mere count, of many cities, hardly better than
    chance or not to be told from another rule, school years without selected children, and whom a tie cannot tell
    apart.

    While the sample is hidden neither is named: a child of such a school year on the list could only be of the sample.
    """
    return (
        *protection_caution(catalogue),
        *_counted(con, catalogue, reference_date),
        *_pooled(con, catalogue, reference_date),
        *_weak_models(con, catalogue, reference_date),
        *_not_told_apart(con, catalogue, reference_date),
        *(() if hidden else _tied(con, reference_date)),
        *_nobody_selected(con, reference_date, hidden=hidden),
    )


def _counted(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> list[str]:
    """Bands in which the number of own levels serves; whose step has no error was fitted on nothing."""
    rows = con.execute(
        """
        select
            r.band,
            bool_and(c.std_error is null) as nothing_fitted
        from (select distinct weights_version, band from screening.ranking where reference_date = $1) as r
        join weights.versions as v on v.version = r.weights_version and v.band = r.band and v.origin = 'count'
        join weights.coefficients as c
            on c.version = v.version and c.band = v.band and not starts_with(c.item, '(')
        group by r.band
        order by r.band
        """,
        [reference_date],
    ).fetchall()
    said = []
    for band, nothing_fitted in rows:
        fitted = "（相談記録との関係は推定していません）" if nothing_fitted else ""
        said.append(f"{catalogue.bands[band].ja}の順位は、項目ごとの重みではなく、該当する段階の数によります{fitted}")
    return said


def _pooled(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> list[str]:
    """Bands in which adopted weights of many cities serve: which version, and who adopted it."""
    rows = con.execute(
        "select distinct band, weights_version from screening.ranking where reference_date = $1 order by band",
        [reference_date],
    ).fetchall()
    found = [(band, adoptions(con, version).get(band)) for band, version in rows]
    return [one.ranks(catalogue.bands[band].ja) for band, one in found if one is not None]


def _weak_models(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> list[str]:
    rows = con.execute(
        """
        select
            m.band,
            m.cv_auc,
            v.origin
        from weights.model_cards as m
        join (select distinct weights_version, band from screening.ranking where reference_date = $day) as r
            on r.weights_version = m.version and r.band = m.band
        left join weights.versions as v on v.version = m.version and v.band = m.band
        -- a card of before the verdict was kept is judged by the present setting
        where coalesce(m.is_weak, m.cv_auc < $auc)
        order by m.band
        """,
        {"day": reference_date, "auc": catalogue.weights.min_cv_auc},
    ).fetchall()
    ja = {name: band.ja for name, band in catalogue.bands.items()}
    return [
        f"{ja[band]}の順位は偶然とほとんど変わりません（{judged_by(origin)}のAUC {auc:.2f}）"
        for band, auc, origin in rows
    ]


def _not_told_apart(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> list[str]:
    """Rules than which what serves is neither surely better nor surely worse: the interval holds 0 (method §5)."""
    rows = con.execute(
        """
        select
            d.band,
            list(d.rule order by d.rule),
            any_value(v.origin)
        from weights.validation as d
        join (select distinct weights_version, band from screening.ranking where reference_date = $1) as r
            on r.weights_version = d.version and r.band = d.band
        left join weights.versions as v on v.version = d.version and v.band = d.band
        where d.measure = 'precision_difference' and d.low <= 0 and d.high >= 0
        group by d.band
        order by d.band
        """,
        [reference_date],
    ).fetchall()
    return [
        f"{catalogue.bands[band].ja}の順位は、{'・'.join(RULES[rule] for rule in rules)}による順位と、"
        f"どちらがよく見つけるか区別できません（{judged_by(origin)}）"
        for band, rules, origin in rows
    ]


def _tied(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> list[str]:
    """Of each school year the children at the cut whom their scores do not tell apart, and how many of them are in."""
    rows = con.execute(
        """
        select
            cohort,
            count(*),
            count(*) filter (selected)
        from screening.ranking
        where
            reference_date = $1
            and tied_at_cut
        group by cohort
        order by cohort
        """,
        [reference_date],
    ).fetchall()
    if not rows:
        return []
    told = "、".join(
        f"{school_year_ja(year)} {children}人（うち抽出{selected}人）" for year, children, selected in rows
    )
    return [f"{FLAGS['tied_at_cut']}で区別できない児童：{told}"]


def _nobody_selected(con: duckdb.DuckDBPyConnection, reference_date: dt.date, *, hidden: bool) -> list[str]:
    rows = con.execute(
        "select cohort, count(*), bool_or(selected) from screening.ranking where reference_date = $1 "
        "group by cohort order by cohort",
        [reference_date],
    ).fetchall()
    without = [(year, children) for year, children, selects in rows if not selects]
    if not without:
        return []
    if len(without) == len(rows):
        return ["どの学年からも、だれも抽出していません"]
    if hidden:
        return ["だれも抽出していない学年があります（人数が少ないため。学年は判定のあとに表示します）"]
    return [f"{school_year_ja(year)}（{children}人）からは、だれも抽出していません" for year, children in without]
