"""The facts that a city owns, as data: source tables, items, settings, output tables; and the loader that checks them.

What belongs here: facts and their shapes. What does not: anything that reads a delivery or computes.
"""

from kodomo_assets.catalogue.base import Band, did_you_mean
from kodomo_assets.catalogue.decisions import ItemDecision
from kodomo_assets.catalogue.host import LEAST_TOLD
from kodomo_assets.catalogue.ingest import TO_FILL_IN, Acknowledgement, Ingest
from kodomo_assets.catalogue.interviews import PREPARATIONS
from kodomo_assets.catalogue.items import BLANK, NO_RECORD, NOT_APPLICABLE, Item
from kodomo_assets.catalogue.loader import given_in, load_catalogue, load_proposal
from kodomo_assets.catalogue.meeting import Step
from kodomo_assets.catalogue.method import Weights
from kodomo_assets.catalogue.models import Catalogue
from kodomo_assets.catalogue.output_models import OutputColumn, OutputFile, OutputTable
from kodomo_assets.catalogue.pool import Pool
from kodomo_assets.catalogue.reference_dates import Calendar
from kodomo_assets.catalogue.registry import Agreement
from kodomo_assets.catalogue.retention import first_day_kept
from kodomo_assets.catalogue.source_columns import Column
from kodomo_assets.catalogue.source_tables import SourceTable
from kodomo_assets.catalogue.words import GROUP_OF_SEVERAL, OTHER, SCHOOL_GROUP, UNKNOWN_GROUP, Vocabulary

__all__ = [
    "BLANK",
    "GROUP_OF_SEVERAL",
    "LEAST_TOLD",
    "NOT_APPLICABLE",
    "NO_RECORD",
    "OTHER",
    "PREPARATIONS",
    "SCHOOL_GROUP",
    "TO_FILL_IN",
    "UNKNOWN_GROUP",
    "Acknowledgement",
    "Agreement",
    "Band",
    "Calendar",
    "Catalogue",
    "Column",
    "Ingest",
    "Item",
    "ItemDecision",
    "OutputColumn",
    "OutputFile",
    "OutputTable",
    "Pool",
    "SourceTable",
    "Step",
    "Vocabulary",
    "Weights",
    "did_you_mean",
    "first_day_kept",
    "given_in",
    "load_catalogue",
    "load_proposal",
]
