"""The coordinator of a pool: opens each round with a plan and closes it with a total; it holds no data (cities.md, 2).

What it signed lies in its home: a plan or a total is made once, and is the same file whenever it is asked for again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import PoolError
from kodomo_assets.pool import rounds
from kodomo_assets.pool.contents import (
    AskedContent,
    Contribution,
    Plan,
    ResultContent,
    Round,
    Total,
    content_of,
    joins_of,
    opened_round,
    require_signer,
    withdrawals_of,
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
    signed,
)
from kodomo_assets.pool.engine import Engine
from kodomo_assets.pool.entering import entering
from kodomo_assets.pool.files import files_of, plan_name, result_name, total_name
from kodomo_assets.pool.keys import Keys
from kodomo_assets.pool.rounds import MOST_ROUNDS, Asked, Result
from kodomo_assets.pool.rules import (
    require_keys,
    require_members,
    require_same_catalogue,
    require_yearly,
    total_numbers,
)
from kodomo_assets.pool.vectors import added, of_text, to_text
from kodomo_assets.store.outbox import write_file

#: So long members have to answer a round.
DAYS = 28


@dataclass(frozen=True)
class Coordinator:
    """Who adds up: its home with what it signed so far, the settings that all members share, and its key."""

    home: Path
    catalogue: Catalogue
    keys: Keys
    engine: Engine = rounds

    def _require_configured(self) -> None:
        pool = self.catalogue.pool
        if not pool.members:
            raise PoolError(
                "{home}/city.yaml: pool.members is empty, expected the members, each with the fingerprint of its key, "
                "taken from them; this coordinator's own is {fingerprint}",
                home=self.home.name,
                fingerprint=self.keys.fingerprint,
            )
        if pool.coordinator is not None and pool.coordinator != self.keys.fingerprint:
            raise PoolError(
                "{home}/city.yaml: pool.coordinator is {found}..., expected the fingerprint of the key in this home, "
                "{expected}",
                home=self.home.name,
                found=pool.coordinator[:16],
                expected=self.keys.fingerprint,
            )

    def plan(self, folder: Path, date: dt.date, today: dt.date) -> tuple[Path, Plan]:
        """Opens the next round of the pool of ``date``; where it is open already, its plan is the same file again.

        Raises:
            PoolError: the members are too few, one is too large, a catalogue differs, or there were eight rounds.
        """
        self._require_configured()
        require_yearly(self.catalogue, date)
        if (self.home / result_name(date)).exists():
            raise PoolError("the pool of {date} has its result, expected a date without one", date=date)
        number = len(files_of(self.home, TOTAL, date)) + 1
        name = plan_name(date, number)
        if not (self.home / name).exists():
            content = self._plan(folder, date, number, today)
            write_file(self.home / name, signed(PLAN, content.said(), self.keys.signing))
        write_file(folder / name, (self.home / name).read_bytes())
        return folder / name, self._round(date, number).plan

    def _plan(self, folder: Path, date: dt.date, number: int, today: dt.date) -> Plan:
        if number > MOST_ROUNDS:
            raise PoolError(
                "the pool of {date} has had {most} rounds and no result, expected none after: it ends here",
                date=date,
                most=MOST_ROUNDS,
            )
        members = self.catalogue.pool.members
        if number == 1:
            joining = [opened(path, JOIN) for path in files_of(folder, JOIN, date)]
            leaving = [opened(path, WITHDRAWAL) for path in files_of(folder, WITHDRAWAL, date)]
            withdrawn = withdrawals_of(leaving, members, date)
            joins = {
                member: join for member, join in joins_of(joining, members, date).items() if member not in withdrawn
            }
            require_members(self.catalogue.pool, joins, withdrawn)
            require_keys(joins)
            require_same_catalogue(entering(self.catalogue, date), joins)
            there = {str(document.content["member"]): document.whole for document in joining}
            held, left = [there[member] for member in joins], [document.whole for document in leaving]
            asked = self.engine.ask(self.catalogue, date, {member: join.tables for member, join in joins.items()}, [])
        else:
            before = self._round(date, number - 1)
            held, left = list(before.plan.joins), list(before.plan.withdrawals)
            asked = self.engine.ask(self.catalogue, date, before.delivered, self._numbers(date, number))
        if isinstance(asked, Result):
            raise PoolError(
                "the totals of the pool of {date} give its result, expected `kodomo pool total` to write it", date=date
            )
        return Plan(
            date=date,
            round=number,
            last_day=today + dt.timedelta(days=DAYS),
            joins=tuple(held),
            withdrawals=tuple(left),
            asked=AskedContent(name=asked.name, content=asked.content, length=asked.length),
            totals=tuple(document.whole for document in self._totals(date, number)),
        )

    def _round(self, date: dt.date, number: int) -> Round:
        document = opened(self.home / plan_name(date, number), PLAN, self.keys.fingerprint)
        return opened_round(document, self.catalogue.pool.members, self.keys.fingerprint)

    def _totals(self, date: dt.date, number: int) -> Sequence[Document]:
        """The totals of the rounds before ``number``."""
        return [
            opened(self.home / total_name(date, before), TOTAL, self.keys.fingerprint) for before in range(1, number)
        ]

    def _numbers(self, date: dt.date, number: int) -> list[NDArray[np.float64]]:
        """What the rounds before ``number`` came to, without the number of members."""
        found = []
        for before, document in enumerate(self._totals(date, number), start=1):
            plan = self._round(date, before)
            total = content_of(document, Total)
            found.append(total_numbers(total.vector, plan.plan.asked.length, len(plan.joins), document.name))
        return found

    def total(self, folder: Path, today: dt.date) -> tuple[Path, Plan, Asked | Result]:
        """Closes the open round of the latest date: its total, the plan that it answers, and what comes next.

        Returns:
            the file that was written last: the total, or the result.

        Raises:
            PoolError: a contribution is missing, altered, of another plan or length, or the total is none.
            FitError: the totals give no result.
        """
        self._require_configured()
        plans = files_of(self.home, PLAN)
        if not plans:
            raise PoolError("{home}: holds no plan, expected `kodomo pool plan` first", home=self.home.name)
        opening = opened_round(
            opened(plans[-1], PLAN, self.keys.fingerprint), self.catalogue.pool.members, self.keys.fingerprint
        )
        date, number = opening.plan.date, opening.plan.round
        name = total_name(date, number)
        if not (self.home / name).exists():
            content = self._total(folder, opening, today)
            write_file(self.home / name, signed(TOTAL, content.said(), self.keys.signing))
        write_file(folder / name, (self.home / name).read_bytes())
        following = self.engine.ask(self.catalogue, date, opening.delivered, self._numbers(date, number + 1))
        if isinstance(following, Asked):
            return folder / name, opening.plan, following
        return self._result(folder, opening, following), opening.plan, following

    def _total(self, folder: Path, opening: Round, today: dt.date) -> Total:
        plan, length = opening.plan, opening.plan.asked.length
        documents: dict[str, Document] = {}
        vectors = []
        for path in files_of(folder, CONTRIBUTION, plan.date):
            document = opened(path, CONTRIBUTION)
            content = content_of(document, Contribution)
            if content.round != plan.round:
                # of a round before: it was counted
                continue
            self._require_own(opening, document, content, documents)
            vectors.append(of_text(content.vector, length + 1, document.name))
            documents[content.member] = document
        if lacking := sorted(opening.joins.keys() - documents.keys()):
            if today > plan.last_day:
                raise PoolError(
                    "round {round} of {date}: {members} did not answer by {last_day}, expected all members: the pool "
                    "of this date has ended, and its totals stay unused",
                    round=plan.round,
                    date=plan.date,
                    members=", ".join(lacking),
                    last_day=plan.last_day,
                )
            raise PoolError(
                "round {round} of {date}: {members} did not answer yet, expected all members by {last_day}: there is "
                "no total of some",
                round=plan.round,
                date=plan.date,
                members=", ".join(lacking),
                last_day=plan.last_day,
            )
        text = to_text(reduce(added, vectors))
        total_numbers(text, length, len(opening.joins), total_name(plan.date, plan.round))
        return Total(
            date=plan.date,
            round=plan.round,
            plan=opening.document.digest,
            contributions={member: document.digest for member, document in sorted(documents.items())},
            vector=text,
        )

    def _require_own(
        self, opening: Round, document: Document, content: Contribution, there: dict[str, Document]
    ) -> None:
        """A contribution is a member's own, to this plan, and the only one."""
        member, file = content.member, document.name
        if member not in opening.joins:
            raise PoolError("{file}: is of {member}, expected members of the plan alone", file=file, member=member)
        require_signer(document, member, self.catalogue.pool.members)
        if content.plan != opening.document.digest or content.date != opening.plan.date:
            raise PoolError(
                "{file}: answers another plan than that of round {round} of {date}; ask {member} to answer this one",
                file=file,
                round=opening.plan.round,
                date=opening.plan.date,
                member=member,
            )
        if member in there:
            raise PoolError(
                "{file}: is a second answer of {member} beside {other}, expected one",
                file=file,
                member=member,
                other=there[member].name,
            )

    def _result(self, folder: Path, opening: Round, result: Result) -> Path:
        date, number = opening.plan.date, opening.plan.round
        name = result_name(date)
        if not (self.home / name).exists():
            total = opened(self.home / total_name(date, number), TOTAL, self.keys.fingerprint)
            content = ResultContent(date=date, plan=opening.document.whole, total=total.whole, result=result.content)
            write_file(self.home / name, signed(RESULT, content.said(), self.keys.signing))
        write_file(folder / name, (self.home / name).read_bytes())
        return folder / name
