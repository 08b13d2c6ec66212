"""Assets of the stage ``review``: the list for the meeting, its files, the schools' files, and what comes back."""

from collections.abc import Sequence

from kodomo_assets.defs.step import Results, Step, Written, asset, check
from kodomo_assets.office.returned import check_rejections, gone_children
from kodomo_assets.office.written import Export
from kodomo_assets.stages.outcomes.decisions import build_decisions, check_decided
from kodomo_assets.stages.outcomes.personal_sheets import build_personal_sheets
from kodomo_assets.stages.outcomes.support import build_support
from kodomo_assets.stages.review.cautions import protection_caution
from kodomo_assets.stages.review.facts import gather_meeting
from kodomo_assets.stages.review.files import key_file
from kodomo_assets.stages.review.files import meeting_files as make_meeting_files
from kodomo_assets.stages.review.key_list import gather_keys
from kodomo_assets.stages.review.meeting_list import build_listed_children, build_meeting_list
from kodomo_assets.stages.review.schools import personal_sheets as make_sheets
from kodomo_assets.stages.review.schools import school_lists as make_lists
from kodomo_assets.stages.screening.summary import require_list, version_of
from kodomo_assets.stages.sources.arrivals import FINGERPRINT, fingerprint
from kodomo_assets.store.exports import export
from kodomo_assets.store.pseudonyms import create_sheet_numbers
from kodomo_assets.vocabulary import PERSONAL_SHEET, SCHOOL_LIST

# every child on a list: the number of the meeting, the school and the school year then
_LISTED = ["linkage.children", "sources.school_register"]
# a file for a school: the names and classes of its children, and who of them is told of
_TO_SCHOOLS = [
    *_LISTED,
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
    "screening.contributions",
    "screening.difficulty_scores",
    "features.levels",
    "features.labels",
    "weights.model_cards",
]
# what is stored with everything that comes back
_BESIDE = [("review.rejections", "new_rejections"), ("review.first_readings", "new_first_readings")]


def _prepare(step: Step) -> None:
    require_list(step.con, step.day)
    create_sheet_numbers(step.delivered(), step.secret, step.day)


def _write(step: Step, kinds: tuple[str, ...], files: Sequence[Export]) -> int:
    log, version = step.catalogue.output("review.exports"), version_of(step.con, step.day)
    return export(step.con, log, step.settings.outbox, step.day, version, kinds, files, step.warn)


@asset("review.meeting_list", reads=["screening.ranking", *_LISTED])
def meeting_list(step: Step) -> Results:
    create_sheet_numbers(step.delivered(), step.secret, step.day)
    counts = build_meeting_list(step.con, step.catalogue, step.day)
    build_listed_children(step.con, step.day)
    step.say(f"判定会議: {counts['selected']} selected, {counts['sample']} of a random sample")
    also = [("review.listed_children", "new_listed_children")]
    yield from step.store(Written("review.meeting_list", "new_meeting_list", counts), also=also)


@asset(
    "review.personal_sheets",
    # a release (公開可) stands in the decisions file
    reads=[*_TO_SCHOOLS, "review.decisions", "linkage.links", "sources.inbox"],
    checks=[check("review.personal_sheets", "sheets_read", "戻った個人票がすべて読めた")],
)
def personal_sheets(step: Step) -> Results:
    _prepare(step)
    files = step.returned("review.personal_sheets")
    taken = build_personal_sheets(step.con, step.catalogue, files, step.day, step.today)
    made = make_sheets(step.con, step.day, version_of(step.con, step.day), protection_caution(step.catalogue))
    told = {"returned": taken, FINGERPRINT: fingerprint(files)} | made.counts
    checks = [lambda con: [check_rejections(con, "sheets_read", taken, gone_children(con))]]
    yield from step.store(
        Written("review.personal_sheets", "new_personal_sheets", told, checks),
        also=_BESIDE,
        partition={"kind": "personal_sheets"},
    )
    _write(step, (f"{PERSONAL_SHEET}_",), made.files)


@asset(
    "review.decisions",
    reads=[*_LISTED, "review.meeting_list", "screening.ranking", "sources.inbox"],
    checks=[check("review.decisions", "decisions_read", "判定がすべて読めた")],
)
def decisions(step: Step) -> Results:
    _prepare(step)
    files = step.returned("review.decisions")
    counts = build_decisions(step.con, step.catalogue, files, step.day, step.now, step.today)
    step.say(f"判定: {counts.filled} rows in {len(files)} files, {counts.taken} new decisions")
    told = {"filled": counts.filled, "new": counts.taken, FINGERPRINT: fingerprint(files)}
    checks = [lambda con: [check_rejections(con, "decisions_read", counts.taken)]]
    yield from step.store(
        Written("review.decisions", "new_decisions", told, checks),
        also=[
            *_BESIDE,
            ("review.releases", "new_releases"),
            ("review.decisions_in_force", "new_decisions_in_force"),
            ("review.releases_in_force", "new_releases_in_force"),
        ],
        partition={"kind": "decisions"},
    )


@asset(
    "review.support",
    reads=[*_LISTED, "review.meeting_list", "review.decisions", "screening.ranking", "sources.inbox"],
    checks=[check("review.support", "support_read", "支援記録がすべて読めた")],
)
def support(step: Step) -> Results:
    _prepare(step)
    files = step.returned("review.support")
    taken = build_support(step.con, step.catalogue, files, step.day, step.today)
    told = {"records": taken, FINGERPRINT: fingerprint(files)}
    checks = [lambda con: [check_rejections(con, "support_read", taken, gone_children(con))]]
    yield from step.store(
        Written("review.support", "new_support", told, checks), also=_BESIDE, partition={"kind": "support"}
    )


@asset(
    "review.school_lists",
    reads=[*_TO_SCHOOLS, "review.decisions", "linkage.links"],
    checks=[check("review.school_lists", "decided", "判定がある（判定なしに学校へ名簿は出さない）")],
    # the funnel reads the log of exports without hanging below this step (architecture, 17): made before it
    priority=1,
)
def school_lists(step: Step) -> Results:
    _prepare(step)
    # without decisions there is no child to tell of: no file, and a warning (method §7)
    version, cautions = version_of(step.con, step.day), protection_caution(step.catalogue)
    made = make_lists(step.con, step.catalogue, step.day, version, cautions)
    written = _write(step, (f"{SCHOOL_LIST}_",), made.files)
    step.say(f"支援対象者: {len(made.files)} schools, {written} files written")
    yield step.made("review.school_lists", made.counts | {"written": written})
    yield from step.checked([check_decided(step.con, step.day)])


@asset("review.meeting_page", "review.meeting_workbook", reads=_FACTS)
def meeting_files(step: Step) -> Results:
    _prepare(step)
    gathered = gather_meeting(step.con, step.catalogue, step.day)
    written = _write(step, (), make_meeting_files(step.catalogue, gathered))
    step.say(f"判定会議: {len(gathered.children)} children, score {gathered.score_mode}, {written} files")
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
    keys = gather_keys(step.con, step.day)
    version, cautions = version_of(step.con, step.day), protection_caution(step.catalogue)
    _write(step, (), [key_file(step.day, version, keys, cautions)])
    yield step.made("review.key_list", {"children": len(keys)})
