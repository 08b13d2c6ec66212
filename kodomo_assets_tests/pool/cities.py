"""Five small cities that pool, each with its own data folder and key, a coordinator, and the folder between them."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kodomo_assets.catalogue import Band, Catalogue, load_catalogue
from kodomo_assets.doors import pooling
from kodomo_assets.errors import Said
from kodomo_assets.pool.documents import fingerprint, signed
from kodomo_assets.pool.keys import Keys, coordinator_file, load_keys, made_keys
from kodomo_assets.pool.rounds import Asked, PooledFit, Result, same
from kodomo_assets.settings import Settings
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.store.connection import connect
from kodomo_assets_tests.defs.conftest import started

R, TODAY = dt.date(2025, 4, 1), dt.date(2025, 6, 2)
CODES = [f"08{number:04}" for number in range(1, 6)]
NO_ITEM = Said("no item is held by enough children and members, expected at least one")


class StandIn:
    """Arithmetic of two rounds that can be done by hand: children and events, then squares about the pooled rate."""

    def ask(
        self,
        catalogue: Catalogue,
        reference_date: dt.date,
        delivered: Mapping[str, Collection[str]],
        totals: Sequence[NDArray[np.float64]],
    ) -> Asked | Result:
        if not totals:
            return Asked("counts", {"members": sorted(delivered)}, 2)
        rate = float(totals[0][1] / totals[0][0])
        if len(totals) == 1:
            return Asked("moments", {"rate": rate}, 1)
        return Result({"lower": self._fit(catalogue, rate, float(totals[1][0]))}, {"upper": NO_ITEM})

    @staticmethod
    def _fit(catalogue: Catalogue, rate: float, squares: float) -> PooledFit:
        """One item whose strongest level weighs the rate."""
        item = catalogue.items["absence_days"]
        strongest = list(item.levels)[-1]
        levels = [
            {
                "item": item.id,
                "level": level,
                "weight": rate if level == strongest else 0.0,
                "std_error": 0.1 if level == strongest else None,
                "p_value": 0.001 if level == strongest else None,
                "children": None,
            }
            for level in item.every_level
        ]
        card = dict.fromkeys(("households", "items", "columns", "events_per_column", "condition_number"), 1)
        card |= {"members": 5, "children": 50, "events": 20, "r_squared": squares, "max_gvif": 1.0}
        card |= {"max_gvif_item": item.id}
        columns = [{"item": item.id, "levels": [strongest], "among": []}]
        return PooledFit(levels, columns, [[0.01]], [], card, [])

    def answer(self, catalogue: Catalogue, bands: Mapping[Band, Children], asked: Asked) -> NDArray[np.float64]:
        events = np.concatenate([children.event for children in bands.values()]).astype(float)
        if asked.name == "counts":
            return np.array([len(events), events.sum()])
        return np.array([((events - asked.content["rate"]) ** 2).sum()])

    def left_out(
        self,
        catalogue: Catalogue,
        reference_date: dt.date,
        delivered: Mapping[str, Collection[str]],
        totals: Sequence[NDArray[np.float64]],
        bands: Mapping[Band, Children],
    ) -> dict[Band, list[float]]:
        return {"lower": [0.25]}

    same = staticmethod(same)


STAND_IN = StandIn()


class City:
    """A city of ``children`` in school year 1, of whom the first ``events`` have a record."""

    def __init__(self, root: Path, code: str, children: int = 8, events: int = 2, published: int = 400) -> None:
        self.code, self.published, self.root = code, published, root / code
        self.settings = Settings.from_environment(
            {
                "KODOMO_DATA_DIR": str(self.root / "data"),
                "KODOMO_KEY_FILE": str(self.root / "key" / "pseudonym.key"),
                "DAGSTER_HOME": str(self.root / "dagster"),
            }
        )
        started(self.settings)
        self.configure()
        catalogue, keys = self.catalogue, [f"{number:032x}" for number in range(children)]
        base = pd.DataFrame({"reference_date": R, "child_key": keys})
        levels = {item.id: "not_applicable" for item in catalogue.matrix_items}
        place = {"school_code": "000001", "school_year": 1, "legal_school_year": 1, "band": "lower", "protected": False}
        with connect(self.settings.database) as con:
            for table, frame in {
                "features.matrix": base.assign(**levels),
                "features.labels": base.assign(
                    known_before=[number < events for number in range(children)], open_consultation=False
                ),
                "linkage.children": base.assign(resident_id=keys, household_id=keys, **place),
            }.items():
                con.register("frame", frame)
                con.execute(f"insert into {table} by name select * from frame")

    _loaded: tuple[str, Catalogue] | None = None

    def configure(self, text: str = "", **pool: object) -> None:
        """The city's own file; ``text``: what stands in it beside ``pool``."""
        own = {"code": self.code, "children": self.published, **pool}
        self.settings.data_dir.mkdir(exist_ok=True)
        (self.settings.data_dir / "city.yaml").write_text(
            f"{text}\npool: {json.dumps(own, ensure_ascii=False)}\n", "utf-8"
        )

    @property
    def catalogue(self) -> Catalogue:
        file = self.settings.data_dir / "city.yaml"
        # read anew when it is another: loading takes longer than most commands
        if self._loaded is None or self._loaded[0] != file.read_text("utf-8"):
            self._loaded = file.read_text("utf-8"), load_catalogue(file)
        return self._loaded[1]

    @property
    def keys(self) -> Keys:
        return load_keys(self.settings.pool_key_file, "KODOMO_KEY_FILE")

    def join(self, folder: Path, *, withdraw: bool = False) -> list[str]:
        return pooling.join(
            self.settings, self.catalogue, folder, withdraw=withdraw, tell=lambda _: None, engine=STAND_IN
        )

    def contribute(self, folder: Path, today: dt.date = TODAY) -> list[str]:
        return pooling.contribute(
            self.settings, self.catalogue, folder, today=today, tell=lambda _: None, engine=STAND_IN
        )

    def adopt(self, folder: Path, role: str | None = "こども未来センター長", reason: str = "五市で求めた") -> list[str]:
        return pooling.adopt(
            self.settings, self.catalogue, folder, role=role, reason=reason, tell=lambda _: None, engine=STAND_IN
        )

    def show(self, folder: Path) -> list[str]:
        return pooling.show(self.settings, self.catalogue, folder, tell=lambda _: None, engine=STAND_IN)


class Pool:
    """The cities, the coordinator's home and the folder of files; all joined, and configured with each other's keys."""

    FEWER: ClassVar[dict[str, object]] = {"at_least": 5, "decided_by": "課長", "reason": "五市での試行"}

    def __init__(self, root: Path) -> None:
        self.root, self.folder, self.home = root, root / "files", root / "coordinator"
        self.folder.mkdir(parents=True)
        self.home.mkdir(mode=0o700)
        self.cities = [City(root, code, 8 + number, 2 + number) for number, code in enumerate(CODES)]
        for city in self.cities:
            city.join(self.folder)
        self.coordinator, _ = made_keys(coordinator_file(self.home), "--home")
        self.members = {city.code: city.keys.fingerprint for city in self.cities}
        self.shared = {"coordinator": self.coordinator.fingerprint, "members": self.members, **self.FEWER}
        for city in self.cities:
            city.configure(**self.shared)
        (self.home / "city.yaml").write_text(f"pool: {json.dumps(self.shared, ensure_ascii=False)}\n", "utf-8")

    def plan(self, folder: Path | None = None, today: dt.date = TODAY) -> list[str]:
        return pooling.plan(self.home, folder or self.folder, date=R, today=today, engine=STAND_IN)

    def total(self, folder: Path | None = None, today: dt.date = TODAY) -> list[str]:
        return pooling.total(self.home, folder or self.folder, today=today, engine=STAND_IN)

    def content(self, name: str) -> dict:
        return json.loads((self.folder / name).read_text("utf-8"))["content"]

    def altered(self, folder: Path, name: str, **changes: object) -> Path:
        """A folder with the file ``name`` as its signer would have signed it with ``changes``."""
        folder.mkdir(exist_ok=True)
        document = json.loads((self.folder / name).read_text("utf-8"))
        key = next(
            keys.signing
            for keys in [self.coordinator, *(city.keys for city in self.cities)]
            if keys.signing.public_key().public_bytes_raw().hex() == document["key"]
        )
        (folder / name).write_bytes(signed(document["kind"], document["content"] | changes, key))
        return folder

    def copied(self, folder: Path) -> Path:
        shutil.copytree(self.folder, folder)
        return folder


__all__ = ["CODES", "STAND_IN", "TODAY", "City", "Pool", "R", "fingerprint"]
