"""``rights stop ID``: what it tells and registers, what it refuses, and that all of it happens or nothing."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.store.connection import connect
from kodomo_assets.store.pseudonyms import child_key, sheet_number
from kodomo_assets.store.register import Asker, register
from kodomo_assets.store.stops import stop
from kodomo_assets_tests.doors.test_explain import ASKER, DAY, Centre, accesses, explain, filled
from kodomo_assets_tests.doors.test_explain import centre as centre_of_the_town
from kodomo_assets_tests.town import SECRET, key

__all__ = ["centre_of_the_town", "filled"]

CHILD = f"{1:010d}"
KEY = child_key(SECRET, CHILD)
GROUND = ["--ground", "98条1項1号"]


@pytest.fixture
def centre(centre_of_the_town: Centre) -> Centre:
    """The town gives its children keys that can be read; here one has its own."""
    with connect(centre_of_the_town.settings.database) as con:
        for table in load_catalogue().outputs.values():
            if table.stored and "child_key" in table.column_names:
                con.execute(f"update {table.qualified} set child_key = $1 where child_key = $2", [KEY, key(1)])
    return centre_of_the_town


def resident(number: int) -> str:
    return f"{number:010d}"


def stop_use(*options: str, who: str = CHILD) -> int:
    return main(["rights", "stop", who, *ASKER, *options])


def query(centre: Centre, sql: str) -> list[tuple]:
    with connect(centre.settings.database, read_only=True) as con:
        return con.execute(sql).fetchall()


def requests(centre: Centre) -> list[tuple]:
    return query(centre, "select kind, ground, state from rights.requests order by request")


def stopped(centre: Centre) -> list[tuple]:
    return query(centre, "select resident_id, child_key, split_part(request, '-', 2) from rights.stops_in_force")


def test_a_stop_is_in_force_until_it_is_ended_and_both_are_registered(centre, capsys):
    assert stop_use(*GROUND) == 0
    told = capsys.readouterr()
    assert f"`refresh {DAY}` takes the child out" in told.out
    assert stopped(centre) == [(CHILD, KEY, "0001")]
    assert requests(centre) == [("利用停止", "98条1項1号", "停止中")]
    assert stop_use(*GROUND) == 2
    assert "is stopped already, by request" in capsys.readouterr().err
    # neither scored nor shown
    assert explain(KEY) == 2
    assert explain(key(2)) == 0
    capsys.readouterr()

    assert stop_use("--end") == 0
    assert f"`refresh {DAY}` lets the child in again" in capsys.readouterr().out
    assert stopped(centre) == []
    assert requests(centre) == [("利用停止", "98条1項1号", "解除"), ("利用停止", None, "解除")]
    assert stop_use("--end") == 2
    assert "is not stopped" in capsys.readouterr().err
    assert explain(KEY) == 0


def test_an_objection_stands_in_the_same_register(centre):
    assert stop_use("--ground", "市の要綱5条", "--objection") == 0
    assert stop_use("--end", "--ground", "取下げ") == 0
    assert requests(centre) == [("異議", "市の要綱5条", "解除"), ("異議", "取下げ", "解除")]


def test_a_dry_run_tells_counts_and_files_and_changes_nothing_but_the_log(centre, capsys):
    folder = centre.settings.outbox / DAY
    folder.mkdir(parents=True)
    shown = sheet_number(SECRET, dt.date.fromisoformat(DAY), KEY)
    (folder / "個人票_南小学校.html").write_text(f"<b>{shown}</b>", "utf-8")
    (folder / "判定会議.html").write_text("<b>2222-2222</b>", "utf-8")
    assert stop_use(*GROUND, "--dry-run") == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0].startswith("nothing was changed")
    assert "  linkage.children: 1 rows at 1 reference dates" in lines
    assert "  ranked at 1 reference dates, on the list of 1 of them" in lines
    assert [line for line in lines if "outbox/" in line] == [
        f"  outbox/{DAY}/個人票_南小学校.html shows the child; it is for 学校"
    ]
    assert not [line for line in lines if "rights." in line]
    assert CHILD not in told.out + told.err
    assert KEY not in told.out + told.err
    assert stopped(centre) == requests(centre) == []
    assert [(command, dry) for command, dry, *_ in accesses(centre.settings)] == [("rights stop", True)]


@pytest.mark.parametrize(
    ("options", "who", "told"),
    [
        ([], CHILD, "--ground"),
        (["--ground", " "], CHILD, "--ground"),
        (["--end", "--objection"], CHILD, "--objection"),
        (GROUND, "9999999999", "no table holds anything"),
        (["--end"], CHILD, "is not stopped"),
    ],
)
def test_what_is_refused_names_no_number_and_changes_nothing(centre, capsys, options, who, told):
    assert stop_use(*options, who=who) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert who not in said.out + said.err
    assert stopped(centre) == requests(centre) == []


def test_an_adult_is_refused_with_what_can_be_done_and_a_child_to_come_is_not(centre, capsys):
    """A mother's records serve items of her children; a stop of them is not built. A child of three is no pupil yet."""
    with connect(centre.settings.database) as con:
        for number, age in ((70, 35), (71, 3)):
            con.execute(
                "insert into linkage.residents select $1, $2, $3, false, null, $4",
                [DAY, resident(number), resident(7), age],
            )
    assert stop_use(*GROUND, who=resident(70)) == 2
    assert "have the office leave the rows out" in capsys.readouterr().err
    assert requests(centre) == []
    assert stop_use(*GROUND, who=resident(71)) == 0


def test_what_fails_on_its_way_leaves_neither_a_request_nor_a_stop(centre):
    def killed(request: str) -> None:
        stop(con, request, CHILD, KEY, dt.datetime.now(dt.UTC))
        raise KeyboardInterrupt

    with connect(centre.settings.database) as con, pytest.raises(KeyboardInterrupt):
        register(con, Asker("r", "r", "a"), "rights stop", CHILD, kind="利用停止", state="停止中", today=dt.date(2026, 4, 1), then=killed)  # fmt: skip
    assert stopped(centre) == requests(centre) == accesses(centre.settings) == []


def test_files_of_an_earlier_disclosure_are_named_too(centre, capsys):
    folder = centre.settings.outbox / "センター限り"
    folder.mkdir(parents=True)
    for number in ("2024-0007", "2024-0008"):
        (folder / f"開示_{number}_案.xlsx").write_bytes(b"")
    with connect(centre.settings.database) as con:
        con.execute("insert into rights.requests by name select '2024-0007' as request, '開示' as kind, $1 as resident_id, '長' as role, 'a' as account, '理由' as reason, now() as made_at, '案' as state, now() as state_at", [CHILD])  # fmt: skip
    assert stop_use(*GROUND, "--dry-run") == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "outbox/" in line] == [
        "  outbox/センター限り/開示_2024-0007_案.xlsx shows the child; it is for センター"
    ]


def test_the_end_of_a_stop_names_the_dates_that_were_made_without_the_child(centre, capsys):
    assert stop_use(*GROUND) == 0
    capsys.readouterr()
    with connect(centre.settings.database) as con:
        for day in ("2024-04-01", "2024-09-01"):
            con.execute("insert into sources.school_register by name select $1 as reference_date, $2 as resident_id, '082201' as school_code, '学校' as school_name, 'f' as source_file, 1 as source_row, [] as invalid_cells, [] as unknown_cells", [day, CHILD])  # fmt: skip
            con.execute("insert into linkage.residents select $1, $2, $2, false, null, 8", [day, CHILD])
        # the other one was made before the stop, and of another child's
        con.execute("insert into linkage.stopped values ('2024-09-01', '082201', 2, 1)")
    assert stop_use("--end", "--ground", "取下げ") == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"`refresh {DAY}` lets the child in again; lists of before stay as they are; 2024-09-01 was made without it too: "
        "`refresh 2024-09-01 --anew`"
    )


def test_a_word_too_many_is_not_repeated(centre, capsys):
    with pytest.raises(SystemExit):
        stop_use(*GROUND, CHILD)
    said = capsys.readouterr()
    assert CHILD not in said.out + said.err
    assert "unrecognized arguments: a word" in said.err
