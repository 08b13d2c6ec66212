"""Why a delivered file is not taken, as one stable word; the texts for the offices stand in reasons.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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


def refuse(
    file: str,
    reason: str,
    found: str,
    *,
    sheet: str | None = None,
    row: int | None = None,
    line: int | None = None,
    column: str | None = None,
) -> FileRefusedError:
    """The error for ``file``: its place (a row of the table, or a line of the text) and what was ``found`` there."""
    where = [file]
    where += [f"sheet {sheet}"] if sheet is not None else []
    where += [f"row {row}"] if row is not None else []
    where += [f"line {line}"] if line is not None else []
    return FileRefusedError(
        Problem(file, reason, f"{', '.join(where)}: {found}", sheet, line if row is None else row, column)
    )


def in_sheet(error: FileRefusedError, sheet: str | None) -> FileRefusedError:
    """The same error with its sheet named."""
    if sheet is None or error.problem.sheet is not None:
        return error
    problem = error.problem
    return FileRefusedError(
        replace(
            problem, sheet=sheet, message=problem.message.replace(problem.file, f"{problem.file}, sheet {sheet}", 1)
        )
    )
