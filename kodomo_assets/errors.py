"""The project's own exceptions: what a caller may show to a person. No text in them holds a cell of anyone's record."""


class KodomoError(Exception):
    """A condition that a person can mend; the message says what was found, what was expected and where."""


class ConfigurationError(KodomoError):
    """A key of a configuration file is unknown or its value is wrong; the message names file and key."""


class DeliveryError(KodomoError):
    """A delivered file cannot be read as its table, or a delivery that a refresh needs is not there."""


class UnknownChildError(KodomoError):
    """A number is no child's of a reference date, or of one about whom nothing can be told; the number is not named."""


class RequestError(KodomoError):
    """A command about one person is refused: who asks, why, by which account or about whom; no number is named."""


class StoreBusyError(KodomoError):
    """Another process holds the database."""


class StoreFaultError(KodomoError):
    """The database, its disk or its folder refuses (damaged, full, not permitted); the message says what to do."""


class StoreVersionError(KodomoError):
    """The database is of a version that this program cannot bring to its own; the message says what to do."""


class BackupError(KodomoError):
    """A backup cannot be made or put back; the message says why and what to do."""


class ExportError(KodomoError):
    """analyst.duckdb cannot be exported; the message says why and what to do."""


class PublicationError(KodomoError):
    """The analysts' database was not replaced; the message says why, and which list the old file still tells."""


class FitError(KodomoError):
    """A band cannot be fitted (too few events, separated design, no item left); the last version stays in force."""


class CheckFailedError(KodomoError):
    """A blocking check failed inside the transaction; nothing was written.

    ``outcomes`` holds every outcome of the checks that ran, the passed ones too.
    """

    def __init__(self, message: str, outcomes: list) -> None:
        super().__init__(message)
        self.outcomes = outcomes
