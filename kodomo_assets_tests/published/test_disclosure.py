"""No cell under ten can be known: by hand, and by an attacker who solves everything that is published for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from kodomo_assets.catalogue import OutputColumn, OutputTable, load_catalogue
from kodomo_assets.catalogue.output_models import Aggregate
from kodomo_assets.disclosure import ROUND_TO, suppress
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.measures import Interval, found, places
from kodomo_assets.stages.weights.validation import _figures
from kodomo_assets_tests.published.test_published import build, query
from kodomo_assets_tests.template import in_memory
from kodomo_assets_tests.town import Town

R = dt.date(2025, 4, 1)
Cells = dict[tuple, int | None]


def count(name: str, **facts: object) -> OutputColumn:
    return OutputColumn(name=name, type="INTEGER", ja=name, children=True, **facts)


def table(by: tuple[str, ...], *columns: OutputColumn) -> OutputTable:
    keys = tuple(OutputColumn(name=name, type="VARCHAR", ja=name, words="item") for name in by)
    return OutputTable(db_schema="s", name="t", ja="t", about="none", columns=(*keys, *columns), aggregate=Aggregate(within=(), by=by))  # fmt: skip


def told(made: OutputTable, rows: Iterable[tuple]) -> list[tuple]:
    """What is published of ``rows``, in the order of all columns."""
    with in_memory() as con:
        con.execute(f"create table given ({', '.join(f'{column.name} {column.type}' for column in made.columns)})")
        con.executemany(f"insert into given values ({', '.join('?' * len(made.columns))})", [list(r) for r in rows])
        return con.execute(f"select * from {suppress(con, made, 'given', 10)} order by all").fetchall()


def line(*numbers: int) -> list[int | None]:
    """What is published of schools with these numbers and of their total: the schools, then the total."""
    rows = [(f"{position}", number) for position, number in enumerate(numbers)] + [(None, sum(numbers))]
    return [number for _, number in told(table(("school",), count("children")), rows)]


@pytest.mark.parametrize(
    ("numbers", "published"),
    [
        # nothing small: to the nearest five
        ((12, 23, 38), [10, 25, 40, 75]),
        # the 3 alone would come back as 61 - 20 - 38: the next smallest goes with it
        ((3, 20, 38), [None, None, 40, 60]),
        # 4 and 5 hidden, but their sum 9 would be told by 61 - 20 - 32
        ((4, 5, 20, 32), [None, None, None, 30, 60]),
        # 6 and 7 are 13 together: that may be told
        ((6, 7, 20), [None, None, 20, 35]),
        # nobody is fewer than ten, too
        ((0, 30, 40), [None, None, 40, 70]),
        # one school is its own total
        ((9,), [None, None]),
        ((10,), [10, 10]),
        # everything is small: the total, 12, may be told
        ((3, 4, 5), [None, None, None, 10]),
    ],
)
def test_a_line_with_its_total(numbers, published):
    assert line(*numbers) == published


def cube(cells: dict[tuple[str, str], int]) -> Cells:
    """All sums of a table of school x year, as ``group by cube`` makes them."""
    sums: Cells = {}
    for (school, year), number in cells.items():
        for key in ((school, year), (school, None), (None, year), (None, None)):
            sums[key] = (sums.get(key) or 0) + number
    return sums


def published(cells: dict[tuple[str, str], int]) -> Cells:
    made = table(("school", "year"), count("children"))
    return {(s, y): n for s, y, n in told(made, [(*key, number) for key, number in cube(cells).items()])}


def test_a_table_of_schools_and_years_by_hand():
    """
    ======  ====  ====  =====
    school  4     5     all
    ======  ====  ====  =====
    a          3    40     43
    b         20    50     70
    c         30    60     90
    all       53   150    203
    ======  ====  ====  =====

    a/4 is small. In year 4 b goes with it, in school a year 5, and those need a second one each: b/5.
    """
    numbers = [3, 40, 20, 50, 30, 60]
    cells = dict(zip([(s, y) for s in "abc" for y in "45"], numbers, strict=True))
    hidden = {key for key, number in published(cells).items() if number is None}
    assert hidden == {("a", "4"), ("b", "4"), ("a", "5"), ("b", "5")}
    assert published(cells)["c", "4"] == 30
    assert published(cells)[None, None] == 205


def lines(cells: Cells) -> list[tuple[int | None, list[int | None]]]:
    """(total, parts) of every line of a published cube."""
    found = []
    for at in (0, 1):
        for key in cells:
            if key[at] is None:
                parts = [n for k, n in cells.items() if k[at] is not None and k[1 - at] == key[1 - at]]
                found.append((cells[key], parts))
    return found


@st.composite
def tables(draw) -> dict[tuple[str, str], int]:
    """Schools with some of the years, most cells near the limit."""
    years = draw(st.integers(1, 4))
    numbers = st.one_of(st.integers(0, 12), st.integers(8, 40))
    cells = {}
    for school in range(draw(st.integers(1, 4))):
        for year in draw(st.sets(st.integers(0, years), min_size=1)):
            cells[f"s{school}", f"y{year}"] = draw(numbers)
    return cells


@settings(max_examples=60, deadline=None)
@given(tables())
def test_no_subtraction_gives_a_small_cell_back(cells):
    """Neither from one total, nor by solving all of them at once, knowing how numbers are hidden and rounded."""
    seen, true = published(cells), cube(cells)
    for total, parts in lines(seen):
        if total is not None and parts.count(None) == 1:
            assert len(parts) == 1, "one hidden part beside others and their total"
    small = [key for key in true if true[key] < 10]
    assert all(seen[key] is None for key in small)
    for key in small:
        low, high = bounds(list(cells), seen, key)
        assert high - low >= 1, f"{key} is known to be {true[key]}"


def bounds(inner: list[tuple[str, str]], seen: Cells, key: tuple) -> tuple[float, float]:
    """The least and the most that the cell ``key`` can be, after everything that is published."""

    def cells_of(place: tuple) -> np.ndarray:
        return np.array([all(p is None or p == q for p, q in zip(place, k, strict=True)) for k in inner], dtype=float)

    rows, limits = [], []
    for place, number in seen.items():
        if number is not None:
            rows += [cells_of(place), -cells_of(place)]
            limits += [number + ROUND_TO // 2, -max(10, number - ROUND_TO // 2)]
    given = {"A_ub": np.array(rows), "b_ub": limits} if rows else {}
    ends = [linprog(sign * cells_of(key), bounds=(0, 1000), **given).fun for sign in (1, -1)]
    return ends[0], -ends[1]


def test_a_share_is_worked_out_from_what_is_told_of_its_people():
    made = table(("item",), count("children"), OutputColumn(name="share", type="DOUBLE", ja="s", share_of="children"), OutputColumn(name="mean", type="DOUBLE", ja="m", follows="children"))  # fmt: skip
    rows = [
        ("a", 57, 20 / 57, 0.5),  # 20 of 57: 20 of 55
        ("b", 57, 4 / 57, 0.5),  # 4 people are no cell to tell
        ("c", 6, 0.5, 0.5),
        ("d", None, 604.0, None),  # days, of nobody
        ("e", None, 1 / 3, None),  # a share of an older version, its people uncounted
        ("f", 40, 1.0, 0.7),
        ("g", 41, 0.0, 0.7),
    ]
    assert told(made, rows) == [
        ("a", 55, 20 / 55, 0.5),
        ("b", 55, None, 0.5),
        ("c", None, None, None),
        ("d", None, 604.0, None),
        ("e", None, None, None),
        ("f", None, None, None),
        ("g", 40, None, 0.7),
    ]


def test_a_figure_is_told_as_that_of_rounded_counts_and_an_interval_outwards():
    made = table(("item",), count("found"), OutputColumn(name="figure", type="DOUBLE", ja="f", follows="found", told_as="rounded"), OutputColumn(name="rounded", type="DOUBLE", ja="r", private=True), OutputColumn(name="low", type="DOUBLE", ja="l", follows="found", end="low"), OutputColumn(name="high", type="DOUBLE", ja="h", follows="found", end="high"))  # fmt: skip
    rows = [("a", 27, 27 / 66, 25 / 65, 0.2987, 0.5302), ("c", 28, 0.4, None, -0.0149, 0.3)]  # fmt: skip
    assert [(*row[:3], *row[4:]) for row in told(made, rows)] == [
        ("a", 25, 25 / 65, 0.29, 0.54),
        ("c", 30, None, -0.02, 0.3),
    ]
    ((_, *of_few),) = told(made, [("b", 9, 9 / 66, 10 / 65, 0.07, 0.24)])
    assert (*of_few[:2], *of_few[3:]) == (None, None, None, None)


def test_one_corrected_record_changes_no_figure_of_the_validation():
    """A card before and after: 66 and 67 children with a record, 27 found of them on a list of 150, are told alike."""
    seen = []
    for events in (66, 67):
        children = Children(pd.DataFrame(index=range(1_500)), np.arange(1_500) < events, np.arange(1_500), np.full(1_500, 1))  # fmt: skip
        # 27 with a record and 123 without have the highest score
        scores = np.where((np.arange(1_500) < 27) | (np.arange(1_500) >= 1_377), 1.0, 0.0)
        what = found(places(scores, children.school_year, 9), children)
        assert (what.places, what.events) == (150, 27)
        told_figures = {m: r for m, _, r, _ in _figures("own", what, Interval(0.838), None, what, 0)}
        seen.append(told_figures)
    assert seen[0] == seen[1]
    assert seen[0] == {"precision_at_10": 25 / 150, "recall_at_10": 25 / 65, "lift_at_10": pytest.approx((25 / 150) / (65 / 1_500)), "auc": 0.84, "folds_without_fit": 0.0}  # fmt: skip


# -- in the published file --


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path)
    yield made
    made.con.close()


def test_every_aggregate_of_the_file_goes_through_the_rule(town):
    """Three people in every cell of every aggregate: none is told."""
    aggregates = [t for t in load_catalogue().outputs.values() if t.published and t.stored and t.counts]
    assert {made.qualified for made in aggregates} >= {"evaluation.funnel", "evaluation.indicators", "linkage.coverage", "linkage.quality", "weights.coefficients", "weights.model_cards"}  # fmt: skip
    dull = {"VARCHAR": "x", "DATE": "2025-04-01", "DOUBLE": "0.5", "BOOLEAN": "false"}
    for made in aggregates:
        town.insert(made.qualified, **{column.name: dull.get(column.type, "3") for column in made.columns})
    target = town.root / "analyst.duckdb"
    assert all(outcome.passed for outcome in build(town.con, target) if outcome.blocking)
    for made in aggregates:
        names = ", ".join(f'"{name}"' for name in made.counts)
        assert query(target, f"select {names} from {made.qualified}") == [(None,) * len(made.counts)], made.qualified
    shares = "select value from evaluation.indicators union all select negative_fitted_share from weights.model_cards"
    assert query(target, shares) == [(None,), (None,)]
    assert query(target, "select expected_precision, expected_recall from linkage.coverage") == [(None, None)]
    assert query(target, "select column_name from duckdb_columns() where table_name = 'quality'") == [(n,) for n in ("reference_date", "table_name", "school_code", "method", "persons")]  # fmt: skip


def test_the_funnel_of_a_city_keeps_what_is_large(town):
    """The report's own figures: 1,756 children, 170 on the list, 30 b and 111 c, one a."""
    counts = {column.name: 0 for column in town.catalogue.output("evaluation.funnel").columns if column.children}
    town.insert("evaluation.funnel", **(counts | {"reference_date": R, "screened": 1756, "selected": 170, "accepted": 1, "preventive": 30, "follow_up": 111, "not_supported": 28}))  # fmt: skip
    target = town.root / "analyst.duckdb"
    build(town.con, target)
    row = query(target, "select screened, selected, accepted, preventive, follow_up, not_supported from evaluation.funnel")  # fmt: skip
    assert row == [(1755, 170, None, 30, 110, 30)]
