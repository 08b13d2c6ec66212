"""What a city gives to its host, and what the host makes of it: figures by hand, and nothing that may not leave.

One town publishes once (~2 s); its file is the one that every test changes.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.aggregates import documents
from kodomo_assets.aggregates.collecting import Collected, collect
from kodomo_assets.aggregates.documents import NAME, Content
from kodomo_assets.aggregates.giving import give
from kodomo_assets.aggregates.page import PAGE, page
from kodomo_assets.aggregates.received import receive
from kodomo_assets.aggregates.tables import exchanged
from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.errors import AggregatesError, ConfigurationError
from kodomo_assets_tests.published.test_published import build
from kodomo_assets_tests.template import temporary
from kodomo_assets_tests.town import NORTH, SOUTH, VERSION, Town

R, BEFORE = dt.date(2025, 4, 1), dt.date(2025, 1, 1)
CITY, OTHER = "082201", "082015"
NOW = dt.datetime(2025, 6, 1, 9, tzinfo=dt.UTC)
DOCS = Path(__file__).parents[2] / "docs"


def fill(town: Town) -> None:
    """Two lists of two schools, with what a person typed and what is too small to be told."""
    nobody = {c.name: 0 for c in town.catalogue.output("evaluation.funnel").columns if c.children}
    for day in (BEFORE, R):
        for place, screened, selected, preventive in (((None, None), 143, 27, 12), ((None, 4), 140, 24, 12), ((None, 5), 3, 3, 0), ((SOUTH, None), 103, 20, 12), ((NORTH, None), 40, 7, 0)):  # fmt: skip
            town.insert("evaluation.funnel", **(nobody | {"reference_date": day, "school_code": place[0], "school_year": place[1], "screened": screened, "selected": selected, "preventive": preventive}))  # fmt: skip
        town.insert("weights.in_force", reference_date=day, version=VERSION)
        # at the south school three of hundred are not linked, at the north one all 40 are
        for school, persons, linked in ((SOUTH, 103, 100), (NORTH, 40, 40)):
            counts = {"persons": persons, "linked": linked, "unlinked": persons - linked, "in_review": 0, "persons_of_school_age": persons, "linked_of_school_age": linked}  # fmt: skip
            town.insert("linkage.coverage", reference_date=day, table_name="school_roster", school_code=school, **counts, expected_precision=0.99, expected_recall=0.98)  # fmt: skip
            town.insert("linkage.quality", reference_date=day, table_name="school_roster", school_code=school, method="kana_birth", persons=linked, share=0.9)  # fmt: skip
        town.insert("linkage.quality", reference_date=day, table_name="school_roster", school_code=SOUTH, method="unlinked", persons=3, share=0.1)  # fmt: skip
        town.insert("evaluation.indicators", reference_date=day, indicator="spoken_to_share", ja="予防的支援（b）の児童のうち声かけをした割合", value=10 / 12, target=1.0, children=12)  # fmt: skip
        for name, verdict, psi in (("absence_days", "shifted", 0.314), ("low_grades", "stable", 0.01)):
            town.insert("evaluation.drift", reference_date=day, kind="item", name=name, band="upper", against="fit", previous_date=BEFORE, in_model=True, children_now=120, children_then=118, psi=psi, verdict=verdict, law="架空法改正")  # fmt: skip
    town.child(1, selected=True)
    town.insert("weights.versions", version=VERSION, band="upper", reference_date=BEFORE, fingerprint="0" * 64, label="ever", created_at=NOW, origin="own", reason="架空の理由", decided_by="架空課長")  # fmt: skip
    cells = {c.name: {"INTEGER": 12, "DOUBLE": 0.25, "BOOLEAN": True}.get(c.type) for c in town.catalogue.output("weights.model_cards").columns}  # fmt: skip
    town.insert("weights.model_cards", **(cells | {"version": VERSION, "band": "upper", "reference_date": BEFORE, "children": 1756, "events": 66, "records_set_aside": 4}))  # fmt: skip
    town.insert("sources.deliveries", reference_date=R, table_name="attendance", file="架空.csv", sha256="", received_at=NOW, superseded=False, status="accepted", rows_in=1207, rows_accepted=1203, rows_quarantined=4, absent_columns=[], surplus_columns=[])  # fmt: skip


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalogue, Path, Content]:
    """The city's catalogue, its analyst.duckdb, and what it gave."""
    root = tmp_path_factory.mktemp("city")
    folder = root / f"{CITY}_架空市"
    folder.mkdir()
    town = Town(root)
    fill(town)
    town.configure(f'host: {{folder: {folder.name}}}\npool: {{code: "{CITY}"}}')
    target = root / "analyst.duckdb"
    assert all(outcome.passed for outcome in build(town.con, target, catalogue=town.catalogue) if outcome.blocking)
    assert give(town.catalogue, target) == folder / NAME
    town.con.close()
    return town.catalogue, target, told(folder / NAME)


def told(path: Path) -> Content:
    found = documents.opened(path, CITY)
    assert found is not None
    return found[0]


def test_the_file_holds_what_is_worked_out_by_hand_and_nothing_that_may_not_leave(given):
    catalogue, target, content = given
    file = catalogue.host.folder / NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert (content.city, content.list_of, content.next_date, content.reference_dates) == (CITY, "2025-04-01", "2025-09-01", ["2025-01-01", "2025-04-01"])  # fmt: skip

    def rows(table: str, *columns: str) -> list[tuple]:
        return [
            tuple(row[c] for c in columns) for row in content.tables[table] if row["reference_date"] == "2025-04-01"
        ]

    # of 143 children 140 are of one year: with the 3 hidden 140 goes too, or the total would give them back
    assert rows("funnel", "school_year", "screened", "selected", "preventive", "accepted") == [
        (4, None, None, None, None),
        (5, None, None, None, None),
        (None, 145, 25, 10, None),
    ]
    assert rows("coverage", "table_name", "persons", "linked", "unlinked", "expected_precision") == [("school_roster", 145, 140, None, 0.99)]  # fmt: skip
    assert rows("linkage", "method", "persons") == [("kana_birth", None), ("unlinked", None)]
    assert rows("indicators", "indicator", "value", "children") == [("spoken_to_share", 1.0, 10)]
    assert rows("model_cards", "band", "origin", "fitted_on", "children", "events", "records_set_aside") == [("upper", "own", "2025-01-01", 1755, 65, None)]  # fmt: skip
    assert rows("drift", "name", "psi", "children_now", "verdict") == [("absence_days", 0.31, 120, "shifted"), ("low_grades", 0.01, 120, "stable")]  # fmt: skip
    deliveries = {row[0]: row[1:] for row in rows("deliveries", "table_name", "status", "awaited", "delivered_on", "rows_accepted", "rows_quarantined")}  # fmt: skip
    assert deliveries["attendance"] == ("delivered", True, "2025-04-01", 1205, None)
    assert deliveries["grades"] == ("never", False, None, None, None)

    # by its own lights, whatever the tables declare
    text = file.read_text("utf-8")
    assert re.search(r"child_key|school_code|\"[0-9]{7,}\"|架空", text) is None
    assert [h for h in re.findall(r"[0-9a-f]{32,}", text) if h not in json.loads(text)["sha256"]] == []
    assert SOUTH not in text
    counted = {c.name for t in exchanged(catalogue).values() for c in t.columns if c.children}
    numbers = [row[name] for rows in content.tables.values() for row in rows for name in counted & row.keys()]
    assert [n for n in numbers if n is not None and (n < 10 or n % 5)] == []
    assert sum(n is not None for n in numbers) > 20

    # nothing is given where nobody decided it, and the folder is never made by the city
    assert give(load_catalogue(), target) is None
    gone = catalogue.model_copy(update={"host": catalogue.host.model_copy(update={"folder": target / "none"})})
    with pytest.raises(ConfigurationError, match=r"host\.folder: .* is no folder"):
        give(gone, target)


class Host:
    """The cities' folders and the host's own."""

    def __init__(self, root: Path, content: Content) -> None:
        self.cities, self.home, self.content = root / "given", root / "home", content
        self.put(CITY, "架空市")

    def put(self, city: str, name: str = "", **changed: Any) -> Path:
        folder = self.cities / (f"{city}_{name}" if name else city)
        folder.mkdir(parents=True, exist_ok=True)
        says = {**vars(self.content), "city": city, **changed}
        (folder / NAME).write_bytes(documents.written(Content(**says)))
        return folder / NAME

    def collect(self, now: dt.datetime = NOW) -> Collected:
        return collect(self.cities, self.home, load_catalogue(), now)

    def query(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.home / "cities.duckdb"), read_only=True) as con:
            return con.execute(sql).fetchall()

    def page(self) -> str:
        return page(self.home / "cities.duckdb", load_catalogue(), NOW, []).decode()


@pytest.fixture
def host(tmp_path: Path, given: tuple[Catalogue, Path, Content]) -> Host:
    return Host(tmp_path, given[2])


COUNTED = "select city, count(*), sum(screened) from host.funnel group by city order by city"
STATES = "select city, state, late, list_of::varchar from host.cities order by city"


def test_a_city_is_read_again_and_never_doubled_and_one_that_is_late_missing_or_gone_is_told(host):
    host.put(OTHER, "水戸市")
    (host.cities / "083020").mkdir()
    (host.cities / "メモ.txt").write_text("x", "utf-8")
    first = host.collect()
    assert (first.read, first.missing, first.late, first.gone, first.strange) == (2, ("083020",), (), (), ("メモ.txt",))
    assert host.query(COUNTED) == [(OTHER, 6, 290), (CITY, 6, 290)]
    assert host.query("select name from host.cities order by city") == [("水戸市",), ("架空市",), (None,)]

    # the same again, and a list less: what the city does not keep any more the host does not keep
    tables = {name: [r for r in rows if r["reference_date"] == "2025-04-01"] for name, rows in host.content.tables.items()}  # fmt: skip
    host.put(OTHER, "水戸市", tables=tables, reference_dates=["2025-04-01"], published_at="2027-01-01T00:00:00+00:00")
    (host.cities / f"{CITY}_架空市" / NAME).unlink()
    # the list of 2025-09-01 is due for a month on 2025-10-01
    assert host.collect(dt.datetime(2025, 9, 30, tzinfo=dt.UTC)).late == ()
    second = host.collect(dt.datetime(2025, 10, 1, tzinfo=dt.UTC))
    assert (second.read, second.missing, second.late) == (1, (CITY, "083020"), (OTHER, CITY))
    # nothing came from the one: what was read before stays, and is told to be of before
    assert host.query(COUNTED) == [(OTHER, 3, 145), (CITY, 6, 290)]
    assert host.query(STATES) == [(OTHER, "read", True, "2025-04-01"), (CITY, "missing", True, "2025-04-01"), ("083020", "missing", False, None)]  # fmt: skip
    text = host.page()
    assert text.index("架空市") < text.index("水戸市")
    assert "集計が届いていません。</strong>前に読んだものを示しています" in text

    (host.cities / f"{OTHER}_水戸市" / NAME).unlink()
    (host.cities / f"{OTHER}_水戸市").rmdir()
    assert host.collect().gone == (OTHER,)
    assert host.query(COUNTED) == [(CITY, 6, 290)]
    assert sorted(path.name for path in host.home.iterdir()) == ["cities.duckdb"]


def of(table: str, **values: object) -> Callable[[dict[str, Any]], None]:
    """Changes the last row of a table."""
    return lambda says: says["tables"][table][-1].update(values)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (of("funnel", screened=9), "may not leave a city"),
        (of("funnel", screened=1756), "may not leave a city"),
        (of("funnel", screened=-5), "may not leave a city"),
        (of("funnel", screened=12.5), "screened is not of its type"),
        (of("funnel", screened="150"), "screened is not of its type"),
        (of("funnel", screened=10**12), "screened is not of its type"),
        (of("funnel", child_key="0" * 32), "other columns"),
        (of("drift", name="0" * 32), "a value in name may not leave"),
        (of("drift", name="架空　花子"), "a value in name may not leave"),
        (of("drift", previous_date="2025-05-09"), "previous_date may not leave"),
        (of("drift", previous_date="2025-4-1"), "previous_date is not of its type"),
        (of("deliveries", reference_date="2025-05-09"), "reference_date may not leave"),
        (of("deliveries", reference_date=None), "reference_date is not of its type"),
        (lambda says: says["tables"]["funnel"].append(says["tables"]["funnel"][-1]), "tells something twice"),
        (lambda says: says["tables"]["funnel"][-1].pop("screened"), "other columns"),
        (lambda says: says["tables"]["funnel"].append([1]), "other columns"),
        (lambda says: says["tables"]["funnel"].pop(), "tells of 1 lists, expected 2"),
        (lambda says: says.update(program="0" * 32), "lacks something"),
        (lambda says: says["tables"].update(children=[]), "not exchanged"),
        (lambda says: says["tables"].pop("drift"), "not exchanged and lacks 1"),
        (lambda says: says.update(note="架空"), "lacks something, or holds more"),
        (lambda says: says.update(reference_dates=["2025-04-01"] * 2), "lacks something"),
        (lambda says: says.update(list_of="2025-01-01"), "lacks something"),
        (lambda says: says.update(city=OTHER), "is of another city than its folder"),
    ],
)  # fmt: skip
def test_what_may_not_come_is_refused_with_a_sentence_and_no_value(given, change, reason):
    says = json.loads(json.dumps(vars(given[2])))
    change(says)
    document = {"edition": 1, "content": says, "sha256": documents._digest(says)}
    refused(json.dumps(document).encode(), reason)


def take(content: bytes) -> None:
    with temporary() as con:
        receive(con, load_catalogue(), documents.read(content, NAME, CITY)[0])


def refused(content: bytes, reason: str) -> None:
    with pytest.raises(AggregatesError) as found:
        take(content)
    assert reason in str(found.value)
    assert re.search("花子|0{32}|1756|0509", f"{found.value}{found.value.ja}") is None


def test_a_file_that_is_none_of_ours_is_refused_and_the_others_are_read(host, tmp_path):
    path = host.put(CITY, "架空市")
    good = path.read_bytes()
    assert host.collect().read == 1
    host.put(OTHER)
    says = json.loads(good)["content"] | {"published_at": "2020-01-01T00:00:00+00:00"}
    for content, reason in (
        (good.replace(b'"screened": 145', b'"screened": 150'), "was altered"),
        (documents.written(Content(**says)), "is older than what was read"),
    ):
        path.write_bytes(content)
        collected = host.collect()
        assert reason in str(collected.refused[CITY])
        # the other one is read, and what was read of the city before stays
        assert (collected.read, host.query(COUNTED)) == (1, [(OTHER, 6, 290), (CITY, 6, 290)])
        problems = host.query("select state, problem is not null from host.cities order by city")
        assert problems == [("read", False), ("refused", True)]
    for content, reason in (
        (good[:-100], "is no JSON file, or was cut"),
        (good.replace(b'"edition": 1', b'"edition": 2'), "is of another edition"),
        (good.replace(b'"city"', b'"city": "082201", "city"', 1), "is no JSON file"),
        (good.replace(b'"psi": 0.31', b'"psi": 1e999'), "is no JSON file"),
        (b"[" * 100_000, "is no JSON file"),
        (b"{}", "is no file of aggregates"),
    ):
        refused(content, reason)
    (tmp_path / "elsewhere").write_bytes(good)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    assert "is no plain file" in str(host.collect().refused[CITY])
    for strange in ("082201_二つめ", "1"):
        (host.cities / strange).mkdir()
        with pytest.raises(
            AggregatesError, match="two folders are of 082201" if strange != "1" else "no folder of a city"
        ):
            collect(host.cities if strange != "1" else host.cities / "1", host.home, load_catalogue(), NOW)


def test_the_command_the_page_and_the_queries_of_the_docs(host, capsys):
    host.put(OTHER, "<b>水戸市")
    assert main(["host", "collect", str(host.cities), "--to", str(host.home)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 市区町村の集計を読みました")
    assert "次の一覧が遅れています" in err
    text = (host.home / PAGE).read_text("utf-8")
    assert (host.home / PAGE).stat().st_mode & 0o777 == 0o600
    # no program, no network, and names of folders are no markup
    assert "<script" not in text
    assert "default-src 'none'" in text.replace("&#39;", "'")
    assert "&lt;b&gt;水戸市" in text
    for shown in ("145", "欠席日数 0.31", "偶然とほとんど変わらない", "上の学年", "この市で推定", "生活保護", "100%"):
        assert shown in text, shown
    for language in (DOCS, DOCS / "ja"):
        queries = re.findall(r"```sql\n(.*?)```", (language / "host-tables.md").read_text("utf-8"), re.DOTALL)
        assert len(queries) == 3
        assert all(host.query(query) for query in queries)
    undescribed = (
        "select table_name, column_name from duckdb_columns() where not internal and coalesce(comment, '') = ''"
    )
    assert host.query(undescribed) == []
    (host.cities / "083020").mkdir()
    assert main(["host", "collect", str(host.cities), "--to", str(host.home)]) == 2
    assert "083020：aggregates.json が届いていません" in capsys.readouterr().err
    (host.home / "cities.duckdb").write_text("架空", "utf-8")
    assert main(["host", "collect", str(host.cities), "--to", str(host.home)]) == 2
    assert "move it away, and collect again" in capsys.readouterr().err
