"""Small random graphs, models nested in models among them, and what they compute, in symbols: no Keras."""

from hypothesis import strategies as st

from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.unparsing import unparse_graph
from transfer.graphs.wrapping import is_model, parse_nested


@st.composite
def graphs(draw, depth=2, name="net"):
    """Layers of one or two inputs, some called several times; the last thing made is an output."""
    count = draw(st.integers(1, 2))
    layers = {
        f"in{k}": Layer(f"in{k}", "InputLayer", {"name": f"in{k}", "batch_shape": [None, 4]}) for k in range(count)
    }
    given = dict.fromkeys(layers, 1)  # how many outputs a call gives
    takes = {}
    made = [Ref(key) for key in layers]
    for _ in range(draw(st.integers(1, 5))):
        again = draw(st.sampled_from([None, None, *takes]))
        layer = layers[again] if again else draw(_layer(depth, [each for each in "abcdefg" if each not in layers]))
        inner = parse_nested(layer) if is_model(layer) else None
        takes[layer.name] = len(inner.inputs) if inner else 2 if layer.class_name == "Add" else 1
        given[layer.name] = len(inner.outputs) if inner else 1
        sources = [draw(st.sampled_from(made)) for _ in range(takes[layer.name])]
        call = Call([sources[0] if len(sources) == 1 else sources], {})
        layers[layer.name] = Layer(
            layer.name, layer.class_name, layer.config, (*layer.calls, call), layer.module, layer.registered_name
        )
        made += [Ref(layer.name, len(layer.calls), place) for place in range(given[layer.name])]
    outputs = (made[-1], draw(st.sampled_from(made)))[: draw(st.integers(1, 2))]
    return Graph(name, tuple(layers.values()), tuple(map(Ref, list(layers)[:count])), outputs)


@st.composite
def _layer(draw, depth, names):
    name = draw(st.sampled_from(names))
    if depth and draw(st.booleans()):
        inner = draw(graphs(depth - 1, name))
        config = unparse_graph(inner)["config"]
        return Layer(name, "Functional", config, (), "keras.src.models.functional", "Functional")
    return Layer(name, draw(st.sampled_from(["Dense", "Add"])), {"name": name, "dtype": "float32"})


def computed(graph, names=None):
    """What each tensor of a graph is, told by the path of the layer that gives it and by what goes in.

    `names` tells what layers are called by their paths, for a graph that was flattened.
    """
    paths = {name: path for path, name in (names or {}).items()}
    inputs = {ref: hash(("input", ref.layer)) for ref in graph.inputs}
    return _values(graph, inputs, "", paths)


def _values(graph, known, prefix, paths):
    known = dict(known)
    ahead = [(layer, node, call) for layer in graph for node, call in enumerate(layer.calls)]
    while ahead:
        ready = [each for each in ahead if all(ref in known for ref in each[2].sources)]
        assert ready, "a graph in which some layer waits for ever"
        for layer, node, call in ready:
            sources = [known[ref] for ref in call.sources]
            path = prefix + paths.get(layer.name, layer.name)
            if is_model(layer):
                inner = parse_nested(layer)
                found = _values(inner, dict(zip(inner.inputs, sources, strict=True)), f"{path}/", {})
                results = [found[ref] for ref in inner.outputs]
            else:
                results = [hash((path, *sources))]
            known |= {Ref(layer.name, node, place): value for place, value in enumerate(results)}
        ahead = [each for each in ahead if each not in ready]
    return known
