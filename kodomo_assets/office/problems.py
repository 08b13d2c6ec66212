"""Why a delivered file is not taken, as one stable word; the texts for the offices stand in reasons.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kodomo_assets.errors import DeliveryError


@dataclass(frozen=True)
class Problem:
    """A whole file that is refused. ``message`` says it in English, without any cell's value.

    Rows and cells that are not taken stand in ``new_quarantine``.
    """

    file: str
    reason: str
    message: str
    sheet: str | None = None
    row_number: int | None = None
    column_name: str | None = None


class FileRefusedError(DeliveryError):
    """One file cannot be read as its table; ``problem`` says why and where."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class TableRefusedError(DeliveryError):
    """Too few of a table's files can be read (method §2); ``problems`` names every refused file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


#: The unit of ``max_file_mb`` and ``max_workbook_mb``, for every reader and message.
MB = 1_000_000


@dataclass(frozen=True)
class SheetPlace:
    """A sheet of a workbook. Its name may be a child's: messages give its number, counted from 1."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"sheet {self.number}"


def refuse(
    file: str,
    reason: str,
    found: str,
    *,
    sheet: SheetPlace | None = None,
    row: int | None = None,
    line: int | None = None,
    column: str | None = None,
) -> FileRefusedError:
    """The error for ``file``: its place (a row of the table, or a line of the text) and what was ``found`` there."""
    where = [file]
    where += [str(sheet)] if sheet is not None else []
    where += [f"row {row}"] if row is not None else []
    where += [f"line {line}"] if line is not None else []
    return FileRefusedError(
        Problem(
            file,
            reason,
            f"{', '.join(where)}: {found}",
            sheet.name if sheet is not None else None,
            line if row is None else row,
            column,
        )
    )
