"""How large the meeting's page is, and how long it loads and filters in Chromium, for 170 and for 5,000 children.

    python -m benchmarks.meeting_page
    python -m benchmarks.meeting_page --keep /tmp/pages    # and the pages stay there to be looked at

Everything is made up. "load" is from the start of the navigation to the first child in sight, "filter" from a typed
letter to the layout after it, both the median of several runs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any, get_args

import numpy as np

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.review.meeting import (
    Cohort,
    Decision,
    Factor,
    FunnelRow,
    LastTerm,
    Meeting,
    MeetingChild,
    ScoreMode,
    SourceState,
)
from kodomo_assets.stages.review.page import meeting_page
from kodomo_assets.vocabulary import DECISIONS

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REFERENCE_DATE = dt.date(2025, 4, 1)
BASE_POINTS = 18.4
# letter by letter, as a person types it
TYPED = "欠席日数 30"
SCHOOLS = [
    f"{name}{kind}" for kind in ("小学校", "中学校") for name in ("中央", "東", "西", "南", "北", "緑が丘", "川辺")
]
ANSWERS = {
    "最近の様子": [
        "特に変わりなく過ごしている。",
        "月曜日に休みが続いている。朝、保護者に電話をしてもつながらないことが多い。登校した日は友人と楽しそうに過ごしている。",
        "授業中に眠そうにしていることが増えた。夜遅くまで弟の世話をしていると本人が話した。保健室で休むことが週に一、二度ある。",
    ],
    "家庭との連絡": ["連絡がつく", "連絡がつきにくい", "提出物が遅れがち。集金の督促を三度行った。"],
    "学校での支援": ["なし", "担任の声かけと、週一回の放課後学習への参加", "SCの面談（月一回）"],
    "気になること": ["", "同じ服を着てくることが多い。", "給食をとても多く食べる。"],
}
HINTS = [
    "ひとり親家庭の手当の案内",
    "学習・生活支援事業の案内（小4〜中3）",
    "SSWによる家庭訪問の検討",
    "学校での見守り",
]


def made_up_meeting(children: int, score_mode: ScoreMode) -> Meeting:
    """A meeting of children that nobody knows, the strongest first in each school year."""
    catalogue = load_catalogue()
    rng = np.random.default_rng(7)
    weights = {item.id: float(rng.gamma(1.2, 14.0)) for item in catalogue.matrix_items}
    hidden = score_mode == "hidden"
    drafts = [_child(rng, catalogue, weights, number, number % 9 + 1) for number in range(children)]
    ordered: list[MeetingChild] = []
    cohorts = []
    for year in range(1, 10):
        cohort = sorted((child for child in drafts if child["school_year"] == year), key=lambda child: -child["points"])
        for rank, child in enumerate(cohort, start=1):
            ordered.append(MeetingChild(**(child | {"rank": rank})))
        cut = cohort[-1]["points"] if cohort and not hidden else None
        cohorts.append(Cohort(year, len(cohort) * 10 + 7, len(cohort), cut))
    return Meeting(
        reference_date=REFERENCE_DATE,
        weights_version="2025-04-01.1",
        score_mode=score_mode,
        difficulties=dict(catalogue.difficulties),
        cohorts=tuple(cohorts),
        sources=tuple(
            SourceState(table.id, table.ja, None if table.id == "pregnancy_notifications" else dt.date(2025, 3, 28))
            for table in catalogue.tables.values()
        ),
        children=tuple(_without_numbers(child) if hidden else child for child in ordered),
        funnel=(
            FunnelRow("学齢簿の児童生徒", children * 10 + 240),
            FunnelRow("住民記録と結び付いた", children * 10 + 100),
            FunnelRow("順位付けの対象", children * 10 + 63),
            FunnelRow("抽出", children),
        ),
    )


def _child(
    rng: np.random.Generator, catalogue: Any, weights: dict[str, float], number: int, year: int
) -> dict[str, Any]:
    band = "lower" if year <= 3 else "upper"
    factors = [_factor(rng, item, weights[item.id]) for item in catalogue.matrix_items if band in item.bands]
    lost = rng.random() < 0.15
    factors.append(
        Factor(
            "table:ssw_records", "SSW相談記録", "no_record", "記録なし", -1.2 if lost else 0.0, (), False, "no_record"
        )
    )
    difficulties = {
        name: round(sum(factor.points or 0 for factor in factors if name in factor.about), 1)
        for name in catalogue.difficulties
    }
    protected = number % 57 == 8
    legacy = [f"{factor.ja}（{factor.level_ja}）" for factor in factors if factor.applies][: int(rng.integers(0, 6))]
    undecided = rng.random() < 0.7
    school = SCHOOLS[int(rng.integers(0, 7)) + (0 if year <= 6 else 7)]
    sibling = number + 3 if number % 20 == 0 else number - 3 if number % 20 == 3 else None
    return {
        "child_key": f"key-{number}",
        "sheet_number": _sheet_number(number),
        "school_year": year,
        "school_code": None if protected else f"{SCHOOLS.index(school):03d}",
        "school": None if protected else school,
        "protected": protected,
        "points": round(BASE_POINTS + sum(factor.points or 0 for factor in factors), 1),
        "base_points": BASE_POINTS,
        "difficulties": difficulties,
        "factors": tuple(factors),
        "tied_at_cut": rng.random() < 0.03,
        "newly_found": None if rng.random() < 0.1 else bool(len(legacy) < 4),
        "legacy_flag": None if rng.random() < 0.1 else len(legacy) >= 4,
        "legacy_items": tuple(legacy),
        "open_consultation": rng.random() < 0.12,
        "known_before": rng.random() < 0.25,
        "incomplete_delivery": rng.random() < 0.05,
        "added": rng.random() < 0.02,
        "siblings": () if sibling is None else (_sheet_number(sibling),),
        "last_term": LastTerm(dt.date(2025, 1, 1), int(rng.integers(1, 300)), 1_284, rng.random() < 0.6)
        if rng.random() < 0.8
        else None,
        "hints": tuple(hint for hint in HINTS if rng.random() < 0.3),
        "sheet": None
        if protected or rng.random() < 0.2
        else {question: str(rng.choice(answers)) for question, answers in ANSWERS.items()},
        "decision": None
        if undecided
        else Decision(
            str(rng.choice(list(DECISIONS))),
            "学校での見守りと、福祉課からの手当の案内",
            "欠席が続いているが、本人は担任と話ができている。二学期の様子を見て改めて検討する。",
            dt.date(2025, 5, 14),
            "こども未来センター",
        ),
    }


def _factor(rng: np.random.Generator, item: Any, weight: float) -> Factor:
    drawn = rng.random()
    mean = weight * 0.15
    levels = list(item.level_labels.items())
    if drawn < 0.27:
        at = int(rng.integers(0, len(levels)))
        level, label = levels[at]
        return Factor(item.id, item.ja, level, label, round(weight * (at + 1) - mean, 1), item.about, True, None)
    if drawn < 0.37:
        cause: Any = "blank" if drawn < 0.31 else "no_record"
        return Factor(item.id, item.ja, cause, "欠損", round(-mean, 1), item.about, False, cause)
    points = 0.0 if drawn < 0.6 else round(-mean, 1)
    return Factor(item.id, item.ja, "not_applicable", "非該当", points, item.about, False, None)


def _sheet_number(number: int) -> str:
    """Looks random, is the same each time: 7919 is prime, so that no number comes twice."""
    drawn = (number + 1) * 7919 % 1_000_000
    return f"{drawn // 1000:03d}-{drawn % 1000:03d}"


def _without_numbers(child: MeetingChild) -> MeetingChild:
    blind = {"rank": None, "points": None, "base_points": None, "difficulties": None}
    factors = tuple(Factor(**(vars(factor) | {"points": None})) for factor in child.factors)
    return MeetingChild(**(vars(child) | blind | {"factors": factors}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, nargs="+", default=[170, 5_000])
    parser.add_argument("--score-mode", choices=get_args(ScoreMode), default="always")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder in which the pages stay")
    given = parser.parse_args()
    if BROWSER is None:
        raise SystemExit("no Chromium found: expected chromium, chromium-browser or google-chrome on the PATH")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="kodomo-benchmark-") as name, sync_playwright() as playwright:
        folder = given.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        browser = playwright.chromium.launch(
            executable_path=BROWSER,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        for children in given.children:
            path = folder / f"meeting_{children}.html"
            path.write_bytes(meeting_page(made_up_meeting(children, given.score_mode)))
            loads, filters = [], []
            for _ in range(given.repeat):
                page = browser.new_page(viewport={"width": 1366, "height": 768})
                page.goto(path.as_uri())
                page.locator("article").wait_for()
                loads.append(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"))
                filters += [page.evaluate(FILTER, TYPED[:length]) for length in range(1, len(TYPED) + 1)]
                page.close()
            print(
                f"{children:>6,} children: {path.stat().st_size / 1e6:.2f} MB, load {statistics.median(loads):.0f} ms, "
                f"filter {statistics.median(filters):.0f} ms (slowest {max(filters):.0f} ms)"
            )
        browser.close()
    return 0


# milliseconds from a typed letter to the end of the script and layout that answer it
FILTER = """text => {
  const search = document.getElementById("search");
  const started = performance.now();
  search.value = text;
  search.dispatchEvent(new Event("input", {bubbles: true}));
  document.body.getBoundingClientRect();
  return performance.now() - started;
}"""


if __name__ == "__main__":
    raise SystemExit(main())
