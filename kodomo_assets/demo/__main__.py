"""``python -m kodomo_assets.demo``: write the synthetic city, or hold a refresh of it against the truth."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
from pathlib import Path
from typing import Any

from kodomo_assets.demo import parameters as p
from kodomo_assets.demo.city import write_city
from kodomo_assets.demo.truth import comparison
from kodomo_assets.demo.worlds import LINEAR, WORLDS
from kodomo_assets.demo.year import play_meeting, play_support
from kodomo_assets.errors import KodomoError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kodomo_assets.demo", description=__doc__)
    # of which reference date; of the last usual one where none is given
    of_a_list: Any = {"nargs": "?", "const": p.LAST, "type": dt.date.fromisoformat, "metavar": "DATE"}
    parser.add_argument("--data-dir", type=Path, required=True, help="folder for inbox/, city.yaml and demo_truth/")
    parser.add_argument("--residents", type=int, default=p.RESIDENTS)
    parser.add_argument("--seed", type=int, default=p.SEED)
    parser.add_argument("--world", choices=list(WORLDS), default=LINEAR, help="what is true in the city (worlds.py)")
    parser.add_argument(
        "--years", type=int, default=0, help=f"so many school years from {p.DATES[0]} on, not its usual dates alone"
    )
    parser.add_argument("--compare", action="store_true", help="show how far the last fit found the true items")
    parser.add_argument("--meeting", **of_a_list, help="play the schools and the meeting on a list")
    parser.add_argument("--support", **of_a_list, help="play what the schools report after the meeting")
    given = parser.parse_args()
    # what is delivered is nobody else's to read, in this city too
    os.umask(0o077)
    try:
        if given.compare:
            print(comparison(given.data_dir))
        elif given.meeting:
            play_meeting(given.data_dir, given.meeting)
        elif given.support:
            play_support(given.data_dir, given.support)
        else:
            write_city(given.data_dir, given.residents, given.seed, given.world, given.years)
    except KodomoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
