"""The one door to Dagster: ``build_defs(settings)`` for tests and programs, ``defs`` for the UI and the daemon."""

from __future__ import annotations

import os

import dagster as dg

from kodomo_assets.defs import build_definitions
from kodomo_assets.defs.failures import loaded
from kodomo_assets.machine.home import protect_process, require_private_home
from kodomo_assets.settings import Settings
from kodomo_assets.store.own_settings import load_own


def build_defs(settings: Settings) -> dg.Definitions:
    """All assets, checks, jobs and schedules for one installation."""
    return build_definitions(settings, load_own(settings))


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads, whoever started it.

    Raises:
        ToldLoadError: its home is not configured to keep people's data out, or city.yaml holds what it may not.
    """
    with loaded():
        require_private_home(os.environ)
        protect_process()
        return build_defs(Settings.from_environment())
