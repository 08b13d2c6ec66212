"""Lets nothing but the project's own sentences into the event log (architecture, decision 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
from dagster_shared.error import DagsterError

from kodomo_assets.errors import OF_MACHINE, OF_PROGRAM, KodomoError, with_remedy
from kodomo_assets.internals import USER_FACING_ERROR_ID_ATTR_NAME
from kodomo_assets.machine.system_errors import explain, unexpected
from kodomo_assets.told import in_both


@contextmanager
def guarded(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Around a step. A library's message may quote a cell (DuckDB's conversion errors do), so of any other exception
    only its type and the place in the code are told; a fault of the machine is told in words of ours.
    """
    with _in_own_words(context.op_execution_context.op.name.replace("__", "."), ToldFailure):
        yield


@contextmanager
def told(place: str) -> Iterator[None]:
    """The same for a look of schedule or sensor; ``place`` says where an unforeseen error came from."""
    with _in_own_words(place, ToldTickError):
        yield


@contextmanager
def loaded() -> Iterator[None]:
    """The same where Dagster loads the program: else it shows, and keeps of a run, an error that it masks."""
    with _in_own_words("definitions", ToldLoadError):
        yield


@contextmanager
def _in_own_words(place: str, failure: Callable[[str], Exception]) -> Iterator[None]:
    try:
        yield
    except (dg.Failure, GeneratorExit):
        raise
    except Exception as error:
        raise failure(in_both(*own_words(place, error))) from None


def own_words(place: str, error: Exception) -> tuple[str, str]:
    """What may be told of ``error``, in Japanese and in English; ``place`` says where an unforeseen one came from."""
    if isinstance(error, KodomoError):
        return error.ja, str(error)
    known = explain(error)
    return with_remedy(known, OF_MACHINE if known else OF_PROGRAM), f"{place}: {known or unexpected(error)}"


class _Told(Exception):  # noqa: N818 (what it is comes from its other base)
    """In words of the project's own: Dagster has nothing to mask in it and no logs to send people to."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != USER_FACING_ERROR_ID_ATTR_NAME:
            super().__setattr__(name, value)


class ToldFailure(_Told, dg.Failure):
    """A step that failed."""

    def __init__(self, description: str) -> None:
        super().__init__(description=description, allow_retries=False)


class ToldTickError(_Told, DagsterError):
    """A look that failed; Dagster wraps, and masks, whatever else is raised there."""


class ToldLoadError(_Told, DagsterError):
    """The program could not be loaded."""
