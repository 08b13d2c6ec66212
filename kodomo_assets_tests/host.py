"""``make test-host``: a host of three cities, started for real, and every wall between them tried.

The machine is one of namespaces (offline.py): its own systemd, no interface but the loopback, and accounts that are
gone afterwards. PostgreSQL is Debian's, the units are those of deploy/, the cities are made by `kodomo host add-city`
and refreshed by their own daemons and by nothing else. What a clause was seen by stands behind it. It fails and never
skips: root on Linux, PostgreSQL, systemd, unshare and ip are needed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from kodomo_assets.defs.running import PID
from kodomo_assets.doors.hosts import PROXY, City
from kodomo_assets_tests.offline import ROOT, booted, run, step

#: 札幌市, 千代田区, 那覇市: what lives in them is synthetic.
CODES = ("011002", "131016", "472018")
RESIDENTS = 3000
STRANGER, LOGIN_PROXY = "stranger", "www-host"
PYTHON = "/opt/kodomo/.venv/bin/python"
#: How long anything may take; the whole is minutes.
WITHIN_SECONDS = 420
#: The socket of a UI, asked as whoever runs it may.
ASK = """
import http.client, json, socket, sys
connection = http.client.HTTPConnection("localhost")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.settimeout(150)
connection.sock.connect(sys.argv[1])
connection.request("POST", "/graphql", sys.argv[2], {"content-type": "application/json", "host": "localhost"})
print(connection.getresponse().read().decode())
"""
#: Which of the files that stdin names whoever runs it can open, and which sockets it can reach.
OPEN = """
import os, socket, stat, sys
for line in sys.stdin.read().splitlines():
    try:
        if stat.S_ISSOCK(os.stat(line).st_mode):
            socket.socket(socket.AF_UNIX).connect(line)
        else:
            os.close(os.open(line, os.O_RDONLY))
    except PermissionError:
        continue
    except FileNotFoundError:
        line = "gone: " + line
    except OSError as error:
        line += f" ({error})"
    print(line)
"""
#: A code server, asked whether it is there: it has no login, so whoever reaches it may start whatever it offers.
PING = r"""
import grpc, sys
ping = grpc.insecure_channel("unix:" + sys.argv[1]).unary_unary("/api.DagsterApi/Ping")
print(ping(b"\n\x01x", timeout=60))
"""
#: What launches a run in the UI without a tag.
LAUNCH = """
mutation($job: String!, $tags: [ExecutionTag!]) { launchRun(executionParams: {
  selector: {repositoryLocationName: "kodomo_assets", repositoryName: "__repository__", jobName: $job},
  runConfigData: {}, executionMetadata: {tags: $tags}
}) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
END = "mutation($run: String!) { terminateRun(runId: $run) { __typename } }"
RUNS = "{ runsOrError { ... on Runs { results { runId status jobName startTime endTime } } } }"
HEARD = "{ instance { daemonHealth { allDaemonStatuses { daemonType lastHeartbeatTime } } } }"


@dataclass(frozen=True)
class Host:
    """The machine, and how a command is given in it."""

    machine: Sequence[str]

    def root(self, *command: str, fails: bool = False, given: str | None = None) -> str:
        done = subprocess.run([*self.machine, *command], capture_output=True, text=True, check=False, input=given)
        assert fails or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def account(self, name: str, *command: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """As the account ``name``, with the variables of nobody."""
        words = ["runuser", "-u", name, "--", "env", "-i", "PATH=/usr/bin:/bin", "PYTHONUTF8=1", *command]
        return subprocess.run([*self.machine, *words], capture_output=True, text=True, check=False, input=given)

    def city(self, city: City, *command: str) -> str:
        """As the city's own account, with its own variables."""
        done = self.account(city.account, *(f"{name}={value}" for name, value in city.environment.items()), *command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def asked(self, city: City, query: str, as_account: str = LOGIN_PROXY, **variables: object) -> dict:
        body = json.dumps({"query": query, "variables": variables})
        done = self.account(as_account, "python3", "-c", ASK, socket_of(city), body)
        if done.returncode:
            raise ConnectionError(done.stderr.strip().rpartition("\n")[2])
        answer = json.loads(done.stdout)
        assert "errors" not in answer, answer
        return answer["data"]

    def runs(self, city: City) -> list[dict]:
        """The newest first."""
        return self.asked(city, RUNS)["runsOrError"]["results"]

    def run(self, city: City, run_id: str) -> dict:
        return next(one for one in self.runs(city) if one["runId"] == run_id)

    def launched(self, city: City, job: str, **tags: str) -> str:
        given = [{"key": name.replace("__", "/"), "value": value} for name, value in tags.items()]
        done = self.asked(city, LAUNCH, job=job, tags=given)["launchRun"]
        assert done["__typename"] == "LaunchRunSuccess", done
        return done["run"]["runId"]

    def processes(self, city: City, of: str = "") -> dict[int, str]:
        """The account's processes whose command holds ``of``, by their numbers in the machine."""
        listed = self.root("ps", "-u", city.account, "-o", "pid=,args=", "-ww", fails=True).splitlines()
        return {int(pid): args for pid, args in (line.split(None, 1) for line in listed) if of in args}

    def psql(self, statement: str, database: str = "postgres") -> list[str]:
        words = ("runuser", "-u", "postgres", "--", "psql", "-X", "-A", "-t", "-d", database, "-c", statement)
        return self.root(*words).splitlines()

    def wait_for(self, what: str, is_so: Callable[[], object], seconds: int = WITHIN_SECONDS) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if is_so():
                    step(what)
                    return
            except ConnectionError:
                pass
            # each question is a process of its own
            time.sleep(3)
        raise AssertionError(f"not within {seconds} s: {what}")


def socket_of(city: City) -> str:
    return f"/run/kodomo/{city.code}.sock"


def main() -> int:
    missing = [
        name for name in ("systemctl", "unshare", "ip", "pg_createcluster", "psql") if shutil.which(name) is None
    ]
    if missing or os.geteuid() != 0:
        print(f"test-host: needs root and {', '.join(missing) or 'nothing more'}", file=sys.stderr)
        return 1
    if "--apart" in sys.argv:
        apart(Path(sys.argv[-1]))
        return 0
    begun = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="host-"))
    try:
        work.chmod(0o755)
        for name in ("opt", "srv", "kept"):
            (work / name).mkdir()
        program(work / "opt" / "kodomo")
        again = [sys.executable, "-m", "kodomo_assets_tests.host", "--apart", str(work)]
        code = subprocess.run(["unshare", "--net", "--mount", *again], cwd=ROOT, check=False).returncode
    finally:
        # what is deleted through a mount is gone for good: those of the machine are its own, and gone with it
        mounted = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(work) in line]
        assert not mounted, f"{work}: is left as it is: {mounted}"
        shutil.rmtree(work)
    step(f"{'done' if code == 0 else 'FAILED'} in {time.monotonic() - begun:.0f} s")
    return code


def apart(work: Path) -> None:
    """The network is that of the machine; what is mounted is gone with this process."""
    run("ip", "link", "set", "lo", "up")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(work / "kept"))
    with booted(work, "host", traced=()) as machine:
        tried(Host(machine), [City(code) for code in CODES])


def program(installed: Path) -> None:
    """/opt/kodomo of the machine: copies of this checkout and its packages, which every account may start."""
    installed.mkdir()
    for name in ("kodomo_assets", "kodomo_assets_tests", "deploy"):
        shutil.copytree(ROOT / name, installed / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("workspace.yaml", "pyproject.toml", "setup.cfg", "README.md"):
        shutil.copy(ROOT / name, installed)
    packages = Path(sysconfig.get_path("purelib"))
    environment = installed / ".venv"
    inside = environment / packages.relative_to(sys.prefix)
    inside.parent.mkdir(parents=True)
    run("cp", "-a", str(packages), str(inside))
    (environment / "bin").mkdir()
    (environment / "bin" / "python").symlink_to(interpreter())
    (environment / "pyvenv.cfg").write_text(f"home = {interpreter().parent}\ninclude-system-site-packages = false\n")


def interpreter() -> Path:
    """This Python, or the system's of its version where this one lies below a home, which no unit sees."""
    own = Path(sys.executable).resolve()
    if all(path.stat().st_mode & 0o001 for path in own.parents):
        return own
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = shutil.which(name, path="/usr/local/bin:/usr/bin")
    assert found is not None, f"{own} is one that other accounts cannot start, and there is no {name} of the system"
    return Path(found)


def tried(host: Host, cities: list[City]) -> None:
    first, second, _ = cities
    database_server(host)
    units(host)
    made(host, cities)
    for city in cities:
        deliver(host, city)
        started(host, city)
        # one after the other: a code server that is not heard for twenty seconds gives up
        host.wait_for(f"{city.code}: its daemon has begun a refresh of its own", lambda city=city: working(host, city))
        if city is second:
            killed(host, city)
    no_password_shows(host, cities)
    for city in cities:
        host.wait_for(f"{city.code}: refreshed by its own daemon", lambda city=city: succeeded(host, city))
    waits(host, first)
    nobody_elses(host, cities)
    no_password_shows(host, cities)
    told(host, cities)


def succeeded(host: Host, city: City) -> list[dict]:
    return [one for one in host.runs(city) if one["status"] == "SUCCESS"]


def database_server(host: Host) -> None:
    """Debian's, as Debian sets it up, but that it logs every statement: no password may stand in that log."""
    (version, *_) = sorted((path.name for path in Path("/usr/lib/postgresql").iterdir()), reverse=True)
    # what this machine has of its own is not looked at: all of it is laid over
    for old in host.root("pg_lsclusters", "-h").splitlines():
        host.root("pg_dropcluster", *old.split()[:2])
    host.root("pg_createcluster", version, "main", "-o", "log_statement=all")
    host.root("systemctl", "start", f"postgresql@{version}-main")
    step(f"PostgreSQL {host.psql('show server_version')[0]} runs")


def units(host: Host) -> None:
    host.root(
        "bash", "-c", "install -m 644 /opt/kodomo/deploy/systemd/* /etc/systemd/system/ && systemctl daemon-reload"
    )
    said = host.root(
        "bash", "-c", f"systemd-analyze verify kodomo-{{webserver,daemon}}@{CODES[0]}.service 2>&1", fails=True
    )
    ours = [line for line in said.splitlines() if "kodomo" in line]
    # the account is made by add-city
    assert not ours, ours
    host.root("groupadd", "--system", PROXY)
    host.root("useradd", "--system", "--groups", PROXY, LOGIN_PROXY)
    host.root("useradd", STRANGER)
    step("systemd finds nothing to say about the units")


def made(host: Host, cities: Iterable[City]) -> None:
    add = ("env", "-C", "/opt/kodomo", PYTHON, "-m", "kodomo_assets", "host", "add-city")

    def refused(*command: str) -> str:
        done = subprocess.run([*host.machine, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 2, done
        return done.stderr

    # what a command that was killed leaves behind is gone on with; what is another's is not
    host.root("mkdir", "-p", str(cities[0].folder))
    host.psql(f"create role {cities[0].role}")
    assert f"the role {cities[0].role} is there already" in refused(*add, cities[0].code)
    host.psql(f"drop role {cities[0].role}")
    host.psql(f"create database {cities[0].role}")
    assert f"the database {cities[0].role} is there already and belongs to postgres" in refused(*add, cities[0].code)
    host.psql(f"drop database {cities[0].role}")
    host.root("useradd", "--home-dir", "/nowhere", cities[0].account)
    assert f"account {cities[0].account}: is there already with the home /nowhere" in refused(*add, cities[0].code)
    host.root("userdel", cities[0].account)
    assert host.root("ls", "-A", str(cities[0].folder)) == ""
    for city in cities:
        print(host.root(*add, city.code), flush=True)
        again = host.root(*add, city.code)
        assert "作りました" not in again, again
        assert "書きました" not in again, again
        for path in (city.settings.data_dir, city.settings.key_file.parent, city.settings.dagster_home):
            assert host.root("stat", "-c", "%U %a", str(path)) == f"{city.account} 700"
        assert host.root("stat", "-c", "%U %a", str(city.password_file)) == f"{city.account} 600"
    assert "011003" in refused(*add, "011003")
    assert "as root" in refused("runuser", "-u", STRANGER, "--", *add, cities[0].code)
    step(
        "three cities are made, and nothing a second time; a wrong digit, another than root, a role, a database or an "
        "account of another are refused"
    )


def deliver(host: Host, city: City) -> None:
    """Made beside the data folder, then put into the inbox as an office does: at once, by one move."""
    seed = CODES.index(city.code)
    demo = (
        PYTHON,
        "-m",
        "kodomo_assets.demo",
        "--data-dir",
        f"{city.folder}/made",
        "--residents",
        str(RESIDENTS),
        "--seed",
        str(seed),
    )
    host.city(city, "env", "-C", "/opt/kodomo", *demo)
    host.city(
        city,
        "bash",
        "-c",
        f"cd {city.folder}; umask 077; cat made/city.yaml >> data/city.yaml; mkdir -p data/inbox; mv made/inbox/2025-04-01 data/inbox/; rm -r made",
    )
    assert yaml.safe_load(host.city(city, "cat", f"{city.folder}/data/city.yaml"))["pool"]["code"] == city.code


def started(host: Host, city: City) -> None:
    units = f"kodomo-webserver@{city.code}.socket", f"kodomo-daemon@{city.code}.service"
    host.root("systemctl", "enable", "--now", *units)
    host.wait_for(f"{city.code}: the UI answers the proxy", lambda: host.asked(city, "{ version }")["version"])


def working(host: Host, city: City) -> list[str]:
    return [one["runId"] for one in host.runs(city) if one["status"] == "STARTED"]


def passwords(host: Host, cities: Iterable[City]) -> list[str]:
    return [host.root("cat", str(city.password_file)).rpartition(":")[2] for city in cities]


def no_password_shows(host: Host, cities: Sequence[City]) -> None:
    secrets_ = passwords(host, cities)
    assert len(set(secrets_)) == len(cities)
    assert all(len(one) > 30 for one in secrets_)
    shown = {
        "commands and variables of all processes": host.root(
            "bash", "-c", "cat /proc/[0-9]*/{cmdline,environ} | tr '\\0' '\\n'", fails=True
        ),
        "the journal": host.root("journalctl", "--no-pager"),
        "PostgreSQL's log of all statements": host.root("bash", "-c", "cat /var/log/postgresql/*"),
    }
    assert "passfile" in shown["commands and variables of all processes"], "no code server was seen"
    assert "SCRAM-SHA-256" in shown["PostgreSQL's log of all statements"]
    for where, text in shown.items():
        assert not [one for one in secrets_ if one in text], where
    files = host.root(
        "grep",
        "-rlF",
        *(word for one in secrets_ for word in ("-e", one)),
        "/srv",
        "/etc",
        "/run",
        "/var/log",
        fails=True,
    )
    assert sorted(files.splitlines()) == sorted(str(city.password_file) for city in cities), files
    step(f"a password stands in its own file and nowhere else ({', '.join(shown)}, files)")


def waits(host: Host, city: City) -> None:
    """A run without a tag, which passes every limit that looks at tags, beside one that works; both are then ended."""
    working = host.launched(city, "yearly_refresh", dagster__partition="2025-04-01")
    host.wait_for(f"{city.code}: a run from the UI works", lambda: host.run(city, working)["status"] == "STARTED")
    waiting = host.launched(city, "yearly_refresh")

    def beats() -> float:
        found = host.asked(city, HEARD)["instance"]["daemonHealth"]["allDaemonStatuses"]
        return next(one["lastHeartbeatTime"] or 0 for one in found if one["daemonType"] == "QUEUED_RUN_COORDINATOR")

    since = beats()
    host.wait_for("the queue was looked at since", lambda: beats() > since)
    seen = host.run(city, working)["status"], host.run(city, waiting)["status"]
    assert seen == ("STARTED", "QUEUED"), seen
    step(f"{city.code}: a run from the UI without a tag is {seen[1]} while another one is {seen[0]}")
    for run_id in (waiting, working):
        # the webserver reaches the code server that the daemon started, though nobody else sees their /tmp
        host.asked(city, END, run=run_id)
        host.wait_for(
            f"{city.code}: it is ended from the UI", lambda one=run_id: host.run(city, one)["status"] == "CANCELED"
        )


def killed(host: Host, city: City) -> None:
    """The code server of the daemon, in which its runs begin, in the middle of a run."""
    (run_id,) = working(host, city)
    marked = f"select value from run_tags where run_id = '{run_id}' and key = '{PID}'"
    host.wait_for(f"{city.code}: the run has noted its process", lambda: host.psql(marked, city.role))
    run_process = int(host.psql(marked, city.role)[0])
    server = parent(host, run_process)
    assert server in host.processes(city, "api grpc"), host.processes(city)
    # the server alone dies without its run, which then works on to its end
    host.root("kill", "-KILL", str(server), str(run_process))
    begun = time.monotonic()
    host.wait_for(
        f"{city.code}: its code server was killed with the run in it, and nothing holds the city up",
        lambda: host.run(city, run_id)["status"] == "FAILURE",
    )
    step(f"{city.code}: the dead run was ended after {time.monotonic() - begun:.0f} s")


def parent(host: Host, pid: int) -> int:
    return int(host.root("ps", "-o", "ppid=", "-p", str(pid), fails=True) or 0)


def nobody_elses(host: Host, cities: Sequence[City]) -> None:
    listening = host.root("ss", "-ltnH").splitlines()
    ports = {line.split()[3].rpartition(":")[2] for line in listening}
    assert ports == {"5432"}, listening
    step("nothing but PostgreSQL listens on an address")
    for city in cities:
        others = [STRANGER, LOGIN_PROXY, *(other.account for other in cities if other is not city)]
        paths = [str(city.environment_file), *host.root("find", str(city.folder), "-mindepth", "1").splitlines()]
        codes = code_servers(host, city)
        for other in others:
            reached = [*paths, *codes, *([] if other == LOGIN_PROXY else [socket_of(city)])]
            opened = opened_by(host, other, reached)
            assert not opened, (other, opened[:5])
            assert host.account(other, PYTHON, "-c", PING, codes[0]).returncode != 0
            if other != LOGIN_PROXY:
                done = host.account(other, "python3", "-c", ASK, socket_of(city), json.dumps({"query": "{ version }"}))
                assert "PermissionError" in done.stderr, (other, done)
        # the same questions are answered where they may be: or a refusal would mean nothing
        still = host.root(
            "bash", "-c", 'while read -r one; do [ ! -e "$one" ] || echo "$one"; done', given="\n".join(paths)
        )
        allowed = opened_by(host, city.account, [*still.splitlines(), codes[0]])
        assert len(allowed) > 50, allowed
        assert {*still.splitlines(), codes[0]} - {*allowed} == set()
        assert "x" in host.account(city.account, PYTHON, "-c", PING, codes[0]).stdout
        step(
            f"{city.code}: {len(paths)} files, {len(codes)} code servers, the UI: refused to {', '.join(others)} (the proxy: but for the UI)"
        )
    events(host, cities)


def opened_by(host: Host, account: str, paths: Iterable[str]) -> list[str]:
    """Which of ``paths`` the account opens; not what has gone meanwhile (a code server lives for minutes)."""
    told = host.account(account, "python3", "-c", OPEN, given="\n".join(paths)).stdout.splitlines()
    return [line for line in told if not line.startswith("gone: ")]


def code_servers(host: Host, city: City) -> list[str]:
    """The sockets of its code servers, as a path that leads there past the services' own /tmp."""
    found = []
    for pid, args in host.processes(city, "api grpc").items():
        words = args.split()
        found.append(f"/proc/{pid}/root{words[words.index('--socket') + 1]}")
    assert len(found) >= 2, host.processes(city)
    return found


def events(host: Host, cities: Sequence[City]) -> None:
    for city in cities:
        (count,) = host.psql("select count(*) from event_logs", city.role)
        assert int(count) > 100, count
        for other in cities:
            reads = "IFS= read -r PGPASSWORD; export PGPASSWORD; exec psql -X -A -t -h localhost -U $0 -d $1 -c 'select count(*) from event_logs'"
            words = ("bash", "-c", reads, city.role, other.role)
            asked = host.account(city.account, *words, given=f"{passwords(host, [city])[0]}\n")
            if other is city:
                assert int(asked.stdout) > 100, asked
            else:
                assert "permission denied for database" in asked.stderr, asked
        assert (
            "fe_sendauth"
            in host.account(STRANGER, "psql", "-w", "-h", "localhost", "-U", city.role, "-d", city.role).stderr
        )
        step(f"{city.code}: {count} events, read by {city.role} and by no other role")


def told(host: Host, cities: Iterable[City]) -> None:
    for city in cities:
        given = (f"{name}={value}" for name, value in city.environment.items())
        words = ("env", "-C", "/opt/kodomo", PYTHON, "-m", "kodomo_assets", "doctor")
        found = host.account(city.account, *given, *words).stdout
        print("\n".join(line for line in found.splitlines() if not line.startswith("○")), flush=True)
        assert "このデータを作った更新のもの" in found, found
        step(f"{city.code}: doctor finds the runs of the data in PostgreSQL")


if __name__ == "__main__":
    sys.exit(main())
