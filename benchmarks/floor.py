"""The least that a refresh can cost: the same files, the same feature SQL, two regressions and a list, nothing else.

    python -m benchmarks.floor --inbox FOLDER/inbox --date 2025-04-01 --database floor.duckdb

In it: the date's files decoded and read by DuckDB (Excel by calamine), every column of the contract typed and stored in
a DuckDB file, which keeps the earlier dates' tables as the product does; residents, households and spine; names joined
where they and the birth date are equal; the product's own feature SQL on these tables; the label; two least-squares
fits of all unscreened items with errors clustered by household; scores and places within the school year. It prints
processor seconds part by part.

Not in it: orchestrator, event log, settings; quarantine, conservation, any check; characters folded where the demo's
offices need no folding; Splink and its review; the search for the items that stay, cross-validation, model card; flags,
sub-scores, legacy rule, evaluation; publication, page, workbooks, plots. Where the product does not fit (termly), it
fits none the less: the part ``fits`` says how much that is.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from kodomo_assets.catalogue import Band, Catalogue, SourceTable, load_catalogue
from kodomo_assets.catalogue.source_columns import Column
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.features.matrix import build_matrix

Con = duckdb.DuckDBPyConnection
FOLDED = {"school_roster", "school_lunch_fees"}
BY_NAME = {
    "school_roster": ("pupil_id", "school_code"),
    "ssw_records": ("record_id", None),
    "education_counselling": ("reception_id", None),
    "child_consultations": ("consultation_id", None),
}
MIN_CHILDREN, MIN_EVENTS = 20, 5

MACROS = r"""
create or replace temp macro era_start(era) as case
    when era in ('令和', 'R', '5') then 2018
    when era in ('平成', 'H', '4') then 1988
    when era in ('昭和', 'S', '3') then 1925
end;
create or replace temp macro era_date(era, years, months, days) as try_cast(
    (era_start(era) + try_cast(replace(years, '元', '1') as integer)) || '-' || months || '-' || days as date
);
create or replace temp macro as_date(t) as case
    when regexp_full_match(t, '\d{8}') then try_strptime(t, '%Y%m%d')::date
    when regexp_full_match(t, '\d{7}') then era_date(t[1], t[2:3], t[4:5], t[6:7])
    when regexp_matches(t, '^[RHS令平昭]') then era_date(
        regexp_extract(t, '^([^元\d]+)', 1),
        regexp_extract(t, '(元|\d+)[年.]', 1),
        regexp_extract(t, '[年.](\d+)[月.]', 1),
        regexp_extract(t, '[月.](\d+)日?$', 1)
    )
    else try_cast(t as date)
end;
create or replace temp macro as_flag(t) as case
    when t in ('1', '○', '◯', '〇', '有', 'はい', '該当') then true
    when t in ('0', '×', '無', 'いいえ', '非該当') then false
end;
create or replace temp macro folded(t) as replace(replace(t, ' ', ''), '　', '');
"""

SPINE = """
create schema if not exists linkage;
create or replace table linkage.residents as
with present as (
    select distinct on (resident_id)
        *,
        count(*) over (partition by household_id) > 15 as is_facility
    from delivered_resident_register
    where coalesce(resident_since <= $day, true) and coalesce(removed_on > $day, true)
)

select
    $day::date as reference_date,
    resident_id,
    case when is_facility then 'facility:' || resident_id else household_id end as household_id,
    is_facility,
    relationship,
    legal_age(birth_date, $day::date) as legal_age
from present;
create or replace table linkage.children as
select distinct on (s.resident_id)
    r.reference_date,
    sha256(s.resident_id)[1:32] as child_key,
    s.resident_id,
    r.household_id,
    s.school_code,
    s.school_year,
    case when s.school_year <= 3 then 'lower' else 'upper' end as band
from delivered_school_register as s
join linkage.residents as r using (resident_id);
create or replace temp table named as
select c.child_key, c.school_code, folded(p.name_kana) as kana, p.birth_date
from linkage.children as c
join delivered_resident_register as p using (resident_id);
create or replace table linkage.links (
    reference_date date, table_name varchar, person_ref varchar, child_key varchar
);
"""

# every exact link goes to the school's own child where a name is there twice
LINKS = """
insert into linkage.links
select distinct on (person_ref) $day::date, '{table}', t.{ref} as person_ref, n.child_key
from {source} as t
join named as n on n.kana = folded(t.name_kana) and n.birth_date = t.birth_date
order by person_ref, {prefer} n.child_key
"""

LABELS = """
create or replace temp table labels as
select c.child_key, count(r.consultation_id) > 0 as event
from linkage.children as c
left join linkage.links as l on l.child_key = c.child_key and l.table_name = 'child_consultations'
left join delivered_child_consultations as r on r.consultation_id = l.person_ref and r.received_on <= $day
group by c.child_key
"""

RANKING = """
create or replace table ranking as
select
    child_key,
    score,
    row_number() over (
        partition by school_year
        order by round(score, 9) desc, sha256($day::varchar || '|' || child_key)
    ) as rank,
    rank <= count(*) over (partition by school_year) * 10 // 100 as selected
from scores
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inbox", type=Path, required=True, help="only read")
    parser.add_argument("--date", type=dt.date.fromisoformat, required=True)
    parser.add_argument("--database", type=Path, required=True, help="keeps what earlier dates delivered")
    given = parser.parse_args()
    day: dt.date = given.date
    catalogue = load_catalogue()
    print(f"{day}  floor  {'start':<10} {time.process_time():5.2f} s")
    with duckdb.connect(str(given.database)) as con:
        with part(day, "read"):
            con.execute(MACROS)
            run_sql(con, "kodomo_assets.japan", "calendar")
            read_files(con, catalogue, given.inbox / day.isoformat(), day)
        with part(day, "spine"):
            make_spine(con, day)
        with part(day, "features"):
            make_quarantine(con)
            build_matrix(con, catalogue, day)
        # as in the product: BLAS threads that wait for one another cost four times as much on two cores
        with part(day, "fits"), threadpool_limits(limits=1, user_api="blas"):
            scores = fit_bands(con, catalogue, day)
        with part(day, "ranking"):
            con.register("scores", scores)
            con.execute(RANKING, {"day": day})
        print(f"{day}  floor  {con.sql('from ranking where selected').count('*').fetchall()[0][0]} selected")
    return 0


@contextmanager
def part(day: dt.date, name: str) -> Iterator[None]:
    started = time.process_time()
    yield
    print(f"{day}  floor  {name:<10} {time.process_time() - started:5.2f} s")


def read_files(con: Con, catalogue: Catalogue, folder: Path, day: dt.date) -> None:
    """Tables ``delivered_<table id>`` of what lies in ``folder``; those of other tables stay as they are."""
    con.execute("create table if not exists delivered (table_name varchar primary key, delivered_on date)")
    for table in catalogue.tables.values():
        files = sorted(
            file
            for file in folder.iterdir()
            if file.suffix in (".csv", ".xlsx") and (file.stem == table.ja or file.stem.startswith(f"{table.ja}_"))
        )
        if files:
            _read_table(con, table, files)
            con.execute("insert or replace into delivered values ($1, $2)", [table.id, day])


def _read_table(con: Con, table: SourceTable, files: list[Path]) -> None:
    with tempfile.TemporaryDirectory() as place:
        if files[0].suffix == ".xlsx":
            frame = pd.concat([pd.read_excel(file, dtype=str, engine="calamine") for file in files])
            relation = con.from_df(frame.astype("string"))
        else:
            for number, file in enumerate(files):
                (Path(place) / f"{number}.csv").write_text(_decoded(file, fold=table.id in FOLDED), "utf-8")
            relation = con.read_csv(f"{place}/*.csv", all_varchar=True, header=True)
        relation.create_view("raw")
        columns = ", ".join(f"{_typed(c, relation.columns)} as {c.name}" for c in table.columns.values())
        key = table.columns[table.key[0]].ja
        con.execute(
            f"create or replace table delivered_{table.id} as select {columns}, []::varchar[] as invalid_cells, "
            f"[]::varchar[] as unknown_cells, null::varchar as source_file, null::varchar as source_sheet, "
            f'null::integer as source_row from raw where "{key}" is not null'
        )
        con.execute("drop view raw")
    if table.id == "school_roster":
        # a child keeps the records of its earlier numbers
        con.execute("create table if not exists rosters as from delivered_school_roster limit 0")
        con.execute("delete from rosters where pupil_id in (select pupil_id from delivered_school_roster)")
        con.execute("insert into rosters from delivered_school_roster")


def _decoded(file: Path, *, fold: bool) -> str:
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp932")
    return unicodedata.normalize("NFKC", text) if fold else text


def _typed(column: Column, headers: list[str]) -> str:
    if column.ja not in headers:
        return f"null::{column.duckdb_type}"
    cell = f'"{column.ja}"'
    match column.type:
        case "id":
            return f"lpad({cell}, {column.digits}, '0')" if column.digits else cell
        case "date":
            return f"as_date({cell})"
        case "month":
            return f"try_cast({cell} || '-01' as date)"
        case "flag":
            return f"as_flag({cell})"
        case "int" | "number":
            return f"try_cast({cell} as {column.duckdb_type})"
        case _:
            return f"{cell}::varchar"


def make_spine(con: Con, day: dt.date) -> None:
    """linkage.residents, children and links, as far as names and birth dates are equal."""
    for statement in con.extract_statements(SPINE):
        con.execute(statement, {"day": day} if "day" in statement.named_parameters else None)
    for table, (ref, school) in BY_NAME.items():
        source = "rosters" if table == "school_roster" else f"delivered_{table}"
        prefer = f"t.{school} = n.school_code desc," if school else ""
        con.execute(LINKS.format(table=table, ref=ref, source=source, prefer=prefer), {"day": day})


def make_quarantine(con: Con) -> None:
    """What the feature SQL reads beside the tables, empty."""
    con.execute(
        "create or replace temp table delivered_quarantine (table_name varchar, scope varchar, reason varchar, "
        "file varchar, sheet varchar, row_number integer, person_ref varchar, readable_cells map(varchar, varchar), "
        "unread_cells varchar[])"
    )


def fit_bands(con: Con, catalogue: Catalogue, day: dt.date) -> pd.DataFrame:
    """child_key, school_year, score of everyone."""
    con.execute(LABELS, {"day": day})
    children = con.sql(
        "select * from new_matrix join linkage.children using (reference_date, child_key) "
        "join labels using (child_key) order by resident_id"
    ).df()
    parts = []
    for band in catalogue.bands:
        frame = children[children["band"] == band]
        parts.append(frame[["child_key", "school_year"]].assign(score=_scores(catalogue, band, frame)))
    return pd.concat(parts)


def _scores(catalogue: Catalogue, band: Band, frame: pd.DataFrame) -> NDArray[np.float64]:
    from statsmodels.regression.linear_model import OLS

    event = frame["event"].to_numpy(dtype=float)
    columns = []
    for item in catalogue.matrix_items:
        if item.screen is None and band in item.bands:
            held = frame[item.id].to_numpy(dtype=str)
            for level in item.levels:
                column = held == level
                if column.sum() >= MIN_CHILDREN and event[column].sum() >= MIN_EVENTS:
                    columns.append(column)
    own = np.column_stack(columns).astype(float)
    years = pd.get_dummies(frame["school_year"]).to_numpy(dtype=float)
    households = pd.factorize(frame["household_id"])[0]
    fit = OLS(event, np.column_stack([years, own])).fit(cov_type="cluster", cov_kwds={"groups": households})
    weights = np.asarray(fit.params)[years.shape[1] :]
    scores: NDArray[np.float64] = (own - own.mean(axis=0)) @ weights + event.mean()
    return scores


if __name__ == "__main__":
    sys.exit(main())
