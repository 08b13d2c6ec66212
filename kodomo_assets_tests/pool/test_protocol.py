"""A pool of five cities from joining to result, by real files, databases and keys; and everything that it refuses."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil

import pytest

from kodomo_assets.errors import KodomoError, PoolError, RequestError
from kodomo_assets.pool.contents import Join
from kodomo_assets.pool.documents import signed
from kodomo_assets.pool.keys import coordinator_file
from kodomo_assets.pool.ledger import answers
from kodomo_assets.pool.rules import require_like_before, require_same_catalogue
from kodomo_assets.pool.vectors import decoded, encoded, of_text, to_text
from kodomo_assets.store.connection import connect
from kodomo_assets_tests.pool.cities import CODES, TODAY, City, Pool, R

PLAN_1, PLAN_2 = f"plan-{R}-01.json", f"plan-{R}-02.json"
LATER = TODAY + dt.timedelta(days=29)


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Pool:
    """Round 1 is closed, round 2 is open, and nobody has answered it: what is refused changes nothing."""
    made = Pool(tmp_path_factory.mktemp("pool"))
    made.plan()
    for city in made.cities:
        city.contribute(made.folder)
    made.total()
    made.plan()
    return made


def refused(city: City, folder, said: str, today: dt.date = TODAY) -> str:
    """``city`` refuses what lies in ``folder`` with this sentence, in Japanese too, and writes nothing."""
    there = sorted(path.name for path in folder.iterdir())
    with pytest.raises(PoolError, match=said) as error:
        city.contribute(folder, today)
    assert error.value.said.ja is not None
    assert sorted(path.name for path in folder.iterdir()) == there
    with connect(city.settings.database) as con:
        assert [one.round for one in answers(con)] == [1]
    return str(error.value)


def test_a_pool_from_joining_to_result(tmp_path):
    made = Pool(tmp_path)
    city = made.cities[0]
    joined = made.content(f"join-{R}-{CODES[0]}.json")
    assert (joined["member"], joined["children"], joined["date"]) == (CODES[0], 400, R.isoformat())
    assert city.settings.pool_key_file.stat().st_mode & 0o777 == 0o600
    # joining again with the same data is the same file
    before = (made.folder / f"join-{R}-{CODES[0]}.json").read_bytes()
    city.join(made.folder)
    assert (made.folder / f"join-{R}-{CODES[0]}.json").read_bytes() == before
    assert any(PLAN_1 in line for line in made.plan())
    first = (made.folder / PLAN_1).read_bytes()
    made.plan()
    assert (made.folder / PLAN_1).read_bytes() == first
    with pytest.raises(PoolError, match="080001, 080002, 080003, 080004, 080005 did not answer yet"):
        made.total()
    for each in made.cities:
        each.contribute(made.folder)
    # nothing of what a city sent can be read: not even its first number, which is 1
    sent = made.content(f"contribution-{R}-01-{CODES[0]}.json")
    assert decoded(of_text(sent["vector"], 3, "sent"))[0] != 1
    # asked again it sends the same bytes, and round 1 cannot be left any more
    own = made.folder / f"contribution-{R}-01-{CODES[0]}.json"
    sent_bytes = own.read_bytes()
    own.unlink()
    assert "もう一度" in city.contribute(made.folder)[0]
    assert own.read_bytes() == sent_bytes
    for withdraw in (False, True):
        with pytest.raises(PoolError, match="has begun"):
            city.join(made.folder, withdraw=withdraw)
    assert "第2回（moments）" in made.total()[1]
    # 8 + 9 + 10 + 11 + 12 children, 2 + 3 + 4 + 5 + 6 events
    total = made.content(f"total-{R}-01.json")
    assert decoded(of_text(total["vector"], 3, "total")).tolist() == [5, 50, 20]
    made.plan()
    for each in made.cities:
        each.contribute(made.folder)
    assert "結果を書きました" in made.total()[0]
    result = made.content(f"result-{R}.json")["result"]
    card = result["bands"]["lower"]["card"]
    # 20 events of rate .4 and 30 children without: 20 * .36 + 30 * .16
    assert [one["weight"] for one in result["bands"]["lower"]["levels"]][:2] == [0.0, 0.0]
    assert max(one["weight"] for one in result["bands"]["lower"]["levels"]) == 0.4
    assert card["r_squared"] == pytest.approx(12.0, abs=1e-12)
    told = "\n".join(city.show(made.folder))
    assert f"{R} 第2回 moments：参加 5（080001、" in told
    assert "複数の市でも求められませんでした（十分な数の児童と市区町村にある項目が、一つもありません）" in told
    assert "相談記録のある児童数｜—｜20" in told
    # one of eight children stands in no top tenth
    assert "この市を除いた重みによる）｜—｜0.0%" in told
    assert "｜—｜+400.0（p 0.001）" in told
    # the key of the masks, and what was sent, went with the result; looking again needs neither
    assert R not in city.keys.pools
    with connect(city.settings.database) as con:
        assert [one.file for one in answers(con)] == [None, None]
    assert "\n".join(city.show(made.folder)) == told
    with pytest.raises(RequestError, match="--role: nothing was given"):
        city.adopt(made.folder, role=None)
    assert f"{R}.pooled.1" in city.adopt(made.folder)[0]
    with pytest.raises(PoolError, match=rf"was adopted already, as {R}\.pooled\.1"):
        city.adopt(made.folder)
    with connect(city.settings.database) as con:
        assert con.execute(
            "select version, band, origin, in_force_from, decided_by from weights.versions"
        ).fetchall() == [(f"{R}.pooled.1", "lower", "pooled", None, "こども未来センター長")]
        noted = con.execute("select command, role, reason, resident_id from rights.accesses").fetchall()
        assert noted == [("pool adopt", "こども未来センター長", "五市で求めた", None)]
        con.execute("update features.labels set known_before = true")
    with pytest.raises(PoolError, match="are no longer those that this city answered with"):
        city.show(made.folder)
    with pytest.raises(PoolError, match="has its result"):
        city.contribute(made.folder)
    with pytest.raises(PoolError, match="has its result"):
        made.plan()
    made.copied(tmp_path / "forged")
    forged = made.altered(tmp_path / "forged", f"result-{R}.json", result=result | {"failed": {}})
    with pytest.raises(PoolError, match="is not what the totals give: content failed"):
        city.show(forged)


def test_files_of_strangers_and_altered_ones(pool, tmp_path):
    city = pool.cities[0]
    stranger = pool.cities[1].keys.signing
    document = json.loads((pool.folder / PLAN_2).read_text("utf-8"))
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / PLAN_2).write_bytes(signed("plan", document["content"], stranger))
    refused(city, folder, "is signed by the key .* comes from somebody else")
    document["content"]["round"] = 3
    (folder / PLAN_2).write_text(json.dumps(document), "utf-8")
    refused(city, folder, "does not hold")
    (folder / PLAN_2).write_text("[]", "utf-8")
    refused(city, folder, "is no file of a pool")
    shutil.copy(pool.folder / f"total-{R}-01.json", folder / PLAN_2)
    refused(city, folder, "is another file of a pool, expected a plan")
    (folder / PLAN_2).unlink()
    refused(city, folder, "holds no plan")
    refused(city, pool.altered(folder, PLAN_2, round="two"), "round is missing or not what a plan holds there")


def join_of(pool: Pool, number: int, **changes: object) -> dict:
    """The joining file of a city, signed by it, with ``changes``."""
    name = f"join-{R}-{CODES[number]}.json"
    document = json.loads((pool.folder / name).read_text("utf-8"))
    return json.loads(signed("join", document["content"] | changes, pool.cities[number].keys.signing))


def test_members_that_a_city_does_not_pool_with(pool, tmp_path):
    city = pool.cities[0]
    joins = [join_of(pool, number) for number in range(5)]
    held = pool.content(PLAN_2)["asked"]

    def asked_with(said: str, **changes: object) -> str:
        return refused(city, pool.altered(tmp_path / "files", PLAN_2, **changes), said)

    left = json.loads(signed("withdrawal", {"date": R.isoformat(), "member": CODES[4]}, pool.cities[4].keys.signing))
    asked_with("080005: neither joins nor withdraws", joins=joins[:4])
    asked_with(r"found 4 members, expected at least 5", joins=joins[:4], withdrawals=[left])
    asked_with("080005: joins and withdraws", withdrawals=[left])
    asked_with("there are two joins of 080001", joins=[*joins, joins[0]])
    other = join_of(pool, 4, date="2024-04-01")
    asked_with("the join of 080005 is of 2024-04-01, expected 2025-04-01", joins=[*joins[:4], other])
    large = join_of(pool, 4, children=801)
    asked_with("080005: has 801 of 2,401 children by the published", joins=[*joins[:4], large])
    entering = pool.content(f"join-{R}-{CODES[4]}.json")["entering"]
    differs = join_of(pool, 4, entering=entering | {"items.absence_days": "0" * 64})
    # what differs is looked at once the members are: the same set answered round 1
    asked_with("of one date a city answers one set of members", joins=[*joins[:4], differs])
    assert held == pool.content(PLAN_2)["asked"]


def test_a_member_that_is_not_on_the_list_or_has_another_key(pool, tmp_path):
    city = pool.cities[1]
    folder = pool.altered(tmp_path / "files", PLAN_2)
    try:
        city.configure(**pool.shared | {"members": dict(list(pool.members.items())[:4])})
        refused(city, folder, "holds a join of 080005, expected members of pool.members alone")
        city.configure(**pool.shared | {"members": pool.members | {CODES[4]: "0" * 64}})
        refused(city, folder, r"the join of 080005 is signed by the key .*, expected 0000000000000000")
        city.configure(**pool.shared | {"members": pool.members | {CODES[1]: "0" * 64}})
        refused(city, folder, "expected the fingerprint of this city's own key")
        city.configure(**pool.shared | {"members": {}})
        refused(city, folder, "pool.members is empty")
        city.configure(**pool.shared | {"members": {c: f for c, f in pool.members.items() if c != CODES[1]}})
        refused(city, folder, "pool.members lacks 080002")
        city.configure(**pool.shared | {"decided_by": None})
        with pytest.raises(KodomoError, match="at_least: found 5, expected 10 or more, or decided_by and reason"):
            city.contribute(folder)
        city.configure(**pool.shared | {"at_least": 4})
        with pytest.raises(KodomoError, match="greater than or equal to 5"):
            city.contribute(folder)
        city.configure(**pool.shared | {"at_least": 10})
        refused(city, folder, "found 5 members, expected at least 10")
        city.configure("weights: {max_gvif: 9}", **pool.shared)
        refused(city, folder, r"joined with other settings than it has now \(weights.max_gvif\)")
    finally:
        city.configure(**pool.shared)


def test_rounds_that_do_not_follow(pool, tmp_path):
    city = pool.cities[2]
    content = pool.content(PLAN_2)

    def asked_with(said: str, **changes: object) -> str:
        return refused(city, pool.altered(tmp_path / "files", PLAN_2, **changes), said)

    asked = content["asked"]
    pool.copied(tmp_path / "files")
    asked_with(
        "asks what does not follow from catalogue and totals: content rate",
        asked=asked | {"content": {"rate": 0.4 + 3e-9}},
    )
    asked_with("does not follow from catalogue and totals: length", asked=asked | {"length": 2})
    asked_with("asks a round 9, expected at most 8", round=9)
    asked_with("round 3 holds the totals of rounds 1, expected those of every round", round=3)
    asked_with("is a second plan of round 1 of 2025-04-01, which differs", round=1, totals=[])
    refused(city, pool.folder, "the last day of round 2 was 2025-06-30: the pool of 2025-04-01 has ended", LATER)
    # a plan of round 1 of the coordinator's hand that differs from the first: another last day
    shutil.rmtree(tmp_path / "files")
    again = pool.altered(tmp_path / "files", PLAN_1, last_day="2025-08-01")
    refused(city, again, "is a second plan of round 1")

    def total_with(said: str, **changes: object) -> None:
        document = json.loads((pool.folder / f"total-{R}-01.json").read_text("utf-8"))
        total = json.loads(signed("total", document["content"] | changes, pool.coordinator.signing))
        asked_with(said, totals=[total])

    shutil.rmtree(tmp_path / "files")
    pool.copied(tmp_path / "files")
    total = pool.content(f"total-{R}-01.json")
    total_with("does not begin with the number of members", vector=to_text(encoded([4, 50, 20])))
    masked = encoded([5, 50, 20])
    masked[1, 1] = 1 << 52
    total_with("number 2 of the total is out of range", vector=to_text(masked))
    total_with("has 2 numbers, the plan asks for 3", vector=to_text(encoded([5, 50])))
    total_with("is no base64 text", vector="?")
    # numbers of the coordinator's own, which the plan would follow from
    total_with("the total of round 1 is not the sum of the answers", vector=to_text(encoded([5, 50, 21])))
    answer = f"contribution-{R}-01-{CODES[4]}.json"
    changed = pool.altered(tmp_path / "files", answer, vector=to_text(encoded([1, 12, 6])))
    shutil.copy(pool.folder / PLAN_2, changed / PLAN_2)
    refused(city, changed, f"{answer}: is another answer of 080005 than went into the total of round 1")
    (changed / answer).unlink()
    refused(city, changed, f"{answer}: is missing, expected the answer of every member beside the total of round 1")
    shutil.copy(pool.folder / answer, changed / answer)
    total_with("is not that of the files of its members", plan="0" * 64)
    total_with("is not that of the files of its members", contributions=total["contributions"] | {CODES[2]: "0" * 64})
    total_with(
        "is not that of the files of its members",
        contributions={code: digest for code, digest in total["contributions"].items() if code != CODES[0]},
    )
    total_with("holds the totals of rounds 2, expected", round=2)


def test_a_database_that_was_restored_answers_no_other_plan(tmp_path):
    """What was answered stands in the key file too, which no backup holds and none takes back."""
    made = Pool(tmp_path)
    city = made.cities[0]
    made.plan()
    saved = city.settings.database.read_bytes()
    city.contribute(made.folder)
    name = f"contribution-{R}-01-{CODES[0]}.json"
    sent = (made.folder / name).read_bytes()
    city.settings.database.write_bytes(saved)
    other = made.altered(tmp_path / "other", PLAN_1, last_day="2025-08-01")
    with pytest.raises(PoolError, match="is a second plan of round 1"):
        city.contribute(other)
    for withdraw in (False, True):
        with pytest.raises(PoolError, match="has begun"):
            city.join(made.folder, withdraw=withdraw)
    (made.folder / name).unlink()
    city.contribute(made.folder)
    assert (made.folder / name).read_bytes() == sent
    # and once there is a result, that date is over whatever the database says
    city.keys.ended(R)
    city.settings.database.write_bytes(saved)
    with pytest.raises(PoolError, match="has begun"):
        city.join(made.folder)


def test_keys_that_are_lost_or_stand_for_two_are_told(tmp_path):
    made = Pool(tmp_path)
    city = made.cities[0]
    city.settings.pool_key_file.rename(tmp_path / "moved")
    with pytest.raises(PoolError, match=r"stands in pool\.members with its fingerprint: the key is lost or was moved"):
        city.join(made.folder)
    assert not city.settings.pool_key_file.exists()
    (tmp_path / "moved").rename(city.settings.pool_key_file)
    one = made.members[CODES[1]]
    city.configure(**made.shared | {"members": made.members | {CODES[2]: one}})
    with pytest.raises(KodomoError, match=f"{one[:16]}... stands there for two"):
        city.catalogue  # noqa: B018
    weak = made.altered(tmp_path / "weak", f"join-{R}-{CODES[3]}.json", exchange="0" * 64)
    for path in made.folder.glob("join-*.json"):
        if not (weak / path.name).exists():
            shutil.copy(path, weak / path.name)
    with pytest.raises(PoolError, match="member 080004: its X25519 key is no key"):
        made.plan(weak)
    made.plan()
    coordinator_file(made.home).unlink()
    with pytest.raises(PoolError, match="plans that it signed are: the coordinator's key is lost"):
        made.plan()
    assert not coordinator_file(made.home).exists()


def test_catalogues_that_differ_and_members_that_change_by_few():
    own = {"items.absence_days": "a", "weights.max_gvif": "b"}
    join = {"date": R, "exchange": "0" * 64, "tables": (), "data": "0" * 64, "children": 9}
    other = {"items.absence_days": "c" * 64, "bands": "d" * 64}
    joins = {"080001": Join(member="080001", entering=other, **join)}
    with pytest.raises(PoolError, match=r"080001: differs in items.absence_days, weights.max_gvif, bands, expected"):
        require_same_catalogue(own, joins)
    before = {R.replace(year=2022): ["d"], R.replace(year=2024): CODES, R: ["x"]}
    require_like_before(CODES, R, before)
    require_like_before([*CODES, "a", "b", "c"], R, before)
    with pytest.raises(PoolError, match="a, b: come new since the pool of 2024-04-01, expected none or at least 3"):
        require_like_before([*CODES, "a", "b"], R, before)
    with pytest.raises(PoolError, match="080001: are gone since the pool of 2024-04-01"):
        require_like_before(CODES[1:], R, before)


def test_what_must_stay_as_it_was_joined_with(pool, tmp_path):
    city = pool.cities[3]
    change = "update features.labels set known_before = not known_before where child_key = $1"
    for _ in range(2):
        with connect(city.settings.database) as con:
            con.execute(change, [f"{0:032x}"])
        if _ == 0:
            refused(city, pool.folder, "the data of 2025-04-01 are not those that this city joined with")
    saved = city.settings.pool_key_file.read_bytes()
    city.keys.ended(R)
    refused(city, pool.folder, "holds no keys of the pool of 2025-04-01")
    city.settings.pool_key_file.write_bytes(saved)


def test_what_the_coordinator_refuses(pool, tmp_path):
    """Of round 2: every answer but that of the last city is there, and not what it should be."""
    folder = tmp_path / "files"
    pool.copied(folder)
    name = f"contribution-{R}-02-{CODES[0]}.json"
    own = {
        "date": R.isoformat(),
        "round": 2,
        "member": CODES[0],
        "plan": json.loads((folder / f"contribution-{R}-01-{CODES[0]}.json").read_text("utf-8"))["content"]["plan"],
        "vector": to_text(encoded([1, 2])),
    }

    def told(said: str, today: dt.date = TODAY, signer: int = 0, **changes: object) -> None:
        (folder / name).write_bytes(signed("contribution", own | changes, pool.cities[signer].keys.signing))
        with pytest.raises(PoolError, match=said) as error:
            pool.total(folder, today)
        assert error.value.said.ja is not None
        assert not (pool.home / f"total-{R}-02.json").exists()

    told("answers another plan than that of round 2")
    told("the contribution of 080001 is signed by the key", signer=1)
    told("is of 080099, expected members of the plan alone", member="080099")
    message = json.loads((folder / PLAN_2).read_text("utf-8"))["content"]
    text = json.dumps([1, "plan", message], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    own["plan"] = hashlib.sha256(b"kodomo pool\n" + text.encode()).hexdigest()
    told("has 3 numbers, the plan asks for 2", vector=to_text(encoded([1, 2, 3])))
    told("080002, 080003, 080004, 080005 did not answer yet, expected all members by 2025-06-30")
    told("did not answer by 2025-06-30, expected all members: the pool of this date has ended", today=LATER)
    shutil.copy(folder / name, folder / f"contribution-{R}-02-x.json")
    told("is a second answer of 080001 beside")
    (folder / f"contribution-{R}-02-x.json").unlink()
    for number, code in enumerate(CODES[1:], start=1):
        other = own | {"member": code, "vector": to_text(encoded([1, 2]))}
        (folder / f"contribution-{R}-02-{code}.json").write_bytes(
            signed("contribution", other, pool.cities[number].keys.signing)
        )
    told("does not begin with the number of members", vector=to_text(encoded([2, 2])))
