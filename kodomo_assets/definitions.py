"""The one door to Dagster: ``build_defs(settings)`` for tests and programs, ``defs`` for the UI and the daemon."""

from __future__ import annotations

import dagster as dg

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.defs import build_definitions
from kodomo_assets.settings import Settings


def build_defs(settings: Settings) -> dg.Definitions:
    """All assets, checks, jobs and schedules for one installation."""
    return build_definitions(settings, load_catalogue(settings.overlay))


defs = build_defs(Settings.from_environment())
