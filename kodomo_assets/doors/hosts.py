"""``kodomo host add-city``: what one more city needs on a host that runs many (docs/hosts.md).

An account of the system, folders that no other account can pass, and in the host's PostgreSQL a role with a database
that no other role can connect to. What is there already is held against what it should be, and is never given to
another: the command may be given again at any time. Secrets: the role's password stands in one file of the account
(mode 0600), which libpq itself reads; PostgreSQL is sent only what checks it, so that no log of it can hold more.
"""

from __future__ import annotations

import os
import secrets
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kodomo_assets.errors import HostError
from kodomo_assets.japan.municipalities import is_municipality_code
from kodomo_assets.machine.home import CONFIGURATION, require_private_home, shipped_configuration
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.settings import Settings

#: Who may speak to a webserver's socket: the host's proxy, which asks for a login (kodomo-webserver@.socket).
PROXY = "kodomo-proxy"
#: By which name the host's proxy opens the UI; the unit hands it to ``ui --allow-host``.
OPENED_AS = "KODOMO_OPENED_AS"
#: What an administrator's connection may say; a password is none: whoever looks at the processes would see it.
_OF_CONNECTION = frozenset({"host", "port", "user", "dbname", "sslmode", "sslrootcert", "passfile", "service"})
#: What of it a city's own connection says too.
_OF_SERVER = ("sslmode", "sslrootcert")


@dataclass(frozen=True)
class City:
    """One city of the host: its names, all made of its code, and its places.

    Attributes:
        cities: where the host keeps its cities.
        environments: where the units read a city's variables.
    """

    code: str
    cities: Path = Path("/srv/kodomo")
    environments: Path = Path("/etc/kodomo")

    @property
    def account(self) -> str:
        return f"kodomo-{self.code}"

    @property
    def role(self) -> str:
        """Of PostgreSQL; its database has the same name."""
        return f"kodomo_{self.code}"

    @property
    def mark(self) -> str:
        """The comment by which role and database are known to be this city's."""
        return f"kodomo_assets {self.code}"

    @property
    def folder(self) -> Path:
        return self.cities / self.code

    @property
    def environment_file(self) -> Path:
        return self.environments / f"{self.code}.env"

    @property
    def password_file(self) -> Path:
        return self.settings.key_file.with_name("postgres.pass")

    @property
    def environment(self) -> dict[str, str]:
        """What every process of the city is started with."""
        return {
            "KODOMO_DATA_DIR": str(self.folder / "data"),
            "KODOMO_KEY_FILE": str(self.folder / "key" / "pseudonym.key"),
            "DAGSTER_HOME": str(self.folder / "home"),
            # paths and messages are Japanese, whatever language the machine starts its services in
            "PYTHONUTF8": "1",
        }

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(self.environment)


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int


def add_city(city: City, *, postgres: str, opened_as: str | None, tell: Callable[[str], None]) -> None:
    """Makes what ``city`` lacks and tells each thing; everything is looked at before anything is made.

    Args:
        postgres: how an administrator reaches PostgreSQL, as libpq writes a connection.
        opened_as: the name by which the host's proxy opens the city's UI; None: as before, at first ``localhost``.

    Raises:
        HostError: no such code, not root, no PostgreSQL; or what is there is not this city's. What was told is made.
    """
    _refuse_code(city)
    driver = _driver()
    wanted = _connection(driver, postgres)
    if os.name == "nt" or os.geteuid() != 0:
        raise HostError("host add-city: makes accounts and folders of theirs; give the command as root, on Linux")
    _refuse_what_is_not_its(city)
    with _administrator(driver, wanted) as asked:
        _refuse_role_of_another(city, asked)
        server = _server(asked, wanted)
        account = _make_account(city, tell)
        _make_folders(city, account, tell)
        with _acting(account):
            password = _password(city, city.password_file, f"{server['hostname']}:{server['port']}", tell)
        _make_role(driver, city, password, asked, tell)
        _make_database(driver, city, asked, tell)
    _make_home(city, account, server, tell)
    _make_environment(city, account, opened_as, tell)
    _make_configuration(city, account, tell)
    _try_connection(city, account)
    for line in _next(city):
        tell(line)


def add_database(city: City, password_file: Path, *, postgres: str, tell: Callable[[str], None]) -> None:
    """Role and database alone, and tells each thing: in containers account, folders and variables are made elsewhere.

    Args:
        password_file: as libpq reads it (PGPASSFILE); one that is there keeps its password, however PostgreSQL was made
            anew. It holds for whatever name PostgreSQL is reached by: this connection's need not be the city's.

    Raises:
        HostError: no such code, no PostgreSQL; or what is there is not this city's. What was told is made.
    """
    _refuse_code(city)
    driver = _driver()
    with _administrator(driver, _connection(driver, postgres)) as asked:
        _refuse_role_of_another(city, asked)
        password = _password(city, password_file, "*:*", tell)
        _make_role(driver, city, password, asked, tell)
        _make_database(driver, city, asked, tell)


# -- what is looked at first -----------------------------------------------------------------------------------------


def _refuse_code(city: City) -> None:
    if not is_municipality_code(city.code):
        raise HostError(
            "CODE: found {found!r}, expected the six digits of a 全国地方公共団体コード, the last of which checks the "
            "others",
            found=city.code,
        )


def _driver() -> Any:
    """psycopg2, which dagster-postgres brings."""
    try:
        import dagster_postgres  # noqa: F401
        import psycopg2
        import psycopg2.sql
    except ImportError:
        raise HostError(
            "host: the package dagster-postgres is not installed: install the extra `kodomo_assets[host]`, or "
            "the archive's requirements-host.lock (docs/hosts.md)"
        ) from None
    return psycopg2


def _connection(driver: Any, text: str) -> dict[str, str]:
    try:
        found: dict[str, str] = driver.extensions.parse_dsn(text)
    except driver.ProgrammingError:
        found = {"?": ""}
    if wrong := sorted(found.keys() - _OF_CONNECTION):
        raise HostError(
            "--postgres: found {wrong}, expected a connection as libpq writes it, with {known}; a password stands in a "
            "file that PGPASSFILE or passfile names",
            wrong=", ".join(wrong),
            known=", ".join(sorted(_OF_CONNECTION)),
        )
    return {"dbname": "postgres", **found}


def _refuse_what_is_not_its(city: City) -> None:
    import pwd

    account = _account(city)
    if account is not None and pwd.getpwnam(account.name).pw_dir != str(city.folder):
        raise HostError(
            "account {account}: is there already with the home {found}, expected {expected}: it is not this city's; "
            "take it away, or find out whose it is",
            account=account.name,
            found=pwd.getpwnam(account.name).pw_dir,
            expected=city.folder,
        )
    # the account's own folder it may fill as it likes: what lies there is looked at with the account's own rights
    for path in (city.cities, city.environments, city.folder, city.environment_file):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        owner = account.uid if path == city.folder and account is not None else 0
        kind = stat.S_ISREG if path == city.environment_file else stat.S_ISDIR
        if status.st_uid not in {0, owner} or not kind(status.st_mode) or status.st_mode & 0o022:
            raise HostError(
                "{path}: is of the account {found} with the mode {mode:04o}, or is a link; expected one of {expected} "
                "that nobody else may change",
                path=path,
                found=status.st_uid,
                mode=stat.S_IMODE(status.st_mode),
                expected=owner,
            )
    if account is None and city.folder.exists() and any(city.folder.iterdir()):
        raise HostError(
            "{path}: is not empty, and the account {account} is none: whose data is it? Move it away", path=city.folder,
            account=city.account,
        )  # fmt: skip


@contextmanager
def _administrator(driver: Any, wanted: Mapping[str, str]) -> Iterator[Any]:
    """How an administrator asks PostgreSQL: a cursor whose every statement stands at once."""
    host, user = wanted.get("host", ""), wanted.get("user", "postgres")
    try:
        import pwd

        # over its socket PostgreSQL knows an administrator by his account of the system, which only root can act as
        known = pwd.getpwnam(user) if host.startswith("/") and os.geteuid() == 0 else None
    except (ImportError, KeyError):
        known = None
    try:
        if known is None:
            connection = driver.connect(**wanted)
        else:
            with _acting(Account(user, known.pw_uid, known.pw_gid)):
                connection = driver.connect(**wanted)
        connection.autocommit = True
        with connection.cursor() as asked:
            yield asked
        connection.close()
    except driver.Error as error:
        raise HostError(
            "PostgreSQL ({wanted}): {why}; expected one that runs and lets this administrator in. What was told before "
            "is made: give the command again",
            wanted=" ".join(f"{name}={value}" for name, value in wanted.items()),
            why=" ".join(str(error).split()) or type(error).__name__,
        ) from None


def _server(asked: Any, wanted: Mapping[str, str]) -> dict[str, Any]:
    """How a city reaches the same PostgreSQL: over an address, where it says its password."""
    asked.execute("select current_setting('port')::int")
    (port,) = asked.fetchone()
    host = wanted.get("host", "")
    if not host or host.startswith("/"):
        return {"hostname": "localhost", "port": port}
    of_server = {name: wanted[name] for name in _OF_SERVER if name in wanted}
    return {"hostname": host, "port": int(wanted.get("port", port)), **of_server}


def _refuse_role_of_another(city: City, asked: Any) -> None:
    asked.execute(
        "select rolsuper or rolcreaterole or rolbypassrls, shobj_description(oid, 'pg_authid') "
        "from pg_roles where rolname = %s",
        [city.role],
    )
    if (role := asked.fetchone()) is not None and (role[0] or role[1] != city.mark):
        raise HostError(
            "PostgreSQL: the role {role} is there already, and nothing says that it is this city's, or it may do more "
            "than a city's; take it away, or find out whose it is",
            role=city.role,
        )
    asked.execute(
        "select pg_get_userbyid(datdba) from pg_database where datname = %s",
        [city.role],
    )
    if (database := asked.fetchone()) is not None and (role is None or database[0] != city.role):
        raise HostError(
            "PostgreSQL: the database {database} is there already and belongs to {found}, expected {role}; take it "
            "away, or find out whose it is",
            database=city.role,
            found=database[0],
            role=city.role,
        )


# -- what is made ----------------------------------------------------------------------------------------------------


def _account(city: City) -> Account | None:
    import pwd

    try:
        found = pwd.getpwnam(city.account)
    except KeyError:
        return None
    return Account(city.account, found.pw_uid, found.pw_gid)


def _make_account(city: City, tell: Callable[[str], None]) -> Account:
    _run("groupadd", "--system", "--force", PROXY)
    if _account(city) is None:
        _run(
            "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(city.folder),
            "--shell", "/usr/sbin/nologin", city.account,
        )  # fmt: skip
        tell(f"作りました：アカウント {city.account}")
    account = _account(city)
    if account is None:
        raise HostError("account {account}: was not made by useradd", account=city.account)
    return account


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        code, why = done.returncode, " ".join(done.stderr.split())
    except OSError as error:
        code, why = 1, str(explain(error) or error.strerror)
    if code:
        raise HostError("{command}: failed ({why}); expected it to work as root", command=command[0], why=why)


@contextmanager
def _acting(account: Account) -> Iterator[None]:
    """With the rights of ``account`` alone: what it put into its folders (a link, say) leads root nowhere."""
    groups, mask = os.getgroups(), os.umask(0o077)
    os.setgroups([])
    os.setegid(account.gid)
    os.seteuid(account.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        os.umask(mask)


def _make_folders(city: City, account: Account, tell: Callable[[str], None]) -> None:
    with _told_of(city.cities):
        city.cities.mkdir(parents=True, mode=0o755, exist_ok=True)
        city.environments.mkdir(parents=True, mode=0o755, exist_ok=True)
        city.folder.mkdir(exist_ok=True)
    if city.folder.lstat().st_uid == 0:
        # it may be passed, not read: what is shared on purpose lies below (docs/operations.md, Accounts)
        city.folder.chmod(0o711)
        os.chown(city.folder, account.uid, account.gid)
    settings = city.settings
    with _acting(account), _told_of(city.folder):
        for path in (settings.data_dir, settings.key_file.parent, settings.dagster_home):
            if not path.exists():
                path.mkdir(mode=0o700)
                tell(f"作りました：{path}")
            if (found := path.lstat()).st_uid != account.uid or not stat.S_ISDIR(found.st_mode):
                raise HostError(
                    "{path}: is of the account {found}, or is a link; expected a folder of {account}", path=path,
                    found=found.st_uid, account=account.name,
                )  # fmt: skip
        # a data folder may be shared on purpose, the others never
        settings.key_file.parent.chmod(0o700)
        settings.dagster_home.chmod(0o700)


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HostError(
            "{path}: cannot be made or read ({why})", path=error.filename or path, why=explain(error) or error.strerror
        ) from None


def _password(city: City, path: Path, server: str, tell: Callable[[str], None]) -> str:
    with _told_of(path):
        if path.exists():
            password = path.read_text("utf-8").strip().rpartition(":")[2]
        else:
            password = secrets.token_urlsafe(32)
            _write(path, f"{server}:{city.role}:{city.role}:{password}\n", 0o600)
            tell(f"作りました：{path}（PostgreSQL のパスワード）")
        path.chmod(0o600)
    return password


def _make_role(driver: Any, city: City, password: str, asked: Any, tell: Callable[[str], None]) -> None:
    sql = driver.sql
    checked = driver.extensions.encrypt_password(password, city.role, asked.connection, "scram-sha-256")
    asked.execute("select 1 from pg_roles where rolname = %s", [city.role])
    verb = "alter" if asked.fetchone() else "create"
    # the mark in the same moment: a role without it would be nobody's
    statement = sql.SQL(
        f"begin; {verb} role {{role}} login nosuperuser nocreatedb nocreaterole noreplication password {{password}}; "
        "comment on role {role} is {mark}; commit"
    )
    asked.execute(
        statement.format(role=sql.Identifier(city.role), password=sql.Literal(checked), mark=sql.Literal(city.mark))
    )
    if verb == "create":
        tell(f"作りました：PostgreSQL のロール {city.role}")


def _make_database(driver: Any, city: City, asked: Any, tell: Callable[[str], None]) -> None:
    sql = driver.sql
    name = sql.Identifier(city.role)
    asked.execute("select 1 from pg_database where datname = %s", [city.role])
    if not asked.fetchone():
        asked.execute(sql.SQL("create database {0} owner {0} template template0 encoding 'UTF8'").format(name))
        tell(f"作りました：PostgreSQL のデータベース {city.role}")
    asked.execute(sql.SQL("revoke all on database {} from public").format(name))
    asked.execute(
        "select rolname from pg_roles where rolname <> %(role)s and not rolsuper "
        "and has_database_privilege(rolname, %(role)s, 'connect') order by rolname",
        {"role": city.role},
    )
    if others := [name for (name,) in asked.fetchall()]:
        raise HostError(
            "PostgreSQL: the roles {others} may connect to the database {database}, expected {database} alone; take "
            "the right from them (revoke), then give the command again",
            others=", ".join(others),
            database=city.role,
        )


def _storage(city: City, server: Mapping[str, Any]) -> dict[str, Any]:
    """What dagster-postgres is told. Dagster shows it to whoever lists the processes, so no password is in it."""
    of_server = {name: server[name] for name in _OF_SERVER if name in server}
    # whoever takes PostgreSQL's place is not sent the password in plain
    params = {"passfile": str(city.password_file), "require_auth": "scram-sha-256", **of_server}
    # SQLAlchemy's own choice for "postgresql" is a driver that dagster-postgres does not bring
    driver = {"scheme": "postgresql+psycopg2"}
    reached = {"hostname": server["hostname"], "port": server["port"], "username": city.role, "db_name": city.role}
    return {"postgres": {"postgres_db": {**driver, **reached, "params": params}}}


def _make_home(city: City, account: Account, server: Mapping[str, Any], tell: Callable[[str], None]) -> None:
    path = city.settings.dagster_home / CONFIGURATION
    storage = _storage(city, server)
    with _acting(account), _told_of(path):
        if not path.exists():
            _write(path, on_postgres(storage), 0o600)
            tell(f"作りました：{path}")
        require_private_home({"DAGSTER_HOME": str(path.parent)})
        found = yaml.safe_load(path.read_bytes()).get("storage")
    if found != storage:
        raise HostError(
            "{path}: storage: is another than this PostgreSQL's; expected {expected}. Mend it, or take the file away "
            "and give the command again",
            path=path,
            expected=yaml.safe_dump(storage, default_flow_style=True, width=1000).strip(),
        )


def on_postgres(storage: Mapping[str, Any]) -> str:
    """The shipped dagster.yaml with ``storage`` in the place of its event log, which is one of files."""
    shipped = yaml.safe_load(shipped_configuration())
    del shipped["event_log_storage"]
    head = f"# The {CONFIGURATION} that the program brings, with its storage in PostgreSQL (`kodomo host add-city`).\n"
    return head + yaml.safe_dump({**shipped, "storage": dict(storage)}, sort_keys=False)


def _make_environment(city: City, account: Account, opened_as: str | None, tell: Callable[[str], None]) -> None:
    path = city.environment_file
    with _told_of(path):
        found = read_environment(path.read_text("utf-8")) if path.exists() else {}
        opened = {OPENED_AS: opened_as or found.get(OPENED_AS, "localhost")}
        if any(sign.isspace() or sign in "\"'\\$" for sign in opened[OPENED_AS]):
            raise HostError("--opened-as: found {found!r}, expected a name of this host", found=opened[OPENED_AS])
        for name, expected in city.environment.items():
            if found.get(name, expected) != expected:
                raise HostError(
                    "{path}: {name}: found {found}, expected {expected}; put it back, or move the city's things there",
                    path=path,
                    name=name,
                    found=found[name],
                    expected=expected,
                )
        # what the host's people added stays
        wanted = {**found, **city.environment, **opened}
        if wanted != found:
            _write(path, "".join(f"{name}={value}\n" for name, value in wanted.items()), 0o640)
            tell(f"書きました：{path}")
        os.chown(path, 0, account.gid)


def read_environment(text: str) -> dict[str, str]:
    """An environment file as `add-city` writes it: NAME=value, a line each, nothing in quotes."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.partition("=")[::2] for line in lines if line and not line.startswith(("#", ";")))


def _make_configuration(city: City, account: Account, tell: Callable[[str], None]) -> None:
    path = city.settings.data_dir / "city.yaml"
    with _acting(account), _told_of(path):
        if path.exists():
            return
        # in quotes: YAML reads 011002 as a number to the base of 8
        _write(path, f'# 設定（docs/ja/configuration.md）\npool:\n  code: "{city.code}"\n', 0o600)
    tell(f"作りました：{path}")


def _write(path: Path, text: str, mode: int) -> None:
    """Whole or not at all, and at no moment open to others."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(made, "w", encoding="utf-8") as file:
        file.write(text)
    part.chmod(mode)
    part.replace(path)


def _try_connection(city: City, account: Account) -> None:
    """As the city's processes will: with what stands in its files, and its own rights."""
    import sqlalchemy as db
    from dagster_postgres.utils import pg_url_from_config

    with _acting(account):
        told = yaml.safe_load((city.settings.dagster_home / CONFIGURATION).read_bytes())["storage"]["postgres"]
        try:
            engine = db.create_engine(pg_url_from_config(told), poolclass=db.NullPool)
            engine.connect().close()
        except db.exc.DBAPIError as error:
            raise HostError(
                "PostgreSQL: does not let {role} in over {host} ({why}); expected a line of pg_hba.conf that takes its "
                "password there (scram-sha-256), then give the command again",
                role=city.role,
                host=told["postgres_db"]["hostname"],
                why=" ".join(str(error.orig).split()),
            ) from None


def _next(city: City) -> Iterator[str]:
    yield "次のコマンドを root で打ってください（二度打ってもかまいません）："
    yield f"  systemctl enable --now kodomo-webserver@{city.code}.socket kodomo-daemon@{city.code}.service"
    yield f"画面：プロキシから unix:/run/kodomo/{city.code}.sock へ（プロキシのアカウントをグループ {PROXY} に入れる）"
