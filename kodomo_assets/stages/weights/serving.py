"""Which weights serve: a band's own fit where it rests on enough events, else adopted ones, else the count (§5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kodomo_assets.adopted import POOLED, reason_of
from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.errors import FitError, Said, together
from kodomo_assets.stages.weights.count import fit_count
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.fit import BandFit, fit_band
from kodomo_assets.stages.weights.pooled import Pooled, pooled_fit

OWN, COUNT = "own", "count"


@dataclass(frozen=True)
class Served:
    """The weights of one band: where they come from, why, and who said so where a person did.

    Attributes:
        unserved: the own fit that does not serve and is kept.
        own_error: why there is no own fit.
    """

    origin: str
    fit: BandFit
    reason: str
    decided_by: str | None = None
    unserved: BandFit | None = None
    own_error: Said | None = None


def serve(
    catalogue: Catalogue,
    bands: Mapping[Band, Children],
    excluded: Mapping[str, str],
    pooled: Mapping[Band, Pooled],
    *,
    may_fail: bool,
    report: Callable[[str], None] = lambda _: None,
) -> dict[Band, Served]:
    """What serves in each band.

    Args:
        bands: the children of every band.
        excluded: item -> reason, for items that may not enter (no_legal_basis).
        pooled: weights of many cities that a person adopted.
        may_fail: whether a version is there that can stay in force.

    Raises:
        FitError: no fit of its own in a band, with ``may_fail``; of two bands both are told.
    """
    fits: dict[Band, BandFit] = {}
    errors: dict[Band, Said] = {}
    for band, children in bands.items():
        try:
            fits[band] = fit_band(catalogue, band, children, excluded, report)
        except FitError as error:
            errors[band] = error.said
    if errors and may_fail:
        raise FitError(together(errors.values()))
    return {
        band: _served(catalogue, band, bands, excluded, pooled.get(band), fits.get(band), errors.get(band))
        for band in bands
    }


def _served(
    catalogue: Catalogue,
    band: Band,
    bands: Mapping[Band, Children],
    excluded: Mapping[str, str],
    pooled: Pooled | None,
    own: BandFit | None,
    error: Said | None,
) -> Served:
    decision = catalogue.weights.serves.get(band)
    events, needed = int(bands[band].event.sum()), needed_events(catalogue, band)
    enough = f"{events} events, expected {needed:g} ({catalogue.weights.min_events_per_level:g} per own level)"
    serves_own = events >= needed if decision is None else decision.origin == OWN
    reason, decided_by = (enough, None) if decision is None else (decision.reason, decision.decided_by)
    if own is not None and serves_own:
        return Served(OWN, own, reason, decided_by)
    if pooled is not None and decision is None:
        adopted = reason_of(pooled.reason, pooled.version, enough)
        return Served(POOLED, pooled_fit(catalogue, band, bands[band], pooled), adopted, pooled.role, own, error)
    told = reason if error is None else str(error)
    return Served(COUNT, fit_count(catalogue, band, bands, excluded), told, decided_by, own, error)


def needed_events(catalogue: Catalogue, band: Band) -> float:
    """The events from which on a band's own fit serves: so many per own level of the items that may enter."""
    levels = sum(len(i.levels) for i in catalogue.matrix_items if band in i.bands and i.screen is None)
    return catalogue.weights.min_events_per_level * levels
