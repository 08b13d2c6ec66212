"""状況.html that nobody writes anew says so itself: a page of last week looks like one of this minute."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.papers.status import Closed, closed_page
from kodomo_assets_tests.review.test_page import BROWSER, browser

__all__ = ["browser"]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="NO CHROMIUM INSTALLED: the old page was not looked at")
MADE = dt.datetime(2025, 5, 12, 3, 0, tzinfo=dt.timezone(dt.timedelta(hours=9)))


@pytest.mark.parametrize(
    ("opened", "says"),
    [
        (MADE + dt.timedelta(minutes=29), None),
        (MADE + dt.timedelta(minutes=30), "この頁は 2025-05-12 03:00 のままです"),
        (MADE + dt.timedelta(days=100), "この頁は 2025-05-12 03:00 のままです"),
        # 1 September 2025 has come
        (dt.datetime(2025, 9, 1, 12, 0, tzinfo=MADE.tzinfo), "この頁は 2025-05-12 03:00 のものです"),
    ],
)
def test_an_old_page_says_that_it_is_old(browser, tmp_path, opened, says):
    path = tmp_path / "状況.html"
    content, _ = closed_page(
        load_catalogue(), dt.date(2025, 4, 1), MADE.astimezone(dt.UTC), Closed("止まっています", "理由", "why")
    )
    path.write_bytes(content)
    wrong = []
    page = browser.new_page()
    page.on("console", lambda message: wrong.append(message.text))
    page.clock.set_fixed_time(opened)
    page.goto(path.as_uri())
    shown = page.inner_text("body")
    page.close()
    assert [line for line in shown.splitlines() if "この頁は" in line][:2] == [
        line for line in shown.splitlines() if says is not None and says in line
    ]
    assert says is None or says in shown
    assert wrong == []
