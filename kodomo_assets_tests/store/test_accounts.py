"""Who may read or write what: with real accounts of other numbers, and everything that can be otherwise told of.

Groups are those that every machine has; accounts are numbers that none has, so that nothing is left behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.machine.scratch import SCRATCH, scratch
from kodomo_assets.settings import Settings
from kodomo_assets.store import accounts
from kodomo_assets.store.accounts import Account, check_shared, look, set_up, told
from kodomo_assets.store.modes import give, keep_private
from kodomo_assets.store.outbox import write_file

if os.name == "nt":
    pytest.skip("groups and modes are not Windows'", allow_module_level=True)
import grp
import pwd

# groups that nobody is a member of
EMPTY = [
    g.gr_name
    for g in grp.getgrall()
    if g.gr_gid and not g.gr_mem and g.gr_gid not in {one.pw_gid for one in pwd.getpwall()}
]
OUTBOX, CENTRE, WELFARE, SCHOOLS, ANALYSTS, OTHER = [*EMPTY, *["none"] * 6][:6]
NOBODYS = 54321
DAY = "2025-04-01"
CONFIGURED = f"""
publish: {{group: {ANALYSTS}}}
accounts:
  outbox: {OUTBOX}
  centre: {CENTRE}
  offices: {{social_welfare: {WELFARE}, school_affairs: {SCHOOLS}}}
"""
as_root = pytest.mark.skipif(
    os.geteuid() != 0 or len(EMPTY) < 6,
    reason="only root is another account, and gives files to groups that it is no member of",
)


@pytest.fixture
def root() -> Iterator[Path]:
    """Where everybody comes to; pytest's own folders are closed."""
    folder = Path(tempfile.mkdtemp(prefix="kodomo-accounts-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def settings(root: Path, monkeypatch) -> Settings:
    """A data folder with a key, as a first refresh leaves it, and nothing shared."""
    for name, place in (("KODOMO_DATA_DIR", "data"), ("KODOMO_KEY_FILE", "key/k"), ("DAGSTER_HOME", "home")):
        monkeypatch.setenv(name, str(root / place))
    monkeypatch.delenv("KODOMO_CONFIG", raising=False)
    for name in ("data", "key", "home"):
        (root / name).mkdir(mode=0o700)
    for place in ("key/k", "home/dagster.yaml", "data/kodomo.duckdb"):
        (root / place).write_text("x")
        (root / place).chmod(0o600)
    return configured("{}")


def configured(text: str = CONFIGURED) -> Settings:
    path = Path(os.environ["KODOMO_DATA_DIR"]) / "city.yaml"
    path.write_text(text)
    path.chmod(0o600)
    settings = Settings.from_environment()
    keep_private(settings, load_catalogue(path))
    return settings


def wrong(settings: Settings) -> list[str]:
    """What is told, each with the place that it is told of."""
    return [
        f"{one.path.relative_to(settings.data_dir.parent) if one.path else ''}: {one.what}"
        for one in look(settings, load_catalogue(settings.overlay))
    ]


def may(path: Path, group: str, *, write: bool = False) -> bool:
    """Whether an account of this group, which is nobody's else, reads (writes into) a file, or lists (a folder)."""
    command = ["sh", "-c", ': >> "$0"', path] if write and path.is_file() else ["ls" if path.is_dir() else "cat", path]
    if write and path.is_dir():
        command = ["sh", "-c", 'touch "$0/.tried" && rm "$0/.tried"', path]
    number = grp.getgrnam(group).gr_gid
    ran = subprocess.run(command, user=NOBODYS, group=number, extra_groups=[], capture_output=True, check=False, cwd="/")  # fmt: skip
    return ran.returncode == 0


def test_nothing_is_otherwise_after_a_start(settings, capsys):
    assert wrong(settings) == []
    assert main(["accounts"]) == 0
    out = capsys.readouterr().out
    assert "どのファイル、フォルダー、グループも設定のとおりです" in out
    assert "  outbox/ を読む（総括管理主体）：更新のアカウントだけ" in out
    assert check_shared(settings, load_catalogue()).passed


@as_root
def test_each_role_reads_and_writes_its_own_and_nothing_else(settings):
    settings = configured()
    data = settings.data_dir
    write_file(data / "outbox" / DAY / "判定会議.xlsx", b"x")
    write_file(data / "outbox" / DAY / "センター限り" / "配布番号一覧.xlsx", b"x")
    write_file(data / "outbox" / "センター限り" / "開示_2026-0001_案.xlsx", b"x")
    settings.analyst_database.write_bytes(b"x")
    give(settings.analyst_database, ANALYSTS, 0o640, "publish.group")
    (data / "inbox" / DAY).mkdir(mode=0o700)
    for office in ("社会福祉課", "学務課"):
        # as the office's own account drops it: the folder is of its group by itself
        number = (data / "inbox" / office).stat().st_gid
        drop = f'umask 007; mkdir "$0" && echo x > "$0/{office}.csv"'
        subprocess.run(["sh", "-c", drop, data / "inbox" / office / DAY], user=NOBODYS, group=number, extra_groups=[], check=True, cwd="/")  # fmt: skip
    assert wrong(settings) == []
    centre = data / "outbox" / DAY / "センター限り" / "配布番号一覧.xlsx"
    places = {
        "data": data,
        "database": settings.database,
        "key": settings.key_file,
        "home": settings.dagster_home,
        "city.yaml": data / "city.yaml",
        "inbox": data / "inbox",
        "inbox/date": data / "inbox" / DAY,
        "welfare": data / "inbox/社会福祉課" / DAY / "社会福祉課.csv",
        "welfare's folder": data / "inbox/社会福祉課" / DAY,
        "schools": data / "inbox/学務課" / DAY / "学務課.csv",
        "outbox": data / "outbox" / DAY / "判定会議.xlsx",
        "centre": centre,
        "request": data / "outbox/センター限り/開示_2026-0001_案.xlsx",
        "analyst": settings.analyst_database,
    }
    roles = (OUTBOX, CENTRE, WELFARE, SCHOOLS, ANALYSTS, OTHER)
    reads = {role: {name for name, path in places.items() if may(path, role)} for role in roles}
    assert reads == {
        OUTBOX: {"outbox"},
        CENTRE: set(),  # its people are in both groups: below
        WELFARE: {"welfare", "welfare's folder"},
        SCHOOLS: {"schools"},
        ANALYSTS: {"analyst"},
        OTHER: set(),
    }
    assert {(role, name) for role in roles for name, path in places.items() if may(path, role, write=True)} == {
        (WELFARE, "welfare"),
        (WELFARE, "welfare's folder"),
        (SCHOOLS, "schools"),
    }
    both = {"group": grp.getgrnam(OUTBOX).gr_gid, "extra_groups": [grp.getgrnam(CENTRE).gr_gid]}
    for path in (centre, places["request"]):
        assert subprocess.run(["cat", path], user=NOBODYS, **both, capture_output=True, check=False, cwd="/").returncode == 0  # fmt: skip


def as_account(settings: Settings, groups: list[str], do: Callable[[], None]) -> str:
    """What ``do`` ended with in a process of another account, which owns the installation and has these groups."""
    for path in (settings.data_dir.parent, *settings.data_dir.parent.rglob("*")):
        os.chown(path, NOBODYS, -1, follow_symlinks=False)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = "done"
        try:
            os.setgroups([grp.getgrnam(name).gr_gid for name in groups])
            os.setgid(NOBODYS)
            os.setuid(NOBODYS)
            with scratch(settings.data_dir / SCRATCH):
                do()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as told_:
        return told_.read().decode()


def refresh_writes(settings: Settings) -> None:
    """As a refresh does: the folders, and a file into each of them."""
    os.umask(0o077)
    catalogue = load_catalogue(settings.overlay)
    keep_private(settings, catalogue)
    for place in ("判定会議.xlsx", "センター限り/配布番号一覧.xlsx", "学校/名簿.xlsx"):
        write_file(settings.outbox / DAY / place, b"x")
    if otherwise := look(settings, catalogue):
        raise AssertionError([one.what for one in otherwise])


@as_root
def test_a_refreshing_account_that_is_not_root_shares_by_its_memberships(settings):
    (settings.data_dir / "city.yaml").write_text(CONFIGURED)
    settings = Settings.from_environment()
    everything = [OUTBOX, CENTRE, WELFARE, SCHOOLS, ANALYSTS]
    assert as_account(settings, everything, lambda: refresh_writes(settings)) == "done"
    for place, group, mode in (
        ("判定会議.xlsx", OUTBOX, 0o640),
        ("センター限り", CENTRE, 0o2750),
        ("センター限り/配布番号一覧.xlsx", CENTRE, 0o640),
        ("学校", OUTBOX, 0o2750),
        ("学校/名簿.xlsx", OUTBOX, 0o640),
    ):
        path = settings.outbox / DAY / place
        assert (path.group(), path.stat().st_mode & 0o7777, path.stat().st_uid) == (group, mode, NOBODYS), place


@as_root
def test_one_that_is_no_member_of_a_group_stops_and_says_so(settings):
    (settings.data_dir / "city.yaml").write_text(CONFIGURED)
    settings = Settings.from_environment()
    said = as_account(settings, [OUTBOX, CENTRE, WELFARE, ANALYSTS], lambda: refresh_writes(settings))
    assert said.startswith("ConfigurationError: accounts.offices.school_affairs: 学務課 cannot be given to group")
    # given by root, as who thinks that would do: each file has to be given too
    give(settings.outbox, OUTBOX, 0o2750)
    said = as_account(settings, [], lambda: write_file(settings.outbox / "判定会議.xlsx", b"x"))
    assert said.startswith("ConfigurationError: ")
    assert "cannot be given to the group of its folder" in said
    assert not (settings.outbox / "判定会議.xlsx").exists()


@as_root
def test_what_is_no_longer_shared_is_closed_again_by_the_next_start(settings):
    settings = configured()
    file = settings.outbox / DAY / "判定会議.xlsx"
    write_file(file, b"x")
    assert may(file, OUTBOX)
    settings = configured("{}")
    assert not may(file, OUTBOX)
    # an inbox is never narrowed by a refresh: deliveries might stop
    assert [text.split(":")[0] for text in wrong(settings)] == [
        "data/inbox",
        "data/inbox/学務課",
        "data/inbox/社会福祉課",
    ]
    set_up(settings, load_catalogue(settings.overlay), dry_run=False)
    assert wrong(settings) == []
    assert file.stat().st_mode & 0o7777 == 0o600


def spoil(settings: Settings, name: str) -> None:
    data = settings.data_dir
    folder = settings.inbox / DAY
    folder.mkdir(mode=0o700, exist_ok=True)
    match name:
        case "inbox":
            data.chmod(0o711)
            settings.inbox.chmod(0o777)
        case "file":
            (folder / "出欠.csv").write_text("x")
            (folder / "出欠.csv").chmod(0o644)
        case "root's file":
            (folder / "出欠.csv").write_text("x")
            (folder / "出欠.csv").chmod(0o600)
            os.chown(folder / "出欠.csv", NOBODYS, NOBODYS)
            os.chown(data, NOBODYS, -1)
            os.chown(settings.database, NOBODYS + 1, -1)
        case "key":
            settings.key_file.chmod(0o640)
        case "key of the pool":
            settings.pool_key_file.write_text("x")
            settings.pool_key_file.chmod(0o640)
        case "password":
            (data.parent / "password.txt").write_text("x")
            (data.parent / "password.txt").chmod(0o644)
            (data / "city.yaml").write_text("ingest: {password_file: ../password.txt}")
        case "home":
            settings.dagster_home.chmod(0o750)
        case "link":
            (folder / "出欠.csv").symlink_to("/etc/hostname")
        case "above":
            data.parent.chmod(0o777)
        case "no group":
            (data / "city.yaml").write_text("accounts: {outbox: no-such-group}")
        case "two roles":
            (data / "city.yaml").write_text(CONFIGURED)
        case "list":
            (folder / "出欠.csv").write_text("x")
            (folder / "出欠.csv").chmod(0o600)
            # version 2; user rw, named user 54321 r, group none, mask r, other none
            entries = [
                (1, 6, 0xFFFFFFFF),
                (2, 4, NOBODYS),
                (4, 0, 0xFFFFFFFF),
                (16, 4, 0xFFFFFFFF),
                (32, 0, 0xFFFFFFFF),
            ]
            packed = (2).to_bytes(4, "little") + b"".join(
                tag.to_bytes(2, "little") + bits.to_bytes(2, "little") + who.to_bytes(4, "little")
                for tag, bits, who in entries
            )
            os.setxattr(folder / "出欠.csv", "system.posix_acl_access", packed)


@as_root
@pytest.mark.parametrize(
    ("name", "sentence", "mending"),
    [
        ("inbox", "  inbox/：誰でも読めます、書き換えられます、通れます（実行できます）、グループ", "直すには： chmod 0700 "),
        ("file", "  inbox/2025-04-01/出欠.csv：誰でも読めます、グループ", "直すには： chmod 0600 "),
        ("key", "key/k：グループ root の人が読めます（0640）", "直すには： chmod 0600 "),
        ("key of the pool", "key/k.pool：グループ root の人が読めます（0640）", "直すには： chmod 0600 "),
        ("home", "home/：グループ root の人が読めます、通れます（実行できます）（0750）", "直すには： chmod 0700 "),
        ("password", "/password.txt：誰でも読めます、グループ", "直すには： chmod 0600 "),
        ("link", "  inbox/2025-04-01/出欠.csv：リンクです。指す先は見ていません：実物を置いてください", None),
        ("above", "：誰でも、この下のフォルダーを別のものに置き換えられます", "直すには： chmod o-w "),
        ("no group", "  グループ no-such-group（accounts.outbox）がこの計算機にありません", "直すには（root で）： groupadd --system no-such-group"),
        ("root's file", "  inbox/2025-04-01/出欠.csv：更新のアカウント 54322 が読めません", "直すには（root で）： chown 54322 "),
        ("root's file", "持ち主が 54321 です。更新のアカウント 54322 は書き換えられません", "直すには（root で）： chown 54322 "),
        ("list", "  inbox/2025-04-01/出欠.csv：アクセス制御リスト（ACL）があり、モードだけでは誰に見えるか分かりません", "直すには： setfacl --remove-all "),
    ],
)  # fmt: skip
def test_each_thing_that_is_otherwise_has_its_sentence_and_its_command(settings, capsys, name, sentence, mending):
    try:
        spoil(settings, name)
    except OSError as error:
        pytest.skip(f"this disk knows no such thing: {error}")
    assert main(["accounts"]) == 2
    out = capsys.readouterr().out
    assert sentence in out
    assert mending is None or mending in out


@as_root
def test_a_share_that_an_office_filled_as_it_likes_is_told_of(settings):
    """An umask of the office's own: what it dropped may not be read, or its folder not emptied later."""
    settings = configured()
    folder = settings.inbox / "社会福祉課" / DAY
    number = grp.getgrnam(WELFARE).gr_gid
    subprocess.run(["sh", "-c", 'umask 077; mkdir "$0" && echo x > "$0/生活保護.csv"', folder], user=NOBODYS, group=number, extra_groups=[], check=True, cwd="/")  # fmt: skip
    # as if another account refreshed, one that is a member of the group
    for path in (settings.data_dir, settings.database):
        os.chown(path, NOBODYS + 1, -1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "refreshing_account", lambda _: Account("kodomo", NOBODYS + 1, frozenset({number})))
        found = wrong(settings)
    assert (
        f"data/inbox/社会福祉課/{DAY}: グループ {WELFARE}（accounts.offices.social_welfare）の人が使えません（2700）"
        in found
    )
    assert f"data/inbox/社会福祉課/{DAY}: 更新のアカウント kodomo が使えません（読む、消す）" in found
    assert f"data/inbox/社会福祉課/{DAY}/生活保護.csv: 更新のアカウント kodomo が読めません" in found


@as_root
def test_an_account_that_is_no_member_and_one_of_two_roles_are_named(settings, monkeypatch):
    settings = configured()
    people = {WELFARE: {"tanto"}, SCHOOLS: {"tanto"}, ANALYSTS: {"bunseki"}, OUTBOX: {"bunseki"}, CENTRE: {"joho"}}
    monkeypatch.setattr(accounts, "_members", lambda name: set(people[name]))
    monkeypatch.setattr(accounts, "refreshing_account", lambda _: Account("kodomo", 0, frozenset()))
    assert wrong(settings) == [
        ": アカウント tanto が accounts.offices.social_welfare と accounts.offices.school_affairs の両方の会員で、他の課の"
        "ファイルを読み、置き換えられます",
        ": アカウント bunseki が accounts.outbox と publish.group の両方の会員で、分析者は公開用の写し（analyst.duckdb）"
        "だけを見るはずです",
        ": アカウント joho は accounts.centre の会員ですが、accounts.outbox の会員でないので、送信フォルダーを通れません",
    ]
    monkeypatch.setattr(accounts, "refreshing_account", lambda _: Account("kodomo", NOBODYS, frozenset()))
    told_ = [text for text in wrong(settings) if "会員でないので、ファイルを渡せません" in text]
    assert len(told_) == 5


@as_root
def test_set_up_mends_what_is_its_own_once_and_a_dry_run_nothing(settings, capsys):
    settings = configured()
    for path in (settings.outbox, settings.inbox / "学務課"):
        path.chmod(0o755)
    for number in range(3):
        file = settings.data_dir / f"メモ{number}.txt"
        file.write_text("x")
        file.chmod(0o644)
    shutil.rmtree(settings.inbox / "社会福祉課")
    os.chown(settings.inbox / "学務課", -1, 0)
    before = wrong(settings)
    assert main(["accounts", "--set-up", "--dry-run"]) == 2
    assert "data/ のファイル 3 件" in capsys.readouterr().out.replace(str(settings.data_dir), "data")
    assert wrong(settings) == before != []
    assert main(["accounts", "--set-up"]) == 0
    assert wrong(settings) == []
    assert (settings.inbox / "社会福祉課").stat().st_mode & 0o7777 == 0o2770
    capsys.readouterr()
    assert set_up(settings, load_catalogue(settings.overlay), dry_run=False) == []


@as_root
def test_set_up_never_follows_what_an_office_may_replace(settings):
    """A file of ours in a folder that an office writes to: it is told of, and left."""
    settings = configured()
    file = settings.inbox / "学務課" / "手で置いた.csv"
    file.write_text("x")
    file.chmod(0o666)
    set_up(settings, load_catalogue(settings.overlay), dry_run=False)
    assert file.stat().st_mode & 0o7777 == 0o666
    assert any("手で置いた.csv" in text for text in wrong(settings))


@as_root
@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_the_place_of_an_offices_folder_is_not_followed(settings, there):
    """Whoever delivers into the inbox itself could have the outbox given to an office."""
    target = settings.data_dir.parent / "elsewhere"
    if there:
        target.mkdir(mode=0o700)
    settings.inbox.mkdir(exist_ok=True)
    (settings.inbox / "学務課").symlink_to(target)
    with pytest.raises(ConfigurationError, match="inbox/学務課 is a link to another place, expected a folder"):
        configured()
    assert target.exists() == there
    assert not there or target.stat().st_mode & 0o7777 == 0o700


@as_root
def test_an_inbox_is_opened_for_passing_only_once_what_it_hid_is_closed(settings):
    """Folders made by hand were closed by the inbox above them."""
    (settings.inbox / DAY).mkdir()
    (settings.inbox / DAY).chmod(0o755)
    (settings.inbox / "2024-04-01").mkdir()
    (settings.inbox / "2024-04-01").chmod(0o755)
    os.chown(settings.inbox / "2024-04-01", NOBODYS, -1)
    with pytest.raises(ConfigurationError, match=r"everybody may use inbox/2024-04-01 of another account"):
        configured()
    assert settings.inbox.stat().st_mode & 0o7777 == 0o700
    (settings.inbox / "2024-04-01").chmod(0o750)
    settings = configured()
    assert settings.inbox.stat().st_mode & 0o7777 == 0o711
    assert (settings.inbox / DAY).stat().st_mode & 0o7777 == 0o750
    assert not may(settings.inbox / DAY, OTHER)


@as_root
def test_the_copy_for_analysts_is_found_by_whatever_way_the_configuration_names_it(settings, root):
    settings = configured(f"publish: {{group: {ANALYSTS}, folder: ../analysts}}")
    (root / "analysts").mkdir()
    # whatever this process takes away from what it makes
    (root / "analysts").chmod(0o755)
    (root / "analysts" / "analyst.duckdb").write_text("x")
    (root / "analysts" / "analyst.duckdb").chmod(0o644)
    found = wrong(settings)
    assert any(text.startswith("analysts: 誰でも読めます") for text in found)
    assert any(text.startswith("analysts/analyst.duckdb: 誰でも読めます") for text in found)
    set_up(settings, load_catalogue(settings.overlay), dry_run=False)
    assert wrong(settings) == []


@as_root
def test_another_account_sets_nothing_up(settings):
    for path in (settings.data_dir, settings.database):
        os.chown(path, NOBODYS, -1)
    with pytest.raises(ConfigurationError, match=f"found another account, expected {NOBODYS}"):
        set_up(settings, load_catalogue(), dry_run=False)


def test_what_a_closed_folder_hides_is_told_apart_and_warns_nobody(settings, capsys):
    (settings.inbox / DAY).mkdir()
    (settings.inbox / DAY).chmod(0o755)
    for name in ("出欠_A校.csv", "出欠_B校.csv"):
        (settings.inbox / DAY / name).write_text("x")
        (settings.inbox / DAY / name).chmod(0o644)
    assert check_shared(settings, load_catalogue()).passed
    assert main(["accounts"]) == 2
    out = capsys.readouterr().out
    assert "上のフォルダーが閉じているので今は誰にも見えないが、ほかへ移せば見えてしまうもの：" in out
    assert f"  inbox/{DAY}/ のファイル 2 件：誰でも読めます" in out
    settings.data_dir.chmod(0o755)
    settings.inbox.chmod(0o755)
    outcome = check_shared(settings, load_catalogue())
    assert (outcome.passed, outcome.blocking) == (False, False)
    # the two folders above, the folder and the two files
    assert outcome.message.startswith("5 files, folders, groups or accounts are otherwise than the configuration says")


def test_a_disk_that_keeps_no_modes_is_not_taken_for_a_good_one(settings, monkeypatch):
    monkeypatch.setattr(accounts, "_disk", lambda _: "cifs")
    assert any("このディスク（cifs）はファイルごとの持ち主とモードを持たず" in text for text in wrong(settings))


def test_windows_is_never_green(settings, monkeypatch):
    monkeypatch.setattr(accounts, "_ON_WINDOWS", True)
    monkeypatch.setattr(accounts, "others_may", lambda _: "")
    lines, as_configured = told(settings, load_catalogue())
    assert not as_configured
    assert "この計算機（Windows）にはグループとモードがない" in lines[0]


@as_root
def test_who_belongs_to_which_group_is_told_as_a_number(settings, capsys, monkeypatch):
    configured()
    monkeypatch.setattr(accounts, "_members", lambda name: {"root", "suzuki"} if name == WELFARE else set())
    assert main(["accounts"]) == 0
    out = capsys.readouterr().out
    assert (
        f"  inbox/社会福祉課/ に届ける（保有・管理主体）：グループ {WELFARE}（accounts.offices.social_welfare）、ほかの会員 1\n"
        in out
    )
    assert f"、ほかの会員 0\n      入れるには（root で）： usermod --append --groups {ANALYSTS} <アカウント>\n" in out
    assert "suzuki" not in out


def test_before_there_is_a_data_folder_who_makes_it_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KODOMO_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.delenv("KODOMO_CONFIG", raising=False)
    for given in (["accounts"], ["accounts", "--set-up"]):
        assert main(given) == 2
        assert "the account that is to refresh makes it (mkdir -m 700)" in capsys.readouterr().err


def test_a_dry_run_is_of_the_setting_up_alone(settings, capsys):
    with pytest.raises(SystemExit):
        main(["accounts", "--dry-run"])
    assert "accounts --dry-run tells what --set-up would do" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("accounts: {centre: games}", "centre: found a group but none of outbox"),
        ("accounts: {offices: {no_office: games}}", "accounts.offices: no section 'no_office'"),
        ("accounts: {offices: {school_affairs: games, social_welfare: games}}", "the group of accounts.offices.s"),
        ("{publish: {group: games}, accounts: {offices: {school_affairs: games}}}", "the group of publish.group too"),
        ("{publish: {group: games}, accounts: {outbox: games}}", "publish.group: found 'games', which reads outbox/ too"),
    ],
)  # fmt: skip
def test_a_group_is_of_one_role(tmp_path, text, why):
    (tmp_path / "city.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=why):
        load_catalogue(tmp_path / "city.yaml")


def test_reading_follows_owner_group_and_mode_as_the_system_does():
    def of(mode: int, owner: int = 1, group: int = 2) -> os.stat_result:
        return os.stat_result((mode, 0, 0, 0, owner, group, 0, 0, 0, 0))

    one = Account("x", 7, frozenset({5}))
    assert one.may(of(0o600, owner=7), 4)
    assert not one.may(of(0o004, owner=7), 4)  # an owner is not everybody
    assert one.may(of(0o040, group=5), 4)
    assert not one.may(of(0o004, group=5), 4)
    assert one.may(of(0o004), 4)
    assert Account("root", 0, frozenset()).may(of(0o000), 7)
