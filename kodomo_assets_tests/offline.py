"""``make test-offline``: the archive is made, then installed and run by its own guide on a machine without a route.

The machine is one of namespaces: its own systemd, no interface but the loopback, /opt and /srv empty, and accounts that
are gone afterwards (offline.sh). The commands are those of docs/導入手順.md, word for word. Its services are killed, and
its power is cut. strace writes down every call to an address, refused or not: one that would leave is a failure. It
fails and never skips: root on Linux, and systemd, strace, unshare and ip are needed.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "導入手順.md"
UI = "http://127.0.0.1:3000"
WITHIN_SECONDS = 180
#: That of a fresh login: no python but the system's.
LOGIN = ["env", "-i", "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"]
# --seccomp-bpf: all other calls run at their own speed
TRACED = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-e", "signal=none"]
SERVICES = ("kodomo-ui", "kodomo-daemon")

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
    parser.add_argument("--without-route", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.without_route:
        without_route(given.without_route)
        return 0
    with tempfile.TemporaryDirectory(prefix="offline-") as folder:
        work = Path(folder)
        # accounts that are made there pass here
        work.chmod(0o755)
        for name in ("opt", "srv", "kept"):
            (work / name).mkdir()
        archive = given.archive
        if archive is None:
            run(sys.executable, "-m", "kodomo_assets", "wheelhouse", str(work))
            (archive,) = work.glob("*.zip")
        for path in (archive, archive.with_name(f"{archive.name}.sha256")):
            shutil.copy(path, work / "opt")
        again = [sys.executable, "-m", "kodomo_assets_tests.offline", "--without-route", str(work)]
        return subprocess.run(["unshare", "--net", "--mount", *again], cwd=ROOT, check=False).returncode


def without_route(work: Path) -> None:
    """The network is that of the machine: nothing but the loopback."""
    run("ip", "link", "set", "lo", "up")
    assert "default" not in output("ip", "route", "show", "table", "all")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(work / "kept"))
    see_an_attempt(work / "tried.strace")
    # an interactive shell takes aliases
    typed = f"set -eux\nshopt -s expand_aliases\n{commands(GUIDE.read_text('utf-8'))}"
    (work / "typed.sh").write_text(typed, "utf-8")

    with booted(work, "first") as machine:
        step("the guide's commands, word for word")
        run(*TRACED, "-o", str(work / "guide.strace"), *machine, *LOGIN, "bash", "/mnt/typed.sh")
        wait_for("the UI answers and all parts of the daemon beat", healthy)
        since = time.time()
        before = {name: main_process(machine, name) for name in SERVICES}
        run(*machine, "systemctl", "kill", "--kill-whom=main", "--signal=KILL", *SERVICES)
        wait_for("killed, both run again and are heard", lambda: healthy() and heard() > since + 1)
        after = {name: main_process(machine, name) for name in SERVICES}
        assert all(before[name] != after[name] != "0" for name in SERVICES), (before, after)

        step("a city is delivered while they run")
        (python,) = (f"/opt/{path.name}/.venv/bin/python" for path in (work / "opt").glob("kodomo_assets-*/"))
        demo = [python, "-m", "kodomo_assets.demo", "--data-dir", "/srv/kodomo/data", "--residents", "18000"]
        run(*machine, *LOGIN, "runuser", "-u", "kodomo", "--", *demo)
        wait_for("the daemon has refreshed the newest date", lambda: "SUCCESS" in runs(), 900)
        run(*machine, "systemctl", "start", "kodomo-backup")
        assert list((work / "srv/kodomo/backup").glob("kodomo-backup-*/backup.json"))
        step("a backup of it is there")

    since = time.time()
    with booted(work, "second"):
        wait_for("after its power was cut the machine starts both by itself", lambda: healthy() and heard() > since)

    logs = [
        path.read_text("utf-8", errors="replace")
        for path in (work / f"{name}.strace" for name in ("guide", "first", "second"))
    ]
    reached = [line for log in logs for line in attempts(log)]
    assert reached == [], "\n".join(reached)
    assert all("connect(" in log for log in logs), "strace saw nothing at all"
    step(f"done: {sum(log.count('connect(') for log in logs)} connections, none of them to leave the machine")


@contextmanager
def booted(work: Path, name: str, traced: Sequence[str] = TRACED) -> Iterator[list[str]]:
    """The machine, ``traced`` from its init on, and the words by which a command is given in it; then its power is cut."""
    group = cgroup() / f"offline-{work.name}"
    group.mkdir(exist_ok=True)
    apart = ["unshare", "--mount", "--cgroup", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
    start = f'echo $$ > "{group}/cgroup.procs"; exec "$@"'
    init = ["bash", str(ROOT / "kodomo_assets_tests" / "offline.sh"), str(work)]
    seen = [*traced, "-o", str(work / f"{name}.strace")] if traced else []
    with (work / f"{name}.console").open("wb") as console:
        started = subprocess.Popen(["bash", "-c", start, "-", *seen, *apart, *init], stdout=console, stderr=console)
    machine: list[str] = []
    try:
        wait_for(f"{name} boot", lambda: bool(inits(started.pid)))
        (pid,) = inits(started.pid)
        machine = ["nsenter", "--target", str(pid), "--all"]
        wait_for("systemd is up", lambda: output(*machine, "systemctl", "is-system-running", fails=True) == "running")
        yield machine
    except BaseException:
        print((work / f"{name}.console").read_text("utf-8", errors="replace")[-5000:], file=sys.stderr)
        print(output(*machine, "journalctl", "--no-pager", "--lines=200", fails=True), file=sys.stderr)
        raise
    finally:
        # its init and all that is in it die with it, and strace ends with what it follows
        for power in children(started.pid) if traced else [started.pid]:
            os.kill(power, signal.SIGKILL)
        started.wait(60)
        wait_for("its power is cut", lambda: "populated 0" in (group / "cgroup.events").read_text())
        for left in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            left.rmdir()
        group.rmdir()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def inits(started: int) -> list[int]:
    """What was started, its child or the child of that, once it has become systemd."""
    found = [*children(started), *(init for power in children(started) for init in children(power))]
    return [init for init in found if Path(f"/proc/{init}/comm").read_text() == "systemd\n"]


def cgroup() -> Path:
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return next(Path(mount[1]) for mount in mounts if mount[2] == "cgroup2")


def see_an_attempt(log: Path) -> None:
    """What reaches out is seen in this very place: or nothing that strace does not see would mean anything."""
    tries = "import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(('192.0.2.1', 9))"
    run(*TRACED, "-o", str(log), *LOGIN, "python3", "-c", tries)
    assert len(attempts(log.read_text("utf-8"))) == 1, "strace does not see an attempt to leave"


def run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


def output(*command: str, fails: bool = False) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=not fails).stdout.strip()


def main_process(machine: list[str], service: str) -> str:
    return output(*machine, "systemctl", "show", "--value", "--property=MainPID", service)


def step(what: str) -> None:
    print(f"== {what}", flush=True)


def asked(query: str) -> dict:
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(f"{UI}/graphql", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def _daemons() -> list[dict]:
    found = asked("{ instance { daemonHealth { allDaemonStatuses { required healthy lastHeartbeatTime } } } }")
    return [one for one in found["instance"]["daemonHealth"]["allDaemonStatuses"] if one["required"]]


def healthy() -> bool:
    """Whether the UI answers and says of every part of the daemon that it is heard."""
    return bool(found := _daemons()) and all(one["healthy"] for one in found)


def heard() -> float:
    """When every part of the daemon was last heard, in seconds since 1970."""
    return min(one["lastHeartbeatTime"] or 0 for one in _daemons())


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
