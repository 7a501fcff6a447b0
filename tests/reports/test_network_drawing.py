"""A network as a picture."""

import re
from xml.etree import ElementTree

import made_up_pages

from transfer.reports.contents import LayerRow
from transfer.reports.network_drawing import Node, draw_chain, draw_network


def boxes(drawn):
    return [(node.get("class"), node.find("title").text) for node in parse(drawn).iter("g")]


def parse(drawn):
    return ElementTree.fromstring(str(drawn))


def nodes(count):
    return [Node(f"layer {k}", "Dense", "frozen", f"all of layer {k}") for k in range(count)]


def test_an_edge_to_the_next_box_is_an_arrow_and_others_go_round():
    paths = [each.get("d") for each in parse(draw_chain(nodes(4), {(0, 1), (1, 2), (2, 3), (0, 3)})).iter("path")]
    assert len(paths) == 4
    assert len([each for each in paths if "H" in each]) == 1


def test_lines_that_pass_each_other_have_lanes_of_their_own_and_stay_on_the_paper():
    edges = {(0, k) for k in range(2, 12)}
    drawn = parse(draw_chain(nodes(12), edges))
    width = float(drawn.get("viewBox").split()[2])
    outs = [float(re.search(r"H([\d.]+)q", each.get("d"))[1]) for each in drawn.iter("path")]
    assert len(set(outs)) == 6
    assert max(outs) + 5 < width


def test_edges_that_go_up_or_to_itself_are_left_out():
    assert not list(parse(draw_chain(nodes(3), {(2, 0), (1, 1)})).iter("path"))


def test_a_small_network_is_drawn_layer_by_layer():
    rows = (
        LayerRow("image", "InputLayer", "8 x 8 x 3", 0, 0, "input"),
        LayerRow("conv", "Conv2D", "8 x 8 x 4", 112, 7168, "frozen", ("image",)),
        LayerRow("out", "Dense", "5", 25, 20, "new", ("conv",), saturated=0.25),
    )
    found = draw_network(rows, "")
    assert found.blocks == ()
    assert [kind for kind, _ in boxes(found.overview)] == ["hover part-input", "hover part-frozen", "hover part-new"]
    told = boxes(found.overview)[2][1]
    assert "25 parameters, 40 FLOP" in told
    assert "takes conv" in told
    assert "25.0 % of units saturated or dead" in told


def test_a_block_holds_the_way_round_its_layers():
    found = draw_network(made_up_pages.mobile_layers(), "run-1-")
    block = next(each for each in found.blocks if each.name == "block_1")
    assert block.id == "run-1-block-4"
    assert block.about == "frozen · 9 layers · 18,852 parameters"
    assert [each.get("href") for each in parse(found.overview).iter("a")] == [f"#{each.id}" for each in found.blocks]
    assert dict(found.legend)["new"] == "new: 2 layers, 6,405 parameters"


def test_a_network_without_layers_is_none():
    assert draw_network((), "") is None
