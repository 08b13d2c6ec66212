"""``make test-offline``: the archive is made, then installed and run by its own guide on a machine without a route.

Network, mounts and processes are namespaces of its own: there is no interface but the loopback, /opt and /srv are empty
and accounts that are made are gone afterwards. The commands are those of docs/導入手順.md, word for word; every attempt
to reach an address, refused or not, is written down by strace and is a failure. It fails and never skips.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "導入手順.md"
#: That of a fresh login: no python but the system's.
PATH = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
CALLS = "connect,sendto,sendmsg,sendmmsg"
UI = "http://127.0.0.1:3000"
WITHIN_SECONDS = 180

#: The address of a call of strace's log; whatever is no loopback, and any question to a name server, is an attempt.
ADDRESS = re.compile(
    r"sa_family=AF_INET6?, sin6?_port=htons\((?P<port>\d+)\).*?"
    r'(?:inet_addr\("(?P<v4>[^"]+)"\)|inet_pton\(AF_INET6, "(?P<v6>[^"]+)")'
)


def commands(guide: str) -> str:
    """What the guide has a person type on Linux, in its order."""
    return "\n".join(re.findall(r"```console\n(.*?)```", guide, re.DOTALL))


def attempts(log: str) -> list[str]:
    """The calls of a log of strace that reach for another machine, or for a name server."""
    return [line for line in log.splitlines() if (found := ADDRESS.search(line)) and not _stays(found)]


def _stays(found: re.Match[str]) -> bool:
    loopback = (found["v4"] or "").startswith("127.") or found["v6"] == "::1"
    return loopback and found["port"] != "53"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kodomo_assets_tests.offline", description=__doc__)
    parser.add_argument("--archive", type=Path, help="that of `kodomo wheelhouse`; default: it is made")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        inside(given.inside)
        return 0
    lacking = [tool for tool in ("unshare", "ip", "strace", "mount") if shutil.which(tool) is None]
    if lacking or os.geteuid():
        print(f"needs root and {', '.join(lacking) or 'nothing else'}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="offline-") as folder:
        work = Path(folder)
        # the service's own account passes here
        work.chmod(0o755)
        for name in ("opt", "srv"):
            (work / name).mkdir()
        archive = given.archive
        if archive is None:
            subprocess.run([sys.executable, "-m", "kodomo_assets", "wheelhouse", str(work)], cwd=ROOT, check=True)
            (archive,) = work.glob("*.zip")
        for path in (archive, archive.with_name(f"{archive.name}.sha256")):
            shutil.copy(path, work / "opt")
        apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        again = [sys.executable, "-m", "kodomo_assets_tests.offline", "--inside", str(work)]
        return subprocess.run([*apart, *again], cwd=ROOT, check=False).returncode


def inside(work: Path) -> None:
    """Where nothing but the loopback is there."""
    for name in ("opt", "srv"):
        run("mount", "--bind", str(work / name), f"/{name}")
    over = work / "etc"
    over.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", str(over))
    for name in ("upper", "work"):
        (over / name).mkdir()
    run("mount", "-t", "overlay", "-o", f"lowerdir=/etc,upperdir={over}/upper,workdir={over}/work", "overlay", "/etc")
    run("ip", "link", "set", "lo", "up")
    routes = subprocess.run(["ip", "route", "show", "table", "all"], capture_output=True, text=True, check=True).stdout
    assert "default" not in routes, routes
    environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TMPDIR": str(work)}

    typed = work / "typed.sh"
    typed.write_text(f"set -eux\n{commands(GUIDE.read_text('utf-8'))}", "utf-8")
    see_an_attempt(work / "tried.strace")
    logs = [work / "guide.strace"]
    step("the guide's commands, word for word")
    subprocess.run([*traced(logs[0]), "bash", str(typed)], cwd="/", env=environment, check=True)

    (installed,) = Path("/opt").glob("kodomo_assets-*/")
    step("webserver and daemon on a fresh small city, refreshed whole")
    logs.append(work / "served.strace")
    city = {**environment, "KODOMO_DATA_DIR": "/srv/try/data", "KODOMO_KEY_FILE": "/srv/try/key/k"}
    city["DAGSTER_HOME"] = "/srv/try/dagster"
    python = str(installed / ".venv" / "bin" / "python")
    made = [python, "-m", "kodomo_assets.demo", "--data-dir", "/srv/try/data", "--residents", "18000"]
    subprocess.run(made, cwd=installed, env=city, check=True)
    served = subprocess.Popen([*traced(logs[1]), python, "-m", "kodomo_assets", "ui"], cwd=installed, env=city)
    try:
        wait_for("the UI answers", lambda: bool(asked("{ version }")["version"]))
        wait_for("the daemon beats, all its parts", healthy)
        # the sensor finds the deliveries of the newest date and has them refreshed: daemon, queue and run
        wait_for("the daemon has refreshed a date", lambda: "SUCCESS" in runs(), 900)
    finally:
        # strace ends with what it follows
        for child in children(served.pid):
            os.kill(child, signal.SIGTERM)
        served.wait(120)
    told = [log.read_text("utf-8", errors="replace") for log in logs]
    reached = [line for log in told for line in attempts(log)]
    assert reached == [], "\n".join(reached)
    step(f"done: {sum(log.count('connect(') for log in told)} connections, none of them to leave this machine")


def see_an_attempt(log: Path) -> None:
    """What reaches out is seen in this very place: or nothing that strace does not see would mean anything."""
    tries = "import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(('192.0.2.1', 9))"
    subprocess.run([*traced(log), "python3", "-c", tries], env={"PATH": PATH}, check=True)
    assert len(attempts(log.read_text("utf-8"))) == 1, "strace does not see an attempt to leave"


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def traced(log: Path) -> list[str]:
    return ["strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(log)]


def step(what: str) -> None:
    print(f"== {what}", flush=True)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def asked(query: str) -> dict:
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(f"{UI}/graphql", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def healthy() -> bool:
    daemons = asked("{ instance { daemonHealth { allDaemonStatuses { required healthy } } } }")
    of = [one for one in daemons["instance"]["daemonHealth"]["allDaemonStatuses"] if one["required"]]
    return bool(of) and all(one["healthy"] for one in of)


def runs() -> set[str]:
    found = asked("{ runsOrError { ... on Runs { results { status } } } }")["runsOrError"]["results"]
    ended = {run["status"] for run in found}
    assert "FAILURE" not in ended, found
    return ended


def wait_for(what: str, is_so: Callable[[], bool], seconds: int = WITHIN_SECONDS) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if is_so():
                step(what)
                return
        except OSError:
            pass
        time.sleep(1)
    raise AssertionError(f"not within {seconds} s: {what}")


if __name__ == "__main__":
    sys.exit(main())
