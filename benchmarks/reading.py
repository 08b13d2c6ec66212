"""How fast deliveries are read, beside DuckDB's own CSV reader on the same rows in UTF-8.

    python -m benchmarks.reading                 # 288,000 rows of 出欠 in 50 CP932 files, a 60,000-row xlsx

Everything is synthetic and written to a temporary folder. Our time covers all of method §1: decoding, header,
マイナンバー, types, keys, duplicates, quarantine; DuckDB's is that of a table of texts, and of one of guessed types.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import openpyxl

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.office.inbox import scan_inbox
from kodomo_assets.stages.sources.read import read_delivery

HEADER = "学籍番号,年月,授業日数,欠席日数,遅刻回数,早退回数,保健室利用回数"
MONTHS = [f"2024-{month:02d}" for month in range(4, 13)] + [f"2025-{month:02d}" for month in range(1, 4)]
REFERENCE_DATE = dt.date(2025, 4, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=50)
    parser.add_argument("--pupils", type=int, default=480, help="pupils a file, with twelve months each")
    parser.add_argument("--excel-rows", type=int, default=60_000)
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many runs counts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kodomo-benchmark-") as name:
        folder = Path(name)
        for part in ("cp932", "utf8", "excel"):
            (folder / part).mkdir()
        rows = write_csv(folder, given.files, given.pupils)
        plain = best(given.repeat, lambda: duckdb_reader(folder / "utf8", "all_varchar = true"))
        typed = best(given.repeat, lambda: duckdb_reader(folder / "utf8", "auto_detect = true"))
        ours = best(given.repeat, lambda: read(folder / "cp932", rows))
        print(f"{rows:,} rows in {given.files} CSV files")
        print(f"  DuckDB's reader, UTF-8, all text        {plain:6.2f} s")
        print(f"  DuckDB's reader, UTF-8, guessed types   {typed:6.2f} s")
        print(
            f"  this project, CP932, the whole contract {ours:6.2f} s  "
            f"({ours / typed:.1f} x, {rows / ours:,.0f} rows/s)"
        )
        write_excel(folder / "excel", given.excel_rows)
        excel = best(given.repeat, lambda: read(folder / "excel", given.excel_rows))
        print(f"{given.excel_rows:,} rows in one xlsx: {excel:.2f} s  ({given.excel_rows / excel:,.0f} rows/s)")
    return 0


def write_csv(folder: Path, files: int, pupils: int) -> int:
    rng = np.random.default_rng(1)
    for number in range(files):
        lines = [HEADER, *csv_lines(rng, number * pupils, pupils)]
        text = "\n".join([*lines, ""])
        (folder / "cp932" / f"出欠_第{number:02d}小学校.csv").write_bytes(text.encode("cp932"))
        (folder / "utf8" / f"{number:02d}.csv").write_bytes(text.encode())
    return files * pupils * len(MONTHS)


def csv_lines(rng: np.random.Generator, first: int, pupils: int) -> list[str]:
    counts = rng.integers(0, 6, (pupils * len(MONTHS), 4)).astype(str)
    return [
        f"{first + 1 + row // len(MONTHS):08d},{MONTHS[row % len(MONTHS)]},18,{','.join(cells)}"
        for row, cells in enumerate(counts)
    ]


def write_excel(folder: Path, rows: int) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("出欠")
    sheet.append(HEADER.split(","))
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 6, (rows, 4)).tolist()
    for row, cells in enumerate(counts):
        sheet.append([1 + row // len(MONTHS), MONTHS[row % len(MONTHS)], 18, *cells])
    book.save(folder / "出欠.xlsx")


def duckdb_reader(folder: Path, option: str) -> None:
    with duckdb.connect() as con:
        con.execute(f"create table cells as from read_csv('{folder}/*.csv', {option})")


def read(folder: Path, expected: int) -> None:
    catalogue = load_catalogue()
    table = catalogue.tables["attendance"]
    with duckdb.connect() as con:
        outcome = read_delivery(con, catalogue, table, scan_inbox(folder, catalogue), REFERENCE_DATE)
    if outcome.rows_accepted != expected:
        raise SystemExit(f"{outcome.rows_accepted:,} rows were accepted, expected {expected:,}")


def best(times: int, run: Callable[[], None]) -> float:
    """The shortest of several runs, in seconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return min(taken)


if __name__ == "__main__":
    raise SystemExit(main())
