"""Charts by themselves."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from transfer.reports.charts import Point, Series, draw_bars, draw_points

SVG = "{http://www.w3.org/2000/svg}"


def draw(points, **ranges):
    return draw_points([Series("loss", "learnt", points)], label="loss", x_title="epoch", y_title="loss", **ranges)


def places(drawn):
    root = ElementTree.fromstring(str(drawn))
    return [(float(dot.get("cx")), float(dot.get("cy"))) for dot in root.iter(f"{SVG}circle")]


def test_dots_stand_where_their_values_are():
    (left, high), (middle, centre), (right, low) = places(
        draw((Point(0, 1.0, "one"), Point(1, 0.5, "half"), Point(2, 0.0, "none")), y_range=(0.0, 1.0))
    )
    assert middle - left == pytest.approx(right - middle, abs=0.11)
    assert centre - high == pytest.approx(low - centre, abs=0.11)
    assert high < low


def test_a_chart_holds_no_script_style_identifier_or_address():
    drawn = str(draw((Point(1, 1.0, "one"), Point(2, 2.0, "two"))))
    for each in ("<script", "<style", 'style="', " id=", "xlink", "kozea", "<desc"):
        assert each not in drawn


def test_what_is_told_of_a_point_is_text():
    root = ElementTree.fromstring(str(draw((Point(1, 1.0, "</title><script>&\n\0"), Point(2, 2.0, "")))))
    assert root.find(f".//{SVG}title").text == "</title><script>&\\n\\x00"
    assert root.find(f".//{SVG}script") is None


@pytest.mark.parametrize("height", [float("nan"), float("inf"), None])
def test_what_is_no_height_is_left_out(height):
    assert len(places(draw((Point(1, height, "none"), Point(2, 2.0, "two"), Point(3, 1.0, "one"))))) == 2
    assert draw((Point(1, height, "none"),)) == ""
    assert draw_bars([Point(0, height, "none", "frozen")], label="", x_title="", y_title="") == ""


@pytest.mark.parametrize("points", [[(1, 0.5)], [(1, 0.5), (2, 0.5)], [(1, 0.0)], [(1, 1e-12), (2, 1e12)], [(1, -3.0)]])
def test_few_equal_and_far_apart_values_are_drawn(points):
    assert len(places(draw(tuple(Point(x, y, "told") for x, y in points)))) == len(points)


def test_bars_are_as_high_as_their_values_and_painted_one_by_one():
    drawn = draw_bars(
        [Point(0, 1.0, "one", "frozen"), Point(1, 3.0, "three", "new")],
        label="",
        x_title="",
        y_title="",
        y_range=(0, 4),
    )
    bars = [bar for bar in ElementTree.fromstring(str(drawn)).iter(f"{SVG}rect") if "paint-" in bar.get("class", "")]
    assert [bar.get("class").split()[-1] for bar in bars] == ["paint-frozen", "paint-new"]
    first, second = (float(bar.get("height")) for bar in bars)
    assert second == pytest.approx(3 * first, abs=0.4)


def test_drawing_leaves_nothing_among_the_finders_of_modules():
    program = (
        "import sys, transfer.reports.charts as c; sys.exit(any(type(f).__module__ == 'pygal' for f in sys.meta_path))"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", program]).returncode == 0
