"""``pool``: weights from many cities, records from none (docs/cities.md); what each command tells a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import PoolError
from kodomo_assets.pool import rounds
from kodomo_assets.pool.beside import beside
from kodomo_assets.pool.coordinator import Coordinator
from kodomo_assets.pool.documents import PLAN, RESULT
from kodomo_assets.pool.engine import Engine
from kodomo_assets.pool.files import files_of
from kodomo_assets.pool.keys import coordinator_file, load_keys, made_keys
from kodomo_assets.pool.ledger import answers, drop_files
from kodomo_assets.pool.member import Member, Outcome
from kodomo_assets.pool.rounds import Asked
from kodomo_assets.pool.rules import require_code
from kodomo_assets.settings import Settings
from kodomo_assets.stages.weights.pooled import make_pooled_tables
from kodomo_assets.store.asking import who_asks
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.register import Asker, note_access
from kodomo_assets.store.tables import replace, transaction

_VARIABLE = "KODOMO_KEY_FILE"
_TELL_BY_TELEPHONE = (
    "この指紋を、電話か紙で、ほかの参加市区町村と取りまとめ役に伝えてください（ファイルの中の指紋を信じないでください）"
)
_KEEP_KEY = "この鍵を、データともバックアップとも別のところに保管してください。バックアップには入りません"


def join(
    settings: Settings,
    catalogue: Catalogue,
    folder: Path,
    *,
    withdraw: bool,
    tell: Callable[[str], None],
    engine: Engine = rounds,
) -> list[str]:
    """Writes the joining file, or that the city does not take part.

    Raises:
        KodomoError: as ``pool.member.Member.join`` and ``withdraw``.
    """
    _require_folder(folder)
    with open_to_write(settings, catalogue, tell) as con:
        if not settings.pool_key_file.exists() and (answers(con) or catalogue.pool.code in catalogue.pool.members):
            raise PoolError(
                "{path} is not there, and this city has pooled or stands in pool.members with its fingerprint: the key "
                "is lost or was moved. Put it back, or take the city out of pool.members, join with a new one and tell "
                "its fingerprint to all",
                path=settings.pool_key_file,
            )
        require_code(catalogue.pool)
        keys, new = made_keys(settings.pool_key_file, _VARIABLE)
        member = Member(con, catalogue, keys, engine)
        told = [f"鍵を作りました：{keys.path}。{_KEEP_KEY}"] if new else []
        if withdraw:
            return [*told, f"辞退のファイルを書きました：{member.withdraw(folder)}"]
        member, file = member.join(folder)
    return [
        *told,
        f"参加のファイルを書きました：{file}",
        f"この市の鍵の指紋：{keys.fingerprint}",
        _TELL_BY_TELEPHONE,
        "結果が出るまで、この基準日のデータ（行列、世帯、相談記録）を変えないでください。変わると、答えられません",
    ]


def contribute(
    settings: Settings,
    catalogue: Catalogue,
    folder: Path,
    *,
    today: dt.date,
    tell: Callable[[str], None],
    engine: Engine = rounds,
) -> list[str]:
    """Answers the newest plan in ``folder``.

    Raises:
        KodomoError: as ``pool.member.Member.contribute``.
    """
    _require_folder(folder)
    with open_to_write(settings, catalogue, tell) as con:
        member = Member(con, catalogue, load_keys(settings.pool_key_file, _VARIABLE), engine)
        file, answer, again = member.contribute(folder, today)
    return [
        f"{'前に答えたものと同じファイルを、もう一度書きました' if again else '答えを書きました'}：{file}",
        f"基準日 {answer.date}、第{answer.round}回（{answer.asked}）、参加 {len(answer.members)} 市区町村、"
        f"数 {answer.length:,} 個。数はすべて覆面してあり、全員の合計だけが読めます",
    ]


def show(
    settings: Settings,
    catalogue: Catalogue,
    folder: Path,
    *,
    tell: Callable[[str], None],
    engine: Engine = rounds,
) -> list[str]:
    """What was asked and answered; where there is a result, what it is beside the city's own weights.

    The key of the masks goes with the result.

    Raises:
        KodomoError: as ``pool.member.Member.result``.
    """
    _require_folder(folder)
    with open_to_write(settings, catalogue, tell) as con:
        lines = [
            f"{one.date} 第{one.round}回 {one.asked}：参加 {len(one.members)}（{'、'.join(one.members)}）、"
            f"数 {one.length:,} 個、答えた日時 {one.answered_at:%Y-%m-%d %H:%M}"
            for one in answers(con)
        ] or ["まだ何も答えていません"]
        if not files_of(folder, RESULT):
            return lines
        member = Member(con, catalogue, load_keys(settings.pool_key_file, _VARIABLE), engine)
        outcome = member.result(folder)
        lines += beside(con, catalogue, outcome)
        with transaction(con):
            drop_files(con, outcome.date)
        member.keys.ended(outcome.date)
    return lines


def adopt(
    settings: Settings,
    catalogue: Catalogue,
    folder: Path,
    *,
    role: str | None,
    reason: str | None,
    tell: Callable[[str], None],
    engine: Engine = rounds,
) -> list[str]:
    """Keeps the weights of the newest result as a version of their own: from the next refresh of its date they serve
    where those of the city do not.

    Raises:
        KodomoError: role or reason is missing; as ``pool.member.Member.result``; it was adopted already.
    """
    _require_folder(folder)
    asker = who_asks(settings, catalogue, role, reason)
    with open_to_write(settings, catalogue, tell) as con:
        member = Member(con, catalogue, load_keys(settings.pool_key_file, _VARIABLE), engine)
        outcome = member.result(folder)
        # before anything else: the result is there, and who adopts again finds nothing to take off
        member.keys.ended(outcome.date)
        version = _kept(con, catalogue, outcome, asker)
    return [
        f"採用しました：{version}（{'、'.join(catalogue.bands[band].ja for band in outcome.result.bands)}）",
        f"`kodomo refresh {outcome.date}` から、この市で推定した重みが使えない区分に用います",
        "やりとりしたファイルの合計は、もう要りません。フォルダーごと消してください",
    ]


def _kept(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, outcome: Outcome, asker: Asker) -> str:
    """The version that the adopted weights are kept as."""
    if not outcome.result.bands:
        raise PoolError(
            "the result of {date} holds no weights of any band, expected one at least; nothing was adopted",
            date=outcome.date,
        )
    there = con.execute(
        "select version from weights.versions where fingerprint = $1 limit 1", [outcome.digest]
    ).fetchone()
    if there:
        raise PoolError("the result of {date} was adopted already, as {version}", date=outcome.date, version=there[0])
    version, made = make_pooled_tables(
        con,
        catalogue,
        outcome.date,
        outcome.result.content["bands"],
        outcome.without,
        outcome.children,
        fingerprint=outcome.digest,
        role=asker.role,
        reason=asker.reason,
    )

    def noted(con: duckdb.DuckDBPyConnection) -> list[CheckOutcome]:
        drop_files(con, outcome.date)
        note_access(con, asker, "pool adopt", None)
        return []

    replace(
        con,
        [(catalogue.output(table), source) for table, source in made.items()],
        {"reference_date": outcome.date, "version": version},
        [noted],
    )
    return version


def plan(home: Path, folder: Path, *, date: dt.date, today: dt.date, engine: Engine = rounds) -> list[str]:
    """Opens the next round of the pool of ``date``; makes the coordinator's key where there is none.

    Raises:
        KodomoError: as ``pool.coordinator.Coordinator.plan``.
    """
    _require_folder(folder)
    if not coordinator_file(home).exists() and files_of(home, PLAN):
        raise PoolError(
            "{path} is not there, but plans that it signed are: the coordinator's key is lost or was moved. Put it "
            "back; without it no pool of this folder goes on",
            path=coordinator_file(home),
        )
    keys, new = made_keys(coordinator_file(home), "--home")
    told = [f"鍵を作りました：{keys.path}。{_KEEP_KEY}"] if new else []
    catalogue = _shared(home)
    if new and not catalogue.pool.members:
        return [
            *told,
            f"取りまとめ役の鍵の指紋：{keys.fingerprint}",
            "この指紋を、電話か紙で、参加市区町村に伝えてください",
            f"参加市区町村とその鍵の指紋を {home / 'city.yaml'} の pool.members に書いて、もう一度打ってください",
        ]
    file, content = Coordinator(home, catalogue, keys, engine).plan(folder, date, today)
    return [
        *told,
        f"計画を書きました：{file}",
        f"第{content.round}回（{content.asked.name}）、数 {content.asked.length:,} 個、"
        f"参加 {len(content.joins)} 市区町村、期限 {content.last_day}",
        "参加市区町村は `kodomo pool contribute` で答えます。そろったら `kodomo pool total` です",
    ]


def total(home: Path, folder: Path, *, today: dt.date, engine: Engine = rounds) -> list[str]:
    """Closes the open round, and says what comes next.

    Raises:
        KodomoError: as ``pool.coordinator.Coordinator.total``.
    """
    _require_folder(folder)
    coordinator = Coordinator(home, _shared(home), load_keys(coordinator_file(home), "--home"), engine)
    file, content, following = coordinator.total(folder, today)
    if isinstance(following, Asked):
        return [
            f"第{content.round}回の合計を書きました：{file}",
            f"次は第{content.round + 1}回（{following.name}）：`kodomo pool plan --date {content.date}`",
        ]
    return [
        f"結果を書きました：{file}",
        "参加市区町村は `kodomo pool show` で見て、用いるかどうかを人が決めます（`kodomo pool adopt`）",
        *(
            f"{coordinator.catalogue.bands[band].ja}：求められませんでした（{why.ja}）"
            for band, why in following.failed.items()
        ),
    ]


def _shared(home: Path) -> Catalogue:
    """The settings that all members share, in the coordinator's home; the defaults where there are none."""
    file = home / "city.yaml"
    return load_catalogue(file if file.is_file() else None)


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise PoolError("{folder}: is no folder, expected that of the exchanged files (--dir)", folder=folder)
