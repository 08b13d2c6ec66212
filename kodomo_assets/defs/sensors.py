"""The sensor that watches the inbox: what was delivered, corrected or withdrawn is read, and what depends on it."""

import datetime as dt
import json

import dagster as dg

from kodomo_assets.defs.common import House, asset_key
from kodomo_assets.defs.jobs import awaited_tables
from kodomo_assets.defs.partitions import DATE_FORMAT
from kodomo_assets.stages.linkage.review import FILE_STEM
from kodomo_assets.stages.sources.arrivals import FINGERPRINT, arriving, by_asset, changed, fingerprint
from kodomo_assets.stages.sources.inbox import scan_inbox

_EVERY_MINUTE = 60
# which asset reads what people send back
_READERS = {
    FILE_STEM: "linkage.answers",
    "個人票": "review.personal_sheets",
    "判定会議": "review.decisions",
    "判定": "review.decisions",
    "支援記録": "review.support",
    "支援対象者": "review.support",
}


def build_sensors(house: House) -> list[dg.SensorDefinition]:
    return [_inbox_sensor(house)]


def _inbox_sensor(house: House) -> dg.SensorDefinition:
    @dg.sensor(
        name="inbox_sensor",
        target=dg.AssetSelection.all(),
        minimum_interval_seconds=_EVERY_MINUTE,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "受信フォルダを見て、届いた・差し替えられたファイルの表と、それに依存する資産を更新する。"
            "Waits until a folder's files are whole: unchanged between two looks, and not written to lately."
        ),
    )
    def inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        # date -> fingerprint of its folder when last looked at, and whether that state was dealt with
        seen: dict[str, tuple[str, bool]] = json.loads(context.cursor or "{}")
        looked: dict[str, tuple[str, bool]] = {}
        requests: list[dg.RunRequest] = []
        waiting: list[str] = []
        for day in _delivered_dates(house):
            key = day.strftime(DATE_FORMAT)
            files = scan_inbox(house.settings.inbox / key, house.catalogue)
            now = fingerprint(files)
            before, done = seen.get(key, ("", False))
            if now == before and done:
                looked[key] = (now, True)
                continue
            late = arriving(files, dt.datetime.now(dt.UTC), house.catalogue.ingest.settle_seconds)
            if late or now != before:
                looked[key] = (now, False)
                waiting.append(f"{key}: {len(files)} files, {len(late)} written to just now")
                continue
            looked[key] = (now, True)
            there = by_asset(files, _READERS)
            if assets := changed(there, _read_before(context.instance, list(there), key)):
                requests.append(_request(context, house, day, assets, now))
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None
            if requests
            else f"waiting for whole files: {'; '.join(waiting)}"
            if waiting
            else "no change",
            cursor=json.dumps(looked),
        )

    return inbox


def _delivered_dates(house: House) -> list[dt.date]:
    """Reference dates that have a folder, oldest first: refreshes go in that order."""
    known = set(house.partitions.get_partition_keys())
    folders = house.settings.inbox.iterdir() if house.settings.inbox.is_dir() else iter(())
    return sorted(dt.date.fromisoformat(path.name) for path in folders if path.is_dir() and path.name in known)


def _read_before(instance: dg.DagsterInstance, assets: list[str], partition: str) -> dict[str, str]:
    """Asset -> fingerprint of the files that its last materialization of the partition read."""
    found = {}
    for asset in assets:
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset_key(asset), asset_partitions=[partition]), limit=1
        ).records
        materialization = records[0].asset_materialization if records else None
        kept = materialization.metadata.get(FINGERPRINT) if materialization else None
        if kept is not None:
            found[asset] = str(kept.value)
    return found


def _request(
    context: dg.SensorEvaluationContext, house: House, day: dt.date, assets: list[str], state: str
) -> dg.RunRequest:
    """The assets with changed files, and what depends on them as soon as no required table is awaited any more."""
    keys = [asset_key(asset) for asset in assets]
    selection: dg.AssetSelection = dg.AssetSelection.assets(*keys)
    if not awaited_tables(house, day):
        selection = selection.downstream()
    if context.repository_def is None:
        raise ValueError("the sensor is evaluated within its code location")
    selected = selection.resolve(context.repository_def.asset_graph) | {asset_key("sources.inbox")}
    partition = day.strftime(DATE_FORMAT)
    return dg.RunRequest(run_key=f"{partition}:{state}", partition_key=partition, asset_selection=sorted(selected))
