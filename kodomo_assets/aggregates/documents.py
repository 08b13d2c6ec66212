"""The file that a city gives: JSON that anybody can read, with a hash over what it says.

The hash tells a file that was cut or changed on its way. Who may write it is the disk's matter: the folder is the
city's own.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kodomo_assets.errors import AggregatesError
from kodomo_assets.machine.system_errors import explain

NAME = "aggregates.json"
_EDITION = 1
_KEYS = ("edition", "content", "sha256")
#: Ten years of three lists each are some 5 MB; what is larger is none of ours and is not read into memory.
_MOST_BYTES = 1 << 26
_VERSION = re.compile(r"\d{1,3}(\.\d{1,3}){1,3}([a-z]{1,4}\d{0,3})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Content:
    """What a city tells.

    Attributes:
        city: its 全国地方公共団体コード.
        program: the version that published it.
        published_at: when its analysts' database was published.
        list_of: the reference date of its newest list.
        next_date: the reference date after that.
        next_due: by when its list is due.
        reference_dates: all of its lists.
        tables: table -> its rows, each by its columns' names.
    """

    city: str
    program: str
    published_at: str
    list_of: str
    next_date: str
    next_due: str
    reference_dates: list[str]
    tables: Mapping[str, list[Any]]


def written(content: Content) -> bytes:
    """The file that says ``content``; the same bytes every time."""
    says = asdict(content)
    document = {"edition": _EDITION, "content": says, "sha256": _digest(says)}
    return (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def opened(path: Path, city: str) -> tuple[Content, str] | None:
    """What the file at ``path`` says, which has to be of ``city``, and its hash; None where there is none.

    Raises:
        AggregatesError: it cannot be read, was altered, or is of another edition or city.
    """
    try:
        found = path.lstat()
        # a link could lead anywhere, and a pipe has no end
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            raise AggregatesError("{file}: is no plain file, or larger than any file of aggregates", file=path.name)
        return read(path.read_bytes(), path.name, city)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AggregatesError(
            "{file}: cannot be read: {why}", file=path.name, why=explain(error) or type(error).__name__
        ) from None


def read(content: bytes, name: str, city: str) -> tuple[Content, str]:
    """What the file ``name`` says; as ``opened``."""
    try:
        document = json.loads(content, object_pairs_hook=_each_key_once, parse_constant=_number, parse_float=_number)
    except (ValueError, RecursionError):
        raise AggregatesError(
            "{file}: is no JSON file, or was cut: the city's next publication writes it anew", file=name
        ) from None
    if not isinstance(document, dict) or sorted(document) != sorted(_KEYS):
        raise AggregatesError("{file}: is no file of aggregates", file=name)
    if document["edition"] != _EDITION:
        raise AggregatesError(
            "{file}: is of another edition of these files, expected {edition}: the city and the host need the same "
            "version of this program",
            file=name,
            edition=_EDITION,
        )
    says = document["content"]
    if _digest(says) != document["sha256"]:
        raise AggregatesError(
            "{file}: was altered: its content has another hash than it says; the next publication writes it anew",
            file=name,
        )
    if not _is_content(says):
        raise AggregatesError("{file}: lacks something, or holds more than aggregates", file=name)
    if says["city"] != city:
        raise AggregatesError(
            "{file}: is of another city than its folder, expected {city}: each city's host.folder is its own",
            file=name,
            city=city,
        )
    return Content(**says), document["sha256"]


def _is_content(says: object) -> bool:
    """Whether every part of it is there, nothing more, and each of its kind."""
    if not isinstance(says, dict) or sorted(says) != sorted(Content.__dataclass_fields__):
        return False
    dates = says["reference_dates"]
    return (
        all(isinstance(says[name], str) for name in ("city", "program"))
        and _VERSION.fullmatch(says["program"]) is not None
        and _is_moment(says["published_at"])
        and isinstance(dates, list)
        and all(_is_day(day) for day in (*dates, says["list_of"], says["next_date"], says["next_due"]))
        and dates == sorted(set(dates))
        and dates[-1:] == [says["list_of"]]
        and says["list_of"] < says["next_date"] <= says["next_due"]
        and isinstance(says["tables"], dict)
        and all(isinstance(rows, list) for rows in says["tables"].values())
    )


def _is_day(text: object) -> bool:
    if not isinstance(text, str) or _DAY.fullmatch(text) is None:
        return False
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_moment(text: object) -> bool:
    try:
        return isinstance(text, str) and dt.datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _digest(says: object) -> str:
    text = json.dumps([_EDITION, says], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _each_key_once(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(key)
        made[key] = value
    return made


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
