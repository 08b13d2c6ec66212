"""What is wrong with an installation, on one page, in the words of who has to mend it. Nothing is changed.

Each examination stands for itself: what one cannot find out says so, and hides nothing of the others.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb
from packaging.requirements import Requirement

from kodomo_assets import __version__
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import (
    ConfigurationError,
    KeyFileError,
    KodomoError,
    StoreBusyError,
    StoreFaultError,
    StoreVersionError,
)
from kodomo_assets.machine.home import CONFIGURATION, is_on_postgres, require_private_home
from kodomo_assets.machine.ports import dagster_version_at, listeners, reachable_from_elsewhere
from kodomo_assets.machine.scratch import SCRATCH, left_behind
from kodomo_assets.machine.system_errors import explain, unexpected
from kodomo_assets.refreshing.notices import unsent_notices
from kodomo_assets.settings import Settings, not_set
from kodomo_assets.store.accounts import look, refreshing_account
from kodomo_assets.store.backups import made_backups, unfinished_backups
from kodomo_assets.store.connection import connect
from kodomo_assets.store.encryption import fingerprint, is_encrypted, keys_for, opened_under
from kodomo_assets.store.lake import require_the_store, size_of
from kodomo_assets.store.migrate import require_current, require_known
from kodomo_assets.store.modes import others_may
from kodomo_assets.store.opening import half_written, is_written
from kodomo_assets.store.own_settings import load_own
from kodomo_assets.store.pseudonyms import load_own_secret
from kodomo_assets.store.publish import published_file, publishing_run
from kodomo_assets.vocabulary import STATUS

if TYPE_CHECKING:
    from dagster import DagsterInstance

WELL, NOTE, WRONG = "○", "△", "×"
_GIGABYTE, _MEGABYTE = 10**9, 10**6
# a refresh of 259,000 residents takes 1.2 GB, Dagster's two services some hundred MB each (docs/operations.md)
_MEMORY = 3 * _GIGABYTE
# beside kodomo.duckdb twice, once for a backup or a publication: what does not fit into memory (docs/operations.md)
_ROOM = 2 * _GIGABYTE
_SILENT_AFTER = dt.timedelta(minutes=5)
_PAGE_OLD_AFTER = dt.timedelta(minutes=15)
_BACKUP_OLD_AFTER = dt.timedelta(days=7)
# file times and database differ by no more on a machine whose clock was never set back
_LEEWAY = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class Finding:
    """What one examination found.

    Attributes:
        mark: ``WELL``, ``NOTE`` (works, and somebody should know) or ``WRONG`` (has to be mended).
        what: what was looked at.
        found: what was found.
        remedy: what to do and who; empty where there is nothing to do.
    """

    mark: str
    what: str
    found: str
    remedy: str = ""


def examine(settings: Settings, port: int, now: dt.datetime) -> list[Finding]:
    """Looks at everything, in the order in which one thing rests on another.

    With an account that may look at nothing the page ends there: what it could say would all be the same.

    Args:
        port: where the UI listens.
    """
    found: list[Finding] = []
    for what, look_at in _Installation(settings, port, now).examinations().items():
        try:
            found += [Finding(mark, what, *told) for mark, *told in look_at()]
        except KodomoError as error:
            found.append(Finding(WRONG, what, str(error), _AS_TOLD))
        except Exception as error:
            found.append(Finding(WRONG, what, explain(error) or unexpected(error), _AS_TOLD))
        if what == _ACCOUNT and found[-1].what == what and found[-1].mark == WRONG and not _is_root():
            break
    return found


def page(settings: Settings, found: list[Finding], now: dt.datetime) -> list[str]:
    """The findings as lines for a terminal."""
    lines = [f"kodomo doctor　{now.astimezone():%Y-%m-%d %H:%M %Z}　{settings.data_dir}", ""]
    for one in found:
        lines.append(f"{one.mark} {one.what}：{one.found}")
        if one.remedy:
            lines.append(f"    → {one.remedy}")
    counts = {mark: sum(one.mark == mark for one in found) for mark in (WRONG, NOTE)}
    lines += ["", f"直すもの（{WRONG}）{counts[WRONG]}、知っておくもの（{NOTE}）{counts[NOTE]}"]
    return lines


Found = Iterator[tuple[str, str] | tuple[str, str, str]]


class _Installation:
    def __init__(self, settings: Settings, port: int, now: dt.datetime) -> None:
        self.settings, self.port, self.now = settings, port, now
        #: that of the city once its configuration was found to be good
        self.catalogue = load_catalogue()
        #: the newest run that came to its end, and when; None: not known
        self.newest: tuple[str, dt.datetime] | None = None
        #: why the database's key does not open it
        self.unopened: KeyFileError | None = None
        #: whether it is known what the database holds, be it nothing
        self.known = False
        #: whether a process has the database open to write; None: not known
        self.written: bool | None = None

    def examinations(self) -> Mapping[str, Callable[[], Found]]:
        """What is looked at -> how. Later ones use what earlier ones found out."""
        return {
            "プログラム": self.program,
            _ACCOUNT: self.account,
            "場所": self.places,
            "設定": self.configuration,
            "権限": self.modes,
            "データベース": self.database,
            "途中で止まったコマンド": self.leftovers,
            "実行の記録": self.history,
            "暗号化": self.encryption,
            "仮名の鍵": self.key,
            "分析用のデータベース": self.published,
            "ディスク": self.disks,
            "メモリー": self.memory,
            "時計": self.clock,
            "時間帯": self.time_zone,
            "文字コード": self.encoding,
            "画面": self.ui,
            "デーモン": self.daemon,
            "予定": self.schedules,
            "状況のページ": self.status,
            "バックアップ": self.backups,
        }

    # -- what it runs on

    def program(self) -> Found:
        python = ".".join(map(str, sys.version_info[:3]))
        try:
            required = metadata.requires("kodomo_assets") or []
        except metadata.PackageNotFoundError:
            yield (
                NOTE,
                f"{__version__}、Python {python}。インストールされていません（ソースから動いています）",
                _INSTALL,
            )
            return
        other = [told for text in required if (told := _other_version(Requirement(text)))]
        if other:
            yield WRONG, f"{__version__}、Python {python}。版の違うパッケージ：{'、'.join(other)}", _INSTALL
        else:
            yield WELL, f"{__version__}、Python {python}、パッケージの版は決められたとおり"

    def places(self) -> Found:
        for name, value in not_set(self.settings).items():
            yield NOTE, f"{name} が設定されていないので {value} を使います", _VARIABLES
        data = self.settings.data_dir
        if not data.is_dir():
            yield WRONG, f"KODOMO_DATA_DIR：{data} がありません", _VARIABLES
        for folder in (data, self.settings.inbox, self.settings.outbox, self.settings.dagster_home):
            if folder.exists() and not folder.is_dir():
                yield WRONG, f"{folder} はフォルダーではありません", _VARIABLES
            elif folder.is_dir() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                yield (
                    WRONG,
                    f"{folder}：このアカウントでは読み書きできません",
                    "管理者：更新のアカウントのものにし、書き込めるディスクに置いてください（`kodomo accounts`）",
                )
        if self.settings.database.is_file() and not self.settings.inbox.is_dir():
            yield (
                WRONG,
                f"{self.settings.inbox} がありません。ここから読んだデータがあります",
                "管理者：受信フォルダーの共有（ディスク）がつながっているか見てください",
            )
        home = self.settings.dagster_home
        if (home / CONFIGURATION).exists():
            require_private_home({"DAGSTER_HOME": str(home)})
        yield WELL, f"データ {data}、実行の記録 {home}"

    def configuration(self) -> Found:
        overlay = self.settings.overlay
        try:
            self.catalogue = load_own(self.settings)
        except KodomoError as error:
            there = overlay is None or overlay.is_file()
            yield (
                WRONG,
                str(error),
                "設定の担当者：その行を直してください。`kodomo check-config` で確かめられます" if there else _VARIABLES,
            )
            return
        yield WELL, "既定のまま（city.yaml がありません）" if overlay is None else str(overlay)

    def account(self) -> Found:
        if os.name == "nt":
            yield WELL, os.getlogin()
            return
        if not self.settings.data_dir.is_dir():
            return
        owner = refreshing_account(self.settings)
        if owner.number != os.geteuid():
            yield (
                WRONG,
                f"データは {owner.name} のもので、このコマンドを動かしているアカウントと違います",
                f"{owner.name} でログインして（または sudo -u {owner.name}）、もう一度実行してください",
            )
        elif owner.number == 0:
            yield (
                NOTE,
                "root で動いています",
                "管理者：専用のアカウント（例 kodomo）を作り、データをそのものにしてください",
            )
        else:
            yield WELL, owner.name

    def modes(self) -> Found:
        wrong = look(self.settings, self.catalogue)
        open_now = sum(one.live for one in wrong)
        remedy = "更新の担当者：`kodomo accounts` が場所と直し方を言います"
        if open_now:
            yield WRONG, f"設定と違うところが {open_now} か所", remedy
        if len(wrong) > open_now:
            yield (
                NOTE,
                f"設定と違うが、上のフォルダーが閉じているので誰にも見えないところが {len(wrong) - open_now} か所",
                remedy,
            )
        if not wrong:
            yield WELL, "どのファイルも設定のとおり"

    # -- what it holds

    def database(self) -> Found:
        database = self.settings.database
        try:
            require_the_store(self.settings)
        except ConfigurationError as error:
            yield WRONG, error.said.ja or str(error), "管理者：どのサービスとコマンドにも、同じ KODOMO_STORE を"
            return
        if not database.exists():
            self.written, self.known = False, True
            yield NOTE, f"{database.name} はまだありません", "最初の更新が作ります"
            return
        size = self._size() / _GIGABYTE
        try:
            with connect(database, self.settings.encryption_key_file, read_only=True) as con:
                self.written = is_written(self.settings) if self.settings.store is not None else False
                require_known(con)
                row = con.execute("select arg_max(run_id, finished_at), max(finished_at) from published.refreshes")
                self.newest = next((found for found in row.fetchall() if found[0] is not None), None)
                self.known = True
                try:
                    require_current(con, self.catalogue)
                except KodomoError:
                    yield NOTE, "前の版の表です", "バックアップ（`kodomo backup`）のあと、次の更新がこの版の表にします"
                    return
        except StoreBusyError as error:
            self.written = True
            yield NOTE, "更新が動いているので、中は見ていません", str(error)
            return
        except StoreVersionError as error:
            yield WRONG, str(error), "管理者：その版か、それより新しいプログラムを入れてください"
            return
        except KeyFileError as error:
            self.unopened = error
            yield NOTE, "暗号化のため開けないので、中は見ていません", "管理者：「暗号化」のところを先に直してください"
            return
        except StoreFaultError as error:
            # of a lake: nothing is damaged because a database or a disk does not answer
            remedy = _RESTORE if self.settings.store is None else _LOOK_AT_LAKE
            yield WRONG, error.said.ja or str(error), remedy
            return
        except (KodomoError, duckdb.Error) as error:
            told = (
                str(error)
                if isinstance(error, KodomoError)
                else f"{database.name}：{explain(error) or unexpected(error)}"
            )
            yield WRONG, told, _RESTORE
            return
        when = (
            "更新はまだ終わったことがありません" if self.newest is None else f"最後の更新 {self._told(self.newest[1])}"
        )
        yield WELL, f"{size:.2f} GB、{when}"

    def leftovers(self) -> Found:
        """What killed commands left, which the next one that writes removes: until then it may hold clear text."""
        scratch = self.settings.data_dir / SCRATCH
        left = left_behind(scratch)
        if self.written is False:
            left += half_written(self.settings, self.catalogue)
        made = made_backups(self.settings)
        # DuckDB's and ours, without what only says that a process lives
        sizes = {folder: _size(paths) for folder, paths in _by_folder(left).items()}
        for folder, size in sizes.items():
            if not size:
                continue
            told = f"{folder} に、途中で止められた（kill、停電）コマンドの残りが {size / _MEGABYTE:.1f} MB あります"
            if self.settings.encryption_key_file is None:
                yield NOTE, told, "書き込むコマンドが、次に始まるときに消します（更新も）"
            else:
                yield (
                    WRONG,
                    f"{told}。暗号化していない個人のデータのことがあります",
                    "管理者：`kodomo encrypt` が、いま消します（`--off` を止めたのなら `kodomo encrypt --off`）",
                )
        backup = made[-1][1].parent if made else None
        unfinished = unfinished_backups(backup) if backup else []
        if unfinished:
            yield (
                NOTE,
                f"{backup} に、終わらなかったバックアップが {len(unfinished)} 個あります",
                "そこへの次の `kodomo backup` が消します",
            )
        if not any(sizes.values()) and not unfinished:
            yield WELL, "残っているものはありません"

    def history(self) -> Found:
        """Whether this DAGSTER_HOME is the one that the refreshes were made with."""
        if self.newest is None:
            return
        home, known = self.settings.dagster_home, False
        if self._has_history():
            with self._dagster() as instance:
                known = instance.has_run(self.newest[0])
        if known:
            yield WELL, f"{home} は、このデータを作った更新のもの"
        else:
            yield (
                WRONG,
                f"DAGSTER_HOME（{home}）に、このデータを作った更新の記録がありません",
                "管理者：更新のときと同じ DAGSTER_HOME をサービスとコマンドに設定してください"
                "（なくなったのなら、次の更新が新しく作ります）",
            )

    def _size(self) -> int:
        """Bytes of the tables, 0 where nobody can look."""
        if self.settings.store is None:
            return self.settings.database.stat().st_size if self.settings.database.exists() else 0
        size = 0
        with (
            suppress(KodomoError, duckdb.Error),
            connect(self.settings.database, self.settings.encryption_key_file, read_only=True) as con,
        ):
            size = size_of(con)
        return size

    def encryption(self) -> Found:
        if self.settings.store is not None:
            yield WELL, "表は DuckLake にあり、いつも暗号化しています（鍵は目録が持つので、目録のディスクも暗号化する）"
            return
        database, key_file = self.settings.database, self.settings.encryption_key_file
        if key_file is None and not (database.exists() and is_encrypted(database)):
            yield WELL, "使っていません（kodomo.duckdb は、ディスクを読める人に読めます）"
            return
        problem = self.unopened
        try:
            keys = keys_for(database, key_file)
        except KeyFileError as error:
            keys, problem = (), error
        if problem is not None:
            yield (
                WRONG,
                problem.said.ja or str(problem),
                "管理者：このデータの鍵の場所を、どのサービスとコマンドにも同じに指定してください",
            )
            return
        under, newest = opened_under(database), fingerprint(keys[0])
        if under is not None and under != newest:
            yield (
                WRONG,
                f"前の鍵（指紋 {under}）のままです",
                "管理者：`kodomo encrypt` で、いまの鍵に書き直してください",
            )
            return
        if key_file is not None and key_file.stat().st_dev == self.settings.data_dir.stat().st_dev:
            yield (
                NOTE,
                f"鍵 {key_file} がデータと同じディスクにあります",
                "管理者：ディスクを盗まれると鍵も盗まれます。鍵は別のところに置いてください（docs/ja/operations.md）",
            )
        yield WELL, f"使っています（鍵 {key_file}、指紋 {newest}、ほかの人は読めません）"

    def key(self) -> Found:
        if not self.settings.database.exists():
            yield WELL, "最初の更新が作ります"
            return
        path = self.settings.key_file
        if not path.exists():
            yield WRONG, f"{path} がありません", _KEY
            return
        if others := others_may(path):
            yield (
                WRONG,
                f"{path} は、ほかの人も開けます（{others}）",
                "管理者：chmod 600 にし、誰が見たかを調べてください",
            )
            return
        try:
            with connect(self.settings.database, self.settings.encryption_key_file, read_only=True) as con:
                try:
                    load_own_secret(con, path)
                except ConfigurationError:
                    yield WRONG, f"{path} は、このデータの鍵ではありません", _KEY
                    return
        except StoreBusyError:
            yield NOTE, "更新が動いているので、見ていません"
            return
        except KodomoError:
            yield NOTE, "データベースが開けないので、見ていません"
            return
        yield WELL, f"{self.settings.key_file} はこのデータのもので、ほかの人は読めません"

    def published(self) -> Found:
        path = published_file(self.settings, self.catalogue)
        if self.written:
            yield NOTE, "更新が動いているので、見ていません"
        elif not self.known:
            yield (
                NOTE,
                "データベースの中が読めないので、最後の更新のものか分かりません",
                "「データベース」のところを先に直してください。それまで、更新は終わりません",
            )
        elif self.newest is None:
            yield WELL, "更新が終わると作られます"
        elif publishing_run(path) != self.newest[0]:
            yield (
                WRONG,
                f"{path} は、ないか、最後の更新のものではありません",
                "更新の担当者：`kodomo refresh --all` をもう一度。直らなければ、その場所の権限と空きを見てください",
            )
        else:
            yield WELL, str(path)

    def disks(self) -> Found:
        size = self._size()
        published = published_file(self.settings, self.catalogue).parent
        # the last one says what a folder needs that is two of them
        needed = {published: size, self.settings.dagster_home: _GIGABYTE, self.settings.data_dir: 2 * size + _ROOM}
        for folder, room in needed.items():
            if not folder.is_dir():
                continue
            free = shutil.disk_usage(folder).free
            text = f"{folder} の空き {free / _GIGABYTE:.1f} GB"
            if free < room:
                yield (
                    WRONG,
                    f"{text}（必要 {room / _GIGABYTE:.1f} GB）",
                    "管理者：空きを作ってください。更新が途中で止まります",
                )
            else:
                yield WELL, text

    def memory(self) -> Found:
        if not hasattr(os, "sysconf"):
            return
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if total < _MEMORY:
            yield NOTE, f"{total / _GIGABYTE:.1f} GB", f"管理者：{_MEMORY / _GIGABYTE:.0f} GB 以上の機械にしてください"
        else:
            yield WELL, f"{total / _GIGABYTE:.1f} GB"

    # -- time and words

    def clock(self) -> Found:
        told = self._told(self.now)
        installed = dt.datetime.fromtimestamp(Path(__file__).stat().st_mtime, dt.UTC)
        if self.now + _LEEWAY < installed or (self.newest is not None and self.now + _LEEWAY < self.newest[1]):
            latest = installed if self.newest is None else max(installed, self.newest[1])
            yield (
                WRONG,
                f"いまは {told} だと言っていますが、{self._told(latest)} の記録があります",
                "管理者：機械の時計を合わせてください。遅れた時計では、納品の順も保存の期限も違ってしまいます",
            )
        elif _is_synchronized() is False:
            yield NOTE, f"{told}。時刻合わせ（NTP）が動いていません", "管理者：庁内の時刻サーバーに合わせてください"
        else:
            yield WELL, told

    def time_zone(self) -> Found:
        name = self.catalogue.calendar.timezone
        try:
            zone = ZoneInfo(name)
        except ZoneInfoNotFoundError:
            yield WRONG, f"{name} を、この機械は知りません", f"管理者：tzdata を入れてください。{_INSTALL}"
            return
        own = self.now.astimezone().utcoffset()
        same = own == self.now.astimezone(zone).utcoffset()
        yield WELL, f"{name}{'' if same else '（機械の時間帯は違いますが、予定は ' + name + ' で動きます）'}"

    def encoding(self) -> Found:
        found = sys.getfilesystemencoding().lower()
        if found.replace("-", "") != "utf8":
            yield (
                WRONG,
                f"ファイル名の文字コードが {found} です",
                "管理者：サービスの環境を LANG=C.UTF-8 にしてください",
            )
        else:
            yield WELL, "UTF-8"

    # -- what runs

    def ui(self) -> Found:
        addresses = listeners(self.port)
        version = dagster_version_at(self.port)
        elsewhere = [one for one in addresses or () if reachable_from_elsewhere(one)]
        if elsewhere:
            yield (
                WRONG,
                f"ポート {self.port} がほかの機械からも開けます（{'、'.join(elsewhere)}）。画面にログインはありません",
                "管理者：`kodomo ui` は 127.0.0.1 のままにし、ログインと TLS のある代理サーバーを前に置いてください",
            )
        if version is not None:
            yield WELL, f"http://127.0.0.1:{self.port} で動いています（Dagster {version}）"
        elif addresses:
            yield (
                WRONG,
                f"ポート {self.port} は、別のプログラムが使っています",
                "管理者：`kodomo ui --port` で別の番号に",
            )
        else:
            yield (
                NOTE,
                f"ポート {self.port} では動いていません",
                "更新は動きます。見るときは `kodomo ui`（サービスなら起動）",
            )

    def daemon(self) -> Found:
        if not self._has_history():
            yield WRONG, "まだ一度も動いていません", _START_DAEMON
            return
        with self._dagster() as instance:
            beats = instance.get_daemon_heartbeats()
        if not beats:
            yield WRONG, "まだ一度も動いていません", _START_DAEMON
            return
        last = dt.datetime.fromtimestamp(max(beat.timestamp for beat in beats.values()), dt.UTC)
        if self.now - last > _SILENT_AFTER:
            yield WRONG, f"止まっています（最後に動いたのは {self._told(last)}）", _START_DAEMON
            return
        if last > self.now + _LEEWAY:
            yield (
                WRONG,
                f"これから来る時刻（{self._told(last)}）に動いたことになっています",
                "管理者：機械の時計が進んでいました。時計を合わせ、デーモンを起動し直してください",
            )
            return
        failing = sorted(name for name, beat in beats.items() if beat.errors)
        if failing:
            yield (
                WRONG,
                f"動いていますが、うまくいっていません（{'、'.join(failing)}）",
                "更新の担当者：画面の Deployment を見てください",
            )
            return
        yield WELL, f"動いています（{self._told(last)}）"

    def schedules(self) -> Found:
        from kodomo_assets.defs import automation

        declared = automation(self.settings, self.catalogue)
        off = set()
        if self._has_history():
            with self._dagster() as instance:
                states = instance.all_instigator_state()
            off = {one.instigator_name for one in states if one.status.value == "STOPPED"} & declared
        if off:
            yield WRONG, f"切ってあります：{'、'.join(sorted(off))}", "更新の担当者：画面の Automation で入れてください"
        else:
            yield WELL, "、".join(sorted(declared))

    def status(self) -> Found:
        pages = list(self.settings.outbox.glob(f"*/{STATUS}.html"))
        if not pages:
            yield NOTE, "まだありません", "最初の納品のあと、デーモンが作ります"
            return
        newest = max(pages, key=lambda path: path.stat().st_mtime)
        made = dt.datetime.fromtimestamp(newest.stat().st_mtime, dt.UTC)
        told = f"outbox/{newest.parent.name}/{newest.name}（{self._told(made)}）"
        if unsent := unsent_notices(self.settings.outbox):
            yield (
                WRONG,
                f"知らせのメールが送れていません：outbox/{unsent[-1].parent.name}/{unsent[-1].name}",
                "設定の担当者：city.yaml の notify とメールのサーバーを見てください",
            )
        if made > self.now + _LEEWAY:
            yield WRONG, f"これから来る時刻に作ったことになっています：{told}", "管理者：機械の時計を合わせてください"
        elif self.now - made > _PAGE_OLD_AFTER:
            yield NOTE, f"古くなっています：{told}", "デーモンが動いていれば、1 分ごとに新しくなります"
        else:
            yield WELL, f"納品と検査のようすは {told}"

    def backups(self) -> Found:
        noted = made_backups(self.settings)
        if not noted:
            yield WRONG, "一度もとっていません", f"更新の担当者：{_BACK_UP}"
            return
        made, folder = noted[-1]
        told = f"最後は {self._told(made)}、{folder}"
        if self.now - made > _BACKUP_OLD_AFTER:
            yield WRONG, f"{_BACKUP_OLD_AFTER.days} 日より前です：{told}", f"更新の担当者：{_BACK_UP}"
        elif not folder.is_dir():
            yield NOTE, f"いまは見えません：{told}", "外したディスクなら、そのままで構いません"
        elif folder.stat().st_dev == self.settings.data_dir.stat().st_dev:
            yield (
                NOTE,
                f"データと同じディスクにあります：{told}",
                "管理者：別のディスクが外れていないか見てください。ディスクが壊れると、どちらも失われます",
            )
        else:
            yield WELL, told

    def _dagster(self) -> AbstractContextManager[DagsterInstance]:
        """Dagster with the home of this installation, also where no variable names it."""
        # Dagster takes seconds to import
        from kodomo_assets.defs.running import dagster_of

        os.environ["DAGSTER_HOME"] = str(self.settings.dagster_home)
        return dagster_of(self.settings)

    def _has_history(self) -> bool:
        """Whether Dagster ran here: looking would make its files, and those of another account could not be written."""
        home = self.settings.dagster_home
        return (home / CONFIGURATION).exists() and ((home / "history").is_dir() or is_on_postgres(home))

    def _told(self, moment: dt.datetime) -> str:
        try:
            zone = ZoneInfo(self.catalogue.calendar.timezone)
        except ZoneInfoNotFoundError:
            return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


_ACCOUNT = "アカウント"
_AS_TOLD = "上の文のとおりに直してください"
_INSTALL = "管理者：requirements.lock のとおりに入れ直してください（docs/ja/operations.md）"
_VARIABLES = "管理者：サービスとコマンドの環境変数を、どれも同じ値にしてください"
_START_DAEMON = "管理者：`kodomo daemon` のサービスを起動してください。動いていないと、納品されても更新されません"
_LOOK_AT_LAKE = "管理者：目録のデータベースと、行のディスクを見てください"
_RESTORE = "更新の担当者：`kodomo restore` で最後のバックアップを戻してください"
_KEY = "更新の担当者：別に保管してあるこのデータの鍵を置いてください。新しく作ると、全員が別の子どもになってしまいます"
_BACK_UP = "`kodomo backup <別のディスク>` を毎日動かしてください"


def _by_folder(paths: Iterable[Path]) -> dict[Path, list[Path]]:
    found: dict[Path, list[Path]] = {}
    for path in paths:
        found.setdefault(path.parent, []).append(path)
    return found


def _size(paths: Iterable[Path]) -> int:
    files = [one for path in paths for one in (path.rglob("*") if path.is_dir() else (path,)) if one.is_file()]
    return sum(one.stat().st_size for one in files)


def _is_root() -> bool:
    return os.name != "nt" and os.geteuid() == 0


def _other_version(required: Requirement) -> str:
    """``name found, required`` where what is installed is not what is required; empty where it is."""
    if required.marker is not None and not required.marker.evaluate({"extra": ""}):
        return ""
    try:
        found = metadata.version(required.name)
    except metadata.PackageNotFoundError:
        return f"{required.name} なし"
    return (
        ""
        if required.specifier.contains(found, prereleases=True)
        else f"{required.name} {found}（{required.specifier}）"
    )


def _is_synchronized() -> bool | None:
    """Whether the system keeps its clock by a time server; None: not known."""
    program = shutil.which("timedatectl")
    if program is None:
        return None
    done = subprocess.run(  # noqa: S603
        [program, "show", "--property=NTPSynchronized", "--value"], capture_output=True, text=True, check=False
    )
    return {"yes": True, "no": False}.get(re.sub(r"\s", "", done.stdout))
