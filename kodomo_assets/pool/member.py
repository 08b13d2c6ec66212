"""A member of a pool: joins, answers each round once, and looks at what came of it (cities.md, 2).

It believes no file: what a plan asks it works out again from the totals, and it answers nothing else.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import duckdb
import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from numpy.typing import NDArray

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.errors import PoolError
from kodomo_assets.pool import rounds
from kodomo_assets.pool.contents import (
    Contribution,
    Join,
    ResultContent,
    Round,
    Total,
    Withdrawal,
    content_of,
    opened_round,
)
from kodomo_assets.pool.documents import (
    CONTRIBUTION,
    JOIN,
    PLAN,
    RESULT,
    TOTAL,
    WITHDRAWAL,
    Document,
    opened,
    read,
    signed,
    verified,
)
from kodomo_assets.pool.engine import Engine
from kodomo_assets.pool.entering import delivered, entering, state_of_data
from kodomo_assets.pool.files import contribution_name, join_name, newest, withdrawal_name
from kodomo_assets.pool.keys import Keys, OfPool
from kodomo_assets.pool.ledger import Answer, answers, note, of_date
from kodomo_assets.pool.masks import masked
from kodomo_assets.pool.rounds import Asked, Result
from kodomo_assets.pool.rules import (
    differing,
    require_code,
    require_configured,
    require_like_before,
    require_members,
    require_round,
    require_same_catalogue,
    require_yearly,
    total_numbers,
)
from kodomo_assets.pool.vectors import added, encoded, of_text, to_text
from kodomo_assets.stages.weights.data import bands
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.store.outbox import write_file
from kodomo_assets.store.tables import transaction


@dataclass(frozen=True)
class Outcome:
    """A result that this city worked out again: the last round, its totals, and what the pool comes to.

    Attributes:
        digest: of the result's file.
        without: of each band with weights, those of its columns had this city not been there.
        children: the city's own.
    """

    date: dt.date
    last: Round
    result: Result
    digest: str
    without: Mapping[Band, Sequence[float]]
    children: Mapping[Band, Children]


@dataclass(frozen=True)
class Member:
    """A city that takes part: its database (nobody else writes into it meanwhile), its settings and its keys."""

    con: duckdb.DuckDBPyConnection
    catalogue: Catalogue
    keys: Keys
    engine: Engine = rounds

    @property
    def code(self) -> str:
        """Its own 団体コード.

        Raises:
            PoolError: the configuration lacks it, or its published number of children.
        """
        require_code(self.catalogue.pool)
        return self.catalogue.pool.code or ""

    def date(self) -> dt.date:
        """The latest yearly date that has a matrix.

        Raises:
            PoolError: there is none.
        """
        days = self.con.execute("select distinct reference_date from features.matrix order by all desc").fetchall()
        for (day,) in days:
            if self.catalogue.calendar.is_yearly(day):
                found: dt.date = day
                return found
        raise PoolError(
            "kodomo.duckdb holds no matrix of a yearly date ({month_day}), expected one: refresh it first",
            month_day=self.catalogue.calendar.yearly,
        )

    # --- joining -------------------------------------------------------------------------------------------------

    def join(self, folder: Path) -> tuple[Member, Path]:
        """Writes the joining file of the latest yearly date; the member that has keys for its pool, and the file.

        Raises:
            PoolError: the configuration lacks the city's code, or the pool of that date has begun.
            FitError: the date has no labels.
            KeyFileError: the keys cannot be written.
        """
        code, date = self.code, self.date()
        if self._has_begun(date):
            raise PoolError(
                "the pool of {date} has begun: a round of it was answered, and the data are frozen; expected `kodomo "
                "pool contribute`",
                date=date,
            )
        member = Member(self.con, self.catalogue, self.keys.joined(date), self.engine)
        file = folder / join_name(date, code)
        write_file(file, signed(JOIN, member.own_join(date).said(), member.keys.signing))
        return member, file

    def withdraw(self, folder: Path) -> Path:
        """Writes that the city does not take part at its latest yearly date.

        Raises:
            PoolError: a round was answered: then the pool ends where it leaves.
        """
        code, date = self.code, self.date()
        if self._has_begun(date):
            raise PoolError(
                "the pool of {date} has begun: a round of it was answered, and who leaves now ends it for all. Tell "
                "the coordinator; expected a withdrawal before round 1",
                date=date,
            )
        file = folder / withdrawal_name(date, code)
        write_file(file, signed(WITHDRAWAL, Withdrawal(date=date, member=code).said(), self.keys.signing))
        return file

    def _has_begun(self, date: dt.date) -> bool:
        """Whether a round of the pool of ``date`` was answered: a restored database alone may not know."""
        return bool(of_date(answers(self.con), date)) or self.keys.has_begun(date)

    def own_join(self, date: dt.date) -> Join:
        """What the joining file says today; loads ``fit_data``."""
        own, code, children = self._of_pool(date), self.code, self.catalogue.pool.children
        state = state_of_data(self.con, self.catalogue, date)
        return Join(
            date=date,
            member=code,
            exchange=own.exchange.public_key().public_bytes_raw().hex(),
            tables=delivered(self.con, self.catalogue, date),
            entering=entering(self.catalogue, date),
            data=own.frozen(state),
            children=children or 0,
        )

    def _of_pool(self, date: dt.date) -> OfPool:
        if date not in self.keys.pools:
            raise PoolError(
                "{path}: holds no keys of the pool of {date}: this city did not join it, or it has its result and "
                "they were deleted",
                path=self.keys.path.name,
                date=date,
            )
        return self.keys.pools[date]

    # --- answering -----------------------------------------------------------------------------------------------

    def contribute(self, folder: Path, today: dt.date) -> tuple[Path, Answer, bool]:
        """Answers the newest plan in ``folder``: the file, what the ledger says, and whether it was answered before.

        Raises:
            PoolError: the plan is refused; nothing was written.
        """
        self._require_configured()
        coordinator, pool = self.catalogue.pool.coordinator or "", self.catalogue.pool
        document = opened(newest(folder, PLAN), PLAN, coordinator)
        found = opened_round(document, pool.members, coordinator)
        ledger = answers(self.con)
        before = of_date(ledger, found.plan.date)
        if (given := before.get(found.plan.round)) and given.plan == document.digest and given.file is not None:
            return self._written(folder, given), given, True
        require_yearly(self.catalogue, found.plan.date)
        require_round(found, today)
        self._require_members(found, ledger)
        self._require_chain(found, before)
        # what the city sends is made of the data that it joined with
        own = self.own_join(found.plan.date)
        self._require_frozen(found, own)
        require_same_catalogue(own.entering, found.joins)
        asked = self._require_asked(folder, found, before)
        children = bands(self.con, self.catalogue)
        numbers = self.engine.answer(self.catalogue, children, asked)
        if len(numbers) != asked.length:
            raise PoolError(
                "the answer has {found} numbers, the plan asks for {length}; nothing was answered",
                found=len(numbers),
                length=asked.length,
            )
        answer = self._answer(found, asked, numbers, state_of_data(self.con, self.catalogue, found.plan.date))
        # first where no backup of the database takes it back
        self.keys.noted(answer.date, answer.round, answer.plan)
        with transaction(self.con):
            note(self.con, answer)
        return self._written(folder, answer), answer, False

    def _require_configured(self) -> None:
        pool = self.catalogue.pool
        require_configured(pool)
        if pool.members[self.code] != self.keys.fingerprint:
            raise PoolError(
                "city.yaml: pool.members.{code} is {found}..., expected the fingerprint of this city's own key, "
                "{expected}",
                code=self.code,
                found=pool.members[self.code][:16],
                expected=self.keys.fingerprint,
            )

    def _require_members(self, found: Round, ledger: Sequence[Answer]) -> None:
        """The members are those of this city's list, enough, none too large, and the same in every round."""
        members, date = tuple(found.joins), found.plan.date
        if self.code not in found.joins:
            raise PoolError(
                "{file}: is not asked of this city ({code}): it holds no joining file of it",
                file=found.document.name,
                code=self.code,
            )
        require_members(self.catalogue.pool, found.joins, found.withdrawals)
        require_like_before(members, date, {one.date: one.members for one in ledger})
        for answer in of_date(ledger, date).values():
            if answer.members != members or answer.joins != _digests(found):
                raise PoolError(
                    "{file}: asks for {members} with other joining files than round {round} of {date} did, expected "
                    "the same: of one date a city answers one set of members; nothing was answered",
                    file=found.document.name,
                    members=", ".join(members),
                    round=answer.round,
                    date=date,
                )

    def _require_chain(self, found: Round, before: Mapping[int, Answer]) -> None:
        """Every round before was answered by this city, and its total is that of the plan that it answered."""
        file, plan = found.document.name, found.plan
        given = before.get(plan.round)
        # a database that was restored knows less than the key file
        answered = given.plan if given else self._of_pool(plan.date).answered.get(plan.round)
        if answered not in (None, found.document.digest):
            raise PoolError(
                "{file}: is a second plan of round {round} of {date}, which differs from the one that was answered; "
                "nothing was answered",
                file=file,
                round=plan.round,
                date=plan.date,
            )
        if given:
            raise PoolError("the pool of {date} has its result: nothing is sent again", date=plan.date)
        for number, (document, total) in enumerate(found.totals, start=1):
            given = before.get(number)
            if given is None:
                raise PoolError(
                    "{file}: holds a total of round {round}, which this city did not answer; expected that of every "
                    "member or none. Was the database restored? Then answer the plans again from the first on, each "
                    "alone in a folder: they give the same files",
                    file=file,
                    round=number,
                )
            self._require_total(file, document, total, given, before)

    def _require_total(
        self, file: str, document: Document, total: Total, given: Answer, before: Mapping[int, Answer]
    ) -> None:
        others = total.contributions.keys() ^ set(given.members)
        if total.plan != given.plan or others or total.contributions[self.code] != given.digest:
            raise PoolError(
                "{file}: the total of round {round} is not that of the files of its members that answered its plan; "
                "the pool cannot go on with it",
                file=file,
                round=given.round,
            )
        seen = {one.totals[given.round - 1] for one in before.values() if len(one.totals) >= given.round}
        if seen - {document.digest}:
            raise PoolError(
                "{file}: holds another total of round {round} than the plan before, expected the same; nothing was "
                "answered",
                file=file,
                round=given.round,
            )

    def _require_sum(self, folder: Path, total: Total, given: Answer) -> None:
        """The total is the sum of the answers that the members signed: nobody chose a number in it."""
        vectors = []
        for member, digest in total.contributions.items():
            name = contribution_name(total.date, total.round, member)
            if not (folder / name).is_file():
                raise PoolError(
                    "{file}: is missing, expected the answer of every member beside the total of round {round}: only "
                    "by them this city sees that the total is their sum; nothing was answered",
                    file=name,
                    round=total.round,
                )
            document = opened(folder / name, CONTRIBUTION, self.catalogue.pool.members[member])
            content = content_of(document, Contribution)
            if document.digest != digest or content.plan != given.plan:
                raise PoolError(
                    "{file}: is another answer of {member} than went into the total of round {round}; nothing was "
                    "answered: ask for the files of that round again",
                    file=name,
                    member=member,
                    round=total.round,
                )
            vectors.append(of_text(content.vector, given.length + 1, name))
        if to_text(reduce(added, vectors)) != total.vector:
            raise PoolError(
                "the total of round {round} is not the sum of the answers of its members, expected it: who signed it "
                "chose numbers of his own; nothing was answered. Tell the other members",
                round=total.round,
            )

    def _require_frozen(self, found: Round, own: Join) -> None:
        """The plan holds this city's own joining file, and the data are those of it."""
        joined, file = found.joins[self.code], found.document.name
        if names := differing(own.entering, joined.entering):
            raise PoolError(
                "{file}: this city joined with other settings than it has now ({names}), expected those of then: put "
                "them back; nothing was answered",
                file=file,
                names=", ".join(names),
            )
        if (joined.exchange, joined.children) != (own.exchange, own.children):
            raise PoolError(
                "{file}: holds another joining file of this city than it would write now, expected its own; nothing "
                "was answered",
                file=file,
            )
        if joined.data != own.data or joined.tables != own.tables:
            raise PoolError(
                "the data of {date} are not those that this city joined with: matrix, households or label changed "
                "since, expected them frozen until the result; nothing was answered",
                date=found.plan.date,
            )

    def _require_asked(self, folder: Path, found: Round, before: Mapping[int, Answer]) -> Asked:
        """What the plan asks, which is what follows from the totals; else it is refused."""
        plan, file = found.plan, found.document.name
        totals = [
            total_numbers(total.vector, before[number].length, len(found.joins), file)
            for number, (_, total) in enumerate(found.totals, start=1)
        ]
        if found.totals:
            # of the rounds before that one it was seen when they were answered, and their totals are the same
            self._require_sum(folder, found.totals[-1][1], before[len(found.totals)])
        asked = Asked(plan.asked.name, dict(plan.asked.content), plan.asked.length)
        expected = self.engine.ask(self.catalogue, plan.date, found.delivered, totals)
        if isinstance(expected, Result):
            raise PoolError(
                "{file}: asks a round {round}, but the totals give the result already; nothing was answered",
                file=file,
                round=plan.round,
            )
        if (difference := self.engine.same(expected, asked)) is not None:
            raise PoolError(
                "{file}: asks what does not follow from catalogue and totals: {difference}; nothing was answered",
                file=file,
                difference=difference,
            )
        return expected

    def _answer(self, found: Round, asked: Asked, numbers: NDArray[np.float64], data: str) -> Answer:
        plan, own = found.plan, self._of_pool(found.plan.date)
        others = {
            member: X25519PublicKey.from_public_bytes(bytes.fromhex(join.exchange))
            for member, join in found.joins.items()
            if member != self.code
        }
        # the first number counts the members: a total that lacks one does not begin with it
        vector = encoded(np.concatenate([[1.0], numbers]))
        hidden = masked(vector, self.code, own.exchange, others, bytes.fromhex(found.document.digest))
        content = Contribution(
            date=plan.date, round=plan.round, member=self.code, plan=found.document.digest, vector=to_text(hidden)
        )
        file = signed(CONTRIBUTION, content.said(), self.keys.signing)
        return Answer(
            date=plan.date,
            round=plan.round,
            asked=asked.name,
            length=asked.length,
            members=tuple(found.joins),
            joins=_digests(found),
            totals=tuple(document.digest for document, _ in found.totals),
            plan=found.document.digest,
            data=data,
            digest=read(file, CONTRIBUTION, CONTRIBUTION).digest,
            file=file.decode(),
            answered_at=dt.datetime.now(dt.UTC),
        )

    def _written(self, folder: Path, answer: Answer) -> Path:
        file = folder / contribution_name(answer.date, answer.round, self.code)
        write_file(file, (answer.file or "").encode())
        return file

    # --- the result ----------------------------------------------------------------------------------------------

    def result(self, folder: Path) -> Outcome:
        """The newest result in ``folder``, worked out again from the totals.

        Raises:
            PoolError: it is refused, is not what the totals give, or the data are no longer those that were summed.
        """
        self._require_configured()
        pool, coordinator = self.catalogue.pool, self.catalogue.pool.coordinator or ""
        document = opened(newest(folder, RESULT), RESULT, coordinator)
        content = content_of(document, ResultContent)
        found = opened_round(verified(content.plan, document.name, PLAN, coordinator), pool.members, coordinator)
        last = verified(content.total, document.name, TOTAL, coordinator)
        before = of_date(answers(self.con), content.date)
        given = before.get(found.plan.round)
        if given is None or given.plan != found.document.digest or found.plan.date != content.date:
            raise PoolError(
                "{file}: rests on a plan that this city did not answer, expected the last one that it did",
                file=document.name,
            )
        require_round(found, None)
        for number, (each, total) in enumerate([*found.totals, (last, content_of(last, Total))], start=1):
            self._require_total(document.name, each, total, before[number], before)
        totals = [
            total_numbers(total.vector, before[number].length, len(found.joins), document.name)
            for number, total in enumerate([*(total for _, total in found.totals), content_of(last, Total)], start=1)
        ]
        self._require_sum(folder, content_of(last, Total), given)
        if names := differing(entering(self.catalogue, content.date), found.joins[self.code].entering):
            raise PoolError(
                "{file}: this city joined with other settings than it has now ({names}), expected those of then: put "
                "them back; nothing was answered",
                file=document.name,
                names=", ".join(names),
            )
        result = self.engine.ask(self.catalogue, content.date, found.delivered, totals)
        if isinstance(result, Asked):
            raise PoolError("{file}: the totals give no result yet, expected another round", file=document.name)
        told = Asked(RESULT, dict(content.result), 0)
        if (difference := self.engine.same(Asked(RESULT, result.content, 0), told)) is not None:
            raise PoolError(
                "{file}: is not what the totals give: {difference}; nothing was taken over",
                file=document.name,
                difference=difference,
            )
        if state_of_data(self.con, self.catalogue, content.date) != given.data:
            raise PoolError(
                "the data of {date} are no longer those that this city answered with: matrix, households or label "
                "changed since, expected the same until the result is adopted; nothing was taken over",
                date=content.date,
            )
        children = bands(self.con, self.catalogue)
        without = self.engine.left_out(self.catalogue, content.date, found.delivered, totals, children)
        return Outcome(content.date, found, result, document.digest, without, children)


def _digests(found: Round) -> tuple[str, ...]:
    """One hash of each joining file, in the order of codes."""
    return tuple(hashlib.sha256(join.model_dump_json().encode()).hexdigest() for join in found.joins.values())
