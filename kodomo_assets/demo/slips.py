"""What somebody else than 市民窓口課 writes down about a child: slips in the kana, an old family name, a wrong birth date.

住民記録 is right; the schools' roster and the records by name hold these.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TypeVar

import numpy as np
import pandas as pd

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.names import other_family
from kodomo_assets.demo.population import Stream

NONE, TYPO, FAMILY_NAME, DATE, TWIN, STRANGER = KINDS = ("none", "typo", "family_name", "date", "twin", "stranger")


def _alternatives(groups: Iterable[str]) -> dict[str, str]:
    """Every sign of a group -> the others of it, over all groups."""
    found: dict[str, str] = {}
    for group in groups:
        for sign in group:
            found[sign] = found.get(sign, "") + group.replace(sign, "")
    return found


_Slip = TypeVar("_Slip")

# look-alikes, and neighbours on the keyboard (N and M, R and T)
_SIMILAR = _alternatives(
    "シツ ソン クワ スヌ ウワ アマ コユ チテ ナメ ノソ ルレ ナマ ニミ ヌム ネメ ノモ ラタ リチ ルツ レテ ロト".split()
)
_VOICING = _alternatives(
    "カガ キギ クグ ケゲ コゴ サザ シジ スズ セゼ ソゾ タダ チヂ ツヅ テデ トド ハバパ ヒビピ フブプ ヘベペ ホボポ".split()
)
_SMALL = _alternatives("ツッ ヤャ ユュ ヨョ アァ イィ ウゥ エェ オォ".split())
_KEYS = _alternatives("as sd df fg gh jk kl qw we er rt ty ui io op zx cv bn nm".split())
_KEYS |= {sign.upper(): others.upper() for sign, others in _KEYS.items()}
# after a sound of the first, the signs of the second lengthen it
_LENGTHENED = (
    ("オコソトノホモヨロゴゾドボポョ", "ウオ"),
    ("ウクスツヌフムユルグズヅブプュ", "ウ"),
    ("エケセテネヘメレゲゼデベペ", "イ"),
)


def name_slips(kana: str) -> Mapping[str, list[str]]:
    """Every slip of each sort that can be made in a name (family and given name with a space between).

    None of them is the same name but for the space; a sort that the name has no place for is empty.
    """
    places = range(len(kana))
    letters = [at for at in places if kana[at] != " "]
    in_long_part = [at for at in letters if kana[at - 1 : at].strip() or kana[at + 1 : at + 2].strip()]
    slips = {
        "similar": _replaced(kana, _KEYS if kana.isascii() else _SIMILAR),
        "voicing": _replaced(kana, _VOICING),
        "small": _replaced(kana, _SMALL),
        "long": [
            kana[:at] + other + kana[at + 1 :] for at in places for other in _lengthening(kana[at - 1 : at], kana[at])
        ],
        "transposed": [
            kana[:at] + kana[at + 1] + kana[at] + kana[at + 2 :] for at in places[:-1] if " " not in kana[at : at + 2]
        ],
        "missing": [kana[:at] + kana[at + 1 :] for at in in_long_part],
        "doubled": [kana[: at + 1] + kana[at:] for at in letters],
        "reversed": [] if kana.isascii() else [" ".join(reversed(kana.split(" ")))],
    }
    true = kana.replace(" ", "")
    return {
        sort: [name for name in dict.fromkeys(names) if name.replace(" ", "") != true] for sort, names in slips.items()
    }


def _replaced(kana: str, alternatives: Mapping[str, str]) -> list[str]:
    return [kana[:at] + other + kana[at + 1 :] for at, sign in enumerate(kana) for other in alternatives.get(sign, "")]


def _lengthening(before: str, sign: str) -> str:
    """What else ``sign`` may be written as when it lengthens the sound before it."""
    for sounds, lengthens in _LENGTHENED:
        if before and before in sounds:
            return lengthens if sign == "ー" else "ー" if sign in lengthens else ""
    return ""


def date_slips(birth: dt.date) -> Mapping[str, list[dt.date]]:
    """Birth dates with day and month swapped, or with one digit wrong, that a pupil may have."""
    text = f"{birth:%Y%m%d}"
    digits = [text[:at] + digit + text[at + 1 :] for at in range(2, 8) for digit in "0123456789" if digit != text[at]]
    return {sort: _plausible(texts, birth) for sort, texts in {"swapped": [f"{birth:%Y%d%m}"], "digit": digits}.items()}


def _plausible(texts: Iterable[str], birth: dt.date) -> list[dt.date]:
    first, last = p.SLIPPED_BIRTHS
    found = []
    for text in texts:
        with suppress(ValueError):  # no such day
            found.append(dt.date.fromisoformat(text))
    return [day for day in found if first <= day <= last and day != birth]


def draw_kinds(rng: np.random.Generator, pupils: pd.DataFrame) -> np.ndarray:
    """One kind of slip at most per row; the report's two cases are written without any."""
    bounds = np.cumsum([p.TYPO_SHARE, p.FAMILY_NAME_SHARE, p.DATE_SHARE])
    drawn = np.array([TYPO, FAMILY_NAME, DATE, NONE], dtype=object)[
        np.searchsorted(bounds, rng.random(len(pupils)), "right")
    ]
    return np.where(pupils["case"] > 0, NONE, drawn)


def written_down(rng: np.random.Generator, pupils: pd.DataFrame, kinds: np.ndarray) -> pd.DataFrame:
    """``name``, ``kana`` and ``birth`` of ``pupils`` with a slip of its kind in each row.

    ``kind`` tells what makes a row hard to link: the slip, but ``twin`` for every twin.
    """
    which, position = rng.random((2, len(pupils)))
    name, kana = (pupils[column].to_numpy(dtype=object, copy=True) for column in ("name", "kana"))
    birth = pupils["birth"].to_numpy(dtype="datetime64[D]", copy=True)
    twin_kana = pupils["twin_kana"].to_numpy(dtype=object)
    for row in np.flatnonzero(kinds == TYPO):
        kana[row] = _typo(kana[row], twin_kana[row], which[row], position[row])
    for row in np.flatnonzero(kinds == FAMILY_NAME):
        name[row], kana[row] = other_family(name[row], kana[row], position[row])
    for row in np.flatnonzero(kinds == DATE):
        birth[row] = _chosen(date_slips(birth[row].item()), which[row], position[row])
    kind = np.where(twin_kana != "", TWIN, kinds)
    return pd.DataFrame(
        {"name": name, "kana": kana, "birth": birth.astype("datetime64[s]"), "kind": kind}, index=pupils.index
    )


def _typo(kana: str, twin_kana: str, which: float, position: float) -> str:
    """A slip that does not give the twin's name."""
    sorts = {sort: [name for name in names if name != twin_kana] for sort, names in name_slips(kana).items()}
    return _chosen(sorts, which, position)


def _chosen(sorts: Mapping[str, list[_Slip]], which: float, position: float) -> _Slip:
    """A sort of slip that there is, and one of it; numbers in [0, 1) say which."""
    possible = [slips for slips in sorts.values() if slips]
    slips = possible[int(which * len(possible))]
    return slips[int(position * len(slips))]


def roster_entries(stream: Stream, pupils: pd.DataFrame) -> pd.DataFrame:
    """How the schools hold each pupil, under every 学籍番号: name, kana, birth and the kind of slip.

    Of some pairs of twins one is written wrong, now and then so that the name stands midway between both.
    """
    rng = stream("roster slips")
    kinds = draw_kinds(rng, pupils)
    is_twin = (pupils["twin_kana"] != "").to_numpy()
    chosen, midway = _slipping_twins(stream("twin slips"), pupils)
    kinds = np.where(is_twin, np.where(chosen, TYPO, NONE), kinds)
    entries = written_down(rng, pupils, kinds)
    kana = entries["kana"].to_numpy(dtype=object, copy=True)
    kana[midway] = [
        _without_difference(*names) for names in pupils.loc[midway, ["kana", "twin_kana"]].to_numpy(dtype=object)
    ]
    # other spaces, which still match exactly
    spaces = stream("pupil space").random(len(pupils))
    text = pd.Series(kana, index=pupils.index, dtype=str)
    entries["kana"] = np.select(
        [spaces < 0.3, spaces > 0.8], [text.str.replace(" ", "\u3000"), text.str.replace(" ", "")], text
    )
    return entries


def _slipping_twins(rng: np.random.Generator, pupils: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Which twins have a slip in the roster, one of a pair at most, and which of them one that is midway."""
    twins = pupils[(pupils["twin_kana"] != "") & (pupils["case"] == 0)]
    pair = twins.groupby(["household", "birth"]).ngroup().to_numpy()
    order = rng.permutation(len(twins))
    # the first of each pair in a random order
    one = np.sort(order[np.unique(pair[order], return_index=True)[1]])
    position = rng.random(len(one))
    chosen = pupils.index.isin(twins.index[one[position < p.TWIN_SLIP_SHARE]])
    midway = pupils.index.isin(twins.index[one[position < p.TWIN_SLIP_SHARE * p.MIDWAY_SHARE]])
    return chosen, midway


def _without_difference(kana: str, twin_kana: str) -> str:
    """A name that lacks the one sign in which it differs from the twin's: as near to the one as to the other."""
    at = next(at for at, (sign, other) in enumerate(zip(kana, twin_kana, strict=True)) if sign != other)
    return kana[:at] + kana[at + 1 :]
