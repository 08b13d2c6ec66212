"""``host collect``: the files of aggregates of all cities into the host's database and page; what is told of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from kodomo_assets.aggregates.collecting import DATABASE, Collected, collect
from kodomo_assets.aggregates.documents import NAME
from kodomo_assets.aggregates.page import PAGE, page
from kodomo_assets.catalogue import Catalogue
from kodomo_assets.store.outbox import write_into


def collect_and_tell(
    folder: Path, home: Path, catalogue: Catalogue, now: dt.datetime
) -> tuple[list[str], list[str], bool]:
    """Collects, and writes the page.

    Returns:
        what was done, what a person has to look at, and whether a city's file is not there or was refused.

    Raises:
        KodomoError: as ``aggregates.collecting.collect``.
    """
    collected = collect(folder, home, catalogue, now)
    left = _left(collected)
    write_into(home / PAGE, page(home / DATABASE, catalogue, now, left))
    done = [
        f"{collected.read} 市区町村の集計を読みました：{home / DATABASE}",
        f"状況のページ：{home / PAGE}",
    ]
    wrong = [f"{city}：{error.ja}" for city, error in collected.refused.items()]
    wrong += [f"{city}：{NAME} が届いていません" for city in collected.missing]
    wrong += [f"{city}：次の一覧が遅れています" for city in collected.late]
    return done, [*wrong, *left], bool(collected.refused or collected.missing)


def _left(collected: Collected) -> list[str]:
    """What lies there and is no city's, and whose figures went."""
    told = [f"{city}：フォルダーがなくなったので、この市区町村の集計を消しました" for city in collected.gone]
    if collected.strange:
        told.append(f"市区町村のフォルダーでないもの（読んでいません）：{'、'.join(collected.strange)}")
    return told
