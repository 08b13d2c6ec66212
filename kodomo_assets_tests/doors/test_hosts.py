"""What `kodomo host add-city` writes and refuses without PostgreSQL; the rest is tried for real by `make test-host`."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as db
import yaml

from kodomo_assets import __version__
from kodomo_assets.__main__ import command_line, main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.doors import hosts
from kodomo_assets.doors.hosts import OPENED_AS, Account, City, add_city, on_postgres, read_environment
from kodomo_assets.doors.wheelhouse import LOCK
from kodomo_assets.errors import HostError
from kodomo_assets.japan.municipalities import is_municipality_code
from kodomo_assets.machine.home import CONFIGURATION, is_on_postgres, require_private_home, shipped_configuration
from kodomo_assets.settings import VARIABLES, Settings
from kodomo_assets_tests.offline import ROOT

UNITS = ROOT / "deploy" / "systemd"
of_root = pytest.mark.skipif(os.geteuid() != 0, reason="another than root is refused before")
SERVER = {"hostname": "db.example", "port": 5433, "sslmode": "verify-full"}


@pytest.fixture
def city(tmp_path: Path) -> City:
    """011002 of a host that is a folder."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "srv" / "011002").mkdir(parents=True)
    return City("011002", tmp_path / "srv", tmp_path / "etc")


@pytest.fixture
def own() -> Account:
    return Account("own", os.getuid(), os.getgid())


def test_the_last_digit_checks_the_others():
    # 札幌市, 千代田区, 那覇市, 団体コードの例 (総務省): 京都府 260002, 大阪市
    for code in ("011002", "131016", "472018", "260002", "271004"):
        assert is_municipality_code(code)
        wrong = f"{code[:-1]}{(int(code[-1]) + 1) % 10}"
        assert not is_municipality_code(wrong)
    for other in ("01100", "0110022", "０１１００２", "01100a", "", "4610"):
        assert not is_municipality_code(other)


def test_what_a_command_line_can_get_wrong_is_told_before_anything_is_made(monkeypatch, capsys):
    for words, told in (
        (["011003"], "CODE: found '011003', expected the six digits"),
        (["011002", "--postgres", "host=db password=x"], "--postgres: found password, expected a connection"),
        (["011002", "--postgres", "nothing of libpq"], "--postgres: found ?, expected a connection"),
    ):
        assert main(["host", "add-city", *words]) == 2
        error = capsys.readouterr().err
        assert told in error
        assert HostError.remedy in error
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["host", "add-city", "011002"]) == 2
    assert "give the command as root" in capsys.readouterr().err
    # without the extra
    monkeypatch.setitem(sys.modules, "dagster_postgres", None)
    for command in (["add-city", "011002"], ["add-database", "011002", "--password-file", "x"]):
        assert main(["host", *command]) == 2
        assert "kodomo_assets[host]" in capsys.readouterr().err


@of_root
def test_a_postgresql_that_does_not_answer_is_told_and_nothing_is_made(city):
    told: list[str] = []
    with socket.socket() as unheard:
        # bound, not listened on: refused at once
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        with pytest.raises(HostError, match=rf"PostgreSQL \(.*port={port}.*Connection refused"):
            add_city(city, postgres=f"host=127.0.0.1 port={port} user=x", opened_as=None, tell=told.append)
    assert told == []
    assert list(city.folder.iterdir()) == []


def test_a_database_alone_needs_no_root_and_has_its_password_made_once(city, tmp_path, monkeypatch, capsys):
    path = tmp_path / "postgres.pass"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for words, told in (
        (["011003", "--password-file", str(path)], "CODE: found '011003'"),
        (["011002", "--password-file", str(path), "--postgres", "password=x"], "--postgres: found password"),
        # a socket of this account's own, not one that root would ask as the administrator's account
        (["011002", "--password-file", str(path), "--postgres", f"host={tmp_path} user=root"], "No such file"),
    ):
        assert main(["host", "add-database", *words]) == 2
        assert told in capsys.readouterr().err
        assert not path.exists()
    told = []
    first, second = (hosts._password(city, path, "*:*", told.append) for _ in range(2))
    assert len(first) >= 32
    assert first == second
    assert len(told) == 1
    assert first not in told[0]
    # as libpq takes it, which passes over one that others can read
    assert path.read_text("utf-8") == f"*:*:kodomo_011002:kodomo_011002:{first}\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_home_of_a_city_is_private_and_its_password_stands_elsewhere(city):
    storage = hosts._storage(city, SERVER)
    text = on_postgres(storage)
    home = city.folder / "home"
    home.mkdir()
    (home / CONFIGURATION).write_text(text, "utf-8")
    require_private_home({"DAGSTER_HOME": str(home)})
    assert is_on_postgres(home)
    for other in (shipped_configuration(), b"storage: [", b"- 1"):
        (city.folder / CONFIGURATION).write_bytes(other)
        assert not is_on_postgres(city.folder)
    written = yaml.safe_load(text)
    assert "event_log_storage" not in written
    # a run that does not begin, hangs or is dead frees the city
    assert written["run_monitoring"]["enabled"]
    assert 0 < written["run_monitoring"]["start_timeout_seconds"] < written["run_monitoring"]["max_runtime_seconds"]
    assert written["storage"] == {
        "postgres": {
            "postgres_db": {
                "scheme": "postgresql+psycopg2",
                "hostname": "db.example",
                "port": 5433,
                "username": "kodomo_011002",
                "db_name": "kodomo_011002",
                "params": {
                    "passfile": f"{city.folder}/key/postgres.pass",
                    "require_auth": "scram-sha-256",
                    "sslmode": "verify-full",
                },
            }
        }
    }
    # as Dagster reads it
    from dagster_postgres.utils import pg_url_from_config

    url = pg_url_from_config(written["storage"]["postgres"])
    assert db.create_engine(url).dialect.dbapi.__name__ == "psycopg2"
    assert url.startswith("postgresql+psycopg2://kodomo_011002@db.example:5433/kodomo_011002?passfile=")


def test_files_of_a_city_are_made_once_and_another_s_are_refused(city, own, monkeypatch):
    monkeypatch.setattr(os, "chown", lambda *_: None)
    told: list[str] = []
    for opened_as in (None, "011002.example", None):
        hosts._make_environment(city, own, opened_as, told.append)
    # twice: made, and opened by another name
    assert len(told) == 2
    written = read_environment(city.environment_file.read_text("utf-8"))
    assert written.pop(OPENED_AS) == "011002.example"
    assert VARIABLES.keys() < written.keys()
    settings = Settings.from_environment(written)
    assert {settings.data_dir, settings.key_file.parent, settings.dagster_home} == {city.folder / n for n in ("data", "key", "home")}  # fmt: skip
    assert city.environment_file.stat().st_mode & 0o777 == 0o640
    # what the host added stays; a place of another city's does not pass
    with city.environment_file.open("a", encoding="utf-8") as file:
        file.write("KODOMO_ENCRYPTION_KEY_FILE=/x\n")
    hosts._make_environment(city, own, "other", told.append)
    assert read_environment(city.environment_file.read_text("utf-8"))["KODOMO_ENCRYPTION_KEY_FILE"] == "/x"
    city.environment_file.write_text("KODOMO_DATA_DIR=/srv/kodomo/131016/data\n")
    with pytest.raises(HostError, match="KODOMO_DATA_DIR: found /srv/kodomo/131016/data, expected"):
        hosts._make_environment(city, own, None, told.append)
    with pytest.raises(HostError, match="--opened-as: found 'a b'"):
        hosts._make_environment(City("131016", city.cities, city.environments), own, "a b", told.append)


@of_root
def test_a_folder_that_others_may_change_or_that_nobody_owns_is_refused(city):
    hosts._refuse_what_is_not_its(city)
    (city.folder / "data").mkdir()
    with pytest.raises(HostError, match=r"011002: is not empty, and the account kodomo-011002 is none"):
        hosts._refuse_what_is_not_its(city)
    city.environments.chmod(0o777)
    with pytest.raises(HostError, match=r"etc: is of the account 0 with the mode 0777"):
        hosts._refuse_what_is_not_its(city)
    city.environments.rmdir()
    city.environments.symlink_to("srv")
    with pytest.raises(HostError, match=r"or is a link"):
        hosts._refuse_what_is_not_its(city)


@of_root
def test_the_configuration_that_a_city_begins_with_loads(city, own):
    city.settings.data_dir.mkdir()
    told: list[str] = []
    for _ in range(2):
        hosts._make_configuration(city, own, told.append)
    assert len(told) == 1
    assert load_catalogue(city.settings.data_dir / "city.yaml").pool.code == "011002"


def settings_of(unit: str) -> list[tuple[str, str]]:
    lines = (UNITS / unit).read_text("utf-8").splitlines()
    return [line.partition("=")[::2] for line in lines if line and line[0] not in "#["]


def test_units_agree_with_what_add_city_makes():
    city = City("%i")
    for unit, command in (("kodomo-webserver@.service", "ui"), ("kodomo-daemon@.service", "daemon")):
        found = dict(settings_of(unit))
        assert found["User"] == city.account
        assert found["EnvironmentFile"] == str(city.environment_file)
        assert found["ReadWritePaths"] == found["RequiresMountsFor"] == str(city.folder)
        assert found["ExecStart"].startswith(f"/opt/kodomo/.venv/bin/python -m kodomo_assets {command}")
        assert not [name for name, _ in settings_of(unit) if name == "Environment"]
    webserver = dict(settings_of("kodomo-webserver@.service"))
    assert f"${{{OPENED_AS}}}" in webserver["ExecStart"]
    # whoever ends a run in the UI reaches the code server that began it
    assert webserver["JoinsNamespaceOf"] == "kodomo-daemon@%i.service"
    door = dict(settings_of("kodomo-webserver@.socket"))
    assert (door["SocketGroup"], door["SocketMode"]) == (hosts.PROXY, "0660")
    told = "\n".join(hosts._next(City("011002")))
    assert door["ListenStream"].replace("%i", "011002") in told
    assert {path.name for path in UNITS.iterdir()} == {
        "kodomo-webserver@.service", "kodomo-webserver@.socket", "kodomo-daemon@.service",
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd: its own opinion was not asked")
def test_systemd_finds_the_units_well_closed():
    units = [str(path) for path in sorted(UNITS.glob("*.service"))]
    said = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    # this machine has no /opt/kodomo
    assert [line for line in said.stderr.splitlines() if "kodomo" in line and "is not executable" not in line] == []
    for unit in units:
        words = ["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20", unit]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, re.findall(r"→ .*", done.stdout)


def test_a_socket_that_was_handed_over_is_listened_on(tmp_path):
    from kodomo_assets.doors.services import _handed
    from kodomo_assets.errors import ConfigurationError

    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "door"))
        with pytest.raises(ConfigurationError, match=r"--listen-fd \d+: is no socket that listens"):
            _handed(os.dup(door.fileno()))
        door.listen()
        with _handed(os.dup(door.fileno())) as handed:
            assert handed.getsockname() == str(tmp_path / "door")
    with (tmp_path / "file").open("w") as file, pytest.raises(ConfigurationError):
        _handed(os.dup(file.fileno()))


CHART = ROOT / "deploy" / "helm" / "kodomo"
GIVEN = {
    "code": "011002",
    "image": "registry.example/kodomo@sha256:0",
    "openedAs": "011002.example",
    "postgres": {"host": "db.example", "cidr": "192.0.2.7/32"},
    "data": {"class": "fast"},
    "key": {"class": "fast"},
}


def merged(values: dict, given: dict) -> dict:
    return {**values, **{k: merged(values[k], v) if isinstance(v, dict) else v for k, v in given.items()}}


def paths(values: dict, above: str = "") -> set[str]:
    return {
        path
        for name, value in values.items()
        for path in (paths(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}"})
    }


def asked_of(schema: dict, above: str = "") -> set[str]:
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(schema["properties"]) - {"global"}
    return {
        path
        for name, one in schema["properties"].items()
        for path in (asked_of(one, f"{above}{name}.") if "properties" in one else {f"{above}{name}"})
    }


def rendered(values: dict, release: str = "city") -> dict[tuple[str, str], dict]:
    """Kind and name -> object. The templates hold nothing but values, the release's name and `quote`: this is all of Helm they use."""

    def value(found: re.Match[str]) -> str:
        path, quoted = found[1].split("."), found[2]
        at: object = {"Values": values, "Release": {"Name": release}}
        for name in path[1:]:
            at = at[name]
        return f'"{at}"' if quoted else str(at)

    objects = {}
    for path in sorted((CHART / "templates").iterdir()):
        text = re.sub(r"\{\{ (\.[\w.]+)( \| quote)? \}\}", value, path.read_text("utf-8"))
        assert "{{" not in text, path
        for one in yaml.safe_load_all(text):
            objects[one["kind"], one["metadata"]["name"]] = one
    return objects


def test_a_release_is_one_city_with_walls_around_it():
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    # nothing of a city has a default: it would be another's
    assert {values["code"], values["image"], values["postgres"]["host"], values["postgres"]["cidr"]} == {""}
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert chart["version"] == chart["appVersion"] == __version__
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    # jsonschema is Helm's: here only that it knows every value, and nothing else
    assert asked_of(schema) == {*paths(values), "global"}
    assert re.fullmatch(schema["properties"]["code"]["pattern"], "011002")
    objects = rendered(merged(values, GIVEN))
    assert sorted(kind for kind, _ in objects) == sorted(
        ["ConfigMap", "NetworkPolicy", "PersistentVolumeClaim", "PersistentVolumeClaim", "Service", "StatefulSet"]
    )
    city = objects["StatefulSet", "city"]
    assert city["metadata"]["labels"]["kodomo/code"] == "011002"
    assert city["spec"]["replicas"] == 1
    pod = city["spec"]["template"]["spec"]
    assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
    environments = []
    for one in (*pod["initContainers"], *pod["containers"]):
        assert one["image"] == GIVEN["image"]
        closed = one["securityContext"]
        assert (closed["allowPrivilegeEscalation"], closed["readOnlyRootFilesystem"], closed["capabilities"]) == (False, True, {"drop": ["ALL"]})  # fmt: skip
    for one in pod["containers"]:
        environments.append({each["name"]: each.get("value") for each in one["env"]})
        assert one["args"][0] in ("ui", "daemon")
        command_line().parse_args(one["args"])
        # a run is ended from the UI over the daemon's /tmp
        assert "/tmp" in {mount["mountPath"] for mount in one["volumeMounts"]}
    assert environments[0] == environments[1]
    assert VARIABLES.keys() < environments[0].keys()
    # the same dagster.yaml as on a host, but for how the password is read
    written = yaml.safe_load(objects["ConfigMap", "city-dagster"]["data"]["dagster.yaml"])
    expected = yaml.safe_load(on_postgres(hosts._storage(City("011002"), {**SERVER, "port": 5432})))
    params = {"require_auth": "scram-sha-256", "sslmode": "verify-full", "sslrootcert": "system"}
    expected["storage"]["postgres"]["postgres_db"]["params"] = params
    assert written == expected
    wall = objects["NetworkPolicy", "city"]["spec"]
    assert (wall["podSelector"], wall["policyTypes"]) == ({}, ["Ingress", "Egress"])
    assert wall["egress"][0]["to"] == [{"ipBlock": {"cidr": "192.0.2.7/32"}}]


def test_the_image_installs_the_archive_s_locks_as_the_chart_s_account():
    lines = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    assert set(re.findall(r"requirements[\w-]*\.lock", lines)) == {LOCK, "requirements-host.lock"}
    (uid,) = set(re.findall(r"(?:--uid |USER )(\d+)", lines))
    assert f"runAsUser: {uid}\n" in (CHART / "templates" / "city.yaml").read_text("utf-8")
    for place in (each["KODOMO_DATA_DIR"] for each in variables_of_try()):
        assert place in lines


COMPOSE = ROOT / "deploy" / "compose.yaml"


def services_of_try() -> dict[str, dict]:
    return yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]


def variables_of_try() -> list[dict[str, str]]:
    return [one["environment"] for name, one in services_of_try().items() if name.endswith(("-daemon", "-webserver"))]


def test_a_try_in_containers_gives_each_city_its_own_and_no_way_out():
    compose = yaml.safe_load(COMPOSE.read_text("utf-8"))
    services = services_of_try()
    assert "secrets" not in compose
    codes = {name.partition("-")[0] for name in services} - {"postgres"}
    assert len(codes) >= 2
    parts = ("database", "daemon", "webserver", "door")
    assert services.keys() == {"postgres", *(f"{code}-{part}" for code in codes for part in parts)}
    ports = []
    for name, one in services.items():
        assert (one["read_only"], one["cap_drop"], one["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
        assert "privileged" not in one
        code, _, part = name.partition("-")
        if code == "postgres":
            continue
        assert one["image"] == f"kodomo:{__version__}"
        assert is_municipality_code(code)
        # nothing of another city, and nothing of the machine but what is read
        mounted = [each.split(":") for each in one["volumes"]]
        for source, _, *how in mounted:
            assert source.startswith((f"{code}-", "postgres-socket")) or (source[0] == "." and how == ["ro"])
        networks = one.get("networks", [])
        assert {network.partition("-")[0] for network in networks} <= {code}
        out = [network for network in networks if not (compose["networks"][network] or {}).get("internal")]
        # only what has neither data nor password has a way out
        assert part == "door" or out == []
        assert part != "door" or {source for source, *_ in mounted} == {"./compose/door.py"}
        # who has the socket is PostgreSQL's administrator
        assert ("postgres-socket" in {source for source, *_ in mounted}) == (part == "database")
        ports += one.get("ports", [])
        if part != "door":
            command_line().parse_args(one["command"])
    assert services["postgres"].get("ports") is None
    assert len({port.split(":")[1] for port in ports}) == len(ports) == len(codes)
    assert {tuple(port.split(":")[::2]) for port in ports} == {("127.0.0.1", "3000")}


def test_a_try_in_containers_has_the_variables_and_the_dagster_yaml_of_a_host():
    names = {*VARIABLES, "PYTHONUTF8", "PGUSER", "PGDATABASE"}
    services = services_of_try()
    for name, one in services.items():
        code, _, part = name.partition("-")
        if part not in ("daemon", "webserver"):
            continue
        # a password is in no variable
        assert one["environment"].keys() == names
        assert {one["environment"]["PGUSER"], one["environment"]["PGDATABASE"]} == {City(code).role}
        # a run is ended over the daemon's /tmp; both have the same city
        assert f"{code}-tmp:/tmp" in one["volumes"]
        assert one["volumes"] == services[f"{code}-daemon"]["volumes"]
        places = {each.split(":")[1] for each in one["volumes"]}
        settings = Settings.from_environment(one["environment"])
        assert {str(settings.data_dir), str(settings.key_file.parent), str(settings.dagster_home), f"{settings.dagster_home}/{CONFIGURATION}"} < places  # fmt: skip
        told = command_line().parse_args(services[f"{code}-database"]["command"])
        assert (told.code, told.password_file.parent) == (code, settings.key_file.parent)
    written = yaml.safe_load((COMPOSE.parent / "compose" / CONFIGURATION).read_text("utf-8"))
    expected = yaml.safe_load(on_postgres(hosts._storage(City("011002"), {"hostname": "postgres", "port": 5432})))
    told = expected["storage"]["postgres"]["postgres_db"]
    told.update(username={"env": "PGUSER"}, db_name={"env": "PGDATABASE"})
    told["params"]["passfile"] = "/srv/kodomo/key/postgres.pass"
    assert written == expected


def test_the_door_of_a_try_hands_on_both_ways(tmp_path):
    text = (COMPOSE.parent / "compose" / "door.py").read_text("utf-8")
    with socket.socket() as there:
        there.bind(("127.0.0.2", 0))
        there.listen()
        port = there.getsockname()[1]
        # one port inside a container; here it is another machine's address that has it
        (tmp_path / "door.py").write_text(text.replace("PORT = 3000", f"PORT = {port}").replace("0.0.0.0", "127.0.0.1"))
        with subprocess.Popen([sys.executable, str(tmp_path / "door.py"), "127.0.0.2"]) as door:
            try:
                came = connected(port)
                with came, there.accept()[0] as handed:
                    came.sendall(b"asked")
                    assert handed.recv(100) == b"asked"
                    handed.sendall(b"answered")
                    handed.close()
                    assert came.recv(100) == b"answered"
                    assert came.recv(100) == b""
            finally:
                door.terminate()


def connected(port: int) -> socket.socket:
    until = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.1)
