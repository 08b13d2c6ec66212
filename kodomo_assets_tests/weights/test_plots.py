"""The pictures of a version fit where they are shown, and stand whatever the configuration has become."""

from __future__ import annotations

import re

import pandas as pd

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.weights.plots import coefficient_plot

#: Inside the dialogue in which the UI shows a picture, on a screen of 1,366.
ROOM = 1036


def test_both_bands_fit_into_the_dialogue_with_their_longest_intervals():
    rows = pd.DataFrame(
        [
            (band, item, level, weight, error)
            for band in ("lower", "upper")
            for item, level, weight, error in (
                ("single_parent", "without_allowance", 0.3, 0.2),
                ("table:ssw_records", "no_record", -0.2, 0.15),
                # a version of before has an item that no setting has any more
                ("former_item", "former_level", 0.1, 0.01),
            )
        ],
        columns=["band", "item", "level", "weight", "std_error"],
    )
    picture = coefficient_plot(rows, load_catalogue()).decode()
    width = float(re.search(r'width="([\d.]+)"', picture)[1])
    assert width <= ROOM
    reached = [float(x) for x in re.findall(r'x2="([\d.]+)"', picture)]
    assert max(reached) <= width
    assert picture.count("former_item former_level") == 2
    assert picture.count("SSW相談記録の記録 記録なし") == 2
