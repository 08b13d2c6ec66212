"""The UI takes requests from itself only: not from another page in the same browser, not under another name."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.doors.guard import Guard

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ROOT = Path(__file__).parents[2]

if BROWSER is None:
    warnings.warn("NO CHROMIUM INSTALLED: the UI was not attacked from another page", stacklevel=1)

JSON = {"content-type": "application/json"}


def answer(method: str, path: str, headers: dict[str, str], *allowed: str, kind: str = "http") -> dict[str, str]:
    """What the guard answers, as status and headers; "taken" where the web server behind it was reached."""
    said: dict[str, str] = {}

    async def application(scope, receive, send):
        said["taken"] = "yes"
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        said.update({name.decode(): value.decode() for name, value in message.get("headers", [])})
        if message["type"] in ("http.response.start", "websocket.close"):
            said["status"] = str(message.get("status", message.get("code")))

    given = {"host": "127.0.0.1:3000", **headers}
    path, _, query = path.partition("?")
    scope = {
        "type": kind, "method": method, "path": path, "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip
    asyncio.run(Guard(application, allowed)(scope, receive, send))
    return said


def taken(method: str, path: str, headers: dict[str, str], *allowed: str, kind: str = "http") -> bool:
    said = answer(method, path, headers, *allowed, kind=kind)
    assert ("taken" in said) != (said["status"] in ("403", "1008"))
    return "taken" in said


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:3000", 200),
        ("localhost:3000", 200),
        ("LOCALHOST", 200),
        ("[::1]:3000", 200),
        # an ssh tunnel from another port
        ("localhost:8080", 200),
        # a name of the attacker's that now points to this machine (DNS rebinding)
        ("rebound.example:3000", 403),
        ("127.0.0.1.example", 403),
        ("localhost.example:3000", 403),
        ("127.0.0.2", 403),
        ("localhost@rebound.example", 403),
        ("", 403),
        ("[", 403),
    ],
)
def test_only_under_its_own_name(host, status):
    assert taken("GET", "/runs", {"host": host}) == (status == 200)
    assert taken("POST", "/graphql", {"host": host, **JSON}) == (status == 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:3000"}, 200),
        ({"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "http://127.0.0.1"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_only_from_its_own_pages(headers, status):
    assert taken("POST", "/graphql", {**JSON, **headers}) == (status == 200)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize("path", ["/graphql?query=mutation", "/report_asset_materialization/x", "/anything"])
def test_a_form_changes_nothing(path, kind):
    assert not taken("POST", path, {"content-type": kind})
    assert not taken("PUT", path, {"content-type": kind})


def test_a_link_or_a_picture_changes_nothing():
    assert not taken("GET", "/graphql?query=mutation", {})
    assert not taken("GET", "/graphql/?query=mutation", {})
    assert not taken("HEAD", "/graphql?query=mutation", {})
    assert not taken("GET", "/runs?q=x", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"})


def test_a_link_of_the_intranet_opens_the_ui():
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert taken("GET", "/assets", headers)


def test_no_page_shows_the_ui_in_a_frame():
    assert answer("GET", "/", {})["x-frame-options"] == "DENY"


def test_a_websocket_says_where_it_comes_from():
    own = {"origin": "http://127.0.0.1:3000"}
    assert taken("GET", "/graphql", own, kind="websocket")
    assert not taken("GET", "/graphql", {"origin": "http://evil.example"}, kind="websocket")
    assert not taken("GET", "/graphql", {}, kind="websocket")
    assert not taken("GET", "/graphql", {"host": "evil.example", "origin": "http://evil.example"}, kind="websocket")


@pytest.mark.parametrize("host", ["kodomo.city.example", "127.0.0.1:3000"])
def test_a_proxy_in_front_is_known_by_its_name(host):
    """Whether it passes its own name on or the server's."""
    headers = {"host": host, "origin": "https://kodomo.city.example", **JSON}
    assert taken("POST", "/graphql", headers, "Kodomo.City.example")
    assert not taken("POST", "/graphql", headers)
    assert not taken("POST", "/graphql", {**headers, "origin": "https://other.city.example"}, "kodomo.city.example")


# -- the real server -----------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ui(root: Path, *options: str) -> Iterator[str]:
    port = free_port()
    environment = {
        **os.environ,
        "KODOMO_DATA_DIR": str(root / "data"),
        "KODOMO_KEY_FILE": str(root / "key" / "k"),
        "DAGSTER_HOME": str(root / "new" / "home"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "kodomo_assets", "ui", "--port", str(port), *options]
    with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "Dagster UI" in process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}"
        except BaseException:
            process.kill()
            raise
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


def ask(server: str, query: str, **headers: str) -> dict:
    request = urllib.request.Request(f"{server}/graphql", json.dumps({"query": query}).encode(), {**JSON, **headers})
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        error.add_note(error.read().decode())
        raise


SENSOR = '{sensorName: "inbox_sensor", repositoryName: "__repository__", repositoryLocationName: "kodomo_assets"}'


def change(cursor: str) -> str:
    return f'mutation {{ setSensorCursor(sensorSelector: {SENSOR}, cursor: "{cursor}") {{ __typename }} }}'


def cursor(server: str) -> str | None:
    answer = ask(
        server,
        f"{{ sensorOrError(sensorSelector: {SENSOR}) {{ __typename ... on Sensor {{ sensorState "
        "{ typeSpecificData { ... on SensorData { lastCursor } } } } } }",
    )
    data = answer["data"]["sensorOrError"]["sensorState"]["typeSpecificData"]
    return data["lastCursor"] if data else None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("ui")
    (root / "data").mkdir()
    with ui(root, "--no-daemon") as address:
        yield address


def test_the_ui_itself_changes(server):
    assert ask(server, change("by the ui"))["data"]["setSensorCursor"]["__typename"] == "Sensor"


@pytest.mark.skipif(BROWSER is None, reason="NO CHROMIUM INSTALLED: the UI was not attacked from another page")
def test_a_page_of_another_origin_changes_nothing(server, tmp_path):
    """What a browser lets another page send: pictures, forms, fetch without reading, WebSockets, frames, links."""
    from playwright.sync_api import sync_playwright

    def link(mark: str) -> str:
        return f"{server}/graphql?query={urllib.parse.quote(change(mark))}"

    page = f"""<!doctype html><title>a page</title><body>
    <form method="post" action="{link("form")}" target="hidden"></form>
    <script>
    const done = [];
    const tried = (name, promise) => promise.then(() => done.push(name), () => done.push(name + " refused"));
    Promise.allSettled([
      tried("get", fetch({json.dumps(link("get"))}, {{mode: "no-cors", credentials: "include"}})),
      tried("plain", fetch({json.dumps(server + "/graphql")}, {{method: "POST", mode: "no-cors",
        headers: {{"content-type": "text/plain"}}, body: {json.dumps(json.dumps({"query": change("plain")}))}}})),
      tried("query", fetch({json.dumps(link("query"))}, {{method: "POST", mode: "no-cors"}})),
      tried("json", fetch({json.dumps(server + "/graphql")}, {{method: "POST",
        headers: {{"content-type": "application/json"}}, body: {json.dumps(json.dumps({"query": change("json")}))}}})),
      tried("read", fetch({json.dumps(server + "/server_info")}).then(r => r.text())),
      tried("socket", new Promise((yes, no) => {{
        const s = new WebSocket({json.dumps(server.replace("http", "ws") + "/graphql")}, "graphql-ws");
        s.onopen = yes; s.onerror = no; }})),
      tried("img", new Promise((yes) => {{
        const i = new Image(); i.onload = i.onerror = yes; i.src = {json.dumps(link("img"))}; }})),
      tried("frame", new Promise((yes) => {{
        const f = document.createElement("iframe"); f.name = "hidden"; f.onload = yes;
        f.src = {json.dumps(server + "/runs")}; document.body.append(f); }})),
    ]).then(() => tried("form", new Promise((yes) => {{
        document.querySelector("iframe").onload = yes; document.forms[0].submit(); }})))
      .then(() => {{ document.title = done.sort().join(", "); }});
    </script>"""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    ask(server, change("before"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as other, sync_playwright() as playwright:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        for origin in ("localhost", "127.0.0.1"):
            found = browser.new_page()
            # long enough for a machine that runs six other tests beside
            found.set_default_timeout(120_000)
            found.goto(f"http://{origin}:{other.server_port}/")
            # the title is written when all of it was answered, the form in the frame last
            found.wait_for_function("document.title.includes('socket')")
            refused = found.title()
            assert {"form", "frame", "img"} <= set(refused.split(", "))
            assert "json refused" in refused
            assert "socket refused" in refused
            assert "read refused" in refused
            frame = found.frames[1].content()
            assert "Overview" not in frame
        browser.close()
        other.shutdown()
    assert cursor(server) == "before"


def test_another_name_for_this_machine_is_refused(server):
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(server, change("rebound"), Host="rebound.example")
    assert refused.value.code == 403
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(urllib.request.Request(server, headers={"Host": "rebound.example"}))


def test_a_launch_cannot_name_another_database(server, tmp_path):
    config = json.dumps({"resources": {"kodomo": {"config": {"database": str(tmp_path / "x.duckdb")}}}})
    answer = ask(
        server,
        'query { isPipelineConfigValid(pipeline: {pipelineName: "after_meeting", repositoryName: "__repository__", '
        f'repositoryLocationName: "kodomo_assets"}}, mode: "default", runConfigData: {json.dumps(config)}) '
        "{ __typename ... on RunConfigValidationInvalid { errors { message } } } }",
    )["data"]["isPipelineConfigValid"]
    assert answer["__typename"] == "RunConfigValidationInvalid", answer
    assert 'unexpected config entry "database"' in answer["errors"][0]["message"]


def test_to_look_only(tmp_path):
    (tmp_path / "data").mkdir()
    with ui(tmp_path, "--read-only") as address:
        assert ask(address, "{ version }")["data"]["version"]
        assert ask(address, change("x"))["data"]["setSensorCursor"]["__typename"] == "UnauthorizedError"
        assert (tmp_path / "new" / "home").stat().st_mode & 0o777 == 0o700


def test_the_daemon_ends_with_the_ui_that_started_it(tmp_path):
    """However that ends: its standard input closes."""
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path / "home"), "KODOMO_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "kodomo_assets", "daemon", "--until-stdin-closes"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors


def test_an_address_that_is_in_use_is_a_sentence(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    assert main(["ui", "--port", server.rpartition(":")[2]]) == 2
    assert "is another UI running? Choose another with --port" in capsys.readouterr().err
    assert main(["ui", "--host", "0.0.0.0"]) == 2
    assert "name those that the UI is opened by with --allow-host" in capsys.readouterr().err
