"""Scales and pictures: what stands where, worked out by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kodomo_assets.office.plots import Picture, Scale

SVG = "{http://www.w3.org/2000/svg}"


def test_a_scale_maps_its_ends_and_what_lies_between():
    scale = Scale(-10, 30, 100, 300)
    assert [scale.at(value) for value in (-10, 0, 30)] == [100, 150, 300]


def test_a_scale_that_runs_upwards_has_small_values_below():
    assert Scale(0, 4, 200, 0).at(1) == 150


def test_of_one_value_only_everything_stands_in_the_middle():
    scale = Scale(7, 7, 0, 10)
    assert (scale.at(7), scale.ticks()) == (5, [7])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (-30, 660, [0, 200, 400, 600]),
        (-0.3, 0.2, [-0.3, -0.2, -0.1, 0, 0.1, 0.2]),
        (3, 4, [3, 3.2, 3.4, 3.6, 3.8, 4]),
    ],
)
def test_ticks_are_round(low, high, ticks):
    assert Scale(low, high, 0, 1).ticks() == pytest.approx(ticks)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_lie_within_their_scale(low, span):
    scale = Scale(low, low + span, 0, 1)
    ticks = scale.ticks()
    room = 1e-6 * span + 1e-9 * abs(low)
    assert len(ticks) <= 6
    assert all(low - room <= tick <= low + span + room for tick in ticks)


def test_a_picture_is_one_svg_whose_words_stay_words():
    picture = Picture(200, 100)
    picture.bar(50, 80, 20, 60, "#112233")
    picture.text(10, 20, "甲 < 乙 & 丙\n二行目", size=10)
    root = ET.fromstring(picture.svg())
    assert root.attrib["viewBox"] == "0 0 200 100"
    bar = root.findall(f"{SVG}rect")[1].attrib
    assert [bar[name] for name in ("x", "y", "width", "height")] == ["20.0", "60.0", "30.0", "20.0"]
    words = [(text.text, text.attrib["y"]) for text in root.findall(f"{SVG}text")]
    assert words == [("甲 < 乙 & 丙", "20.0"), ("二行目", "33.0")]
