"""The project's own exceptions: what a caller may show to a person. No text in them holds a cell of anyone's record.

Each kind says in Japanese who mends it (``remedy``). What is found where is raised as an English sentence with named
fields, as ``gettext`` does it; its Japanese stands in messages.yaml under the same sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, reduce
from string import Formatter
from typing import ClassVar


class Said(str):
    """An English sentence of a template and its fields, and the same in Japanese: ``ja``, None where there is none.

    A field may be such a sentence itself, or anything else that is told in Japanese as ``ja``.
    """

    template: str
    fields: Mapping[str, object]

    def __new__(cls, template: str, **fields: object) -> Said:
        # a sentence without fields is told as it stands: what it quotes may hold braces
        said = super().__new__(cls, template.format(**fields) if fields else template)
        said.template, said.fields = template, fields
        return said

    @property
    def ja(self) -> str | None:
        known = _messages().get(self.template)
        if known is None:
            return None
        told = {name: getattr(value, "ja", None) or value for name, value in self.fields.items()}
        return known.format(**told) if told else known


def together(sentences: Iterable[Said]) -> Said:
    """One or more of them behind one another."""
    return reduce(lambda before, one: Said("{before}; {one}", before=before, one=one), sentences)


def under_one_another(sentences: Iterable[Said]) -> Said:
    """One or more of them, each in its own line."""
    return reduce(lambda before, one: Said("{before}\n{one}", before=before, one=one), sentences)


def stored(said: Said | None) -> str | None:
    """As a table holds it: DuckDB takes no other kind of text from a frame."""
    return None if said is None else str(said)


def recalled(text: str) -> Said | None:
    """The sentence that ``text`` is the English of, as it was stored or put together in SQL; None where none is."""
    for pattern, template in _patterns():
        if found := pattern.fullmatch(text):
            fields = {name: Said(part) if part in _messages() else part for name, part in found.groupdict().items()}
            return Said(template, **fields)
    return None


@cache
def _patterns() -> Sequence[tuple[re.Pattern[str], str]]:
    """What a template makes, those first that leave least to their fields, and none that says nothing itself."""
    made = []
    for template in _messages():
        parts = list(Formatter().parse(template))
        names = [name for _, name, _, _ in parts if name is not None]
        own = sum(len(literal) for literal, _, _, _ in parts)
        if own >= _OWN_WORDS and len(set(names)) == len(names):
            pattern = "".join(re.escape(literal) + (f"(?P<{name}>.+)" if name else "") for literal, name, _, _ in parts)
            made.append((own, re.compile(pattern), template))
    return [(pattern, template) for _, pattern, template in sorted(made, key=lambda one: -one[0])]


# a template of fewer letters of its own ("{place}: {problem}") fits anything
_OWN_WORDS = 12


@cache
def _messages() -> Mapping[str, str]:
    """English template -> the Japanese one, with the same fields."""
    # imported late: every start of a command comes through this module, and few end in an error
    from importlib import resources

    import yaml

    read: dict[str, str] = yaml.safe_load(resources.files("kodomo_assets").joinpath("messages.yaml").read_text("utf-8"))
    return read


#: Who mends an error that is none of our own kinds.
OF_MACHINE = "機械の不具合です。機械の管理者に、上の文を渡してください"
#: Who looks into a run whose process ended without a word.
OF_DEAD = "前に入ったものは残っています。何度も止まるときは、機械の管理者に知らせてください"
OF_PROGRAM = "プログラムの誤りです。上の文を開発元に知らせてください（個人の値は入っていません）"


def with_remedy(said: Said | None, remedy: str) -> str:
    """The Japanese of ``said``, where it has one, and below it who mends it."""
    return f"{said.ja}\n→ {remedy}" if said is not None and said.ja else f"→ {remedy}"


class KodomoError(Exception):
    """A condition that a person can mend; the message says what was found, what was expected and where."""

    remedy: ClassVar[str] = "見つかったものと直し方は、上の文にあります"

    def __init__(self, template: str = "", **fields: object) -> None:
        self.said = template if isinstance(template, Said) else Said(template, **fields)
        super().__init__(str(self.said))

    @property
    def ja(self) -> str:
        """What was found, in Japanese, and who mends it; where it has no Japanese, the latter alone."""
        return with_remedy(self.said, self.remedy)


class ConfigurationError(KodomoError):
    """A key of a configuration file is unknown or its value is wrong; the message names file and key."""

    remedy: ClassVar[str] = "設定（city.yaml）か、打った値の誤りです。上の文の場所を直してください"


class KeyFileError(ConfigurationError):
    """A key is missing, another, not usable or open to others; the message names its file and holds nothing of it."""

    remedy: ClassVar[str] = "鍵のファイルか、その場所の指定のことです。機械の管理者に、上の文を渡してください"


class HomeError(ConfigurationError):
    """Dagster's home is not there, or its dagster.yaml does not say what it must."""

    remedy: ClassVar[str] = "Dagsterの置き場所（DAGSTER_HOME）のことです。機械の管理者に、上の文を渡してください"


class DeliveryError(KodomoError):
    """A delivered file cannot be read as its table, or a delivery that a refresh needs is not there."""

    remedy: ClassVar[str] = (
        "受信フォルダーのファイルか、基準日のことです。ファイルは担当課に直してもらい、置き直してください"
    )


class UnknownChildError(KodomoError):
    """A number is no child's of a reference date, or of one about whom nothing can be told; the number is not named."""

    remedy: ClassVar[str] = "その番号の児童は、示せません。番号と基準日を確かめてください"


class RequestError(KodomoError):
    """A command about one person is refused: who asks, why, by which account or about whom; no number is named."""

    remedy: ClassVar[str] = "この請求は受け付けられません。役職、理由、アカウント、番号を確かめてください"


class StoreBusyError(KodomoError):
    """Another process holds the database."""

    remedy: ClassVar[str] = "ほかの更新か道具がデータベースを開いています。終わるのを待って、もう一度打ってください"


class StoreFaultError(KodomoError):
    """The database, its disk or its folder refuses (damaged, full, not permitted); the message says what to do."""

    remedy: ClassVar[str] = "データベースかディスクの不具合です。機械の管理者に、上の文を渡してください"


class StoreVersionError(KodomoError):
    """The database is of a version that this program cannot bring to its own; the message says what to do."""

    remedy: ClassVar[str] = "データベースの版が、このプログラムと合いません。機械の管理者に、上の文を渡してください"


class BackupError(KodomoError):
    """A backup cannot be made or put back; the message says why and what to do."""

    remedy: ClassVar[str] = "バックアップを作れないか、戻せません。機械の管理者に、上の文を渡してください"


class ExportError(KodomoError):
    """analyst.duckdb cannot be exported; the message says why and what to do."""

    remedy: ClassVar[str] = "書き出せません。分析用のデータベースと書き出し先を、上の文のとおりに確かめてください"


class ProgramError(KodomoError):
    """The program does what it must never do; the message says what."""

    remedy: ClassVar[str] = OF_PROGRAM


class PublicationError(KodomoError):
    """The analysts' database was not replaced; the message says why, and which list the old file still tells."""

    remedy: ClassVar[str] = "分析用のデータベースは、前のもののままです。データ担当に、上の文を渡してください"


class FitError(KodomoError):
    """A band cannot be fitted (too few events, separated design, no item left); the last version stays in force."""

    remedy: ClassVar[str] = "重みを求められません。いまの版のままです。センターに、上の文を渡してください"


class PoolError(KodomoError):
    """A file between the members of a pool and its coordinator is refused; nothing was answered (cities.md, 2)."""

    remedy: ClassVar[str] = "共同の重みは、ここで止まっています。センターに、上の文を渡してください"


class AggregatesError(KodomoError):
    """A city's file of aggregates is not given, or the host does not take it; nothing of it was read (cities.md, 3)."""

    remedy: ClassVar[str] = "市区町村の集計のことです。その市区町村のデータ担当に、上の文を渡してください"


class HostError(KodomoError):
    """What one more city needs cannot be made on a host, or is there and another's (hosts.md)."""

    remedy: ClassVar[str] = "ホストのことです。ホストの管理者（root）に、上の文を渡してください"


class CheckFailedError(KodomoError):
    """A blocking check failed inside the transaction; nothing was written.

    ``outcomes`` holds every outcome of the checks that ran, the passed ones too.
    """

    remedy: ClassVar[str] = "検査が止めました。何も書いていません。状況.html に、直す人と直し方があります"

    def __init__(self, message: str, outcomes: list) -> None:
        super().__init__(message)
        self.outcomes = outcomes
