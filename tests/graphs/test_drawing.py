"""Graphs as pictures and as DOT: everything is there, nothing overlaps, and names stay text."""

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.errors import LayerError
from transfer.graphs.dot import draw_dot
from transfer.graphs.drawing import draw_svg
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.laying_out import lay_out, layer_rows, place_apart
from transfer.graphs.parsing import parse_config
from transfer.graphs.summarizing import format_shape, format_takes, printable, summarize

L = keras.layers
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    '"] -> "x" [URL="javascript:alert(1)',
    "\"/><image href='http://example.org'/>",
    "]]>&amp;&#x1b;",
    "a\nb\rc\td",
    "\x00\x1b[31m\u202e\ud800\ufffe",
    "\\",
    "\\N\\l\\",
    "x" * 5000,
    "網" * 60,
]


def graph_of(model):
    return parse_config(keras.saving.serialize_keras_object(model))


def chain(*names):
    layers = [Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 4]})]
    for name in names:
        layers.append(Layer(name, "Dense", {"units": 3}, (Call([Ref(layers[-1].name)], {}),)))
    return Graph("net", tuple(layers), (Ref("x"),), (Ref(layers[-1].name),))


def residual():
    inputs = keras.Input((8, 8, 3), name="x")
    y = x = L.Conv2D(4, 1, name="stem")(inputs)
    for k in range(3):
        y = L.BatchNormalization(name=f"norm_{k}")(L.Conv2D(4, 3, padding="same", name=f"conv_{k}")(y))
    y = L.Add(name="sum")([y, x])
    branches = [L.Conv2D(2, 1, name="short")(y), L.Conv2D(2, 1, name="long_2")(L.Conv2D(2, 1, name="long_1")(y))]
    return keras.Model(inputs, L.Dense(2, name="label")(L.Concatenate(name="join")(branches)), name="residual")


def shared():
    one, two = keras.Input((6,), name="one"), keras.Input((6,), name="two")
    layer = L.Dense(6, name="both")
    again = layer(L.ReLU(name="relu")(layer(one)))
    joined = L.Concatenate(name="join")([again, layer(two)])
    return keras.Model({"one": one, "two": two}, {"left": L.Dense(2, name="l")(joined), "right": joined}, name="shared")


def frozen(graph, *names):
    return replace(
        graph, layers=tuple(each.with_config(trainable=False) if each.name in names else each for each in graph)
    )


def texts(svg, kind="text"):
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg.encode()).iter(f"{SVG}{kind}")]


def boxes(svg):
    """(left, top, width, height) of each layer, by what stands in its title's first line."""
    found = {}
    for group in ElementTree.fromstring(svg.encode()).iter(f"{SVG}g"):
        title = group.find(f"{SVG}title")
        if title is not None:
            box = group.find(f"{SVG}rect")
            found[title.text.split("\n")[0]] = tuple(float(box.get(key)) for key in ("x", "y", "width", "height"))
    return found


# SVG


def test_every_layer_is_drawn_with_its_kind_parameters_and_shape():
    svg = draw_svg(graph_of(residual()))
    shown = texts(svg)
    assert set(graph_of(residual()).names) <= set(shown)
    assert "Conv2D · 16 trainable" in shown
    assert "BatchNormalization · 16 trainable" in shown
    assert Counter(shown)["8 x 8 x 4"] == 9
    assert "14 layers, 544 parameters" in shown
    assert residual().count_params() == 544
    assert "label\nDense\noutput: 8 x 8 x 2\nparameters: 10, 10 of them trained\ntrainable\ntakes: join" in texts(
        svg, "title"
    )


def test_what_is_trained_is_told_by_colour_and_in_words():
    graph = frozen(graph_of(residual()), "stem", "conv_0")
    svg = draw_svg(graph, new=["label"])
    assert "Conv2D · 16 frozen" in texts(svg)
    assert "Dense · 10 new" in texts(svg)
    assert float(ElementTree.fromstring(svg.encode()).get("width")) > 420  # the legend is wider than the graph
    legend = {"trainable (8)", "frozen (2)", "new (1)", "holds no weights (3)"}
    assert legend <= set(texts(svg))
    kinds = Counter(re.findall(r'<g class="layer ([\w-]+)"><title>', svg))
    assert kinds == {"trainable": 8, "frozen": 2, "new": 1, "plain": 3}
    assert "partly frozen" not in " ".join(texts(svg))


def test_a_nested_model_is_a_box_with_its_count_of_layers():
    inputs = keras.Input((8, 8, 3), name="photo")
    inner = residual()
    inner.get_layer("stem").trainable = False
    svg = draw_svg(graph_of(keras.Model(inputs, L.Flatten(name="flat")(inner(inputs)), name="outer")))
    assert "Functional, 13 layers · 544 partly frozen" in texts(svg)
    assert 'class="layer partly-frozen"' in svg
    assert svg.count('class="inner"') == 1


def test_the_picture_follows_the_surroundings_and_asks_for_nothing_outside():
    svg = draw_svg(graph_of(residual()))
    assert "@media (prefers-color-scheme:dark)" in svg
    assert re.findall(r"https?://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in svg
    assert "href" not in svg


@pytest.mark.parametrize("build", [residual, shared])
def test_boxes_do_not_overlap_and_lie_inside_the_picture(build):
    svg = draw_svg(graph_of(build()))
    root = ElementTree.fromstring(svg.encode())
    width, height = float(root.get("width")), float(root.get("height"))
    found = list(boxes(svg).values())
    for k, (x, y, w, h) in enumerate(found):
        assert x >= 0
        assert x + w <= width
        assert y >= 0
        assert y + h <= height
        assert all(x + w <= a or a + c <= x or y + h <= b or b + d <= y for a, b, c, d in found[:k])


def test_lines_end_at_the_layers_that_they_go_to():
    graph = graph_of(residual())
    svg = draw_svg(graph)
    placed = boxes(svg)
    heads = [tuple(map(float, each)) for each in re.findall(r"L(-?[\d.]+) (-?[\d.]+)l3 -6", svg)]
    wanted = Counter(layer.name for layer in graph for call in layer.calls for _ in call.sources)
    found = Counter(
        name for x, y in heads for name, (left, top, width, _) in placed.items() if y == top and left < x < left + width
    )
    assert found == wanted


def test_outputs_are_told_by_their_keys_and_calls_again_go_beside():
    svg = draw_svg(graph_of(shared()))
    assert {"left", "right"} <= set(texts(svg))
    assert svg.count('class="end"') == 2
    assert svg.count('class="beside"') == 1  # the second call takes what comes from the first
    assert "Dense · 3 calls · 42 trainable" in texts(svg)
    assert any("takes: one; relu; two" in each for each in texts(svg, "title"))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_to_the_picture(name):
    svg = draw_svg(replace(chain(name, "end"), name=name, output_keys=(name,)))
    root = ElementTree.fromstring(svg.encode())
    plain = ElementTree.fromstring(draw_svg(replace(chain("plain", "end"), output_keys=("y",))).encode())
    assert Counter(each.tag for each in root.iter()) == Counter(each.tag for each in plain.iter())
    assert {key for each in root.iter() for key in each.attrib} == {key for each in plain.iter() for key in each.attrib}
    assert float(root.get("width")) < 1000


def test_hostile_classes_and_shapes_are_text_as_well():
    graph = chain("a")
    hostile = Layer("x", "InputLayer", {"batch_shape": [None, "<script>", {"<b>": []}]})
    odd = Layer("a", "<script>", {}, (Call([Ref("x")], {}),), module="")
    svg = draw_svg(replace(graph, layers=(hostile, odd)))
    assert "<script>" not in svg
    assert "&lt;script&gt; x {&#x27;&lt;b&gt;&#x27;: []}" in svg
    assert "parameters: not known without building it" in svg
    assert "at least 0 parameters" in svg


def with_layer(**changes):
    layer = replace(chain("a").layer("a"), **changes)
    return replace(chain("a"), layers=(chain("a").layer("x"), layer))


@pytest.mark.parametrize(
    "graph",
    [
        with_layer(class_name=1.5),
        with_layer(module=True),
        with_layer(config=[1]),
        with_layer(config={"units": {}}),
        with_layer(config={"layers": 5}),
        with_layer(calls=(Call([Ref("x", 0, "0")], {}),)),
        with_layer(calls=(Call([Ref("x", [], 0)], {}),)),
        replace(chain("a"), name={}),
        replace(chain("a"), output_keys=(None,)),
        replace(chain("a"), outputs=(Ref(3),)),
    ],
)
@pytest.mark.parametrize("draw", [draw_svg, draw_dot])
def test_what_keras_does_not_write_is_refused_or_drawn_without_it(graph, draw):
    try:
        assert "a" in draw(graph)
    except LayerError as error:
        assert error.problems  # noqa: PT017 (either is right: which one depends on what the layer needs)


def test_a_graph_of_one_layer_and_one_without_an_end_are_drawn():
    assert "x" in texts(draw_svg(Graph("net", chain().layers, (Ref("x"),), (Ref("x"),))))
    assert "net" in texts(draw_svg(Graph("net", (), (), ())))


# DOT


def statements(dot):
    """Lines of DOT with every quoted text replaced by its place in the list that is returned too."""
    quoted = []

    def note(found):
        quoted.append(found.group())
        return f"T{len(quoted) - 1}"

    return re.sub(r'"(?:[^"\\]|\\.)*"', note, dot, flags=re.S).splitlines(), quoted


def test_dot_has_a_node_for_each_layer_and_an_edge_for_each_tensor_taken():
    dot = draw_dot(frozen(graph_of(residual()), "stem"), new=["label"])
    assert '"stem" [label="stem\\nConv2D\\n8 x 8 x 4\\n16 frozen", fillcolor="#dcebf7", color="#0067a3"' in dot
    assert '"label" [label="label\\nDense\\n8 x 8 x 2\\n10 new", fillcolor="#d6f0e5"' in dot
    assert '"stem" -> "sum" [label="8 x 8 x 4"];' in dot
    assert dot.count(" -> ") == 15
    assert draw_dot(graph_of(shared())).count('-> "both"') == 3


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_quoted_in_dot(name):
    lines, quoted = statements(draw_dot(chain(name, "end")))
    plain, same = statements(draw_dot(chain("plain", "end")))
    assert lines == plain
    assert len(quoted) == len(same)
    assert all(text.isprintable() for text in quoted)


def test_names_that_print_alike_stay_apart_in_dot():
    dot = draw_dot(chain("a\x1b", "a\\x1b"))
    assert '"a\\\\x1b" -> "a\\\\x1b_1"' in dot


# Layout


def test_a_skip_goes_beside_a_chain_that_stays_straight():
    layout = lay_out(graph_of(residual()), width=100, gap=20, rail=10)
    chained = [f"{kind}_{k}" for k in range(3) for kind in ("conv", "norm")]
    middles = [layout.middles[name, layout.rows[name]] for name in ("stem", *chained, "sum")]
    assert max(middles) - min(middles) < 1
    rails = [layout.middles["stem", layout.rows[name]] for name in chained]
    assert max(rails) - min(rails) < 1
    assert all(abs(rail - middle) >= 60 - 1e-6 for rail, middle in zip(rails, middles[1:-1], strict=True))


def test_branches_stand_side_by_side_around_what_they_come_from():
    layout = lay_out(graph_of(residual()), width=100, gap=20, rail=10)
    at = {name: layout.middles[name, layout.rows[name]] for name in layout.rows}
    assert abs((at["short"] + at["long_1"]) / 2 - at["sum"]) < 1
    assert abs(abs(at["short"] - at["long_1"]) - 120) < 1
    assert layout.rows["join"] == layout.rows["long_2"] + 1 == layout.rows["short"] + 2


def test_inputs_stand_right_above_what_takes_them():
    late = keras.Input((3,), name="late")
    first = keras.Input((3,), name="first")
    y = L.Dense(3, name="b")(L.Dense(3, name="a")(first))
    rows = layer_rows(graph_of(keras.Model([first, late], L.Add(name="sum")([y, late]))))
    assert rows == {"first": 0, "a": 1, "b": 2, "late": 2, "sum": 3}


def test_edges_beyond_what_rails_can_take_go_beside(monkeypatch):
    monkeypatch.setattr("transfer.graphs.laying_out.LONGEST_RAILS", 3)
    layout = lay_out(graph_of(residual()), width=100, gap=20, rail=10)
    assert layout.beside == (("stem", "sum"),)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0.1, 5), st.floats(0, 20)), min_size=1, max_size=8))
def test_places_are_apart_and_no_shift_of_a_run_would_be_better(described):
    wanted, weights, distances = map(list, zip(*described, strict=True))
    between = distances[1:]
    placed = place_apart(wanted, weights, between)
    assert all(b - a >= d - 1e-6 for (a, b), d in zip(pairwise(placed), between, strict=True))

    def cost(places):
        return sum(w * (x - y) ** 2 for x, y, w in zip(places, wanted, weights, strict=True))

    for first in range(len(placed)):
        for last in range(first + 1, len(placed) + 1):
            for step in (-1e-3, 1e-3):
                moved = [x + step * (first <= k < last) for k, x in enumerate(placed)]
                if all(b - a >= d - 1e-9 for (a, b), d in zip(pairwise(moved), between, strict=True)):
                    assert cost(moved) >= cost(placed) - 1e-9


@st.composite
def graphs(draw):
    layers = [Layer("x", "InputLayer", {"batch_shape": [None, 4]})]
    for k in range(draw(st.integers(1, 14))):
        taken = draw(st.lists(st.sampled_from(layers), min_size=1, max_size=3, unique_by=lambda each: each.name))
        layers.append(Layer(f"n{k}", "Add", {}, (Call([[Ref(each.name) for each in taken]], {}),)))
    return Graph("net", tuple(layers), (Ref("x"),), (Ref(layers[-1].name),))


@given(graphs())
def test_in_any_graph_rows_go_down_and_nothing_in_a_row_overlaps(graph):
    layout = lay_out(graph, width=100, gap=20, rail=10)
    edges = [(ref.layer, layer.name) for layer in graph for call in layer.calls for ref in call.sources]
    assert all(layout.rows[source] < layout.rows[target] for source, target in edges)
    assert layout.beside == ()
    reached = set()
    for source, target in edges:
        point = (source, layout.rows[source])
        while (target, layout.rows[target]) not in layout.links[point]:
            point = next(each for each in layout.links[point] if each == (source, point[1] + 1))
        reached.add((source, target))
    assert reached == set(edges)
    by_row = {}
    for (name, row), middle in layout.middles.items():
        by_row.setdefault(row, []).append((middle, 50 if layout.rows[name] == row else 0))
    for row in by_row.values():
        for (a, half), (b, other) in pairwise(sorted(row)):
            assert b - a >= half + other - 1e-6
        assert all(half - 1e-6 <= middle <= layout.width - half + 1e-6 for middle, half in row)


# What is told of layers


@pytest.mark.parametrize(
    ("build", "layers"),
    [("ResNet50", 177), ("InceptionV3", 313)],
)
def test_real_networks_are_counted_as_keras_counts_and_drawn_in_bounds(build, layers):
    model = getattr(keras.applications, build)(weights=None)
    graph = graph_of(model)
    found = summarize(graph)
    assert len(found) == layers
    assert sum(each.parameters for each in found) == model.count_params()
    trained = sum(weight.shape.num_elements() for weight in (each.value for each in model.trainable_weights))
    assert sum(each.trainable for each in found) == trained
    svg = draw_svg(graph)
    root = ElementTree.fromstring(svg.encode())
    assert len(boxes(svg)) == layers
    assert float(root.get("width")) < 1600
    assert len(svg) < 200_000


def test_a_name_with_a_slash_keeps_its_parameters():
    assert [each.parameters for each in summarize(chain("block/conv", "block"))] == [0, 15, 12]


def test_wrapped_layers_are_frozen_by_their_own_flag_or_by_that_of_what_wraps_them():
    inputs = keras.Input((5, 6), name="x")
    y = L.TimeDistributed(L.Dense(4, trainable=False), name="inside")(inputs)
    y = L.TimeDistributed(L.Dense(4), trainable=False, name="outside")(y)
    y = L.Bidirectional(L.LSTM(3), name="both")(y)
    states = {each.name: each.state for each in summarize(graph_of(keras.Model(inputs, y)))}
    assert states == {"x": "", "inside": "frozen", "outside": "frozen", "both": "trainable"}


def test_a_layer_of_an_unknown_class_leaves_the_others_known():
    graph = chain("a", "b", "c")
    odd = Layer("b", "Mine", {}, graph.layer("b").calls, module="mine", registered_name="mine>Mine")
    found = {each.name: each for each in summarize(replace(graph, layers=(*graph.layers[:2], odd, *graph.layers[3:])))}
    assert (found["a"].parameters, found["a"].shapes) == (15, ((3,),))
    assert (found["b"].parameters, found["b"].shapes, found["b"].state) == (None, (), "")
    assert found["c"].parameters is None  # it depends on what b gives


def test_shapes_and_what_is_taken_are_told_in_words():
    assert format_shape((None, 8, 3)) == "? x 8 x 3"
    assert format_shape(()) == "scalar"
    (told,) = [format_takes(each) for each in summarize(graph_of(shared())) if each.name == "join"]
    assert told == "both (call 2), both (call 3)"
    layer = Layer("y", "Add", {}, (Call([[Ref("s", 0, 1), Ref("s", 2, 1)]], {}),))
    (told,) = [format_takes(each) for each in summarize(Graph("n", (layer,), (), ()))]
    assert told == "s (output 2), s (call 3, output 2)"


def test_what_does_not_print_is_written_out():
    assert printable("a\x1b[31m\n\u202eé網") == "a\\x1b[31m\\n\\u202eé網"
