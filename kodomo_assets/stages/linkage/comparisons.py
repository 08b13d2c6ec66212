"""How a person and a child are compared: levels of agreement with their start values, and which pairs are looked at.

Fellegi and Sunter (1969): m is the share of pairs of one child that stand on a level, u that of pairs of two. The
conditions are SQL over the columns of the person (``_l``) and of the child (``_r``), in the order in which they are
tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: Level of a comparison for which one side has no value: it says nothing for or against.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Level:
    """One level of agreement: what it is called, when it holds, and m and u before any were estimated."""

    name: str
    ja: str
    condition: str
    m: float
    u: float


@dataclass(frozen=True)
class Comparison:
    """Levels in the order in which they are tried; the last one is `other`, whatever is left.

    Attributes:
        known: SQL that holds where both sides have a value.
    """

    name: str
    ja: str
    known: str
    levels: tuple[Level, ...]

    @property
    def level_sql(self) -> str:
        """SQL: the name of the level on which a pair stands; NULL where a side has no value."""
        tried = " ".join(f"when {level.condition} then '{level.name}'" for level in self.levels[:-1])
        return f"case when {self.known} then case {tried} else '{self.levels[-1].name}' end end"

    def level_of(self, gamma: str) -> str:
        """SQL: the name of the level that Splink numbers ``gamma``; the level tried first has the highest number."""
        numbers = " ".join(
            f"when {len(self.levels) - 1 - position} then '{level.name}'" for position, level in enumerate(self.levels)
        )
        return f"case {gamma} {numbers} else '{UNKNOWN}' end"


def _both(column: str) -> str:
    return f"{column}_l is not null and {column}_r is not null"


def _equal(column: str) -> str:
    return f"{column}_l = {column}_r"


# A name without a gap between its parts ends in the given name, and is the other one's parts in either order.
_SAME_GIVEN = " or ".join(
    [
        _equal("given"),
        "(given_l is null and length(given_r) >= 2 and ends_with(plain_l, given_r))",
        "(given_r is null and length(given_l) >= 2 and ends_with(plain_r, given_l))",
    ]
)
_REVERSED = " or ".join(
    [
        "(family_l = given_r and given_l = family_r)",
        "(given_l is null and plain_l = given_r || family_r)",
        "(given_r is null and plain_r = given_l || family_l)",
    ]
)

# Folding a 長音 makes two slips of one that stands beside it, and not folding it makes a slip of the other spelling.
_SLIPS = "least(damerau_levenshtein(folded_l, folded_r), damerau_levenshtein(plain_l, plain_r))"

# Start values: what is estimated on cities whose truth is known lies near them. They serve where a delivery is too
# small to estimate from.
COMPARISONS = (
    Comparison(
        "name",
        "氏名（カナ）",
        _both("folded"),
        (
            Level("same", "同じ", _equal("kana"), 0.92, 1e-5),
            Level("folded", "濁点・小書き・長音だけが違う", _equal("folded"), 0.015, 1e-5),
            Level("reversed", "姓と名が逆", _REVERSED, 0.003, 1e-6),
            Level("slip", "一字だけ違う", f"{_SLIPS} = 1", 0.035, 5e-5),
            Level(
                "two_slips",
                "二字違う",
                f"least(length(folded_l), length(folded_r)) >= 6 and {_SLIPS} = 2",
                0.003,
                1e-4,
            ),
            Level("given", "名が同じで姓が違う", _SAME_GIVEN, 0.02, 2e-3),
            Level("other", "違う", "", 0.004, 0.99),
        ),
    ),
    Comparison(
        "birth",
        "生年月日",
        _both("birth_date"),
        (
            Level("same", "同じ", _equal("birth_date"), 0.985, 3e-4),
            Level(
                "swapped",
                "月と日が逆",
                "year(birth_date_l) = year(birth_date_r) and month(birth_date_l) = day(birth_date_r) "
                "and day(birth_date_l) = month(birth_date_r)",
                0.004,
                1e-4,
            ),
            Level("digit", "数字が一つ違う", "damerau_levenshtein(birth_digits_l, birth_digits_r) = 1", 0.01, 6e-3),
            Level("other", "違う", "", 0.001, 0.99),
        ),
    ),
    Comparison(
        "sex",
        "性別",
        _both("sex"),
        (Level("same", "同じ", _equal("sex"), 0.998, 0.5), Level("other", "違う", "", 0.002, 0.5)),
    ),
    Comparison(
        "school",
        "学校",
        _both("school_code"),
        (Level("same", "同じ", _equal("school_code"), 0.96, 0.03), Level("other", "違う", "", 0.04, 0.97)),
    ),
)

# Every rule ends in a join on keys that few children share, so that the pairs grow with the persons and not with
# their square: a day of birth has a dozen children in a large city, and half of a folded name divides it further.
_ONE_PART_OF_THE_DATE_WRONG = " or ".join(
    [
        "(year(l.birth_date) = year(r.birth_date) and month(l.birth_date) = month(r.birth_date))",
        "(year(l.birth_date) = year(r.birth_date) and day(l.birth_date) = day(r.birth_date))",
        "(month(l.birth_date) = month(r.birth_date) and day(l.birth_date) = day(r.birth_date))",
        "(year(l.birth_date) = year(r.birth_date) and month(l.birth_date) = day(r.birth_date) "
        "and day(l.birth_date) = month(r.birth_date))",
    ]
)
BLOCKING_RULES = (
    "l.birth_date = r.birth_date and left(l.folded, 2) = left(r.folded, 2)",
    "l.birth_date = r.birth_date and right(l.folded, 2) = right(r.folded, 2)",
    "l.birth_date = r.birth_date and l.school_code = r.school_code",
    "l.birth_date = r.birth_date and left(l.plain, 2) = left(r.given, 2)",
    f"l.folded = r.folded and ({_ONE_PART_OF_THE_DATE_WRONG})",
)


@dataclass(frozen=True)
class Parameters:
    """m and u of every level, and the probability that two records taken at random are one child."""

    prior: float
    m: dict[tuple[str, str], float]
    u: dict[tuple[str, str], float]


def start_parameters(prior: float) -> Parameters:
    """The start values, for a spine of which ``prior`` is the share that one person is."""
    levels = [(c.name, level) for c in COMPARISONS for level in c.levels]
    return Parameters(
        prior,
        {(name, level.name): level.m for name, level in levels},
        {(name, level.name): level.u for name, level in levels},
    )


def splink_settings(parameters: Parameters, rules: Sequence[str] = BLOCKING_RULES) -> dict[str, Any]:
    """The comparisons as Splink's settings, linking the table of persons with that of children."""
    return {
        "link_type": "link_only",
        "probability_two_random_records_match": parameters.prior,
        "unique_id_column_name": "record",
        "comparisons": [
            {
                "output_column_name": comparison.name,
                "comparison_levels": [
                    {
                        "sql_condition": f"not ({comparison.known})",
                        "label_for_charts": UNKNOWN,
                        "is_null_level": True,
                    },
                    *(
                        {
                            "sql_condition": level.condition or "else",
                            "label_for_charts": level.name,
                            "m_probability": parameters.m[comparison.name, level.name],
                            "u_probability": parameters.u[comparison.name, level.name],
                        }
                        for level in comparison.levels
                    ),
                ],
            }
            for comparison in COMPARISONS
        ],
        "blocking_rules_to_generate_predictions": [{"blocking_rule": rule} for rule in rules],
        "retain_matching_columns": True,
        "retain_intermediate_calculation_columns": True,
        "em_convergence": 1e-3,
        "max_iterations": 15,
    }
