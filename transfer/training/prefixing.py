"""Where the stages of a run part a network: what runs once, what runs once a stage, and what is trained.

With the graphs of all stages at hand, the *prefix* is what no stage trains; it runs from raw inputs, once. The *rest*
begins at its outputs. In each stage a further stretch of the rest may be fixed: that is the stage's *between*, which
runs once on the outputs of the prefix; what follows it is the stage's *suffix*, which is trained. For example:

    prefix, rest = split_off_prefix(network, [one, two])      # graphs of the same layers, with each stage's flags
    piece = Piece(prefix, shape=feed.example_shape(data), feeding=feed.to_json())
    keys = example_keys(piece.key, data.digests())
    rows = store.compute(piece, keys, lambda places: feed.batches(data.subset(places), piece.batch_size))

    for graph in (one, two):
        between, suffix = split_stage(rest, graph)
        features = rows
        if between is not None:
            piece = Piece(between)
            features = store.compute(piece, example_keys(piece.key, keys), rows.batches(piece.batch_size))
        model = build_model(suffix)
        ...                                                   # train it on features.read(places)
        rest = with_tensors(rest, read_model(model).tensors)
    network = with_tensors(network, rest.tensors)

Frozen dropout and noise stand in what runs once, so they have to be switched off wherever the whole is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.graphs.cutting import keep_needed
from transfer.graphs.fixed_layers import why_not_fixed
from transfer.graphs.freezing import freeze_all
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.idle_resizing import drop_idle_resizing
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.packing import pack_inputs
from transfer.models.building import build_model
from transfer.specs import Json
from transfer.surgery.folding import fold
from transfer.surgery.network import Chosen, Network, Selection, Tensors
from transfer.surgery.splitting import split
from transfer.training.arithmetic import describe_arithmetic
from transfer.training.feature_keys import piece_key
from transfer.training.features import Runner, by_shape, fill_up

BATCH = 16  # the fastest on two cores


def split_off_prefix(network: Network, stages: Sequence[Graph]) -> tuple[Network, Network]:
    """(prefix, rest): what no stage trains, as far from the inputs as can be, and what follows it.

    Args:
        network: from raw inputs to outputs; its own flags say nothing.
        stages: its graph with the flags of each stage.

    Raises:
        ValueError: if the stages are none, or graphs of other layers.
    """
    if not stages or any(each.names != network.graph.names for each in stages):
        raise ValueError("stages are graphs of the network's own layers, at least one")
    layers = tuple(_most_trained([graph.layer(name) for graph in stages]) for name in network.graph.names)
    return split(replace(network, graph=replace(network.graph, layers=layers)), latest=True, stilled=True)


def _most_trained(layers: Sequence[Layer]) -> Layer:
    """The layer of the first stage in which its output changes; where it never does, any."""
    return next((layer for layer in layers if why_not_fixed(layer, stilled=True)), layers[0])


def split_stage(rest: Network, stage: Graph) -> tuple[Network | None, Network]:
    """(between, suffix) of one stage; no between where training begins at the prefix's outputs.

    A suffix that needs several tensors takes them packed into rows (d,), as a `Piece` gives them. Layers keep their
    names in both, so that what is trained finds its way back.

    Args:
        rest: of `split_off_prefix`, with its tensors as they are now.
        stage: the whole graph with this stage's flags.

    Raises:
        LayerError: if several tensors are needed and one has an open size.
    """
    own = set(stage.names)
    layers = (
        replace(each, config=stage.layer(each.name).config) if each.calls and each.name in own else each
        for each in rest.graph
    )
    between, suffix = split(replace(rest, graph=replace(rest.graph, layers=tuple(layers))), latest=True, stilled=True)
    suffix = replace(suffix, graph=pack_inputs(suffix.graph))
    is_idle = between.graph.outputs == between.graph.inputs
    return (None if is_idle else between), suffix


def before_head(suffix: Network, head: str) -> Network | None:
    """What of a suffix is computed before its head; None where the head takes what goes into the suffix.

    Frozen layers stand there of which it is not known that they give the same at each step of training: classes of the
    caller's, spectral normalization.
    """
    source = suffix.graph.layer(head).calls[0].sources[0]
    if source in suffix.graph.inputs:
        return None
    graph = keep_needed(suffix.graph, [source], {})
    names = frozenset(graph.names)
    return Network(graph, Selection(suffix.tensors, names), None, suffix.new & names)


def with_tensors(network: Network, trained: Tensors) -> Network:
    """The network with those of its tensors that are in `trained` taken from there."""
    fresh = {name: trained[name] for name in network.tensors if name in trained}
    return replace(network, tensors=Chosen(network.tensors, {name: name for name in network.tensors}, fresh))


class Piece:
    """A fixed stretch of a network, ready to run once per example.

    Batch norms are folded, and one graph of one batch size serves all. It is built when it first runs: where
    everything is known already, it never is.

    Attributes:
        key: what decides what it gives for an example.
        batch_size: of each batch that it runs.
    """

    def __init__(
        self,
        network: Network,
        *,
        shape: tuple[int, ...] | None = None,
        feeding: Json = None,
        batch_size: int = BATCH,
        custom_objects: dict[str, Any] | None = None,
    ) -> None:
        """Prepare a piece.

        Args:
            network: a prefix or a between; all of it counts as frozen.
            shape: of every example, where the network leaves its input open: what would bring images to a size that
                they have goes.
            feeding: how examples are brought to it, as plain values; part of the key.
            batch_size: of each batch.
            custom_objects: classes of the caller's that the network holds, by name.

        Raises:
            LayerError: if the network takes examples of another rank.
        """
        graph = replace(freeze_all(network.graph), input_keys=None, output_keys=None)
        if shape is not None:
            graph = drop_idle_resizing(with_input_shapes(graph, shape))
        self._network = replace(network, graph=graph, new=frozenset())
        self._custom_objects = custom_objects
        self._runner: Runner | None = None
        self.batch_size = batch_size
        self.key = piece_key(self._network, feeding=feeding, batch_size=batch_size, arithmetic=describe_arithmetic())

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Outputs for up to `batch_size` examples, (b, …); several tensors come flattened, one after the other: (b, d).

        A piece with several inputs takes them packed in the same way.

        Raises:
            LayerError: if Keras cannot build the network.
        """
        if self._runner is None:
            self._runner = _compiled(build_model(fold(self._network).network, self._custom_objects), self.batch_size)
        return self._runner(batch)


def _compiled(model: keras.Model, batch_size: int) -> Runner:
    """One function of TensorFlow; short batches are filled up, so that every example meets the same arithmetic."""
    shapes = [tuple(each.shape[1:]) for each in model.inputs]
    types = [each.dtype for each in model.inputs]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def run(batch: Any) -> Any:
        parts = [batch] if len(shapes) == 1 else _unpacked(batch, shapes)
        values = [tf.cast(part, dtype) for part, dtype in zip(parts, types, strict=True)]
        found = keras.tree.flatten(model(values if len(values) > 1 else values[0], training=False))
        outputs = [tf.cast(each, tf.float32) for each in found]
        return (
            outputs[0] if len(outputs) == 1 else tf.concat([tf.reshape(each, (batch_size, -1)) for each in outputs], 1)
        )

    graphs = by_shape(run)

    def runner(batch: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(graphs(tf.convert_to_tensor(fill_up(batch, batch_size)))[: len(batch)], np.float32)

    return runner


def _unpacked(batch: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    sizes = [int(np.prod(shape)) for shape in shapes]
    parts = tf.split(batch, sizes, axis=1)
    return [tf.reshape(part, (-1, *shape)) for part, shape in zip(parts, shapes, strict=True)]
