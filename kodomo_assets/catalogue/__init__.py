"""The facts that a city owns, as data: source tables, items, settings, output tables; and the loader that checks them.

What belongs here: facts and their shapes. What does not: anything that reads a delivery or computes.
"""

from kodomo_assets.catalogue.loader import load_catalogue
from kodomo_assets.catalogue.models import (
    BLANK,
    NO_RECORD,
    NOT_APPLICABLE,
    Band,
    Catalogue,
    Column,
    Item,
    OutputColumn,
    OutputFile,
    OutputTable,
    SourceTable,
)

__all__ = [
    "BLANK",
    "NOT_APPLICABLE",
    "NO_RECORD",
    "Band",
    "Catalogue",
    "Column",
    "Item",
    "OutputColumn",
    "OutputFile",
    "OutputTable",
    "SourceTable",
    "load_catalogue",
]
