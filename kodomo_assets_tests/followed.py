"""A town whose children are followed from one reference date to another: graduates, leavers, and those who stayed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from kodomo_assets.catalogue import NOT_APPLICABLE
from kodomo_assets.stages.features.labels import build_follow_ups, build_labels
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.store.stops import stop
from kodomo_assets.store.tables import replace
from kodomo_assets_tests.levels import keep_levels
from kodomo_assets_tests.town import Town, key

THEN, TERM, NOW = dt.date(2024, 4, 1), dt.date(2024, 9, 1), dt.date(2025, 4, 1)
JUNE, OCTOBER = dt.date(2024, 6, 10), dt.date(2024, 10, 3)
ID = "{:010d}".format


class Followed(Town):
    """Children on the spines of some reference dates, residents of some, with consultations."""

    def there(self, number: int, *spines: dt.date, resident: tuple[dt.date, ...] = (), school_year: int = 9, levels: Mapping[str, str] | None = None) -> None:  # fmt: skip
        """On these spines, and resident at those dates and ``resident``."""
        for day in spines:
            self.insert("linkage.children", reference_date=day, child_key=key(number), resident_id=ID(number), household_id=ID(number), school_code="1", school_year=school_year, legal_school_year=school_year, band=self.catalogue.band_of(school_year), protected=False)  # fmt: skip
            row = {item.id: NOT_APPLICABLE for item in self.catalogue.matrix_items} | dict(levels or {})
            self.insert("features.matrix", reference_date=day, child_key=key(number), **row)
        for day in (*spines, *resident):
            self.insert("linkage.residents", reference_date=day, resident_id=ID(number), household_id=ID(number), is_facility=False, legal_age=15)  # fmt: skip

    def left(self, number: int, on: dt.date) -> None:
        """What the register says at ``NOW``."""
        self.source("resident_register", NOW, resident_id=ID(number), household_id=ID(number), birth_date=dt.date(2010, 5, 5), removed_on=on, protection=False)  # fmt: skip

    def ranked(self, number: int, day: dt.date, *, selected: bool = False, school_year: int = 9, **values: object) -> None:  # fmt: skip
        """A row of the list of ``day``; ``values`` replace what is usual."""
        usual = {"weights_version": f"{day.year}-04-01.1", "rank": number, "score": 0.1, "own_levels": 0, "share_of": "cohort", "tied_at_cut": False, "legacy_hits": 0, "legacy_flag": False, "newly_found": False, "newly_found_equal": False, "open_consultation": False, "known_before": False, "incomplete_delivery": False, "sibling_selected": False}  # fmt: skip
        self.insert("screening.ranking", reference_date=day, child_key=key(number), band=self.catalogue.band_of(school_year), cohort=school_year, school_code="1", selected=selected, **(usual | values))  # fmt: skip

    def consulted(self, number: int, on: dt.date, *, known_as: bool = True, linked: tuple[dt.date, ...] = ()) -> None:
        """A record at ``NOW``, with a 宛名番号 or without, and linked at these dates."""
        record = f"C{number}-{on}"
        self.source("child_consultations", NOW, consultation_id=record, received_on=on, child_resident_id=ID(number) if known_as else None)  # fmt: skip
        for day in linked:
            self.insert("linkage.links", reference_date=day, table_name="child_consultations", person_ref=record, child_key=key(number), method="kana_birth", probability=1.0)  # fmt: skip

    def stopped(self, number: int) -> None:
        """From now on (利用停止)."""
        stop(self.con, "2025-0001", ID(number), key(number), dt.datetime(2025, 4, 2, tzinfo=dt.UTC))

    def follow(self) -> dict[int, tuple]:
        """Number -> first received, first counted, set aside, led on, seen until."""
        keep_levels(self.con)
        self.deliver("child_consultations", NOW)
        create_delivered_views(self.con, self.catalogue, NOW)
        build_labels(self.con, self.catalogue, NOW)
        build_follow_ups(self.con, self.catalogue, NOW)
        pairs = [("features.labels", "new_labels"), ("features.follow_ups", "new_follow_ups")]
        replace(self.con, [(self.catalogue.output(t), source) for t, source in pairs], {"reference_date": NOW})
        rows = self.rows(
            "select ('0x' || left(child_key, 30))::integer, * exclude (reference_date, child_key) from features.follow_ups"
        )
        return {row[0]: row[1:] for row in rows}
