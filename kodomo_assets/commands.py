"""What the commands of ``python -m kodomo_assets`` do."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.errors import ConfigurationError, DeliveryError, KodomoError, Said, StoreBusyError
from kodomo_assets.machine.home import prepare_home
from kodomo_assets.settings import Settings, project_root
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.own_settings import load_own
from kodomo_assets.vocabulary import INSTALL_GUIDE, RESIDENT, STATUS

_ELSEWHERE = (
    "Backups and copies elsewhere still hold it, and so may blocks of the disk that are free now: delete the backups "
    "of before, and keep the disk encrypted (docs/operations.md)"
)


def run(given: argparse.Namespace) -> int:
    """Runs the command ``given``; 0 = done, 1 = a refresh failed, 2 = something a person has to mend first.

    Raises:
        KodomoError: it cannot be done; the message says what to do.
    """
    settings = Settings.from_environment()
    if given.command in ("ui", "daemon"):
        return _serve(settings, given)
    if given.command == "restore":
        return _restore(settings, given)
    if given.command == "wheelhouse":
        return _wheelhouse(given.folder)
    if given.command == "doctor":
        return _doctor(settings, given)
    if given.command == "export":
        return _export(settings, given)
    if given.command == "host":
        return _host(given)
    if given.command == "pool" and given.step in ("plan", "total"):
        return _coordinate(given)
    catalogue = load_own(settings)
    if given.command == "pool":
        return _pool(settings, catalogue, given)
    if given.command == "install-services":
        return _install_services(settings, catalogue, given)
    if given.command == "templates":
        if given.folder is None:
            # whoever comes first makes the data folder: nobody else may look into it
            settings.data_dir.mkdir(parents=True, mode=0o700, exist_ok=True)
        return _templates(catalogue, given.folder or settings.data_dir / "templates")
    if given.command in ("check", "check-config"):
        return _try(settings, catalogue, given)
    if given.command == "weights":
        from kodomo_assets.doors.proposals import try_proposal

        print("\n".join(try_proposal(settings, catalogue, given.file, validate=given.validate)))
        return 0
    if given.command == "summary":
        return _summary(settings, catalogue, _reference_date(catalogue, given.date))
    if given.command == "explain":
        return _explain(settings, catalogue, given)
    if given.command == "rights":
        return {"disclose": _disclose, "correct": _correct, "stop": _stop}[given.right](settings, catalogue, given)
    if given.command == "forget":
        return _forget(settings, catalogue, given)
    if given.command == "accounts":
        return _accounts(settings, catalogue, given)
    if given.command == "encrypt":
        return _encrypt(settings, catalogue, given)
    if given.command == "worker":
        return _work(settings, given)
    if given.command == "move-store":
        return _move_store(settings, catalogue)
    if given.command == "backup":
        return _backup(settings, catalogue, given)
    if given.command == "after-meeting":
        return _run(settings, catalogue, [_reference_date(catalogue, given.date)], what="after_meeting")
    if given.all:
        return _run(settings, catalogue, *_inbox_dates(settings, catalogue), anew=given.anew, all_there=True)
    return _run(settings, catalogue, [_reference_date(catalogue, given.date)], anew=given.anew)


def _try(settings: Settings, catalogue: Catalogue, given: argparse.Namespace) -> int:
    from kodomo_assets.doors import trial

    if given.command == "check-config":
        tried = trial.try_configuration(settings, catalogue)
    else:
        today = dt.datetime.now(ZoneInfo(catalogue.calendar.timezone)).date()
        day = (
            _reference_date(catalogue, given.date)
            if given.date
            else trial.reference_date_of(catalogue, given.file, today)
        )
        tried = trial.try_file(settings, catalogue, given.file, day)
    print("\n".join(tried.lines))
    return 2 if tried.stops else 0


def _explain(settings: Settings, catalogue: Catalogue, given: argparse.Namespace) -> int:
    from kodomo_assets.doors.explaining import explain_child
    from kodomo_assets.store.asking import who_asks

    day = _reference_date(catalogue, given.date)
    asker = who_asks(settings, catalogue, given.role, given.reason)
    child = _asked_for(given.child, "児童キー、宛名番号、配布番号のどれか")
    print(explain_child(settings, catalogue, asker, child, day))
    return 0


def _disclose(settings: Settings, catalogue: Catalogue, given: argparse.Namespace) -> int:
    from kodomo_assets.doors import disclosing
    from kodomo_assets.store.asking import who_asks

    asker = who_asks(settings, catalogue, given.role, given.reason)
    today = dt.datetime.now(ZoneInfo(catalogue.calendar.timezone)).date()
    number = _asked_for(given.person, RESIDENT)
    if given.release is not None:
        lines = disclosing.release(
            settings, catalogue, asker, number, file=given.release, today=today, dry_run=given.dry_run, warn=_warn
        )
    elif given.confirm is not None:
        lines = disclosing.confirmed(
            settings, catalogue, asker, number, request=given.confirm, dry_run=given.dry_run, warn=_warn
        )
    else:
        lines = disclosing.draft(
            settings,
            catalogue,
            asker,
            number,
            capacity=given.capacity,
            today=today,
            dry_run=given.dry_run,
            warn=_warn,
        )
    print("\n".join(lines))
    return 0


def _correct(settings: Settings, catalogue: Catalogue, given: argparse.Namespace) -> int:
    from kodomo_assets.doors import correcting
    from kodomo_assets.store.asking import who_asks

    asker = who_asks(settings, catalogue, given.role, given.reason)
    today = dt.datetime.now(ZoneInfo(catalogue.calendar.timezone)).date()
    asked = (settings, catalogue, asker, _asked_for(given.person, RESIDENT))
    dry_run = given.dry_run
    if given.apply is not None:
        lines = correcting.apply(*asked, file=given.apply, today=today, dry_run=dry_run, warn=_warn)
    elif given.confirm is not None:
        lines = correcting.confirmed(*asked, request=given.confirm, dry_run=dry_run, warn=_warn)
    elif given.end is not None:
        lines = correcting.end(*asked, request=given.end, dry_run=dry_run)
    elif given.result is not None:
        lines = correcting.result(*asked, request=given.result, dry_run=dry_run)
    elif given.deliver is not None or given.refuse is not None:
        deliver = given.deliver is not None
        request = given.deliver if deliver else given.refuse
        lines = correcting.settle(*asked, request=request, deliver=deliver, dry_run=dry_run)
    else:
        lines = correcting.draft(*asked, capacity=given.capacity, today=today, dry_run=dry_run, warn=_warn)
    print("\n".join(lines))
    return 0


def _coordinate(given: argparse.Namespace) -> int:
    """What the coordinator of a pool does: it has no data folder."""
    from kodomo_assets.doors import pooling

    home, folder = given.home.resolve(), given.dir.resolve()
    catalogue = load_catalogue()
    today = dt.datetime.now(ZoneInfo(catalogue.calendar.timezone)).date()
    if given.step == "plan":
        lines = pooling.plan(home, folder, date=_reference_date(catalogue, given.date), today=today)
    else:
        lines = pooling.total(home, folder, today=today)
    print("\n".join(lines))
    return 0


def _host(given: argparse.Namespace) -> int:
    """What a host of many cities is given: no city's own settings."""
    if given.hosted in {"add-city", "add-database"}:
        from kodomo_assets.doors import hosts

        # each thing is told when it is made: what fails then leaves nothing unsaid
        tell = partial(print, flush=True)
        city = hosts.City(given.code)
        if given.hosted == "add-city":
            hosts.add_city(city, postgres=given.postgres, opened_as=given.opened_as, tell=tell)
        else:
            hosts.add_database(city, given.password_file.resolve(), postgres=given.postgres, tell=tell)
        return 0
    from kodomo_assets.doors.collecting import collect_and_tell

    catalogue = load_catalogue()
    now = dt.datetime.now(ZoneInfo(catalogue.calendar.timezone))
    done, wrong, lacking = collect_and_tell(given.folder.resolve(), given.to.resolve(), catalogue, now)
    print("\n".join(done))
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
    return 2 if lacking else 0


def _pool(settings: Settings, catalogue: Catalogue, given: argparse.Namespace) -> int:
    from kodomo_assets.doors import pooling

    folder = given.dir.resolve()
    today = dt.datetime.now(ZoneInfo(catalogue.calendar.timezone)).date()
    if given.step == "join":
        lines = pooling.join(settings, catalogue, folder, withdraw=given.withdraw, tell=_warn)
    elif given.step == "contribute":
        lines = pooling.contribute(settings, catalogue, folder, today=today, tell=_warn)
    elif given.step == "adopt":
        lines = pooling.adopt(settings, catalogue, folder, role=given.role, reason=given.reason, tell=_warn)
    else:
        lines = pooling.show(settings, catalogue, folder, tell=_warn)
    print("\n".join(lines))
    return 0


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


def _stop(settings: Settings, catalogue: Catalogue, given: argparse.Namespace) -> int:
    from kodomo_assets.doors.stopping import stop_use

    told = stop_use(
        settings,
        catalogue,
        given=_asked_for(given.person, RESIDENT),
        role=given.role,
        reason=given.reason,
        ground=given.ground,
        objection=given.objection,
        end=given.end,
        dry_run=given.dry_run,
    )
    print("\n".join(told))
    return 0


def _asked_for(number: str, what: str) -> str:
    """A person's number; ``-`` is asked for on the terminal."""
    if number != "-":
        return number
    print(f"{what}: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()


def _serve(settings: Settings, given: argparse.Namespace) -> int:
    # Dagster takes seconds to import
    from kodomo_assets.doors.services import run_daemon, serve_ui

    with suppress(KeyboardInterrupt):  # how both are ended
        if given.command == "daemon":
            run_daemon(settings, until_stdin_closes=given.until_stdin_closes)
            return 0
        serve_ui(
            settings,
            host=given.host,
            port=given.port,
            listen_fd=given.listen_fd,
            allowed=given.allow_host,
            read_only=given.read_only,
            daemon=not (given.read_only or given.no_daemon),
        )
    return 0


def _wheelhouse(folder: Path | None) -> int:
    from kodomo_assets.doors.wheelhouse import make_wheelhouse

    checkout = project_root()
    archive = make_wheelhouse(checkout, folder or checkout / "wheelhouse", _warn)
    print(f"{archive}  ({archive.stat().st_size / 1e6:,.0f} MB)\n次は {INSTALL_GUIDE} のとおりに運び、導入してください")
    return 0


def _install_services(settings: Settings, catalogue: Catalogue, given: argparse.Namespace) -> int:
    from kodomo_assets.doors import service_files

    backup_to = given.backup_to.resolve() if given.backup_to else None
    wanted = service_files.services(port=given.port, allowed=given.allow_host, backup_to=backup_to, keep=given.keep)
    installation = service_files.Installation.of(settings, catalogue)
    print("\n".join(service_files.install(given.to, installation, wanted)))
    return 0


def _reference_date(catalogue: Catalogue, text: str) -> dt.date:
    calendar = catalogue.calendar
    expected = Said(
        "YYYY-MM-DD from {first} on, month and day one of {terms}",
        first=calendar.first_reference_date,
        terms=", ".join(calendar.terms),
    )
    try:
        day: dt.date | None = dt.date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not calendar.is_reference_date(day):
        raise ConfigurationError("reference date: found {found!r}, expected {expected}", found=text, expected=expected)
    if day > dt.datetime.now(ZoneInfo(calendar.timezone)).date():
        raise ConfigurationError("reference date: {day} has not come yet; expected one on or before today", day=text)
    return day


def _inbox_dates(settings: Settings, catalogue: Catalogue) -> tuple[list[dt.date], list[str]]:
    """The reference dates that have a folder, oldest first, and what to say of the folders that are none."""
    if not settings.inbox.is_dir():
        raise ConfigurationError(
            "{folder}/: no such folder in KODOMO_DATA_DIR, expected deliveries in it", folder=settings.inbox.name
        )
    from kodomo_assets.office.inbox import dated_folders
    from kodomo_assets.stages.sources.earlier_rosters import serves_links_only

    dates, others = [], []
    for name in sorted(name for name in dated_folders(settings.inbox, catalogue) if name[:1].isdigit()):
        # the refresh of the dates behind it reads such a folder
        if serves_links_only(settings.inbox, catalogue, name):
            continue
        try:
            dates.append(_reference_date(catalogue, name))
        except ConfigurationError as error:
            others.append(f"{settings.inbox.name}/{name}/ is not refreshed: {error}")
    return dates, others


def _templates(catalogue: Catalogue, folder: Path) -> int:
    from kodomo_assets.stages.review.support_workbook import write_support_template
    from kodomo_assets.stages.sources.templates import write_templates

    paths = write_templates(catalogue, folder) + write_support_template(catalogue, folder)
    print(
        f"{len(paths)} templates in {folder}; files that were there already are left alone（前からあるものはそのまま）"
    )
    return 0


def _run(
    settings: Settings,
    catalogue: Catalogue,
    dates: Sequence[dt.date],
    others: Sequence[str] = (),
    what: str = "refresh",
    *,
    anew: bool = True,
    all_there: bool = False,
) -> int:
    """Refreshes the dates in order up to one that fails (later ones rest on it); ``others`` are told at the end.

    Args:
        anew: also a date of which nothing changed since its last refresh.
        all_there: ``dates`` are all that lie there: those of which something was forgotten are told and left out.
    """
    prepare_home(settings)
    # before anything is read: folders, leftovers of killed runs, the key; a run does the same again when it starts
    with open_to_write(settings, catalogue, lambda text: print(text, file=sys.stderr)) as con:
        gone = _forgotten(con, catalogue, dates, comes_back=what != "refresh")
    if gone and not all_there:
        # a date that was named: one
        raise DeliveryError(next(iter(gone.values())))
    for text in gone.values():
        print(text, file=sys.stderr)
    dates = [day for day in dates if day not in gone]
    # Dagster takes seconds to import and reads its home from the environment: not before it is needed.
    from kodomo_assets.defs import refresh as jobs
    from kodomo_assets.defs.running import check_free, dagster_of, end_dead_runs, last_run, purge_runs
    from kodomo_assets.refreshing.completions import is_complete

    job = jobs.refresh if what == "refresh" else jobs.after_meeting
    failed = False
    with dagster_of(settings) as instance:
        for run_id in end_dead_runs(instance, settings, dt.datetime.now(dt.UTC)):
            print(
                f"run {run_id[:8]} was killed and is ended now; its date stays as it was until it is refreshed"
                "（途中で止まった更新を終わりにしました。その基準日は、更新し直すまで前のままです）",
                file=sys.stderr,
            )
        check_free(instance)
        for day in dates:
            newest = last_run(instance, catalogue.calendar.dates_until(day))
            if not anew and is_complete(settings, catalogue, day, newest):
                print(
                    f"{what} {day}: nothing changed since its last refresh; --anew makes it again"
                    "（前の更新から何も変わっていません。作り直すなら --anew）",
                    file=sys.stderr,
                )
                continue
            print(f"{what} {day}", file=sys.stderr)
            if not job(settings, catalogue, day, instance):
                _tell_lines(settings, day)
                print(
                    f"{what} {day} failed; the results of before stand. See the lines above."
                    f"（失敗しました。前の結果は残っています。直す人と直し方は outbox/{day}/{STATUS}.html にあります）",
                    file=sys.stderr,
                )
                failed = True
                break
        with suppress(StoreBusyError):
            purge_runs(instance, settings, catalogue.retention.run_days, dt.datetime.now(dt.UTC))
    _tell_notes(settings, catalogue)
    for text in others:
        print(f"error: {text}", file=sys.stderr)
    if failed:
        return 1
    if dates:
        _summary(settings, catalogue, dates[-1])
    return 2 if others else 0


def _forgotten(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, dates: Sequence[dt.date], *, comes_back: bool
) -> dict[dt.date, str]:
    """Date -> why it is not made any more; ``comes_back``: what follows from what people sent back is to be made."""
    from kodomo_assets.refreshing.forgetting import require_not_forgotten

    told: dict[dt.date, str] = {}
    for day in dates:
        try:
            require_not_forgotten(con, catalogue, day, comes_back=comes_back)
        except DeliveryError as error:
            told[day] = error.said
    return told


def _forget(settings: Settings, catalogue: Catalogue, given: argparse.Namespace) -> int:
    """Deletes what is past retention; with ``--dry-run`` it is counted and nothing is written, the log neither."""
    from kodomo_assets.refreshing.forgetting import preview
    from kodomo_assets.store.asking import who_asks
    from kodomo_assets.store.connection import connect
    from kodomo_assets.store.migrate import require_current

    asker = who_asks(settings, catalogue, given.role, given.reason)
    today = dt.datetime.now(ZoneInfo(catalogue.calendar.timezone)).date()
    if given.dry_run:
        with connect(settings.database, settings.encryption_key_file, read_only=True) as con:
            require_current(con, catalogue)
            print("\n".join(preview(con, settings, catalogue, today)))
        return 0
    prepare_home(settings)
    with open_to_write(settings, catalogue, lambda text: print(text, file=sys.stderr)) as con:
        lines = preview(con, settings, catalogue, today)
    from kodomo_assets.defs.refresh import forget
    from kodomo_assets.defs.running import check_free, dagster_of, end_dead_runs

    with dagster_of(settings) as instance:
        end_dead_runs(instance, settings, dt.datetime.now(dt.UTC))
        check_free(instance)
        if not forget(settings, catalogue, instance, asker.role, asker.reason):
            print(
                f"{given.command} failed. See the lines above; give the command again"
                "（失敗しました。上の文を見て、もう一度打ってください）",
                file=sys.stderr,
            )
            return 1
    from kodomo_assets.store.backups import made_backups

    held = [f"  a backup that holds it: {folder}" for _, folder in made_backups(settings) if folder.exists()]
    print("\n".join([f"deleted, being {lines[0]}", *lines[1:], "", _ELSEWHERE, *held]))
    return 0


def _accounts(settings: Settings, catalogue: Catalogue, given: argparse.Namespace) -> int:
    """Who may read or write what; with ``--set-up`` this account sets what it may, and looks again."""
    from kodomo_assets.store.accounts import set_up, told

    if given.set_up:
        print("\n".join([*set_up(settings, catalogue, dry_run=given.dry_run), ""]).lstrip())
    lines, as_configured = told(settings, catalogue)
    print("\n".join(lines))
    return 0 if as_configured else 2


def _export(settings: Settings, given: argparse.Namespace) -> int:
    from kodomo_assets.doors.exporting import EXCEL_ROWS, export
    from kodomo_assets.store.publish import published_file

    # who may read analyst.duckdb alone names it, and needs no configuration
    database = given.database or published_file(settings, load_catalogue(settings.overlay))
    exported = export(database.resolve(), given.folder.resolve())
    print(
        f"書き出しました：{exported.folder}（{exported.tables} の表とビュー）。取扱いは docs/analysts.md のとおりです"
    )
    for name in exported.too_long:
        print(f"{name} は {EXCEL_ROWS:,} 行より多いので、Excel には入れていません（Parquet にはあります）")
    return 0


def _doctor(settings: Settings, given: argparse.Namespace) -> int:
    from kodomo_assets.doors.doctor import WRONG, examine, page

    now = dt.datetime.now(dt.UTC)
    found = examine(settings, given.port, now)
    print("\n".join(page(settings, found, now)))
    return 2 if any(one.mark == WRONG for one in found) else 0


def _backup(settings: Settings, catalogue: Catalogue, given: argparse.Namespace) -> int:
    from kodomo_assets.store.backups import back_up

    made = back_up(
        settings,
        catalogue,
        given.folder.resolve(),
        now=dt.datetime.now(ZoneInfo(catalogue.calendar.timezone)),
        keep=given.keep,
        patience=60 * given.wait,
        tell=_warn,
    )
    print(f"バックアップを作りました：{made.folder}（{made.files} ファイル、{made.size / 1e6:,.0f} MB）")
    keys = f"仮名の鍵 {settings.key_file}"
    if settings.encryption_key_file is not None:
        keys += f" と、暗号化の鍵 {settings.encryption_key_file}"
    print(
        f"更新を待たせたのは {made.locked:.1f} 秒です。{keys} は入っていません。"
        "バックアップとは別のところに保管してください"
    )
    for old in made.dropped:
        print(f"古いバックアップを消しました：{old.name}")
    for text in made.left_out:
        print(f"写していないもの：{text}", file=sys.stderr)
    return 2 if made.left_out else 0


def _encrypt(settings: Settings, catalogue: Catalogue, given: argparse.Namespace) -> int:
    from kodomo_assets.doors.encrypting import encrypt

    print("\n".join(encrypt(settings, catalogue, rotate=given.rotate, off=given.off, tell=_warn)))
    return 0


def _work(settings: Settings, given: argparse.Namespace) -> int:
    from kodomo_assets.defs.executors import broker_of

    broker = broker_of(settings)
    prepare_home(settings)
    from kodomo_assets.doors.worker import work

    return work(broker, given.concurrency, given.lost_after)


def _move_store(settings: Settings, catalogue: Catalogue) -> int:
    from kodomo_assets.doors.moving import move_store

    print("\n".join(move_store(settings, catalogue, _warn)))
    return 0


def _restore(settings: Settings, given: argparse.Namespace) -> int:
    from kodomo_assets.store.backups import RESTORED_HOME, restore
    from kodomo_assets.store.encryption import VARIABLE

    target = given.to.resolve()
    told = restore(given.backup.resolve(), target, settings.key_file, settings.encryption_key_file)
    print(f"{target} に戻しました。次の値で、すべてのサービスとコマンドを動かしてください：")
    print(f"  KODOMO_DATA_DIR={target}")
    print(f"  DAGSTER_HOME={target / RESTORED_HOME}")
    print(f"  KODOMO_KEY_FILE={settings.key_file}")
    if settings.encryption_key_file is not None:
        print(f"  {VARIABLE}={settings.encryption_key_file}")
    print("\n".join(told))
    if settings.overlay is not None and not settings.overlay.is_relative_to(settings.data_dir):
        print(f"KODOMO_CONFIG は指定しないでください。設定は {target / 'city.yaml'} に戻してあります")
    return 0


def _tell_notes(settings: Settings, catalogue: Catalogue) -> None:
    """Dates that keep results which the configuration of now would not give."""
    from kodomo_assets.refreshing.needs import notes, read_accounts

    with suppress(KodomoError):
        for text in notes(catalogue, read_accounts(settings)):
            print(f"note: {text}", file=sys.stderr)


def _tell_lines(settings: Settings, day: dt.date) -> None:
    """The lines that let in what stopped the refresh, of all tables at once."""
    from kodomo_assets.store.connection import connect

    with suppress(KodomoError), connect(settings.database, settings.encryption_key_file, read_only=True) as con:
        lines = con.execute(
            "select line from sources.faults where reference_date = $1 and blocking and not acknowledged order by all",
            [day],
        ).fetchall()
        if lines:
            print(
                "to let in what was found, under ingest.acknowledged in city.yaml"
                "（承知で受け入れるなら、city.yaml の ingest.acknowledged に書く行）:",
                file=sys.stderr,
            )
            print("\n".join(line for (line,) in lines), file=sys.stderr)


def _summary(settings: Settings, catalogue: Catalogue, day: dt.date) -> int:
    from kodomo_assets.stages.evaluation.funnel import funnel_text
    from kodomo_assets.stages.explanation.child import read_maker
    from kodomo_assets.stages.screening.summary import funnel_summary
    from kodomo_assets.stages.sources.rests_on import changed_settings
    from kodomo_assets.store.connection import connect
    from kodomo_assets.store.migrate import require_current
    from kodomo_assets.store.publish import published_file

    with connect(settings.database, settings.encryption_key_file, read_only=True) as con:
        require_current(con, catalogue)
        print(funnel_summary(con, catalogue, day).text())
        print(f"\n  作成 made by: {read_maker(con, day) or '不明 an earlier version'}")
        if changed := changed_settings(con, catalogue, day):
            print(f"  そのあとに変わった設定 settings changed since: {', '.join(changed)}")
        if decided := funnel_text(con, catalogue, day):
            print(decided)
    print(f"\n分析者 analysts: {published_file(settings, catalogue)}  (read-only; see docs/analysts.md)")
    return 0
