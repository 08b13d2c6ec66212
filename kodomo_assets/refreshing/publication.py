"""What the stage ``published`` adds to the analysts' database, as the store publishes it."""

from __future__ import annotations

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.stages.published.checks import check_published
from kodomo_assets.stages.published.derived import derive
from kodomo_assets.stages.published.views import create_views
from kodomo_assets.store.publish import Stage


def publication(catalogue: Catalogue, source: str) -> Stage:
    """The stage over the database ``source``."""
    return Stage(
        derive=lambda con: derive(con, catalogue),
        views=create_views,
        check=lambda con: check_published(con, catalogue, source),
    )
