"""The registry, entry by entry: what is read of which office, for what, on what basis and until when (method §8).

Everything follows from the catalogue: which columns are read and what each is for is asked of the same facts that the
refresh itself follows, so that no paper can say anything else than what happens.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kodomo_assets.catalogue import Agreement, Catalogue, Column, SourceTable
from kodomo_assets.checks import CheckOutcome

#: What a column is for where it decides no item.
_PURPOSES = {
    "spine": "対象となる児童と世帯の確定",
    "links": "記録と児童の照合（名寄せ）",
    "label": "重みの推定（相談記録の有無）",
    "hints": "支援のヒントを、利用中の児童には示さないため",
}
_IDENTITY = "本人の確認、名簿の表示、名寄せの確認"
_PROTECTION = "支援措置の対象者の保護"
_NO_ITEM = "項目の判定には使わない（確認や表示に使うことがある）"
_UNSCORED = "（点数には使わない）"
_FAIRNESS = f"公平の点検{_UNSCORED}"
#: Article 69(2): use beside the office's own task. It is temporary, and harm has to be weighed (但書).
_BESIDE_THE_TASK = "69条"
#: What stands in a paper for an entry that is not settled yet.
NOT_YET = "（空欄）"
#: The entries of an agreement, in words.
ASKED = {
    "agreed_by": "合意した者",
    "agreed_on": "合意した日",
    "document": "文書番号",
    "told_purpose": "取得時に示した利用目的（62条）",
    "assessment": "69条2項ただし書の検討",
}


@dataclass(frozen=True)
class Field:
    """One column that an office delivers: its Japanese header, and what it is read for."""

    ja: str
    purposes: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One table of the registry.

    Attributes:
        until: the last day on which it may be used; None where its use is permanent or has no last day.
        in_force: whether it may be used on the day of the papers.
        lacking: the entries of the agreement (keys of ``ASKED``) that are not settled yet.
    """

    table: str
    ja: str
    section: str
    office: str
    cadence: str
    basis: str
    reason: str
    permanent: bool
    until: dt.date | None
    in_force: bool
    sensitive: bool
    retention_years: int
    fields: tuple[Field, ...]
    agreement: Agreement
    lacking: tuple[str, ...]

    @property
    def term(self) -> str:
        """Until when it may be used, in words."""
        if self.permanent:
            return "恒常的"
        if self.until is None:
            return "期限の定めなし"
        return f"{self.until.isoformat()}まで" if self.in_force else f"{self.until.isoformat()}に終了"


def entries(catalogue: Catalogue, day: dt.date) -> tuple[Entry, ...]:
    """Every table of the contract, office by office, as it stands on ``day``."""
    order = list(catalogue.sections)
    tables = sorted(catalogue.tables.values(), key=lambda table: order.index(table.section))
    return tuple(_entry(catalogue, table, day) for table in tables)


def _entry(catalogue: Catalogue, table: SourceTable, day: dt.date) -> Entry:
    section, legal = catalogue.sections[table.section], table.legal
    agreement = catalogue.registry.agreement(table.section, table.id)
    asked = ASKED.keys() - (set() if _is_beside_the_task(section.basis) else {"assessment"})
    return Entry(
        table=table.id,
        ja=table.ja,
        section=table.section,
        office=section.ja,
        cadence=table.cadence,
        basis=section.basis,
        reason=legal.reason,
        permanent=legal.permanent,
        until=None if legal.permanent else legal.valid_until,
        in_force=legal.in_force(day),
        sensitive=table.is_sensitive,
        retention_years=catalogue.years_kept(table.id),
        fields=tuple(_fields(catalogue, table)),
        agreement=agreement,
        lacking=tuple(name for name in ASKED if name in asked and getattr(agreement, name) is None),
    )


def _is_beside_the_task(basis: str) -> bool:
    return _BESIDE_THE_TASK in unicodedata.normalize("NFKC", basis)


def _fields(catalogue: Catalogue, table: SourceTable) -> Iterable[Field]:
    fed = catalogue.feeding(table)
    unscored = {
        item.ja: _FAIRNESS if item.screen == "fairness" else f"{item.ja}{_UNSCORED}"
        for item in catalogue.items.values()
        if item.screen is not None
    }
    for column in table.columns.values():
        if not table.is_without(column.name):
            yield Field(column.ja, tuple(_purposes(column, fed.get(column.name, ()), _PURPOSES | unscored)))


def _purposes(column: Column, feeds: Iterable[str], purposes: Mapping[str, str]) -> list[str]:
    found = list(dict.fromkeys(purposes.get(what, what) for what in feeds))
    if column.role == "identity":
        found.insert(0, _IDENTITY)
    if column.unclear_is_yes:
        found.append(_PROTECTION)
    return found or [_NO_ITEM]


def check_bases(catalogue: Catalogue, today: dt.date) -> CheckOutcome:
    """Whether every legal basis holds for longer than the longest notice (``registry.notice_days``), counted today."""
    notices = catalogue.registry.notice_days
    registry = entries(catalogue, today)
    ending: dict[dt.date, list[str]] = {}
    for entry in registry:
        if entry.until is not None and (entry.until - today).days <= notices[0]:
            ending.setdefault(entry.until, []).append(f"{entry.office} {entry.ja}")
    told = [f"{_end(day, (day - today).days)}: {'、'.join(tables)}" for day, tables in sorted(ending.items())]
    # the national commission's Q&A of 令和7年12月 (3-3-2): 69条2項 is for temporary use
    endless = [f"{e.office} {e.ja}" for e in registry if e.until is None and _is_beside_the_task(e.basis)]
    if endless:
        told.append(f"has no last day, though 69条2項 is for temporary use only: {'、'.join(endless)}")
    left = [(day - today).days for day, tables in ending.items() for _ in tables]
    facts: dict[str, int | str] = {
        f"within_{days}_days": sum(0 <= days_left <= days for days_left in left) for days in notices
    }
    facts |= {
        "ended": sum(days_left < 0 for days_left in left),
        "without_last_day": len(endless),
        "endless": ", ".join(endless),
    }
    facts |= {"named": "; ".join(f"{day} {', '.join(tables)}" for day, tables in sorted(ending.items()))}
    return CheckOutcome(
        name="bases_hold",
        passed=not told,
        blocking=False,
        message=(
            f"{len(left) + len(endless)} tables whose legal basis ends within {notices[0]} days, has ended or has no "
            "end, expected 0: settle each anew with its office and put the day into tables.<id>.legal.valid_until of "
            "city.yaml: " + "; ".join(told)
            if told
            else f"every legal basis holds for more than {notices[0]} days"
        ),
        facts=facts,
    )


def _end(day: dt.date, left: int) -> str:
    return f"ended on {day}, not read for dates after it" if left < 0 else f"ends on {day}, in {left} days"


def check_settled(catalogue: Catalogue, today: dt.date) -> CheckOutcome:
    """Whether the registry knows of every table who agreed, when and in which document, and of the file what it is."""
    lacking = [(entry, entry.lacking) for entry in entries(catalogue, today) if entry.lacking]
    own = [name for name in ("body", "unit", "requests") if getattr(catalogue.registry, name) is None]
    cells = sum(len(names) for _, names in lacking) + len(own)
    told = [f"{entry.office} {entry.ja}: {'、'.join(ASKED[name] for name in names)}" for entry, names in lacking]
    told += [f"registry.{name}" for name in own]
    return CheckOutcome(
        name="registry_settled",
        passed=not cells,
        blocking=False,
        message=(
            f"{cells} entries of the registry are empty, expected 0: write them into registry of city.yaml "
            f"(docs/configuration.md): {'; '.join(told)}"
            if cells
            else "no entry of the registry is empty"
        ),
        facts={"empty": cells, "tables": len(lacking), "named": "; ".join(told)},
    )
