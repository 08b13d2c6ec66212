"""``install-services``: what the machine's own starter needs to keep webserver and daemon running, by boot and crash.

Units for systemd on Linux, task definitions for the Task Scheduler on Windows, each with every variable and path of the
installation that gave the command. Written, never registered: the commands that root or an administrator gives next are
told.
"""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from xml.sax.saxutils import escape

import kodomo_assets
from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.settings import Settings
from kodomo_assets.store.accounts import refreshing_account
from kodomo_assets.store.encryption import VARIABLE
from kodomo_assets.store.publish import published_file
from kodomo_assets.vocabulary import OLD

_ON_WINDOWS = os.name == "nt"
_UNITS = Path("/etc/systemd/system")


@dataclass(frozen=True)
class Service:
    """One service: its name, what people are told it is, and the words of its command.

    Attributes:
        daily: the time of day at which it is run once, HH:MM; None: it always runs.
        writes: folders that it writes to besides those of the installation.
        beside: the service whose /tmp it shares (systemd): there lies the socket of the code server that began a run,
            over which it is ended from the UI.
    """

    name: str
    told: str
    words: Sequence[str]
    daily: str | None = None
    writes: Sequence[Path] = ()
    beside: str | None = None


@dataclass(frozen=True)
class Installation:
    """What every service of one installation is started with.

    Attributes:
        python: the interpreter of the virtual environment.
        folder: where it is started: the folder that holds the package, which no delivery reaches.
        writes: folders that it writes to; all are there.
        account: whose they are.
        mails: whether it reaches a mail server, the only thing that leaves the machine.
    """

    python: str
    folder: Path
    environment: Mapping[str, str]
    writes: Sequence[Path]
    account: str
    timezone: str
    mails: bool

    @classmethod
    def of(cls, settings: Settings, catalogue: Catalogue) -> Installation:
        """That which gives the command.

        Raises:
            ConfigurationError: a folder is missing.
        """
        writes = [settings.data_dir, settings.key_file.parent, settings.dagster_home]
        published = published_file(settings, catalogue).parent
        given = [] if catalogue.host.folder is None else [catalogue.host.folder]
        writes = list(dict.fromkeys([*writes, published, *given]))
        _require(writes)
        environment = {
            "KODOMO_DATA_DIR": str(settings.data_dir),
            "KODOMO_KEY_FILE": str(settings.key_file),
            "DAGSTER_HOME": str(settings.dagster_home),
            # paths and messages are Japanese, whatever language the machine starts its services in
            "PYTHONUTF8": "1",
        }
        if settings.overlay is not None and settings.overlay != settings.data_dir / "city.yaml":
            environment["KODOMO_CONFIG"] = str(settings.overlay)
        named = {
            VARIABLE: settings.encryption_key_file,
            "KODOMO_STORE": settings.store,
            "KODOMO_STORE_DATA": settings.store_data,
            "KODOMO_STORE_CREDENTIALS": settings.store_credentials,
            "KODOMO_EXECUTOR": settings.executor,
        }
        environment |= {name: str(value) for name, value in named.items() if value is not None}
        account = getpass.getuser() if _ON_WINDOWS else refreshing_account(settings).name
        folder = Path(kodomo_assets.__file__).resolve().parents[1]
        mails = catalogue.notify.server is not None
        return cls(sys.executable, folder, environment, writes, account, catalogue.calendar.timezone, mails)


def services(*, port: int, allowed: Sequence[str], backup_to: Path | None, keep: int | None) -> list[Service]:
    """Webserver and daemon, and the backup where a folder for it is named.

    A further service is a line here.
    """
    names = [word for name in allowed for word in ("--allow-host", name)]
    words = ("ui", "--no-daemon", "--port", str(port), *names)
    found = [
        Service("kodomo-ui", "kodomo_assets の画面", words, beside="kodomo-daemon"),
        Service("kodomo-daemon", "kodomo_assets の自動更新", ("daemon",)),
    ]
    if backup_to is not None:
        kept = () if keep is None else ("--keep", str(keep))
        backup = ("backup", str(backup_to), *kept)
        told = "kodomo_assets のバックアップ"
        found.append(Service("kodomo-backup", told, backup, daily="03:00", writes=(backup_to,)))
    return found


def install(
    folder: Path, installation: Installation, wanted: Sequence[Service], *, windows: bool = _ON_WINDOWS
) -> list[str]:
    """Writes the files of the ``wanted`` services into ``folder``; what was done and what is to be done next.

    A file that is there and says something else is kept under another name.

    Raises:
        ConfigurationError: the folder cannot be written, or a path cannot stand in a definition.
    """
    _require([path for service in wanted for path in service.writes])
    made: dict[str, bytes] = {}
    for service in wanted:
        made |= _tasks(folder, installation, service) if windows else _units(installation, service)
    folder.mkdir(parents=True, exist_ok=True)
    told = [_put(folder / name, content) for name, content in made.items()]
    return [*told, "", *(_next_on_windows if windows else _next_on_linux)(folder, installation, wanted)]


def _require(folders: Sequence[Path]) -> None:
    missing = [path for path in folders if not path.is_dir()]
    if missing:
        named = " ".join(f'"{path}"' for path in missing)
        how = f"mkdir {named}" if _ON_WINDOWS else f"install -d -m 700 -o <account> -g <account> {named}"
        raise ConfigurationError(
            "install-services: no folder {folders}; expected those of the installation, of the account that is to run "
            "the services: {how}",
            folders=", ".join(map(str, missing)),
            how=how,
        )


def _put(path: Path, content: bytes) -> str:
    if path.exists():
        if path.read_bytes() == content:
            return f"変わっていません：{path}"
        number = 1
        while (kept := path.with_name(f"{path.name}{OLD}{number}")).exists():
            number += 1
        path.rename(kept)
        told = f"書き直しました：{path}（前のものは {kept.name} として残しました。手で変えたところは移してください）"
    else:
        told = f"書きました：{path}"
    path.write_bytes(content)
    if not _ON_WINDOWS:
        path.chmod(0o644)
    return told


# -- systemd ---------------------------------------------------------------------------------------------------------

# No RestrictSUIDSGID: folders that are shared hand their group on (mode 2750). No ProtectProc, no PrivateUsers: whether
# the process of a run still lives is asked of /proc, and files are given to groups of the machine.
_UNIT = Template("""\
# Written by `kodomo install-services`, which writes it anew. What is special to this machine: systemctl edit $name
[Unit]
Description=$told
After=local-fs.target time-sync.target
RequiresMountsFor=$writes
$beside$unit
[Service]
Type=$type
User=$account
UMask=0077
WorkingDirectory=$folder
$environment
ExecStart=$command
${service}NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ReadWritePaths=$writes
ProtectControlGroups=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictRealtime=yes
$reach$install""")
# but for the mails to a server of the city's network: it is known by name, and so is asked for by name
_NOTHING_LEAVES = "IPAddressDeny=any\nIPAddressAllow=localhost\n"
_KEPT_RUNNING = {
    "type": "simple",
    "unit": "StartLimitIntervalSec=0\n",
    "service": "Restart=always\nRestartSec=30\nKillMode=mixed\nTimeoutStopSec=120\n",
    "install": "\n[Install]\nWantedBy=multi-user.target\n",
}
_ONCE = {"type": "oneshot", "unit": "", "service": "", "install": ""}
_TIMER = Template("""\
[Unit]
Description=$told

[Timer]
OnCalendar=*-*-* $daily:00 $timezone
Persistent=yes

[Install]
WantedBy=timers.target
""")


def _units(of: Installation, service: Service) -> dict[str, bytes]:
    unit = _UNIT.substitute(
        _KEPT_RUNNING if service.daily is None else _ONCE,
        name=service.name,
        told=service.told,
        account=of.account,
        folder=_plain(str(of.folder)),
        environment="\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in of.environment.items()),
        command=" ".join(_word(word) for word in (of.python, "-m", "kodomo_assets", *service.words)),
        reach="" if of.mails else _NOTHING_LEAVES,
        beside="" if service.beside is None else f"JoinsNamespaceOf={service.beside}.service\n",
        writes=" ".join(_quoted(str(path)) for path in (*of.writes, *service.writes)),
    )
    made = {f"{service.name}.service": unit.encode()}
    if service.daily is not None:
        timer = _TIMER.substitute(told=service.told, daily=service.daily, timezone=of.timezone)
        made[f"{service.name}.timer"] = timer.encode()
    return made


def _plain(text: str) -> str:
    """For a setting that takes the rest of its line; systemd puts other things for what begins with %."""
    if any(ord(sign) < ord(" ") for sign in text) or text != text.strip():
        raise ConfigurationError(
            "install-services: {text!r} cannot stand in a unit of systemd; rename the folder", text=text
        )
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    return '"' + _plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _word(text: str) -> str:
    """Of a command, where $ begins a variable."""
    return _quoted(text.replace("$", "$$"))


def _next_on_linux(folder: Path, of: Installation, wanted: Sequence[Service]) -> list[str]:
    names = " ".join(one.name if one.daily is None else f"{one.name}.timer" for one in wanted)
    copied = [] if folder.resolve() == _UNITS else [f"  install -m 644 {_shell(folder.resolve())}/kodomo-* {_UNITS}/"]
    lines = [
        f"アカウント {of.account} で動きます。次のコマンドを root で打ってください（二度打ってもかまいません）：",
        *copied,
        "  systemctl daemon-reload",
        f"  systemctl enable {names}",
        f"  systemctl restart {names}",
        "動いているかどうか：",
        f"  systemctl status {names}",
    ]
    if of.account == "root":
        lines.insert(0, "注意：データフォルダーが root のものです。専用のアカウントのものにしてください")
    return lines


def _shell(path: Path) -> str:
    return "'" + str(path).replace("'", "'\\''") + "'"


# -- Task Scheduler --------------------------------------------------------------------------------------------------

# BootTrigger starts it; the other one starts it again within five minutes, however it ended (RestartOnFailure alone
# looks at tasks that could not be started). Without a limit of time it would be ended after three days.
_TASK = Template("""\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>$told</Description>
  </RegistrationInfo>
  <Triggers>
$triggers
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>$account</UserId>
      <LogonType>Password</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>5</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>255</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>$command</Command>
      <Arguments>$arguments</Arguments>
      <WorkingDirectory>$folder</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
""")
_ALWAYS = """\
    <BootTrigger>
      <Enabled>true</Enabled>
    </BootTrigger>
    <TimeTrigger>
      <Repetition>
        <Interval>PT5M</Interval>
        <StopAtDurationEnd>false</StopAtDurationEnd>
      </Repetition>
      <StartBoundary>2020-01-01T00:00:00</StartBoundary>
      <Enabled>true</Enabled>
    </TimeTrigger>"""
_DAILY = """\
    <CalendarTrigger>
      <StartBoundary>2020-01-01T{}:00</StartBoundary>
      <Enabled>true</Enabled>
      <ScheduleByDay>
        <DaysInterval>1</DaysInterval>
      </ScheduleByDay>
    </CalendarTrigger>"""


def _tasks(folder: Path, of: Installation, service: Service) -> dict[str, bytes]:
    """The task, and what ``doors.task`` reads: the scheduler sets no variables and keeps nothing of what is printed."""
    log = Path(of.environment["DAGSTER_HOME"]) / f"{service.name}.log"
    told = {"environment": dict(of.environment), "arguments": list(service.words), "log": str(log)}
    started = ["-X", "utf8", "-m", "kodomo_assets.doors.task", str(folder.resolve() / f"{service.name}.json")]
    task = _TASK.substitute(
        told=escape(service.told),
        triggers=_ALWAYS if service.daily is None else _DAILY.format(service.daily),
        account=escape(of.account),
        command=escape(of.python),
        arguments=escape(subprocess.list2cmdline(started)),
        folder=escape(str(of.folder)),
    )
    return {
        f"{service.name}.xml": task.encode("utf-16"),
        f"{service.name}.json": (json.dumps(told, ensure_ascii=False, indent=2) + "\n").encode(),
    }


def _next_on_windows(folder: Path, of: Installation, wanted: Sequence[Service]) -> list[str]:
    return [
        f"アカウント {of.account} で動きます。次のコマンドを管理者として打ってください（二度打ってもかまいません）。"
        "アカウントのパスワードを聞かれます：",
        *(
            f'  schtasks /Create /F /TN {one.name} /XML "{folder.resolve() / one.name}.xml" /RU "{of.account}" /RP *'
            for one in wanted
        ),
        *(f"  schtasks /Run /TN {one.name}" for one in wanted if one.daily is None),
        "動いているかどうか：",
        *(f"  schtasks /Query /TN {one.name} /V /FO LIST" for one in wanted),
        f"画面に出るはずのものは {of.environment['DAGSTER_HOME']} の .log にあります",
    ]
