"""The assets of the stage ``published``: analyst.duckdb, swapped in whole, and the end of a refresh."""

from kodomo_assets.aggregates.giving import give
from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs.step import Results, Step, Written, asset, check
from kodomo_assets.errors import CheckFailedError, KodomoError, PublicationError
from kodomo_assets.refreshing.completions import COMPLETIONS, create_completions
from kodomo_assets.refreshing.publication import publication
from kodomo_assets.stages.papers.calendar import CALENDAR
from kodomo_assets.stages.papers.files import PAPERS
from kodomo_assets.stages.sources.readings import REFRESHES, create_refreshes
from kodomo_assets.stages.sources.rests_on import RESTS_ON, create_rests_on
from kodomo_assets.store.publish import confidential, publish, published_file, retire, still_published

NAME, AGGREGATES = "published.analyst", "published.aggregates"


def _published(catalogue: Catalogue) -> list[str]:
    published = [name for name, table in catalogue.outputs.items() if table.published and name in catalogue.assets]
    # that none of their numbers, names and addresses got through is looked up in what they came from
    looked_up = ["linkage.answers", "linkage.residents", *(f"sources.{table}" for table in catalogue.tables)]
    # evaluation.fairness_items
    return [*published, "features.levels", *looked_up]


@asset(
    NAME,
    reads=_published,
    checks=[
        check(NAME, "no_private_column", "公開すると決めた列だけである", blocking=True),
        check(NAME, "declared_words", "文字の列には決めた語だけがある", blocking=True),
        check(NAME, "own_words_known", "人が書かない列に「その他」がない"),
        check(NAME, "no_small_cell", "少数のセルと端数のない集計である", blocking=True),
        check(NAME, "no_identity_value", "番号・氏名・住所と一致する値がない", blocking=True),
    ],
)
def analyst(step: Step) -> Results:
    catalogue, target = step.catalogue, published_file(step.settings, step.catalogue)
    source = confidential(step.con)
    try:
        outcomes = publish(step.con, target, catalogue, step.run_id, publication(catalogue, source))
    except Exception as error:
        step.context.log.error(f"公開: {step.day} is not published; {still_published(target)}")
        if isinstance(error, CheckFailedError):
            yield from step.checked(error.outcomes)
        if isinstance(error, KodomoError):
            raise PublicationError(
                "{why}; {stands}",
                why=error.said,
                stands=still_published(target),
            ) from None
        raise
    step.say(f"公開: {target.name} replaced after {step.day}")
    retire(step.settings, target)
    tables = sum(table.published for table in catalogue.outputs.values())
    yield step.made(NAME, {"tables": tables, "bytes": target.stat().st_size})
    yield from step.checked(outcomes)


@asset(AGGREGATES, reads=[NAME])
def aggregates(step: Step) -> Results:
    file = give(step.catalogue, published_file(step.settings, step.catalogue))
    if file is None:
        step.say("共同利用の集計: host.folder is not given, or there is no list yet; nothing leaves the city")
    else:
        step.say(f"共同利用の集計: {file.name} replaced after {step.day}")
    yield step.made(AGGREGATES, {"given": file is not None, "bytes": file.stat().st_size if file else 0})


def _everything(catalogue: Catalogue) -> list[str]:
    # the files for people too: a refresh that did not write them is not done
    return [
        NAME,
        AGGREGATES,
        "sources.inbox",
        *(f"sources.{table}" for table in catalogue.tables),
        "linkage.answers",
        "review.personal_sheets",
        "review.support",
        "review.decisions",
        "review.school_lists",
        "review.meeting_page",
        "review.meeting_workbook",
        "review.model_card",
        PAPERS,
        CALENDAR,
        "review.results_report",
        "evaluation.funnel",
    ]


@asset(REFRESHES, reads=_everything)
def refreshes(step: Step) -> Results:
    create_refreshes(step.con, step.day, step.run_id)
    create_rests_on(step.con, step.catalogue, step.day, step.run_id)
    create_completions(step.con, step.catalogue, step.outbox, step.day, step.run_id)
    also = [(RESTS_ON, "new_rests_on"), (COMPLETIONS, "new_completions")]
    yield from step.store(Written(REFRESHES, "new_refreshes"), also=also)
