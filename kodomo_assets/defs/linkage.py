"""Assets of the stage ``linkage``: residents and children at the reference date, and what is linked to them by name."""

from dataclasses import asdict
from functools import partial

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs.step import Results, Step, Written, asset, check
from kodomo_assets.refreshing.send_back import keep_faults, write_returns
from kodomo_assets.stages.linkage.answers import build_answers, check_answers
from kodomo_assets.stages.linkage.checks import (
    check_links,
    check_spine,
    check_stopped,
    check_unregistered,
    require_delivered,
)
from kodomo_assets.stages.linkage.children import build_children
from kodomo_assets.stages.linkage.clerical_review import clerical_review_workbook
from kodomo_assets.stages.linkage.links import build_links
from kodomo_assets.stages.linkage.pupil_numbers import check_pupil_numbers, create_pupil_numbers
from kodomo_assets.stages.linkage.summary import tell_changes, tell_expected, tell_links, tell_methods, tell_model
from kodomo_assets.stages.sources.arrivals import FINGERPRINT, fingerprint
from kodomo_assets.stages.sources.earlier_rosters import EARLIER_ROSTERS
from kodomo_assets.stages.sources.faults import check_spine_acknowledgements
from kodomo_assets.stages.sources.school_years import check_school_years, school_year_faults
from kodomo_assets.stages.weights.versions import why_due
from kodomo_assets.store.exports import put_or_take_away
from kodomo_assets.store.pseudonyms import asked_mark, asked_on, create_pseudonyms
from kodomo_assets.vocabulary import LINK_REVIEW


@asset(
    "linkage.residents",
    "linkage.children",
    reads=["sources.resident_register", "sources.school_register"],
    checks=[
        check("linkage.children", "spine_complete", "隔離した行のために対象から外れた児童がいない", blocking=True),
        check("linkage.children", "unregistered_residents", "学齢で学齢簿にない住民が前回から増えていない"),
        check("linkage.children", "school_year", "学年が生年月日による学年と合っている", blocking=True),
        check("linkage.children", "acknowledgements", "承認の行が、今のファイルに当てはまる", blocking=True),
        check("linkage.children", "stopped_children", "利用停止により対象から外れた児童がいない"),
    ],
)
def children(step: Step) -> Results:
    con, catalogue, day = step.delivered(), step.catalogue, step.day
    require_delivered(con, catalogue, day, fit=why_due(con, catalogue, day) is not None)
    create_pseudonyms(con, step.secret, "delivered_school_register")
    counts = build_children(con, catalogue, day)
    faults, register = school_year_faults(con, catalogue, day), catalogue.tables["school_register"]
    keep_faults(step, register, faults, day, "linkage")
    write_returns(step, register, day)
    step.say(f"対象児童: {counts.children:,} children of {counts.residents:,} residents")
    checks = [
        lambda con: check_spine(con, catalogue, day),
        lambda con: check_unregistered(con, day),
        lambda _: [check_school_years(catalogue, faults)],
        lambda con: [check_spine_acknowledgements(con, catalogue, day, faults, step.settings.inbox)],
        lambda _: [check_stopped(counts.stopped)],
    ]
    yield from step.store(
        Written("linkage.residents", "new_residents"),
        Written("linkage.children", "new_children", asdict(counts), checks),
        also=[
            ("linkage.schools", "new_schools"),
            ("linkage.unregistered", "new_unregistered"),
            ("linkage.stopped", "new_stopped"),
        ],
    )


@asset(
    "linkage.answers",
    reads=["sources.inbox", "sources.school_roster", EARLIER_ROSTERS, "linkage.children"],
    checks=[check("linkage.answers", "answers_read", f"{LINK_REVIEW}の答えがすべて読めた")],
)
def answers(step: Step) -> Results:
    files = step.returned("linkage.answers")
    proof = partial(asked_on, step.secret)
    counts = build_answers(step.con, step.catalogue, files, step.day, step.now, step.today, proof)
    if files:
        step.say(f"{LINK_REVIEW}: {counts.filled} answers in {len(files)} files, {counts.kept} new")
    told = {"files": len(files), "filled": counts.filled, "kept": counts.kept, FINGERPRINT: fingerprint(files)}
    yield from step.store(
        Written("linkage.answers", "new_answers", told, [lambda _: [check_answers(counts)]]),
        also=[("linkage.refused_answers", "new_refused_answers")],
    )


def _by_name(catalogue: Catalogue) -> list[str]:
    tables = [f"sources.{table.id}" for table in catalogue.tables.values() if table.person.name]
    # the registers: the names, sexes and districts of those who are compared
    registers = ["linkage.residents", "sources.resident_register", "sources.school_register"]
    return ["linkage.children", "linkage.answers", EARLIER_ROSTERS, *registers, *tables]


@asset(
    "linkage.links",
    "linkage.review",
    "linkage.coverage",
    "linkage.quality",
    "linkage.changes",
    "linkage.model",
    reads=_by_name,
    checks=[
        check(
            "linkage.links",
            "one_to_one",
            "一つの番号は一人の児童に、一人の児童は一納品に一つの学籍番号に結び付く",
            blocking=True,
        ),
        check(
            "linkage.links",
            "linked_share",
            "結び付いた割合が下限を下回らず、前回から大きく下がっていない",
            blocking=True,
        ),
        check("linkage.links", "numbers_kept", "学籍番号が別の児童に付け替えられていない", blocking=True),
        check("linkage.links", "answers_used", f"{LINK_REVIEW}の「同一」が互いに矛盾しない"),
        check("linkage.links", "names_comparable", "名前を見比べられない学校がない"),
        check("linkage.links", "unlinked_share", "結び付かなかった記録の割合"),
    ],
)
def links(step: Step) -> Results:
    counts = build_links(step.delivered(), step.catalogue, step.day)
    scored, asked = counts.scored, sum(counts.in_review.values())
    step.say(
        f"名寄せ: {sum(counts.linked.values()):,} links; Splink compared {scored.persons:,} persons in "
        f"{scored.comparisons:,} pairs; to be answered: {asked:,} persons, {counts.earlier_in_review:,} numbers of "
        "earlier rosters"
    )
    # made before anything is stored: what cannot be shown to a person is a failure of the whole step
    workbook = clerical_review_workbook(step.con, step.catalogue, step.day, partial(asked_mark, step.secret, step.day))
    checks = [lambda con: check_links(con, step.catalogue)]
    yield from step.store(
        Written("linkage.links", "new_links", tell_links(counts), checks),
        Written(
            "linkage.review", "new_review", {"persons": asked, "numbers_of_earlier_rosters": counts.earlier_in_review}
        ),
        Written("linkage.coverage", "new_coverage", tell_expected),
        Written("linkage.quality", "new_quality", tell_methods),
        Written("linkage.changes", "new_changes", tell_changes),
        Written("linkage.model", "new_model", lambda con: tell_model(con, counts)),
        also=[("linkage.asked", "new_asked"), ("linkage.stopped_links", "new_stopped_links")],
    )
    put_or_take_away(step.outbox / f"{LINK_REVIEW}.xlsx", workbook, step.warn)


def _of_pupils(catalogue: Catalogue) -> list[str]:
    records = [f"sources.{table.id}" for table in catalogue.tables.values() if table.person.pupil]
    return ["sources.school_roster", EARLIER_ROSTERS, "linkage.links", *records]


# an asset of its own: a file of 成績 that is refused must not keep 名寄せ確認 from being made
@asset(
    "linkage.pupil_numbers",
    reads=_of_pupils,
    checks=[check("linkage.pupil_numbers", "numbers_in_roster", "学校の記録の学籍番号が校務支援学籍にある")],
)
def pupil_numbers(step: Step) -> Results:
    create_pupil_numbers(step.delivered(), step.catalogue, step.day)
    checks = [lambda con: [check_pupil_numbers(con, step.catalogue, step.day)]]
    yield from step.store(Written("linkage.pupil_numbers", "new_pupil_numbers", checks=checks))
