"""Assets of the stage ``review``: the list for the meeting, its files, the schools' files, and what comes back."""

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb

from kodomo_assets.checks import CheckOutcome
from kodomo_assets.defs.common import (
    House,
    Results,
    Written,
    asset_key,
    check_result,
    check_spec,
    guarded,
    store_results,
)
from kodomo_assets.defs.exports import Export, export
from kodomo_assets.defs.partitions import reference_date
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.office.inbox import InboxFile, scan_inbox
from kodomo_assets.office.returned import check_rejections, gone_children
from kodomo_assets.stages.outcomes.decisions import build_decisions
from kodomo_assets.stages.outcomes.personal_sheets import build_personal_sheets
from kodomo_assets.stages.outcomes.support import build_support
from kodomo_assets.stages.review.cautions import protection_caution
from kodomo_assets.stages.review.facts import gather_meeting
from kodomo_assets.stages.review.key_list import (
    KEY_LIST_FILE,
    gather_keys,
    key_workbook,
)
from kodomo_assets.stages.review.meeting import Meeting
from kodomo_assets.stages.review.meeting_list import build_listed_children, build_meeting_list
from kodomo_assets.stages.review.meeting_workbook import meeting_workbook
from kodomo_assets.stages.review.page import meeting_page
from kodomo_assets.stages.review.schools import SchoolFiles, personal_sheets, school_lists
from kodomo_assets.stages.review.support_workbook import support_workbook
from kodomo_assets.stages.screening.summary import require_list
from kodomo_assets.stages.sources.arrivals import FINGERPRINT, fingerprint
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.store.pseudonyms import create_sheet_numbers, load_secret
from kodomo_assets.vocabulary import KEY_LIST, MEETING, PERSONAL_SHEET, SCHOOL_LIST, SUPPORT_RECORD, kinds_read_by

PAGE, WORKBOOK = "判定会議.html", "判定会議.xlsx"
_FACTS = [
    "review.meeting_list",
    "review.personal_sheets",
    "review.decisions",
    "evaluation.funnel",
    "screening.ranking",
    "screening.contributions",
    "screening.difficulty_scores",
    "features.levels",
    "features.labels",
    "weights.model_cards",
]
# what is stored with everything that comes back
_BESIDE = [("review.rejections", "new_rejections"), ("review.first_readings", "new_first_readings")]


def build_review_assets(house: House) -> list[dg.AssetsDefinition]:
    return [
        _meeting_list(house),
        _personal_sheets(house),
        _decisions(house),
        _support(house),
        _school_lists(house),
        _meeting_files(house),
        _key_list(house),
    ]


def _meeting_list(house: House) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="review__meeting_list",
        specs=[
            house.spec(
                "review.meeting_list",
                "The selected children, and at the yearly date a random sample from below the cut.",
                deps=["screening.ranking"],
            )
        ],
    )
    def meeting_list(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            create_delivered_views(con, house.catalogue, day)
            create_sheet_numbers(con, load_secret(house.settings.key_file), day)
            counts = build_meeting_list(con, house.catalogue, day)
            build_listed_children(con, day)
            context.log.info(f"判定会議: {counts['selected']} selected, {counts['sample']} of a random sample")
            written = Written("review.meeting_list", "new_meeting_list", counts)
            also = [("review.listed_children", "new_listed_children")]
            yield from store_results(con, house, {"reference_date": day}, [written], also)

    return meeting_list


def _personal_sheets(house: House) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="review__personal_sheets",
        specs=[
            house.spec(
                "review.personal_sheets",
                "A sheet per child goes to each school; what came back filled in is read.",
                # a release (公開可) stands in the decisions file
                deps=["review.meeting_list", "review.decisions", "linkage.links", "sources.inbox"],
                kinds={"excel"},
            )
        ],
        check_specs=[check_spec("review.personal_sheets", "sheets_read", "戻った個人票がすべて読めた")],
    )
    def personal_sheet_files(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            _prepare(con, house, day)
            files = _returned(house, day, kinds_read_by("review.personal_sheets"))
            taken = build_personal_sheets(con, house.catalogue, files, day, _today(house, dt.datetime.now(dt.UTC)))
            made = personal_sheets(con, day, _version(con, day), protection_caution(house.catalogue))
            yield from store_results(
                con,
                house,
                {"reference_date": day, "kind": "personal_sheets"},
                [
                    Written(
                        "review.personal_sheets",
                        "new_personal_sheets",
                        {"returned": taken, FINGERPRINT: fingerprint(files)} | _sent(made),
                        [lambda c: [check_rejections(c, "sheets_read", taken, gone_children(c))]],
                    )
                ],
                also=_BESIDE,
            )
            _export_schools(con, house, day, PERSONAL_SHEET, made)

    return personal_sheet_files


def _decisions(house: House) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="review__decisions",
        specs=[
            house.spec(
                "review.decisions",
                "What the meeting decided, read from 判定会議*.xlsx and 判定*.csv; the latest meeting counts.",
                deps=["review.meeting_list", "sources.inbox"],
                kinds={"excel"},
            )
        ],
        check_specs=[check_spec("review.decisions", "decisions_read", "判定がすべて読めた")],
    )
    def decisions(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            _prepare(con, house, day)
            files = _returned(house, day, kinds_read_by("review.decisions"))
            now = dt.datetime.now(dt.UTC)
            counts = build_decisions(con, house.catalogue, files, day, now, _today(house, now))
            context.log.info(f"判定: {counts.filled} rows in {len(files)} files, {counts.taken} new decisions")
            yield from store_results(
                con,
                house,
                {"reference_date": day, "kind": "decisions"},
                [
                    Written(
                        "review.decisions",
                        "new_decisions",
                        {"filled": counts.filled, "new": counts.taken, FINGERPRINT: fingerprint(files)},
                        [lambda c: [check_rejections(c, "decisions_read", counts.taken)]],
                    )
                ],
                also=[
                    *_BESIDE,
                    ("review.releases", "new_releases"),
                    ("review.decisions_in_force", "new_decisions_in_force"),
                    ("review.releases_in_force", "new_releases_in_force"),
                ],
            )

    return decisions


def _support(house: House) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="review__support",
        specs=[
            house.spec(
                "review.support",
                "Support given and what came of it, read from 支援記録* and from the lists that schools send back.",
                deps=["review.meeting_list", "review.decisions", "sources.school_register", "sources.inbox"],
                kinds={"excel", "csv"},
            )
        ],
        check_specs=[check_spec("review.support", "support_read", "支援記録がすべて読めた")],
    )
    def support(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            _prepare(con, house, day)
            files = _returned(house, day, kinds_read_by("review.support"))
            taken = build_support(con, house.catalogue, files, day, _today(house, dt.datetime.now(dt.UTC)))
            yield from store_results(
                con,
                house,
                {"reference_date": day, "kind": "support"},
                [
                    Written(
                        "review.support",
                        "new_support",
                        {"records": taken, FINGERPRINT: fingerprint(files)},
                        [lambda c: [check_rejections(c, "support_read", taken, gone_children(c))]],
                    )
                ],
                also=_BESIDE,
            )

    return support


def _school_lists(house: House) -> dg.AssetsDefinition:
    name = "review.school_lists"

    @dg.multi_asset(
        name="review__school_lists",
        specs=[
            house.spec(
                name,
                "支援対象者（学校別のExcel）。Each school's own children, decision and direction of support; no score.",
                deps=["review.decisions", "linkage.links"],
                kinds={"excel"},
            )
        ],
        check_specs=[check_spec(name, "decided", "判定がある（判定なしに学校へ名簿は出さない）")],
        # the funnel reads the log of exports without hanging below this step (architecture, 17): made before it
        op_tags={"dagster/priority": "1"},
    )
    def school_list_files(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            _prepare(con, house, day)
            # without decisions there is no child to tell of: no file, and a warning (method §7)
            made = school_lists(con, house.catalogue, day, _version(con, day), protection_caution(house.catalogue))
            written = _export_schools(con, house, day, SCHOOL_LIST, made)
            context.log.info(f"支援対象者: {len(made.files)} schools, {written} files written")
            yield dg.MaterializeResult(asset_key=asset_key(name), metadata=_sent(made) | {"written": written})
            yield check_result(name, _decided(con, day))

    return school_list_files


def _decided(con: duckdb.DuckDBPyConnection, day: dt.date) -> CheckOutcome:
    counted = con.execute("select count(*) from review.decisions where reference_date = $1", [day]).fetchone()
    number = counted[0] if counted else 0
    return CheckOutcome(
        name="decided",
        passed=number > 0,
        blocking=False,
        message=f"{number} decisions at {day}, expected at least 1: no child reaches a school list without one"
        + ("" if number else f"; 0 files were written. After the meeting put 判定会議*.xlsx into inbox/{day}/"),
        facts={"decisions": number},
    )


def _meeting_files(house: House) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="review__meeting_files",
        specs=[
            house.spec(
                "review.meeting_page",
                f"{PAGE}。One page without a network for the meeting: facts, factors, decisions.",
                deps=_FACTS,
                kinds={"html"},
            ),
            house.spec(
                "review.meeting_workbook",
                f"{WORKBOOK}。The same list for notes and decisions; it is read back from the inbox.",
                deps=_FACTS,
                kinds={"excel"},
            ),
        ],
    )
    def meeting_files(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            _prepare(con, house, day)
            meeting = gather_meeting(con, house.catalogue, day)
            files = list(_meeting_exports(house, meeting))
            written = export(con, house, day, meeting.weights_version, (), files)
            context.log.info(f"判定会議: {len(meeting.children)} children, score {meeting.score_mode}, {written} files")
            facts = {"children": len(meeting.children), "score": meeting.score_mode}
            yield dg.MaterializeResult(asset_key=asset_key("review.meeting_page"), metadata=facts)
            yield dg.MaterializeResult(asset_key=asset_key("review.meeting_workbook"), metadata=facts)

    return meeting_files


def _key_list(house: House) -> dg.AssetsDefinition:
    name = "review.key_list"

    @dg.multi_asset(
        name="review__key_list",
        specs=[
            house.spec(
                name,
                f"{KEY_LIST_FILE}。Who is behind each number, for the centre alone; 支援措置 included.",
                deps=[
                    "review.meeting_list",
                    "review.decisions",
                    "screening.ranking",
                    "features.labels",
                    "sources.resident_register",
                    "sources.school_register",
                ],
                kinds={"excel"},
            )
        ],
    )
    def key_list(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        day = reference_date(context)
        with guarded(context), house.open(kodomo) as con:
            _prepare(con, house, day)
            keys, cautions, version = gather_keys(con, day), protection_caution(house.catalogue), _version(con, day)
            book = key_workbook(day, version, keys, cautions)
            file = Export(KEY_LIST, KEY_LIST_FILE, book, len(keys), repr((keys, cautions)))
            export(con, house, day, version, (), [file])
            yield dg.MaterializeResult(asset_key=asset_key(name), metadata={"children": len(keys)})

    return key_list


def _meeting_exports(house: House, meeting: Meeting) -> Iterator[Export]:
    made_from = repr(meeting)
    page = meeting_page(meeting)
    yield Export(MEETING, PAGE, page, len(meeting.children), made_from)
    # a hint may be taken for the direction of support: schools read it in words of its own
    settings = house.catalogue.meeting
    directions = tuple(dict.fromkeys([*settings.directions, *(hint.ja for hint in settings.hints)]))
    book = meeting_workbook(meeting, directions)
    yield Export(MEETING, WORKBOOK, book, len(meeting.children), repr((meeting, directions)))
    outcomes = tuple(settings.outcomes)
    template = support_workbook(outcomes, meeting.reference_date)
    yield Export(SUPPORT_RECORD, f"{SUPPORT_RECORD}.xlsx", template, 0, repr(outcomes))


def _prepare(con: duckdb.DuckDBPyConnection, house: House, day: dt.date) -> None:
    require_list(con, day)
    create_delivered_views(con, house.catalogue, day)
    create_sheet_numbers(con, load_secret(house.settings.key_file), day)


def _returned(house: House, day: dt.date, kinds: tuple[str, ...]) -> list[InboxFile]:
    files = scan_inbox(house.settings.inbox / day.isoformat(), house.catalogue)
    return [file for file in files if file.returned in kinds]


def _today(house: House, now: dt.datetime) -> dt.date:
    return now.astimezone(ZoneInfo(house.catalogue.calendar.timezone)).date()


def _version(con: duckdb.DuckDBPyConnection, day: dt.date) -> str:
    row = con.execute(
        "select any_value(weights_version) from screening.ranking where reference_date = $1", [day]
    ).fetchone()
    return str(row[0]) if row else ""


def _sent(made: SchoolFiles) -> dict[str, int]:
    return {
        "schools": len(made.files),
        "children": sum(file.children for file in made.files),
        "支援措置のため知らせない": made.kept_back,
        "学齢簿にいない": made.without_school,
    }


def _export_schools(con: duckdb.DuckDBPyConnection, house: House, day: dt.date, kind: str, made: SchoolFiles) -> int:
    files = [Export(kind, file.name, file.content, file.children, file.made_from) for file in made.files]
    return export(con, house, day, _version(con, day), (f"{kind}_",), files)
