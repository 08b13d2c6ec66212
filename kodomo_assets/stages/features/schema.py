"""The contract of the matrix as a Pandera schema made from the catalogue; its descriptions are the documentation.

Apart from the checks, which load it when they run: importing Pandera takes as long as loading all the definitions.
"""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from kodomo_assets.catalogue import NOT_APPLICABLE, Catalogue, Item
from kodomo_assets.vocabulary import CHILD_KEY, SCHOOL_YEAR


def matrix_schema(catalogue: Catalogue) -> pa.DataFrameSchema:
    """The matrix of one reference date: child_key (unique), band, and one column of levels per item."""
    columns = {
        "child_key": pa.Column(str, pa.Check.str_matches(r"^[0-9a-f]{32}$"), unique=True, description=CHILD_KEY),
        "band": pa.Column(str, pa.Check.isin(list(catalogue.bands)), description="区分"),
        "school_year": pa.Column(
            "Int64",
            pa.Check.isin([year for band in catalogue.bands.values() for year in band.school_years]),
            description=SCHOOL_YEAR,
        ),
    }
    columns |= {item.id: _item_column(item) for item in catalogue.matrix_items}
    return pa.DataFrameSchema(columns, strict=True, checks=_band_checks(catalogue))


def _item_column(item: Item) -> pa.Column:
    return pa.Column(str, pa.Check.isin(list(item.every_level)), nullable=False, description=item.ja)


def _band_checks(catalogue: Catalogue) -> list[pa.Check]:
    """An item of one band leaves the other band on 非該当."""
    return [
        pa.Check(
            lambda frame, item=item: frame["band"].isin(item.bands) | (frame[item.id] == NOT_APPLICABLE),
            name=f"{item.id}_outside_its_band",
        )
        for item in catalogue.matrix_items
        if len(item.bands) < len(catalogue.bands)
    ]


def across_rows(schema: pa.DataFrameSchema) -> tuple[pa.DataFrameSchema, list[str]]:
    """``schema`` as any part of the rows can be held against it, and the columns that it declares unique over all."""
    unique = [str(name) for name, column in schema.columns.items() if column.unique]
    return schema.update_columns({name: {"unique": False} for name in unique}), unique


def rows_at_fault(schema: pa.DataFrameSchema, rows: pd.DataFrame) -> dict[str, int]:
    """Rows against each check; a check of the whole frame lists every cell of a row, which counts once."""
    try:
        schema.validate(rows, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        of_column = cases["schema_context"] == "Column"
        place = cases["check"].where(~of_column, cases["column"].astype(str) + ": " + cases["check"].astype(str))
        return {str(name): int(count) for name, count in cases.groupby(place)["index"].nunique().items()}
    return {}
