"""``python -m kodomo_assets``: refresh a reference date, show its funnel, write the templates, without the UI."""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
from pathlib import Path

from kodomo_assets.errors import OF_MACHINE, OF_PROGRAM, KodomoError, with_remedy
from kodomo_assets.usage import Parser

_ABOUT = "こどもに関するデータを基準日ごとに更新し、判定会議の参考となる一覧を作ります。一覧は判定ではありません。"
_GUIDE = "コマンドごとの説明は `kodomo コマンド --help`、使い方は docs/ja/README.md にあります。"
_PERSON = "宛名番号。- とすると番号をたずねるので、シェルの履歴に残らない"
_DRY_RUN = "何をするかを件数で示すだけ。変わるのはアクセスの記録だけ"
_DATE = "基準日（YYYY-MM-DD）"
#: Where the UI listens.
_PORT = 3000
#: The administrator of this machine's PostgreSQL, whom Debian lets in by his account of the system.
LOCAL_POSTGRES = "host=/var/run/postgresql user=postgres"
#: Seconds; no step of the largest city that was measured takes a minute.
_LOST_AFTER = 900
#: A refresh makes nearly a million objects that stay and hardly a cycle: at Python's own 700 it looks for cycles a
#: thousand times.
NEW_OBJECTS = 50_000
#: What a shell tells of a process that a closed pipe ended: 128 and the number of SIGPIPE.
_CLOSED_PIPE = 141


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; 0 = done, 1 = a refresh failed, 2 = something a person has to mend first."""
    _tell_in_japanese()
    gc.set_threshold(NEW_OBJECTS)
    parser = command_line()
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        # a word may be somebody's number
        told = [word.partition("=")[0] if word.startswith("--") else "a word" for word in unknown]
        parser.error(f"unrecognized arguments: {', '.join(told)}")
    if given.command == "refresh" and given.date is None and not given.all:
        parser.error("refresh には基準日か --all が要ります (refresh needs a reference date or --all)")
    if given.command == "accounts" and given.dry_run and not given.set_up:
        parser.error(
            "accounts の --dry-run は --set-up とともに使います。どちらも付けなければ何も変えません"
            " (accounts --dry-run tells what --set-up would do: give both)"
        )
    if given.command == "install-services" and given.keep is not None and given.backup_to is None:
        parser.error(
            "install-services の --keep は --backup-to とともに使います"
            " (install-services --keep tells how many backups stay: give --backup-to too)"
        )
    try:
        return _run(given)
    except KodomoError as error:
        print(f"error: {error}\n{error.ja}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; what was stored before stands（止めました。前の結果は残っています）", file=sys.stderr)
        return 1
    except Exception as error:
        from kodomo_assets.machine.system_errors import explain, unexpected

        known = explain(error)
        ja = with_remedy(known, OF_MACHINE if known else OF_PROGRAM)
        print(f"error: {known or unexpected(error)}\n{ja}", file=sys.stderr)
        return 2 if known else 1


def command_line() -> Parser:
    """Every command with its arguments; what staff read of them is Japanese."""
    parser = Parser(prog="kodomo", description=_ABOUT, epilog=_GUIDE)
    commands = parser.add_commands("command")
    refresh = commands.add_parser("refresh", help="一つの基準日に必要なものをすべて更新する")
    refresh.add_argument("date", nargs="?", metavar="DATE", help=_DATE)
    refresh.add_argument("--all", action="store_true", help="受信フォルダーのすべての基準日を、古い順に")
    refresh.add_argument("--anew", action="store_true", help="前の更新から何も変わっていなくても作り直す")
    after = commands.add_parser("after-meeting", help="判定と支援記録を読み、学校別の名簿（支援対象者）を作る")
    after.add_argument("date", metavar="DATE", help=_DATE)
    summary = commands.add_parser("summary", help="更新した基準日の人数を表示する")
    summary.add_argument("date", metavar="DATE", help=_DATE)
    templates = commands.add_parser("templates", help="各部署に渡す、表ごとの空の Excel を作る")
    templates.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="作る場所。既定はデータフォルダーの templates/"
    )
    check = commands.add_parser("check", help="提出されたファイルを更新と同じように読んでみる。何も変えない")
    check.add_argument("file", type=Path, metavar="FILE", help="どの表のファイルでもよい")
    check.add_argument("--date", help="基準日。既定はファイルのあるフォルダーの日付、なければ最新")
    commands.add_parser("check-config", help="設定（city.yaml）を試し、受信フォルダーとも照らし合わせる。何も変えない")
    one = commands.add_parser("explain", help="一人の児童がその順位にある理由。センター限り。だれが見たかを記録する")
    one.add_argument(
        "child",
        metavar="CHILD",
        help="児童キー、宛名番号、配布番号のどれか。- とすると番号をたずねるので、シェルの履歴に残らない",
    )
    one.add_argument("date", metavar="DATE", help=_DATE)
    _add_asker(one)
    _add_rights(commands)
    forget = commands.add_parser("forget", help="保存期間を過ぎたものを消す（docs/ja/operations.md）")
    forget.add_argument("--dry-run", action="store_true", help="件数を示すだけで、何も変えない")
    _add_asker(forget)
    accounts = commands.add_parser("accounts", help="だれが何を読み書きできるか。ディスクの実際と照らし合わせる")
    accounts.add_argument(
        "--set-up", action="store_true", help="このアカウントでできることを設定し、root のするコマンドを示す"
    )
    accounts.add_argument(
        "--dry-run", action="store_true", help="--set-up とともに使う。することを示すだけで、何も変えない"
    )
    doctor = commands.add_parser("doctor", help="この機械の何がおかしいか、誰が何をすればよいか。何も変えない")
    doctor.add_argument("--port", type=int, default=_PORT, help=f"画面のポート。既定 {_PORT}")
    _add_weights(commands)
    _add_pool(commands)
    _add_host(commands)
    _add_backups(commands)
    _add_encryption(commands)
    _add_export(commands)
    _add_services(commands)
    _add_installing(commands)
    return parser


def _tell_in_japanese() -> None:
    """No command ends in the middle because of what the terminal's locale cannot write: that of C writes UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            try:
                _GUIDE.encode(stream.encoding)
            except UnicodeEncodeError:
                stream.reconfigure(encoding="utf-8")
            stream.reconfigure(errors="backslashreplace")


def _run(given: argparse.Namespace) -> int:
    """Who reads what a command tells may go away before its end (``| head``): no error of the command.

    What it does is done by then: it tells at its end.
    """
    # after the arguments: a question for help must not wait for pandas
    from kodomo_assets.commands import run

    try:
        code = run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain of what is left in its buffer when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CLOSED_PIPE
    return code


def _add_asker(command: argparse.ArgumentParser) -> None:
    """Who gives a command that looks at people, and why: each refuses without (``kodomo_assets.store.asking``)."""
    command.add_argument("--role", help="だれが求めるか。設定の rights.roles にある役職の一つ")
    command.add_argument("--reason", help="理由を短く。人の名前は書かない。役職とともに記録に残る")


def _add_rights(commands: argparse._SubParsersAction[Parser]) -> None:
    """What one person asks of the centre (個人情報保護法)."""
    of_rights = commands.add_parser("rights", help="本人の請求（開示・訂正・利用停止）。センター限り。記録に残る")
    asked = of_rights.add_commands("right")
    disclose = asked.add_parser(
        "disclose", help="開示。職員のための案を作り、区分を入れて戻すと、本人に渡すファイルになる"
    )
    _add_right(disclose)
    disclose.add_argument("--capacity", help="請求する人：本人、法定代理人、任意代理人")
    then = disclose.add_mutually_exclusive_group()
    then.add_argument("--confirm", metavar="REQUEST", help="確認待ちの請求を、別の役職が確認する")
    then.add_argument("--release", metavar="FILE", type=Path, help="記入した案。本人に渡すファイルを作る")
    correct = asked.add_parser("correct", help="訂正。職員のための案を作り、正しい内容を入れて戻すと、以後その値を使う")
    _add_right(correct)
    correct.add_argument("--capacity", help="請求する人：本人、法定代理人、任意代理人")
    then = correct.add_mutually_exclusive_group()
    then.add_argument("--confirm", metavar="REQUEST", help="確認待ちの請求を、別の役職が確認する")
    then.add_argument("--apply", metavar="FILE", type=Path, help="記入した案。以後この訂正を使う")
    then.add_argument("--deliver", metavar="REQUEST", help="担当課が次の提出で直す。ここでは何もしない")
    then.add_argument("--refuse", metavar="REQUEST", help="訂正しない（93条2項）。理由は記録に残る")
    then.add_argument("--result", metavar="REQUEST", help="更新のあと、何が変わったかを件数で示す")
    then.add_argument("--end", metavar="REQUEST", help="訂正を終える。担当課の提出した値に戻る")
    stop = asked.add_parser("stop", help="利用停止または異議。以後その児童を採点も表示もしない")
    _add_right(stop)
    stop.add_argument("--ground", help="認めた根拠。受付簿に残る")
    stop.add_argument("--objection", action="store_true", help="利用停止（98条）でなく、市のきまりによる異議")
    stop.add_argument("--end", action="store_true", help="効いている利用停止または異議を解除する")


def _add_right(command: argparse.ArgumentParser) -> None:
    """What every command of ``rights`` is given."""
    command.add_argument("person", metavar="ID", help=_PERSON)
    _add_asker(command)
    command.add_argument("--dry-run", action="store_true", help=_DRY_RUN)


def _add_weights(commands: argparse._SubParsersAction[Parser]) -> None:
    of_weights = commands.add_parser("weights", help="重みの案を試す")
    tried = of_weights.add_commands("tried")
    proposal = tried.add_parser("try", help="重みの案を、いまの重みと比べる。何も変えない")
    proposal.add_argument("file", type=Path, metavar="FILE", help="city.yaml と同じ形の weights と items を書いた YAML")
    proposal.add_argument("--validate", action="store_true", help="交差検証でも比べる。五倍ほど時間がかかる")


def _add_pool(commands: argparse._SubParsersAction[Parser]) -> None:
    """Weights from many cities: a file out and a file back (docs/cities.md)."""
    of_pool = commands.add_parser("pool", help="多くの市区町村で重みを求める。記録は出さず、覆面した合計だけを出す")
    steps = of_pool.add_commands("step")
    join = steps.add_parser("join", help="参加のファイルを書く（市区町村）")
    join.add_argument("--withdraw", action="store_true", help="最初の計画の前に、参加をやめる")
    plan = steps.add_parser("plan", help="次の回を始める（取りまとめ役）")
    plan.add_argument("--date", required=True, metavar="R", help=_DATE)
    contribute = steps.add_parser("contribute", help="計画に答える（市区町村）。一回に一度だけ")
    total = steps.add_parser("total", help="答えを合計し、次を示す（取りまとめ役）")
    adopt = steps.add_parser("adopt", help="結果の重みを採用する（市区町村）。だれがなぜ決めたかを記録する")
    _add_asker(adopt)
    show = steps.add_parser("show", help="答えたものと、結果を示す（市区町村）")
    for step in (join, plan, contribute, total, adopt, show):
        step.add_argument("--dir", type=Path, required=True, metavar="D", help="やりとりするファイルのフォルダー")
    for step in (plan, total):
        step.add_argument("--home", type=Path, required=True, metavar="K", help="取りまとめ役の鍵と設定のフォルダー")


def _add_host(commands: argparse._SubParsersAction[Parser]) -> None:
    """Many cities on one host, each with all of its own (docs/hosts.md); it sees what they give (host-tables.md)."""
    of_host = commands.add_parser("host", help="多くの市区町村を一つのホストで動かす")
    asked = of_host.add_commands("hosted")
    collect = asked.add_parser("collect", help="市区町村が出した集計を、一つのデータベースとページに集める")
    collect.add_argument(
        "folder", type=Path, metavar="FOLDER", help="市区町村のフォルダー（082201_つくば市 のような名前）のあるところ"
    )
    collect.add_argument("--to", type=Path, required=True, metavar="HOME", help="データベースとページを置くフォルダー")
    add = asked.add_parser(
        "add-city",
        help="一つの市区町村に要るもの（アカウント、フォルダー、PostgreSQL のデータベース、設定）を作る。root で。"
        "二度打ってもかまわない",
    )
    database = asked.add_parser(
        "add-database",
        help="そのうち PostgreSQL のロールとデータベースだけを作る（コンテナーで動かす市区町村に）。"
        "二度打ってもかまわない",
    )
    for one in (add, database):
        one.add_argument("code", metavar="CODE", help="全国地方公共団体コード（6桁）")
        one.add_argument(
            "--postgres",
            metavar="CONNECTION",
            default=LOCAL_POSTGRES,
            help=f"PostgreSQL の管理者の接続。パスワードは PGPASSFILE のファイルに。既定 {LOCAL_POSTGRES}",
        )
    database.add_argument(
        "--password-file",
        type=Path,
        required=True,
        metavar="FILE",
        help="ロールのパスワードのファイル（PGPASSFILE に使える）。なければ作る",
    )
    add.add_argument("--opened-as", metavar="NAME", help="手前のプロキシを開くときの名前")


def _add_backups(commands: argparse._SubParsersAction[Parser]) -> None:
    backup = commands.add_parser("backup", help="データ全体のバックアップ（鍵は入らない）")
    backup.add_argument(
        "folder", type=Path, metavar="FOLDER", help="別のディスクのフォルダー。この中に日時の名前で作る"
    )
    backup.add_argument("--keep", type=_count, metavar="N", help="新しいものから N 個を残し、古いものを消す")
    backup.add_argument("--wait", type=float, default=30, metavar="MINUTES", help="更新中なら待つ時間（分）。既定 30")
    restore = commands.add_parser("restore", help="バックアップを新しいデータフォルダーに戻す")
    restore.add_argument("backup", type=Path, metavar="BACKUP", help="`backup` が作ったフォルダー（kodomo-backup-…）")
    restore.add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="新しいデータフォルダー。空かまだないもの"
    )


def _add_encryption(commands: argparse._SubParsersAction[Parser]) -> None:
    encrypt = commands.add_parser(
        "encrypt", help="kodomo.duckdb を、KODOMO_ENCRYPTION_KEY_FILE の鍵で暗号化する（鍵がなければ作る）"
    )
    then = encrypt.add_mutually_exclusive_group()
    then.add_argument("--rotate", action="store_true", help="新しい鍵を作り、その鍵で書き直す")
    then.add_argument("--off", action="store_true", help="暗号化をやめて書き直す")
    worker = commands.add_parser("worker", help="KODOMO_EXECUTOR が celery のとき、更新の手順を引き受ける")
    worker.add_argument("--concurrency", type=int, default=1, metavar="N", help="同時に引き受ける数（既定 1）")
    worker.add_argument(
        "--lost-after",
        type=int,
        default=_LOST_AFTER,
        metavar="SECONDS",
        help="終わりが知らされない手順を、ほかの worker に渡すまでの秒数。いちばん長い手順より長く（既定 900）",
    )
    commands.add_parser("move-store", help="すべての表を KODOMO_STORE の場所（なければ kodomo.duckdb）に移す")


def _add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser("export", help="analyst.duckdb を Parquet と Excel に書き出す（分析者も使える）")
    export.add_argument("folder", type=Path, metavar="FOLDER", help="書き出し先。この中に基準日と公開日時の名前で作る")
    export.add_argument(
        "--from", dest="database", type=Path, metavar="FILE", help="analyst.duckdb の場所。既定は設定のとおり"
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _add_services(commands: argparse._SubParsersAction[Parser]) -> None:
    ui = commands.add_parser("ui", help="Dagster の画面と、スケジュール・センサーを動かす。この機械からだけ開ける")
    ui.add_argument("--read-only", action="store_true", help="見るだけ。何も始められず、デーモンも動かさない")
    ui.add_argument("--no-daemon", action="store_true", help="デーモンを別のサービスにする")
    ui.add_argument("--host", default="127.0.0.1", help="待ち受けるアドレス。既定はこの機械だけ")
    ui.add_argument(
        "--listen-fd",
        type=int,
        metavar="N",
        help="アドレスの代わりに、起動したもの（systemd の socket）が開いたソケット。番号は 3",
    )
    _add_address(ui)
    daemon = commands.add_parser("daemon", help="スケジュールとセンサーだけを動かす。`ui --no-daemon` と並べて使う")
    daemon.add_argument("--until-stdin-closes", action="store_true", help=argparse.SUPPRESS)


def _add_installing(commands: argparse._SubParsersAction[Parser]) -> None:
    """What is given once per machine or version, before there is a delivery."""
    wheelhouse = commands.add_parser("wheelhouse", help="インターネットのない機械に導入するための一つの書庫を作る")
    wheelhouse.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="作る場所。既定はソースの wheelhouse/"
    )
    of_services = commands.add_parser("install-services", help="画面とデーモンをサービスにする定義を書く")
    of_services.add_argument("--to", metavar="FOLDER", type=Path, required=True, help="書く場所")
    _add_address(of_services)
    of_services.add_argument("--backup-to", metavar="FOLDER", type=Path, help="毎晩のバックアップも、その場所に作る")
    of_services.add_argument("--keep", type=_count, metavar="N", help="--backup-to とともに：新しい N 個を残す")


def _add_address(command: Parser) -> None:
    command.add_argument("--port", type=int, default=_PORT, help=f"画面のポート。既定 {_PORT}")
    command.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="手前のプロキシを開くときの名前"
    )


if __name__ == "__main__":
    # what a library meets while it cleans up after a full disk would be printed as it is, text included
    sys.unraisablehook = lambda _met: None
    sys.exit(main())
