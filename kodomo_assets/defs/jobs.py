"""Jobs and schedules: a refresh of one reference date, and when it is asked for (architecture, decision 8)."""

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg

from kodomo_assets.defs.asking import ask
from kodomo_assets.defs.executors import executor_of
from kodomo_assets.defs.failures import told
from kodomo_assets.defs.house import FORGET, PHASE, House
from kodomo_assets.defs.running import end_dead_runs
from kodomo_assets.errors import StoreBusyError
from kodomo_assets.internals import UnresolvedAssetJobDefinition
from kodomo_assets.refreshing.needs import AFTER_MEETING, TERMLY, YEARLY, job_name, look, watched_files
from kodomo_assets.stages.sources.arrivals import Hashes, arriving

_EVERY_MORNING = "0 6 * * *"

_DESCRIPTIONS = {
    YEARLY: (
        "年次更新：{yearly}の基準日について全資産を更新し、重みを推定し直す。"
        "Refresh of a yearly reference date, with a new fit."
    ),
    TERMLY: (
        "学期更新：その他の基準日について全資産を更新し、有効な重みで採点する。"
        "Refresh of a termly reference date, scored with the weights in force."
    ),
    AFTER_MEETING: (
        "判定会議の後：判定を読み、学校別の名簿を作り、支援と人数をまとめる。"
        "After the meeting: decisions, school lists, support, funnel."
    ),
}


def selection(name: str) -> dg.AssetSelection:
    """What the job ``name`` refreshes: the one selection of job, schedule, sensor and command line (architecture, 16).

    Both refreshes hold every asset: without decisions all of them succeed. They differ in the dates that their
    schedules ask for. ``after_meeting`` is what follows from the files that people send back, so that decisions are
    read even while an office's file is refused.
    """
    if name == AFTER_MEETING:
        return dg.AssetSelection.tag(PHASE, "after_meeting")
    return dg.AssetSelection.all() - dg.AssetSelection.tag(PHASE, FORGET)


def build_jobs(house: House) -> list[UnresolvedAssetJobDefinition]:
    month, day = map(int, house.catalogue.calendar.yearly.split("-"))
    executor = executor_of(house.settings, house.catalogue)
    yearly = f"{month}月{day}日"
    return [
        dg.define_asset_job(
            name,
            selection=selection(name),
            description=description.format(yearly=yearly),
            executor_def=executor,
        )
        for name, description in _DESCRIPTIONS.items()
    ]


def build_forget() -> UnresolvedAssetJobDefinition:
    """Deletes what is past retention: a person starts it, with role and reason; no schedule and no sensor does."""
    return dg.define_asset_job(
        FORGET,
        selection=dg.AssetSelection.tag(PHASE, FORGET),
        description=(
            "保存期間を過ぎたものを消す：役職と理由が要る。"
            "Deletes what is past retention; needs a role and a reason. No schedule starts it."
        ),
        executor_def=dg.in_process_executor,
    )


def build_schedules(house: House, jobs: list[UnresolvedAssetJobDefinition]) -> list[dg.ScheduleDefinition]:
    """Every morning: is the newest reference date of this kind delivered, and not refreshed yet?"""
    return [_schedule(house, job) for job in jobs if job.name in (YEARLY, TERMLY)]


def _schedule(house: House, job: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=_EVERY_MORNING,
        execution_timezone=house.catalogue.calendar.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            "毎朝、必須の資料がそろった最新の基準日を一度だけ更新する。"
            "Asks once for the newest reference date of its kind as soon as its required tables are delivered."
        ),
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        with told(f"{job.name}_schedule"):
            return _asked(house, job.name, context)

    return schedule


def _asked(house: House, job: str, context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    day = newest_reference_date(house, job, context.scheduled_execution_time)
    if day is None:
        return dg.SkipReason("no reference date of this kind has come yet")
    now = dt.datetime.now(dt.UTC)
    end_dead_runs(context.instance, house.settings, now)
    known = look(house.settings)
    if isinstance(known, StoreBusyError):
        return dg.SkipReason(busy(known))
    if late := still_arriving(house, day):
        return dg.SkipReason(f"{day}: {len(late)} files were written to just now and may not be whole yet")
    answer = ask(house, context.instance, day, known, Hashes({}), now, only=job)
    return answer.request or dg.SkipReason(answer.why)


def busy(error: StoreBusyError) -> str:
    """Why nothing is asked for while the database is open elsewhere."""
    return f"a refresh is under way ({error})"


def still_arriving(house: House, day: dt.date) -> list[str]:
    """Files of the date that may still be on their way."""
    return arriving(
        watched_files(house.settings, house.catalogue, day),
        dt.datetime.now(dt.UTC),
        house.catalogue.ingest.settle_seconds,
    )


def newest_reference_date(house: House, job: str, now: dt.datetime) -> dt.date | None:
    """The newest reference date of the job's kind on or before ``now`` (in the calendar's time zone)."""
    calendar = house.catalogue.calendar
    today = now.astimezone(ZoneInfo(calendar.timezone)).date()
    dates = (dt.date.fromisoformat(key) for key in house.partitions.get_partition_keys(now))
    return max((day for day in dates if day <= today and job_name(calendar, day) == job), default=None)
