"""The project's own exceptions: what a caller may show to a person. No text in them holds a cell of anyone's record.

Each kind says in Japanese (``ja``) what it is about and who mends it: that stands behind its message on the terminal,
so that staff know whom to give the message to, and what is found where is written once, in English.
"""

from typing import ClassVar


class KodomoError(Exception):
    """A condition that a person can mend; the message says what was found, what was expected and where."""

    ja: ClassVar[str] = "見つかったものと直し方は、上の文にあります"


class ConfigurationError(KodomoError):
    """A key of a configuration file is unknown or its value is wrong; the message names file and key."""

    ja: ClassVar[str] = "設定（city.yaml）か、打った値の誤りです。上の文の場所を直してください"


class DeliveryError(KodomoError):
    """A delivered file cannot be read as its table, or a delivery that a refresh needs is not there."""

    ja: ClassVar[str] = "受信フォルダーのファイルか基準日のことです。ファイルは担当課に直してもらい、置き直してください"


class UnknownChildError(KodomoError):
    """A number is no child's of a reference date, or of one about whom nothing can be told; the number is not named."""

    ja: ClassVar[str] = "その番号の児童は、示せません。番号と基準日を確かめてください"


class RequestError(KodomoError):
    """A command about one person is refused: who asks, why, by which account or about whom; no number is named."""

    ja: ClassVar[str] = "この請求は受け付けられません。役職、理由、アカウント、番号を確かめてください"


class StoreBusyError(KodomoError):
    """Another process holds the database."""

    ja: ClassVar[str] = "ほかの更新か道具がデータベースを開いています。終わるのを待って、もう一度打ってください"


class StoreFaultError(KodomoError):
    """The database, its disk or its folder refuses (damaged, full, not permitted); the message says what to do."""

    ja: ClassVar[str] = "データベースかディスクの不具合です。機械の管理者に、上の文を渡してください"


class StoreVersionError(KodomoError):
    """The database is of a version that this program cannot bring to its own; the message says what to do."""

    ja: ClassVar[str] = "データベースの版が、このプログラムと合いません。機械の管理者に、上の文を渡してください"


class BackupError(KodomoError):
    """A backup cannot be made or put back; the message says why and what to do."""

    ja: ClassVar[str] = "バックアップを作れないか、戻せません。機械の管理者に、上の文を渡してください"


class ExportError(KodomoError):
    """analyst.duckdb cannot be exported; the message says why and what to do."""

    ja: ClassVar[str] = "書き出せません。分析用のデータベースと書き出し先を、上の文のとおりに確かめてください"


class PublicationError(KodomoError):
    """The analysts' database was not replaced; the message says why, and which list the old file still tells."""

    ja: ClassVar[str] = "分析用のデータベースは、前のもののままです。データ担当に、上の文を渡してください"


class FitError(KodomoError):
    """A band cannot be fitted (too few events, separated design, no item left); the last version stays in force."""

    ja: ClassVar[str] = "重みを求められません。いまの版のままです。センターに、上の文を渡してください"


class CheckFailedError(KodomoError):
    """A blocking check failed inside the transaction; nothing was written.

    ``outcomes`` holds every outcome of the checks that ran, the passed ones too.
    """

    ja: ClassVar[str] = "検査が止めました。何も書いていません。状況.html に、直す人と直し方があります"

    def __init__(self, message: str, outcomes: list) -> None:
        super().__init__(message)
        self.outcomes = outcomes
