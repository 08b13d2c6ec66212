"""Assets of the stage ``review``: the list for the meeting, its files, the schools' files, and what comes back."""

from collections.abc import Sequence

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs.step import Results, Step, Written, asset, check
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.written import Export
from kodomo_assets.stages.outcomes.decisions import build_decisions, check_decided
from kodomo_assets.stages.outcomes.personal_sheets import build_personal_sheets
from kodomo_assets.stages.outcomes.support import build_support
from kodomo_assets.stages.outcomes.taking import BESIDE, Taken, check_taken
from kodomo_assets.stages.papers.calendar import CALENDAR, build_calendar, calendar_state, check_calendar
from kodomo_assets.stages.papers.entries import check_bases, check_settled
from kodomo_assets.stages.papers.files import PAPERS, check_current, is_paper, state_of_papers, try_papers
from kodomo_assets.stages.papers.results import try_results
from kodomo_assets.stages.review.cautions import protection_caution
from kodomo_assets.stages.review.children import create_numbered_children
from kodomo_assets.stages.review.files import key_file
from kodomo_assets.stages.review.files import meeting_files as make_meeting_files
from kodomo_assets.stages.review.gathering import gather_meeting
from kodomo_assets.stages.review.key_list import gather_keys
from kodomo_assets.stages.review.meeting_list import build_listed_children, build_meeting_list
from kodomo_assets.stages.review.schools import personal_sheets as make_sheets
from kodomo_assets.stages.review.schools import school_lists as make_lists
from kodomo_assets.stages.screening.summary import require_list, version_of
from kodomo_assets.stages.sources.arrivals import FINGERPRINT, fingerprint
from kodomo_assets.stages.weights.card import gather_card
from kodomo_assets.stages.weights.card_page import card_file
from kodomo_assets.store.exports import export, put, take_away
from kodomo_assets.store.pseudonyms import create_lots, create_sheet_numbers
from kodomo_assets.store.publish import published, published_file
from kodomo_assets.store.stops import stopped_numbers
from kodomo_assets.told import Told
from kodomo_assets.vocabulary import (
    CLASS_UNKNOWN,
    MEETING,
    MINUTES,
    PERSONAL_SHEET,
    RESULTS,
    SCHOOL_LIST,
    SUPPORT_RECORD,
)

# every child on a list: the number of the meeting, the school and the school year then; the names of schools beside it
_LISTED = ["linkage.children"]
# a file for a school: the names and classes of its children, and who of them is told of
_TO_SCHOOLS = [
    *_LISTED,
    "sources.school_register",
    "review.meeting_list",
    "screening.ranking",
    "sources.resident_register",
    "sources.school_roster",
]
_FACTS = [
    *_LISTED,
    "review.meeting_list",
    "review.personal_sheets",
    "review.decisions",
    "evaluation.funnel",
    "screening.ranking",
    "explanation.factors",
    "screening.difficulty_scores",
    "screening.stability",
    "features.labels",
    "weights.coefficients",
    "weights.model_cards",
    "weights.validation",
]


def _number(step: Step) -> None:
    """The children of the date under their numbers, for whatever goes out of this step or came back to it."""
    create_sheet_numbers(step.con, step.secret, step.day)
    create_numbered_children(step.con, step.day)


def _prepare(step: Step) -> None:
    require_list(step.con, step.day)
    _number(step)


def _take(
    step: Step,
    table: str,
    files: Sequence[InboxFile],
    taken: Taken,
    *,
    told: Told | None = None,
    also: Sequence[tuple[str, str]] = (),
) -> Results:
    """Stores what was read of the returned ``files``: ``new_<table>``, and what goes with it."""
    new = f"new_{table.partition('.')[2]}"
    (check_name,) = step.checks
    checks = [lambda con: [check_taken(con, check_name, taken)]]
    facts = {"filled": taken.filled, "taken": taken.rows, FINGERPRINT: fingerprint(files)} | dict(told or {})
    written = Written(table, new, facts, checks)
    yield from step.store(written, also=[*BESIDE, *also], partition={"kind": taken.kind})


def _write(step: Step, kinds: tuple[str, ...], files: Sequence[Export]) -> int:
    log, version = step.catalogue.output("review.exports"), version_of(step.con, step.day)
    stopped = stopped_numbers(step.con, step.secret, step.day)
    return export(step.con, log, step.settings.outbox, step.day, version, kinds, files, step.warn, stopped)


@asset("review.meeting_list", reads=["screening.ranking", *_LISTED])
def meeting_list(step: Step) -> Results:
    _number(step)
    create_lots(step.con, step.secret, step.day)
    counts = build_meeting_list(step.con, step.catalogue, step.day)
    build_listed_children(step.con, step.day)
    step.say(f"{MEETING}: {counts['selected']} selected, {counts['sample']} of a random sample")
    also = [("review.listed_children", "new_listed_children")]
    yield from step.store(Written("review.meeting_list", "new_meeting_list", counts), also=also)


@asset(
    "review.personal_sheets",
    # a release (公開可) stands in the decisions file
    reads=[*_TO_SCHOOLS, "review.decisions", "linkage.links", "sources.inbox"],
    checks=[check("review.personal_sheets", "sheets_read", f"戻った{PERSONAL_SHEET}がすべて読めた")],
)
def personal_sheets(step: Step) -> Results:
    _prepare(step)
    files = step.returned("review.personal_sheets")
    taken = build_personal_sheets(step.con, step.catalogue, files, step.day, step.today)
    version, cautions = version_of(step.con, step.day), protection_caution(step.catalogue)
    made = make_sheets(step.delivered(), step.catalogue, step.day, version, cautions)
    if made.without_class:
        roster = step.catalogue.tables["school_roster"].ja
        step.warn(
            f"{PERSONAL_SHEET}: {made.without_class} children have no class in {roster}; each stands in its school's "
            f"file {CLASS_UNKNOWN}, which the school hands on to the teachers"
        )
    if taken.left_out:
        step.warn(f"{MINUTES}: {taken.left_out} cells are no number of minutes; the schools' medians leave them out")
    yield from _take(step, "review.personal_sheets", files, taken, told=made.counts)
    _write(step, (f"{PERSONAL_SHEET}_",), made.files)


@asset(
    "review.decisions",
    reads=[*_LISTED, "review.meeting_list", "screening.ranking", "sources.inbox"],
    checks=[check("review.decisions", "decisions_read", "判定がすべて読めた")],
)
def decisions(step: Step) -> Results:
    _prepare(step)
    files = step.returned("review.decisions")
    taken = build_decisions(step.con, step.catalogue, files, step.day, step.now, step.today)
    step.say(f"判定: {taken.filled} rows in {len(files)} files, {taken.rows} new decisions")
    also = [(f"review.{name}", f"new_{name}") for name in ("releases", "decisions_in_force", "releases_in_force")]
    yield from _take(step, "review.decisions", files, taken, also=also)


@asset(
    "review.support",
    reads=[
        *_LISTED,
        "sources.school_register",
        "review.meeting_list",
        "review.decisions",
        "screening.ranking",
        "sources.inbox",
    ],
    checks=[check("review.support", "support_read", f"{SUPPORT_RECORD}がすべて読めた")],
)
def support(step: Step) -> Results:
    _prepare(step)
    files = step.returned("review.support")
    taken = build_support(step.con, step.catalogue, files, step.day, step.today)
    yield from _take(step, "review.support", files, taken)


@asset(
    "review.school_lists",
    reads=[*_TO_SCHOOLS, "review.decisions", "linkage.links"],
    checks=[check("review.school_lists", "decided", "判定がある（判定なしに学校へ名簿は出さない）")],
    # funnel and calendar read the log of exports without hanging below this step (architecture, 17): made before them
    priority=1,
)
def school_lists(step: Step) -> Results:
    _prepare(step)
    # without decisions there is no child to tell of: no file, and a warning (method §7)
    version, cautions = version_of(step.con, step.day), protection_caution(step.catalogue)
    made = make_lists(step.delivered(), step.catalogue, step.day, version, cautions)
    written = _write(step, (f"{SCHOOL_LIST}_",), made.files)
    step.say(f"{SCHOOL_LIST}: {len(made.files)} schools, {written} files written")
    yield step.made("review.school_lists", made.counts | {"written": written})
    yield from step.checked([check_decided(step.con, step.day)])


def _facts(catalogue: Catalogue) -> list[str]:
    # a city need not have the tables that hide a hint
    return [*_FACTS, *(f"sources.{table.id}" for table in catalogue.tables.values() if table.hides)]


@asset("review.meeting_page", "review.meeting_workbook", reads=_facts)
def meeting_files(step: Step) -> Results:
    _prepare(step)
    gathered = gather_meeting(step.delivered(), step.catalogue, step.day)
    written = _write(step, (), make_meeting_files(step.catalogue, gathered))
    step.say(f"{MEETING}: {len(gathered.children)} children, score {gathered.score_mode}, {written} files")
    told = {"children": len(gathered.children), "score": gathered.score_mode}
    yield step.made("review.meeting_page", told)
    yield step.made("review.meeting_workbook", told)


@asset(
    "review.key_list",
    reads=[
        *_LISTED,
        "review.meeting_list",
        "review.decisions",
        "screening.ranking",
        "features.labels",
        "sources.resident_register",
    ],
)
def key_list(step: Step) -> Results:
    _prepare(step)
    keys = gather_keys(step.delivered(), step.day)
    version, cautions = version_of(step.con, step.day), protection_caution(step.catalogue)
    _write(step, (), [key_file(step.day, version, keys, cautions)])
    yield step.made("review.key_list", {"children": len(keys)})


@asset(
    "review.model_card",
    reads=[
        "weights.in_force",
        "weights.coefficients",
        "weights.selection_log",
        "weights.model_cards",
        "weights.validation",
        "weights.calibration",
        "weights.logistic",
        "weights.stability",
        "weights.leakage",
        "screening.ranking",
        "screening.stability",
        "evaluation.meeting_outcome",
        "evaluation.fairness",
        "evaluation.without_items",
        "evaluation.list_lengths",
        "evaluation.drift",
        "evaluation.backtest",
        # whether a file is out
        "review.decisions",
    ],
)
def model_card(step: Step) -> Results:
    require_list(step.con, step.day)
    card = gather_card(step.con, step.catalogue, step.day)
    _write(step, (), [card_file(step.catalogue, card)])
    yield step.made("review.model_card", {"version": card.version})


@asset(
    PAPERS,
    checks=[
        check(PAPERS, "papers_made", "資料を作ることができた"),
        check(PAPERS, "papers_current", "最新の基準日の資料が、いま読み取る内容のとおりである"),
        check(PAPERS, "bases_hold", "法令上の根拠の期限が近づいていない"),
        check(PAPERS, "registry_settled", "部署との合意の記録がそろっている"),
    ],
)
def papers(step: Step) -> Results:
    made, outcome = try_papers(step.catalogue, step.day)
    # an edition that was out is kept, whatever the new one says
    for name, content in made.items():
        put(step.outbox / name, content, step.warn, out=True)
    # of an office that is called otherwise by now
    for path in sorted(step.outbox.glob("*.html")) if made else ():
        if is_paper(path.name) and path.name not in made:
            take_away(path, step.warn, out=True)
    bases = check_bases(step.catalogue, step.today)
    told = {"files": len(made), FINGERPRINT: state_of_papers(made, outcome, bases)}
    checks = [
        lambda _: [outcome, bases, check_settled(step.catalogue, step.today)],
        lambda con: [check_current(con, step.catalogue, step.day, step.today)],
    ]
    yield from step.store(Written(PAPERS, None, told, checks))


@asset(
    "review.results_report",
    reads=["published.analyst", "review.decisions"],
    checks=[check("review.results_report", "results_made", f"{RESULTS}を作ることができた")],
)
def results_report(step: Step) -> Results:
    # of published figures alone: it leaves the centre
    with published(published_file(step.settings, step.catalogue)) as con:
        made, outcome = try_results(con, step.catalogue, step.day, decided=check_decided(step.con, step.day).passed)
    for name, content in made.items():
        # people write into it
        put(step.outbox / name, content, step.warn, out=True)
    yield step.made("review.results_report", {"files": len(made)})
    yield from step.checked([outcome])


@asset(
    CALENDAR,
    reads=[
        *_LISTED,
        "review.meeting_list",
        "review.personal_sheets",
        "review.decisions",
        "screening.ranking",
    ],
    checks=[check(CALENDAR, "on_calendar", "期日を過ぎた手順がない（面談から数え戻した期日）")],
)
def calendar(step: Step) -> Results:
    build_calendar(step.con, step.catalogue, step.day)
    told = {FINGERPRINT: calendar_state(step.catalogue, step.day, step.today)}
    written = Written(CALENDAR, "new_calendar", told, [lambda con: [check_calendar(con, step.today)]])
    yield from step.store(written, also=[("review.sheet_returns", "new_sheet_returns")])
