"""``python -m kodomo_assets``: refresh a reference date, show its funnel, write the templates, without the UI."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from kodomo_assets.errors import KodomoError

#: Commands whose only effect is what they print.
_TELLING = frozenset({"explain", "weights", "summary", "check", "check-config"})
_PERSON = "宛名番号; - asks for it, so that no history of the shell keeps it"
_DRY_RUN = "tell what it would do, in counts; nothing is changed but the log of accesses"
#: Where the UI listens.
_PORT = 3000
#: What a shell tells of a process that a closed pipe ended: 128 and the number of SIGPIPE.
_CLOSED_PIPE = 141


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; 0 = done, 1 = a refresh failed, 2 = something a person has to mend first."""
    parser = argparse.ArgumentParser(prog="python -m kodomo_assets", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    refresh = commands.add_parser("refresh", help="bring everything up to date for one reference date")
    refresh.add_argument("date", nargs="?", help="reference date (基準日), YYYY-MM-DD")
    refresh.add_argument("--all", action="store_true", help="all reference dates of the inbox, oldest first")
    refresh.add_argument("--anew", action="store_true", help="also where nothing changed since the last refresh")
    after = commands.add_parser("after-meeting", help="read decisions and support, make the school lists")
    after.add_argument("date", help="reference date (基準日), YYYY-MM-DD")
    summary = commands.add_parser("summary", help="show the funnel of a refreshed reference date")
    summary.add_argument("date", help="reference date (基準日), YYYY-MM-DD")
    templates = commands.add_parser("templates", help="write an empty Excel workbook per table, for the offices")
    templates.add_argument("folder", nargs="?", type=Path, help="where to; default: templates/ in the data folder")
    check = commands.add_parser("check", help="try a delivered file as a refresh would read it; nothing is changed")
    check.add_argument("file", type=Path, help="a file of any table")
    check.add_argument("--date", help="reference date (基準日); default: that of the file's folder, else the newest")
    commands.add_parser("check-config", help="try the configuration, also against what lies in the inbox")
    one = commands.add_parser("explain", help="why a child stands where it stands; for the centre only, logged")
    one.add_argument(
        "child", help="児童キー, 宛名番号 or 配布番号; - asks for it, so that no history of the shell keeps it"
    )
    one.add_argument("date", help="reference date (基準日), YYYY-MM-DD")
    _add_asker(one)
    _add_rights(commands)
    forget = commands.add_parser("forget", help="delete what is past retention (docs/operations.md)")
    forget.add_argument("--dry-run", action="store_true", help="count it, and change nothing")
    _add_asker(forget)
    accounts = commands.add_parser("accounts", help="who may read or write what, and what is otherwise on the disk")
    accounts.add_argument("--set-up", action="store_true", help="set what this account may; root's commands are told")
    accounts.add_argument("--dry-run", action="store_true", help="with --set-up: tell it, and change nothing")
    doctor = commands.add_parser("doctor", help="この機械の何がおかしいか、誰が何をすればよいか。何も変えない")
    doctor.add_argument("--port", type=int, default=_PORT, help=f"画面のポート。既定 {_PORT}")
    _add_weights(commands)
    _add_backups(commands)
    _add_services(commands)
    _add_installing(commands)
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        # a word may be somebody's number
        told = [word.partition("=")[0] if word.startswith("--") else "a word" for word in unknown]
        parser.error(f"unrecognized arguments: {', '.join(told)}")
    if given.command == "refresh" and given.date is None and not given.all:
        parser.error("refresh needs a reference date or --all")
    if given.command == "accounts" and given.dry_run and not given.set_up:
        parser.error("accounts --dry-run tells what --set-up would do: give both; without them nothing is changed")
    try:
        return _run(given)
    except KodomoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; what was stored before stands", file=sys.stderr)
        return 1
    except Exception as error:
        from kodomo_assets.machine.system_errors import explain, unexpected

        known = explain(error)
        print(f"error: {known or unexpected(error)}", file=sys.stderr)
        return 2 if known else 1


def _run(given: argparse.Namespace) -> int:
    """Who reads what a command tells may go away before its end (``| head``): no error of the command."""
    # after the arguments: a question for help must not wait for pandas
    from kodomo_assets.commands import run

    try:
        code = run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        if given.command not in _TELLING:
            raise
        # Python would complain of what is left in its buffer when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CLOSED_PIPE
    return code


def _add_asker(command: argparse.ArgumentParser) -> None:
    """Who gives a command that looks at people, and why: each refuses without (``kodomo_assets.store.asking``)."""
    command.add_argument("--role", help="who asks: one of rights.roles of the configuration")
    command.add_argument("--reason", help="why, in a few words without anybody's name; both are kept in the log")


def _add_rights(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What one person asks of the centre (個人情報保護法)."""
    of_rights = commands.add_parser("rights", help="what one person asks: the centre's own commands, logged")
    asked = of_rights.add_subparsers(dest="right", required=True)
    disclose = asked.add_parser("disclose", help="開示: a draft for the officer, then the file for the person")
    _add_right(disclose)
    disclose.add_argument("--capacity", help="who asks: 本人, 法定代理人 or 任意代理人")
    then = disclose.add_mutually_exclusive_group()
    then.add_argument("--confirm", metavar="REQUEST", help="a second role confirms a request that waits for it")
    then.add_argument("--release", metavar="FILE", type=Path, help="the filled draft: makes the file for the person")
    correct = asked.add_parser("correct", help="訂正: a draft for the officer, whose corrections count from then on")
    _add_right(correct)
    correct.add_argument("--capacity", help="who asks: 本人, 法定代理人 or 任意代理人")
    then = correct.add_mutually_exclusive_group()
    then.add_argument("--confirm", metavar="REQUEST", help="a second role confirms a request that waits for it")
    then.add_argument("--apply", metavar="FILE", type=Path, help="the filled draft: what is corrected from now on")
    then.add_argument(
        "--deliver", metavar="REQUEST", help="the office mends it in its next delivery: nothing is done here"
    )
    then.add_argument("--refuse", metavar="REQUEST", help="nothing is corrected (93条2項); the log keeps the reason")
    then.add_argument("--result", metavar="REQUEST", help="what it changed, in counts, once the date is made anew")
    then.add_argument("--end", metavar="REQUEST", help="its corrections end: what the office delivered counts again")
    stop = asked.add_parser("stop", help="利用停止 or 異議: a child is neither scored nor shown from now on")
    _add_right(stop)
    stop.add_argument("--ground", help="on what ground it was granted; kept in the register")
    stop.add_argument("--objection", action="store_true", help="異議 by the city's own rule, not 利用停止 (98条)")
    stop.add_argument("--end", action="store_true", help="the stop that is in force ends")


def _add_right(command: argparse.ArgumentParser) -> None:
    """What every command of ``rights`` is given."""
    command.add_argument("person", metavar="ID", help=_PERSON)
    _add_asker(command)
    command.add_argument("--dry-run", action="store_true", help=_DRY_RUN)


def _add_weights(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    of_weights = commands.add_parser("weights", help="try a proposal for the weights").add_subparsers(required=True)
    proposal = of_weights.add_parser("try", help="compare a proposal with the weights in force; nothing is changed")
    proposal.add_argument("file", type=Path, help="YAML with keys of `weights` and `items`, as in city.yaml")
    proposal.add_argument("--validate", action="store_true", help="also out of fold, which takes five times as long")


def _add_backups(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    backup = commands.add_parser("backup", help="データ全体のバックアップ（仮名の鍵は入らない）")
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


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _add_services(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ui = commands.add_parser("ui", help="the Dagster UI with its schedules and sensors, for this machine only")
    ui.add_argument("--read-only", action="store_true", help="to look only: nothing can be started, no daemon")
    ui.add_argument("--no-daemon", action="store_true", help="the daemon is a service of its own")
    ui.add_argument("--host", default="127.0.0.1", help="address to listen on; default: this machine only")
    ui.add_argument("--port", type=int, default=_PORT)
    ui.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name by which a proxy in front is opened"
    )
    daemon = commands.add_parser("daemon", help="schedules and sensors alone, beside `ui --no-daemon`")
    daemon.add_argument("--until-stdin-closes", action="store_true", help=argparse.SUPPRESS)


def _add_installing(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What is given once per machine or version, before there is a delivery."""
    wheelhouse = commands.add_parser("wheelhouse", help="one archive to install from without internet, of a checkout")
    wheelhouse.add_argument("folder", nargs="?", type=Path, help="where to; default: wheelhouse/ in the checkout")


if __name__ == "__main__":
    # what a library meets while it cleans up after a full disk would be printed as it is, text included
    sys.unraisablehook = lambda _met: None
    sys.exit(main())
