"""How examples go into a network: pictures and arrays of images through its preprocessing, other arrays as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.fitting_arrays import fit_named, fit_rows, show_axes
from transfer.data.inputs import Examples, one_array
from transfer.data.loading import ImageBatch, load_images
from transfer.data.named_inputs import NamedInput, pack_rows
from transfer.errors import DataError, Problem, nearest
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.packing import pack_inputs
from transfer.graphs.preprocessing import image_size, prepend_preprocessing
from transfer.graphs.shapes import Shape, shape_of
from transfer.graphs.token_ids import count_tokens
from transfer.models.building import build_model, read_model
from transfer.specs import PREPROCESSINGS, Json, Preprocessing, Progress, silent
from transfer.surgery.network import Network


@dataclass(frozen=True, slots=True)
class Feed:
    """How examples go in.

    Attributes:
        network: the Keras model that takes them: raw input in.
        image: how images are fitted, in all but the arithmetic, which is the network's; None for other arrays.
        shape: of one example as the network takes it; None for images and for several inputs.
        preprocessing: of images, the arithmetic and the frame included, with the size that they come out at; None for
            other arrays, and where a finished run does not say it.
        inputs: of a network that has several, in its order. Its examples are brought as rows of all of them.
        ids: of one array of token ids how many there are; None for other values.
    """

    network: keras.Model = field(repr=False)
    image: Preprocessing | None
    shape: Shape | None = None
    preprocessing: Preprocessing | None = None
    inputs: tuple[NamedInput, ...] = ()
    ids: int | None = None

    @property
    def note(self) -> str:
        """What is done, in a sentence."""
        if self.inputs:
            names = ", ".join(each.name for each in self.inputs)
            return f"arrays are taken as they are, one for each of the inputs {names}"
        if self.image is None or self.image.size is None:
            return "arrays are taken as they are"
        return f"images are fitted to {self._fitted}, aspect ratio kept; preprocessing is part of the network"

    @property
    def _fitted(self) -> str:
        """The size that was asked for, and how much of it the network's frame takes."""
        height, width = (self.image and self.image.size) or (0, 0)
        whole = (self.preprocessing and self.preprocessing.size) or (height, width)
        above, left = (whole[0] - height) // 2, (whole[1] - width) // 2
        if not above and not left:
            return f"{height} x {width}"
        sides = f"{above} on each side" if above == left else f"{above} above and below and {left} left and right"
        return f"{whole[0]} x {whole[1]}, of which a frame of {sides}"

    def example_shape(self, examples: Examples) -> tuple[int, ...]:
        """Of one of these examples as the network gets it, without the batch axis; (d,) of several inputs."""
        if self.inputs:
            return (sum(map(prod, self.input_shapes(examples).values())),)
        if self.image is not None and self.image.size is not None:
            return (*self.image.size, self.image.channels)
        return tuple(fit_rows(examples, self.shape or ()).shape[1:])

    def input_shapes(self, examples: Examples) -> dict[str, tuple[int, ...]]:
        """Of one of these examples for each of several inputs, by name; open sizes are those of the arrays."""
        fitted = fit_named(examples, self.inputs)
        return {name: fitted.shape_of(name) for name in fitted.names}

    def to_json(self) -> Json:
        """As plain values, for `run.json`."""
        if self.inputs:
            return {"kind": "several arrays", "inputs": [each.to_json() for each in self.inputs]}
        if self.image is None or self.image.size is None:
            return {"kind": "arrays", "shape": list(self.shape or ())}
        return {
            "kind": "images",
            "size": list(self.image.size),
            "grey": self.image.color == "grey",
            "background": self.image.background,
        }

    def batches(self, examples: Examples, batch_size: int, progress: Progress = silent) -> Iterator[ImageBatch]:
        """All examples in order, as the network takes them.

        Raises:
            DataError: if they are not what the network takes.
        """
        if self.image is not None and self.image.size is not None:
            return load_images(
                examples,
                size=self.image.size,
                grey=self.image.color == "grey",
                background=self.image.background,
                batch_size=batch_size,
                progress=progress,
            )
        starts = range(0, len(examples), batch_size)
        if self.inputs:
            several = fit_named(examples, self.inputs)
            return (ImageBatch(start, pack_rows(several[start : start + batch_size])) for start in starts)
        rows = fit_rows(examples, self.shape or (), self.ids)
        return (ImageBatch(start, rows[start : start + batch_size]) for start in starts)

    def readable(self, examples: Examples, batch_size: int, progress: Progress = silent) -> Iterator[NDArray[Any]]:
        """As `batches`, the arrays (b, …) alone, without examples that cannot be read.

        Raises:
            DataError: if the examples are not what the network takes.
        """
        found = (batch.readable for batch in self.batches(examples, batch_size, progress))
        return (rows for rows in found if len(rows))

    def load(self, examples: Examples, batch_size: int) -> NDArray[Any]:
        """All examples at once, (n, …).

        Raises:
            DataError: if one cannot be read (any more).
        """
        batches = list(self.batches(examples, batch_size))
        failures = [problem for batch in batches for _, problem in batch.failures]
        if failures:
            raise DataError(f"{len(failures)} of {len(examples)} examples cannot be read any more.", failures)
        return np.concatenate([batch.images for batch in batches])


def make_feed(
    network: Network,
    data: Examples,
    *,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Feed:
    """Decide how a set goes into a network.

    Args:
        network: of several inputs it takes arrays by their names.
        data: pictures or an array, or arrays by name.
        preprocessing: of images, or the name of one (`torch`, `tf`, `caffe`, `unit`, `raw`); by default what the
            network's card says.
        size: (h, w) of images; by default what the network or its card says.
        custom_objects: classes of the caller's that the network holds, by name.

    Raises:
        DataError: if pictures have no preprocessing or cannot fit, or an array does not fit.
        LayerError: if the network does not take images of that size.
    """
    if len(network.graph.inputs) != 1:
        return _feed_several(network, data, preprocessing or size, custom_objects)
    chosen = _named(preprocessing) or (network.card.preprocessing if network.card is not None else None)
    shape = shape_of(network.graph, network.graph.inputs[0])
    if chosen is None and not isinstance(data.inputs, tuple):
        if size is not None:
            raise DataError(
                "Arrays are taken as they are, so --size (size=…) has no effect.",
                next_step="say how images are prepared with --preprocessing (preprocessing=…), or leave it out",
            )
        ids = _ids(network.graph)
        fit_rows(data, shape, ids)
        return Feed(build_model(network, custom_objects), None, shape, ids=ids)
    _check_pictures(network, data, shape, size or (chosen and chosen.size))
    if chosen is None:
        raise DataError(
            f"Nothing says how pictures are prepared for {network.graph.name!r}: it has no card.",
            [Problem("preprocessing", f"one of {', '.join(PREPROCESSINGS)}", "none")],
            next_step="name what the weights were trained with: --preprocessing torch (preprocessing=…)",
        )
    fitted = image_size(network.graph, chosen, size)
    if len(chosen.mean) == 1 and shape in ((*fitted, 1), (None, None, 1), (fitted[0] * fitted[1],)):
        chosen = replace(chosen, color="grey")  # a network of one channel
    graph = prepend_preprocessing(network.graph, chosen, fitted)
    model = build_model(Network(graph, network.tensors, network.card, network.new), custom_objects)
    above, left = chosen.frame_pixels(fitted)
    inside = (fitted[0] - 2 * above, fitted[1] - 2 * left)  # the network adds the frame
    fitting = Preprocessing(inside, chosen.color, background=chosen.background)
    return Feed(model, fitting, preprocessing=replace(chosen, size=fitted))


def _feed_several(network: Network, data: Examples, prepared: object, custom_objects: Mapping[str, Any] | None) -> Feed:
    if prepared is not None:
        raise DataError(
            f"{network.graph.name!r} has {len(network.graph.inputs)} inputs; arrays are taken as they are.",
            next_step="leave out --preprocessing and --size (preprocessing=…, size=…), and prepare the arrays before",
        )
    counts = count_tokens(network.graph)
    layers = [network.graph.layer(ref.layer) for ref in network.graph.inputs]
    inputs = tuple(_described(layer, counts.get(layer.name)) for layer in layers)
    fit_named(data, inputs)
    return Feed(build_model(network, custom_objects), None, inputs=inputs)


def _described(layer: Layer, ids: int | None) -> NamedInput:
    """An input as data."""
    shape, dtype = layer.config["batch_shape"][1:], layer.config.get("dtype")
    return NamedInput(layer.name, tuple(shape), str(dtype or "float32"), ids)


def _ids(graph: Graph) -> int | None:
    """How many token ids the one input of a graph takes; None where it takes other values."""
    return count_tokens(graph).get(graph.inputs[0].layer)


def _check_pictures(network: Network, data: Examples, shape: Shape, size: object) -> None:
    """Refuse pictures where no preprocessing could bring them to the network's input.

    Args:
        network: for the message.
        data: likewise.
        shape: of the input.
        size: of images, where anything says it: what a network on flattened images takes shows by it alone.
    """
    kind = "pictures" if isinstance(data.inputs, tuple) else f"an array {one_array(data).shape}"
    axes, name, ids = show_axes(shape), network.graph.inputs[0].layer, _ids(network.graph)
    if ids is not None:
        raise DataError(
            f"{data.source} holds {kind}; {network.graph.name!r} takes text: letters or words by their numbers.",
            [Problem(name, f"an array {axes} of token ids from 0 to {ids - 1}", kind)],
            next_step=f"choose a network on pictures; for text give an array x {axes}, and no preprocessing",
        )
    is_image = len(shape) == 3 and shape[-1] in (None, 1, 3)
    if is_image or (len(shape) == 1 and size is not None):
        return
    flat = "; of flattened pictures, say the size with --size 28 and how they are prepared with --preprocessing"
    raise DataError(
        f"{data.source} holds {kind}; {network.graph.name!r} does not take pictures.",
        [Problem(name, f"an array {axes}", kind)],
        next_step=f"give an array x {axes}, and no preprocessing" + (flat if len(shape) == 1 else ""),
    )


def _named(preprocessing: Preprocessing | str | None) -> Preprocessing | None:
    if not isinstance(preprocessing, str):
        return preprocessing
    if preprocessing not in PREPROCESSINGS:
        found = Problem("preprocessing", f"one of {', '.join(PREPROCESSINGS)}", repr(preprocessing))
        raise DataError(
            "There is no preprocessing of that name.", [found], f"nearest: {nearest(preprocessing, PREPROCESSINGS)}"
        )
    return PREPROCESSINGS[preprocessing]


def as_learnt(feed: Feed, data: Examples) -> Network:
    """A feed's network as examples go into it: with one input, of rows where it has several."""
    network = read_model(feed.network)
    if not feed.inputs:
        return network
    sized = with_input_shapes(network.graph, feed.input_shapes(data))
    return replace(network, graph=pack_inputs(sized))


def feed_of_run(model: keras.Model, described: Json) -> Feed:
    """The feed of a finished run, from its `run.json`."""
    if described["kind"] == "several arrays":
        return Feed(model, None, inputs=tuple(map(NamedInput.from_json, described["inputs"])))
    if described["kind"] == "arrays":
        return Feed(model, None, tuple(described["shape"]), ids=_ids(read_model(model).graph))
    size = (int(described["size"][0]), int(described["size"][1]))
    return Feed(
        model, Preprocessing(size, "grey" if described["grey"] else "rgb", background=int(described["background"]))
    )
