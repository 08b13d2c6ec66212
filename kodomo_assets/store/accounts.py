"""Looks at every file and folder of the installation: whose it is, and who else may read or write it.

What it is to be is said in ``store.modes``; here it is held against the disk, told in words for who works the machine,
and set where this account may. Nothing is read but names, owners and modes.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.machine.scratch import SCRATCH
from kodomo_assets.settings import Settings
from kodomo_assets.store.modes import PASS, Share, Shares, keep_private, others_may, set_what_was_seen
from kodomo_assets.vocabulary import CENTRE_FOLDER

CHECK = "shared_as_configured"
SET_UP = "--set-up"
_COMMAND = "python -m kodomo_assets accounts"
_ON_WINDOWS = os.name == "nt"
_EVERYBODY, _GROUP = 0o007, 0o070
# a share that is mounted, and disks that know no owners: their modes are made up when they are mounted
_WITHOUT_MODES = frozenset(
    {"cifs", "smb3", "smbfs", "vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "9p", "drvfs"}
)
_MOUNTS = Path("/proc/self/mounts")
_NOT_LOOKED_AT = (
    "見ていないもの：ファイル共有（Samba など）が自分の設定で通す人、ディレクトリサービスが数え上げない会員、"
    "バックアップと写し"
)


@dataclass(frozen=True)
class Account:
    """The account that refreshes: whoever ``kodomo.duckdb`` (before there is one: the data folder) belongs to."""

    name: str
    number: int
    groups: frozenset[int]

    def may(self, found: os.stat_result, bits: int) -> bool:
        """Whether it may do ``bits`` (4 read, 2 write, 1 pass) with what has this owner, group and mode."""
        if self.number == 0:
            return True
        if found.st_uid == self.number:
            return found.st_mode >> 6 & bits == bits
        return found.st_mode >> (3 if found.st_gid in self.groups else 0) & bits == bits


@dataclass(frozen=True)
class Wrong:
    """Something that is otherwise than the configuration says.

    Attributes:
        what: what is wrong, and for whom.
        mending: the commands that mend it; with ``path`` each is followed by the path.
        path: of which file or folder; None: of a group or account.
        found: how that was found.
        live: whether somebody may use it now: no folder above is closed to them.
        mode: what the path is to be; None where no mode mends it.
        group: the number of the group that it is to have, None: whatever it has.
    """

    what: str
    mending: tuple[str, ...] = ()
    path: Path | None = None
    found: os.stat_result | None = None
    live: bool = True
    mode: int | None = None
    group: int | None = None


def look(settings: Settings, catalogue: Catalogue) -> list[Wrong]:
    """All that is otherwise than it is to be.

    Raises:
        ConfigurationError: there is no data folder.
    """
    _require_folder(settings)
    if _ON_WINDOWS:
        return list(_on_windows(settings))
    one = _Look(settings, catalogue)
    return [*one.groups(), *one.ways(), *one.disks(), *one.places()]


def _require_folder(settings: Settings) -> None:
    if not settings.data_dir.is_dir():
        raise ConfigurationError(
            "KODOMO_DATA_DIR: no folder {folder}, expected that of the installation: the account that is to refresh "
            "makes it (mkdir -m 700), and owns all that comes into it",
            folder=settings.data_dir,
        )


def _on_windows(settings: Settings) -> Iterator[Wrong]:
    yield Wrong(
        "この計算機（Windows）にはグループとモードがないので、フォルダーのアクセス許可は見ていません。"
        "受信・送信フォルダーの許可は、手で役割ごとに設定してください"
    )
    for path in (settings.key_file, settings.pool_key_file, settings.encryption_key_file, settings.database):
        if path is not None and path.exists() and (others := others_may(path)):
            yield Wrong(f"{others} も開けます", ("icacls",), path)


class _Look:
    """One look at one installation."""

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        import grp

        self.settings, self.catalogue = settings, catalogue
        self.shares = Shares(settings, catalogue)
        self.account = refreshing_account(settings)
        self.numbers: dict[str, int | None] = {}
        for name in self.shares.groups.values():
            try:
                self.numbers[name] = grp.getgrnam(name).gr_gid
            except KeyError:
                self.numbers[name] = None

    def groups(self) -> Iterator[Wrong]:
        """Groups that are none, an account that is no member, and people of two roles."""
        for key, name in self.shares.groups.items():
            number = self.numbers[name]
            if number is None:
                yield Wrong(f"グループ {name}（{key}）がこの計算機にありません", (f"groupadd --system {_shell(name)}",))
            elif self.account.number and number not in self.account.groups:
                yield Wrong(
                    f"更新のアカウント {self.account.name} がグループ {name}（{key}）の会員でないので、"
                    "ファイルを渡せません（会員にしたあと、更新のサービスを起動し直してください）",
                    (f"usermod --append --groups {_shell(name)} {_shell(self.account.name)}",),
                )
        members = {key: _members(name) - {self.account.name, "root"} for key, name in self.shares.groups.items()}
        for first, second, why in self._apart():
            for person in sorted(members.get(first, set()) & members.get(second, set())):
                yield Wrong(
                    f"アカウント {person} が {first} と {second} の両方の会員で、{why}",
                    (f"gpasswd --delete {_shell(person)} {_shell(self.shares.groups[second])}",),
                )
        for person in sorted(members.get("accounts.centre", set()) - members.get("accounts.outbox", set())):
            yield Wrong(
                f"アカウント {person} は accounts.centre の会員ですが、accounts.outbox の会員でないので、"
                "送信フォルダーを通れません",
                (f"usermod --append --groups {_shell(self.shares.groups['accounts.outbox'])} {_shell(person)}",),
            )

    def _apart(self) -> Iterator[tuple[str, str, str]]:
        """Two roles that nobody may have together, and why."""
        offices = [f"accounts.offices.{office}" for office in self.catalogue.accounts.offices]
        for number, office in enumerate(offices):
            for other in offices[number + 1 :]:
                yield office, other, "他の課のファイルを読み、置き換えられます"
            yield office, "accounts.outbox", "提供する課が送信フォルダーを読めます"
            yield office, "ingest.group", "他の課のフォルダーを置き換えられます"
        for key in ("ingest.group", "accounts.outbox", "accounts.centre", *offices):
            yield key, "publish.group", "分析者は公開用の写し（analyst.duckdb）だけを見るはずです"

    def ways(self) -> Iterator[Wrong]:
        """The folders above: nobody may put others in their place, and each group comes through to its own."""
        tops: dict[Path, Iterable[str]] = {self.settings.data_dir: list(self.shares.groups.values())}
        alone = [self.settings.dagster_home, self.settings.key_file.parent]
        if self.settings.overlay is not None:
            alone.append(self.settings.overlay.parent)
        published = self.shares.analyst_database.parent
        if published not in tops and self.shares.published.group is not None:
            tops[published] = [self.shares.published.group]
        told: set[tuple[Path, str]] = set()
        for top, groups in [*tops.items(), *((path, ()) for path in alone if path.exists())]:
            for folder in top.resolve().parents:
                found = folder.stat()
                if found.st_mode & 0o002 and not found.st_mode & stat.S_ISVTX and (folder, "") not in told:
                    told.add((folder, ""))
                    yield Wrong("誰でも、この下のフォルダーを別のものに置き換えられます", ("chmod o-w",), folder, found)
                for name in groups:
                    number = self.numbers[name]
                    passes = found.st_mode & (0o011 if found.st_gid == number else 0o001)
                    if number is not None and not passes and (folder, name) not in told:
                        told.add((folder, name))
                        what = f"グループ {name} の人がここを通れず、自分のフォルダーに着けません"
                        yield Wrong(what, ("chmod o+x",), folder, found)

    def disks(self) -> Iterator[Wrong]:
        """Disks whose modes mean nothing: those of a share that is mounted here."""
        for path in (self.settings.data_dir, self.settings.dagster_home, self.settings.key_file.parent):
            kind = _disk(path.resolve())
            if path.exists() and kind in _WITHOUT_MODES:
                yield Wrong(
                    f"このディスク（{kind}）はファイルごとの持ち主とモードを持たず、誰に何が見えるかは共有の側が決めます。"
                    "ここでは確かめられません：この計算機のディスクに置いてください",
                    path=path,
                )

    def places(self) -> Iterator[Wrong]:
        """Every file and folder."""
        data = self.settings.data_dir
        yield from self._below(data)
        home, key, overlay = self.settings.dagster_home, self.settings.key_file, self.settings.overlay
        if home.exists() and not home.is_relative_to(data):
            yield from self._below(home)
        passwords = {self.catalogue.ingest.password_file, *(t.password_file for t in self.catalogue.tables.values())}
        encryption = self.settings.encryption_key_file
        keys = [key, self.settings.pool_key_file, *([] if encryption is None else [encryption])]
        for path in (
            *(one.parent for one in keys),
            *keys,
            *sorted(path.resolve() for path in passwords if path is not None),
        ):
            # a folder that holds the data folder too may have to be passed
            if path.exists() and not path.is_relative_to(data) and not data.is_relative_to(path):
                yield from self._at(path, path.lstat(), _Above(True, True))
        if overlay is not None and overlay.exists() and not overlay.is_relative_to(data):
            yield from self._configuration(overlay)
        published = self.shares.analyst_database
        if not published.is_relative_to(data):
            # a folder that only lies elsewhere is the city's own; one that is shared is as the configuration says
            for path in (published.parent, published) if self.shares.published.group is not None else (published,):
                if path.exists():
                    yield from self._at(path, path.lstat(), _Above(True, True))
        for office in self.shares.offices:
            if not (self.settings.inbox / office).is_dir():
                yield Wrong(f"{self.settings.inbox.name}/{office}/ がまだありません", (f"{_COMMAND} {SET_UP}",))

    def _configuration(self, path: Path) -> Iterator[Wrong]:
        """Who writes into it says who reads the rest."""
        found = path.stat()
        if found.st_mode & 0o022 or found.st_uid not in (0, self.account.number):
            yield Wrong(
                "更新のアカウントと root のほかにも、設定を書き換えられる人がいます", ("chmod go-w",), path, found
            )

    def _below(self, top: Path) -> Iterator[Wrong]:
        waiting = [(top, _Above(True, True))]
        while waiting:
            path, above = waiting.pop()
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue  # of a run under way
            yield from self._at(path, found, above)
            if not stat.S_ISDIR(found.st_mode) or path == self.settings.data_dir / SCRATCH:
                continue
            try:
                children = sorted(path.iterdir(), reverse=True)
            except FileNotFoundError:
                continue
            except PermissionError:
                if os.geteuid() != self.account.number:
                    what = "このアカウントでは中を見られません：更新のアカウントか root で、もう一度確かめてください"
                    yield Wrong(what, path=path)
                continue
            waiting += [(child, above.through(found.st_mode)) for child in children]

    def _at(self, path: Path, found: os.stat_result, above: _Above) -> Iterator[Wrong]:
        if stat.S_ISLNK(found.st_mode):
            yield Wrong("リンクです。指す先は見ていません：実物を置いてください", path=path)
            return
        if _has_list(path):
            what = "アクセス制御リスト（ACL）があり、モードだけでは誰に見えるか分かりません"
            yield Wrong(what, ("setfacl --remove-all",), path, found)
        share = self.shares.of(path)
        is_folder = stat.S_ISDIR(found.st_mode)
        wanted = share.folder if is_folder else share.file
        number = self.numbers[share.group] if share.group is not None else None
        mode = stat.S_IMODE(found.st_mode)
        told, live = [], False
        if excess := mode & ~wanted & _EVERYBODY:
            told.append(f"誰でも{_able(excess)}")
            live |= above.others
        allowed = wanted if share.group is None or found.st_gid == number else 0
        if excess := (mode & ~allowed & _GROUP) >> 3:
            told.append(f"グループ {_group_name(found.st_gid)} の人が{_able(excess)}")
            live |= above.group
        delivered = self._is_delivered(path)
        if number is not None and (is_folder or not delivered):
            lacks = wanted & ~mode & (0o2070 if is_folder else 0o040)
            if found.st_gid != number or lacks:
                told.append(f"グループ {share.group}（{share.key}）の人が使えません")
                live = True
        if told:
            give = (f"chgrp {_shell(share.group)}",) if share.group else ()
            mending = (*give, f"chmod {wanted:04o}")
            yield Wrong("、".join(told) + f"（{mode:04o}）", mending, path, found, live, wanted, number)
        if not delivered and found.st_uid != self.account.number:
            yield Wrong(
                f"持ち主が {_user_name(found.st_uid)} です。更新のアカウント {self.account.name} は書き換えられません",
                (f"chown {_shell(self.account.name)}",),
                path,
                found,
            )
        elif delivered and not self.account.may(found, 7 if is_folder else 4):
            what = "使えません（読む、消す）" if is_folder else "読めません"
            letting_in = self._letting_in(found, share, "rwx" if is_folder else "r")
            yield Wrong(f"更新のアカウント {self.account.name} が{what}", letting_in, path, found)

    def _letting_in(self, found: os.stat_result, share: Share, bits: str) -> tuple[str, ...]:
        """The commands that let the account in: rights of a group that it is not in would not."""
        if found.st_uid == self.account.number:
            return (f"chmod u+{bits}",)
        if found.st_gid in self.account.groups:
            return (f"chmod g+{bits}",)
        if share.group is not None and self.numbers[share.group] in self.account.groups:
            return (f"chgrp {_shell(share.group)}", f"chmod g+{bits}")
        return (f"chown {_shell(self.account.name)}", f"chmod u+{bits}")

    def _is_delivered(self, path: Path) -> bool:
        """Whether others put it there."""
        return path != self.settings.inbox and path.is_relative_to(self.settings.inbox)


def told(settings: Settings, catalogue: Catalogue) -> tuple[list[str], bool]:
    """Who has what by the configuration, and what is otherwise, as lines for a terminal; and whether nothing is."""
    wrong = look(settings, catalogue)
    if _ON_WINDOWS:
        return [one.what for one in wrong], False
    lines = [*_roles(settings, catalogue), ""]
    for head, live in ((_LIVE, True), (_SHUT, False)):
        of = _together(one for one in wrong if one.live == live)
        if of:
            lines += [head, *(line for group in of for line in _lines(settings, group)), ""]
    if not wrong:
        lines += ["どのファイル、フォルダー、グループも設定のとおりです", ""]
    lines.append(_NOT_LOOKED_AT)
    if not hasattr(os, "listxattr") or not _MOUNTS.exists():
        lines.append("この計算機では、アクセス制御リスト（ACL）かディスクの種類も見ていません")
    return lines, not wrong


_LIVE = "設定と違い、見えるはずのない人に見えるか、使うはずの人や更新に使えないもの："
_SHUT = "上のフォルダーが閉じているので今は誰にも見えないが、ほかへ移せば見えてしまうもの："


def _roles(settings: Settings, catalogue: Catalogue) -> Iterator[str]:
    shares = Shares(settings, catalogue)
    name = refreshing_account(settings).name
    yield f"更新のアカウント：{name}（kodomo.duckdb、鍵、DAGSTER_HOME はこのアカウントだけのもの）"
    inbox, outbox = settings.inbox.name, settings.outbox.name
    places = {
        f"{inbox}/ に届ける": shares.inbox,
        **{f"{inbox}/{office}/ に届ける（保有・管理主体）": share for office, share in shares.offices.items()},
        f"{outbox}/ を読む（総括管理主体）": shares.outbox,
        f"{outbox}/ の{CENTRE_FOLDER}を読む": shares.centre,
        "analyst.duckdb を読む（分析主体）": shares.published,
    }
    for what, share in places.items():
        if share.group is None:
            yield f"  {what}：更新のアカウントだけ"
            continue
        count = len(_members(share.group) - {name})
        yield f"  {what}：グループ {share.group}（{share.key}）、ほかの会員 {count}"
        if not count:
            yield f"      入れるには（root で）： usermod --append --groups {_shell(share.group)} <アカウント>"


def _together(wrong: Iterable[Wrong]) -> list[list[Wrong]]:
    """What is wrong in the same way in one folder makes one line."""
    found: dict[object, list[Wrong]] = {}
    for one in wrong:
        parent = one.path.parent if one.path is not None else None
        is_folder = one.found is not None and stat.S_ISDIR(one.found.st_mode)
        found.setdefault((one.what, one.mending, parent, is_folder), []).append(one)
    return list(found.values())


def _lines(settings: Settings, group: Sequence[Wrong]) -> Iterator[str]:
    first = group[0]
    if first.path is None:
        yield f"  {first.what}"
        for command in first.mending:
            # what sets up is refused to root where the folder is another account's
            yield f"      直すには{'' if command.startswith(_COMMAND) else '（root で）'}： {command}"
        return
    is_folder = first.found is not None and stat.S_ISDIR(first.found.st_mode)
    if len(group) == 1:
        yield f"  {_place(settings, first.path)}{'/' if is_folder else ''}：{first.what}"
        commands = [f"{command} {_shell(first.path)}" for command in first.mending]
    else:
        kind = "フォルダー" if is_folder else "ファイル"
        yield f"  {_place(settings, first.path.parent)}/ の{kind} {len(group)} 件：{first.what}"
        where = f"find {_shell(first.path.parent)} -mindepth 1 -maxdepth 1 -type {'d' if is_folder else 'f'} -exec"
        commands = [f"{where} {command} {{}} +" for command in first.mending]
    if commands:
        own = first.found is not None and first.found.st_uid == refreshing_account(settings).number
        who = "" if own and not first.mending[0].startswith("chown") else "（root で）"
        yield f"      直すには{who}： {' && '.join(commands)}"


def _place(settings: Settings, path: Path) -> str:
    if path.is_relative_to(settings.data_dir) and path != settings.data_dir:
        return path.relative_to(settings.data_dir).as_posix()
    return str(path)


def set_up(settings: Settings, catalogue: Catalogue, *, dry_run: bool) -> list[str]:
    """Sets what this account may: the folders, and groups and modes of what is its own; lines on what was set.

    Accounts and groups are made by root. A second time it finds nothing to do.

    Raises:
        ConfigurationError: another account runs it: root would follow whatever link somebody puts there meanwhile.
    """
    _require_folder(settings)
    if _ON_WINDOWS:
        return []
    account = refreshing_account(settings)
    if os.geteuid() != account.number:
        raise ConfigurationError(
            "{option}: found another account, expected {account}, which the data folder belongs to: log in as it; what "
            "only root may do is told by the command without it",
            option=SET_UP,
            account=account.name,
        )
    lines = []
    if not dry_run:
        try:
            keep_private(settings, catalogue)
        except ConfigurationError as error:
            lines.append(error.said.ja or str(error))
    shares = Shares(settings, catalogue)
    done = [one for one in look(settings, catalogue) if _is_settable(one, settings, shares, account)]
    if not dry_run:
        done = [one for one in done if set_what_was_seen(one.path, one.found, one.mode, one.group)]
    verb = "直します" if dry_run else "直しました"
    for group in _together(done):
        mode = f"{group[0].mode:04o}"
        lines.append(f"{next(_lines(settings, group)).strip()} → {mode} に{verb}")
    return lines


def _is_settable(wrong: Wrong, settings: Settings, shares: Shares, account: Account) -> bool:
    """Not where others may write: they could put a link there between a look and the setting."""
    path = wrong.path
    if path is None or wrong.mode is None or wrong.found is None or wrong.found.st_uid != account.number:
        return False
    if wrong.group is not None and account.number and wrong.group not in account.groups:
        return False
    return (
        not path.is_relative_to(settings.inbox)
        or path.parent in (settings.data_dir, settings.inbox)
        or (shares.of(path).group is None)
    )


def check_shared(settings: Settings, catalogue: Catalogue) -> CheckOutcome:
    """A warning as long as somebody may read or write what is not his, or cannot what is; in counts."""
    live = [one for one in look(settings, catalogue) if one.live]
    return CheckOutcome(
        name=CHECK,
        passed=not live,
        blocking=False,
        message=(
            f"{len(live)} files, folders, groups or accounts are otherwise than the configuration says (who may read "
            f"or write what), expected none: `{_COMMAND}` names each and the command that mends it (docs/operations.md)"
            if live
            else "who may read or write what is as the configuration says"
        ),
        facts={"otherwise": len(live)},
    )


@dataclass(frozen=True)
class _Above:
    """Whether everybody, and whether a group, may pass all folders above."""

    others: bool
    group: bool

    def through(self, mode: int) -> _Above:
        return _Above(self.others and bool(mode & 0o001), self.group and bool(mode & PASS))


def refreshing_account(settings: Settings) -> Account:
    """Of this process, where it is the one, the groups that it has; of another what the machine says it would have."""
    import pwd

    owner = _owner(settings)
    name = _user_name(owner)
    if owner == os.geteuid():
        return Account(name, owner, frozenset({os.getegid(), *os.getgroups()}))
    try:
        return Account(name, owner, frozenset(os.getgrouplist(name, pwd.getpwuid(owner).pw_gid)))
    except KeyError:
        return Account(name, owner, frozenset())


def _owner(settings: Settings) -> int:
    try:
        return settings.database.stat().st_uid
    except (FileNotFoundError, PermissionError):
        # none yet, or the data folder is closed to whoever asks
        return settings.data_dir.stat().st_uid


def _members(group: str) -> set[str]:
    import grp
    import pwd

    try:
        found = grp.getgrnam(group)
    except KeyError:
        return set()
    return {*found.gr_mem, *(one.pw_name for one in pwd.getpwall() if one.pw_gid == found.gr_gid)}


def _user_name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _able(bits: int) -> str:
    words = [
        word for bit, word in ((4, "読めます"), (2, "書き換えられます"), (1, "通れます（実行できます）")) if bits & bit
    ]
    return "、".join(words)


def _has_list(path: Path) -> bool:
    if not hasattr(os, "listxattr"):
        return False
    try:
        return any(name.startswith("system.posix_acl_") for name in os.listxattr(path, follow_symlinks=False))
    except OSError:
        return False  # a disk that knows none


def _disk(path: Path) -> str:
    """The kind of the disk that ``path`` lies on; empty where the system does not tell."""
    try:
        lines = _MOUNTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    mounts = [(Path(place.replace("\\040", " ")), kind) for _, place, kind, *_ in (line.split() for line in lines)]
    return max(((len(place.parts), kind) for place, kind in mounts if path.is_relative_to(place)), default=(0, ""))[1]


def _shell(word: object) -> str:
    return shlex.quote(str(word))
