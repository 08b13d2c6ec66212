"""The Dagster UI in a real browser over a refreshed city: graph, assets, plot, checks, schedules.

~15 s: Dagster's web server and its code server are started, and Chromium.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from kodomo_assets.doors.doctor import WELL, examine
from kodomo_assets.settings import Settings

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ROOT = Path(__file__).parents[2]

if BROWSER is None:
    warnings.warn("NO CHROMIUM INSTALLED: the tests of the Dagster UI are SKIPPED", stacklevel=1)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="NO CHROMIUM INSTALLED: the Dagster UI was not looked at")


@pytest.fixture(scope="module")
def settings(refreshed_city, tmp_path_factory) -> Settings:
    return refreshed_city.copy(tmp_path_factory.mktemp("ui") / "city").settings


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "KODOMO_DATA_DIR": str(settings.data_dir),
        "KODOMO_KEY_FILE": str(settings.key_file),
        "DAGSTER_HOME": str(settings.dagster_home),
    }
    command = [sys.executable, "-m", "kodomo_assets", "ui", "--no-daemon", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Dagster UI" in line:
                break
        else:
            pytest.fail("the UI did not start")
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture(scope="module")
def page(server):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        page = browser.new_page(base_url=server, viewport={"width": 1600, "height": 1000})
        # long enough for a machine that runs six other tests beside
        page.set_default_timeout(180_000)
        yield page
        browser.close()


def see(page, path: str, *texts: str) -> None:
    page.goto(path)
    for text in texts:
        page.get_by_text(text, exact=False).first.wait_for()


def test_the_asset_graph_shows_the_stages(page):
    see(page, "/asset-groups", "sources", "linkage", "features", "weights", "screening", "published")


def test_a_source_asset_shows_its_office_law_and_columns(page):
    see(page, "/assets/sources/attendance", "出欠", "各学校", "個人情報保護法 第69条第2項第3号")


def test_the_ranking_asset_shows_its_plot(page):
    page.goto("/assets/screening/ranking?partition=2025-04-01")
    page.get_by_text("Show Markdown").first.click()
    plot = page.locator("img[alt=plot]").first
    # not the sign of a broken picture
    assert plot.evaluate("image => image.decode().then(() => image.naturalWidth)") > 900


def test_the_checks_are_listed_and_passed(page):
    see(page, "/assets/features/matrix?view=checks", "contract", "complete", "Passed")


def test_the_schedules_run_by_default(page):
    see(page, "/automation", "yearly_refresh_schedule", "termly_refresh_schedule")


def test_the_doctor_sees_that_it_runs(server, settings):
    port = int(server.rpartition(":")[2])
    (found,) = [one for one in examine(settings, port, dt.datetime.now(dt.UTC)) if one.what == "画面"]
    assert found.mark == WELL
    assert found.found.startswith(f"http://127.0.0.1:{port} で動いています")
