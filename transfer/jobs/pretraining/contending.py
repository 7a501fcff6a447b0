"""Networks that learn the same few labels: encoders by their probe and by fine-tuning, and what knows nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.doubts import refuse_known, refuse_unreadable
from transfer.data.labelled import LabelledSet
from transfer.errors import Problem
from transfer.graphs.feature_layers import encoder_layer
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.unparsing import unparse_graph
from transfer.jobs.examples.dividing import refuse_unlearnt
from transfer.jobs.examples.feeding import Feed, as_learnt, make_feed
from transfer.jobs.examples.kept_pictures import checked_batches
from transfer.jobs.pretraining.pretrained import Pretrained
from transfer.jobs.runs.learnt_before import LearntBefore, find_learnt
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.clock import Clock
from transfer.jobs.students.following_recipes import follow
from transfer.jobs.students.preparing import student_of_model
from transfer.models.building import read_model
from transfer.models.restoring import Restored, restore_file
from transfer.recipes import Recipe, Stage
from transfer.specs import Preprocessing, Progress, Restoring
from transfer.surgery.network import Network
from transfer.training.feature_store import FeatureStore
from transfer.training.fresh import start_anew
from transfer.training.labels import Labels
from transfer.training.learner import Learner
from transfer.training.named_recipes import named_recipe
from transfer.training.stage_features import Examples
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.digests import digest_json

Encoder: TypeAlias = "Pretrained | keras.Model | Restored | Checkpoint | str | os.PathLike[str]"
PROBE, SCRATCH = "probe", "scratch"
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A network with a head for the classes, and how examples go in.

    Attributes:
        name: of the encoder.
        network: from raw input to logits.
        feed: how examples go in.
        heads: names of its heads.
        custom_objects: classes of the caller's that it holds, by name.
        before: what it has learnt from with labels.
    """

    name: str
    network: Network
    feed: Feed
    heads: tuple[str, ...]
    custom_objects: dict[str, Any]
    before: LearntBefore

    @property
    def architecture(self) -> str:
        """The same for networks that differ in their weights and in what their layers are called alone."""
        return digest_json(unparse_graph(_numbered(self.network.graph)))

    def untrained(self, seed: int) -> Contender:
        """The same with random weights."""
        return replace(self, network=start_anew(self.network, seed, self.custom_objects))


def open_contender(
    name: str,
    encoder: Encoder,
    data: LabelledSet,
    *,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
) -> Contender:
    """Give an encoder a head for the classes of a set.

    Args:
        name: what it is called.
        encoder: from raw input to features, or with a classifier behind them, which goes.
        data: examples of the classes.
        preprocessing: of images, where its card says none.
        size: (h, w) of images; by default what the network or its card says.
        seed: of the head's initial kernel.

    Raises:
        TransferError: of the kind that fits.
    """
    model, source = _opened(encoder)
    whole = read_model(model)
    end = (whole.card.features if whole.card is not None else "") or encoder_layer(whole.graph)
    student = student_of_model(model, data.labelling, at=end, seed=seed, source=source)
    network, heads = check_heads(student, data, None)
    own: dict[str, Any] = student.custom_objects
    says = network.card is not None and network.card.preprocessing is not None
    prepared = None if says else preprocessing
    feed = make_feed(network, data, preprocessing=prepared, size=size, custom_objects=own)
    before = find_learnt(name, student.source, network.card)
    return Contender(name, as_learnt(feed, data), feed, heads, own, before)


def _opened(encoder: Encoder) -> tuple[keras.Model, str]:
    """The model, and the path that it is of; empty where there is none."""
    if isinstance(encoder, keras.Model):
        return encoder, ""
    if isinstance(encoder, Pretrained):
        return encoder.model, str(encoder.path or "")
    found = encoder if isinstance(encoder, Restored) else restore_file(encoder, None, Restoring())
    return found.model, found.receipt.source


def _numbered(graph: Graph) -> Graph:
    """The same with numbers for names."""
    places = {name: f"layer_{place}" for place, name in enumerate(graph.names)}

    def renamed(ref: Ref) -> Ref:
        return replace(ref, layer=places[ref.layer])

    layers = tuple(
        replace(
            layer,
            name=places[layer.name],
            config={**layer.config, "name": places[layer.name]},
            calls=tuple(call.redirected(renamed) for call in layer.calls),
        )
        for layer in graph
    )
    inputs, outputs = tuple(map(renamed, graph.inputs)), tuple(map(renamed, graph.outputs))
    return replace(graph, name="network", layers=layers, inputs=inputs, outputs=outputs)


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One way of learning, told by the names of its stages.

    Attributes:
        contender: that learns, of a division by its number.
        stages: what each stage that is told is called, by its place in the recipe.
        recipe: of so many examples, for a seed.
    """

    contender: Callable[[int], Contender]
    stages: dict[int, str]
    recipe: Callable[[int, int], Recipe]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What came of a way in one division.

    Attributes:
        way: what it is called.
        accuracy: on the examples tested on.
        learnt: examples learnt from.
        tested: examples tested on.
        unread: names of those that could not be read.
    """

    way: str
    accuracy: float
    learnt: int
    tested: int
    unread: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """What is learnt from and tested on in one division.

    Attributes:
        data: both, and nothing else.
        digests: of these.
        learnt: rows to learn from, by the number of shots.
        tested: rows to test on.
        number: of the division.
        seed: of it.
        skip_unreadable: whether pictures that cannot be decoded are left out.
    """

    data: LabelledSet
    digests: Sequence[str]
    learnt: dict[int, Rows]
    tested: Rows
    number: int
    seed: int
    skip_unreadable: bool

    def take(self, way: Way, store: FeatureStore, progress: Progress) -> Iterator[tuple[int, Told]]:
        """Learn with each number of shots, and answer the same others.

        Raises:
            DataError: if examples cannot be read, or none are left.
        """
        contender = way.contender(self.number)
        batches = checked_batches(contender.feed, self.data, self.digests, progress)
        shape = contender.feed.example_shape(self.data)
        examples = Examples(self.digests, batches, shape, contender.feed.to_json())
        own = contender.custom_objects
        for count, rows in self.learnt.items():
            recipe = way.recipe(len(rows), self.seed)
            learner = Learner(contender.network, recipe, contender.heads, own, store=store, progress=progress)
            for told in self._follow(learner, dict(learner.read(examples).failures), rows, way.stages):
                yield count, told

    def _follow(
        self, learner: Learner, failed: Mapping[int, Problem], rows: Rows, stages: Mapping[int, str]
    ) -> Iterator[Told]:
        """What each stage that is told comes to."""
        if not self.skip_unreadable:
            refuse_unreadable(tuple(failed.values()), len(self.data), self.data.source)
        unread = frozenset(self.data.names[row] for row in failed)
        learnt, tested = (
            np.array([row for row in some if row not in failed], np.int64) for some in (rows, self.tested)
        )
        labels, groups = Labels(self.data.labelling, self.data.targets), self.data.groups
        refuse_known(len(tested))
        refuse_unlearnt(labels[learnt])
        learner.begin(learnt, labels, groups)
        scores = follow(learner, tested, labels, groups, Clock()).scores
        for place, name in stages.items():
            yield Told(name, float(scores[place].right.mean()), len(learnt), len(tested), unread)


def ways_of_encoder(contender: Contender, recipe: str, steps: int | None) -> Way:
    """Its probe, and what is tuned from it."""
    kinds = [stage.kind for stage in named_recipe(recipe, examples=1).stages]
    probed = {place: f"{contender.name} {PROBE}" for place, kind in enumerate(kinds) if kind == PROBE}
    tuned = {len(kinds) - 1: f"{contender.name} {recipe}"} if kinds[-1] != PROBE else {}
    return Way(lambda _: contender, {**probed, **tuned}, lambda count, seed: budgeted(recipe, count, steps, seed))


def probe_of(name: str, contender: Callable[[int], Contender]) -> Way:
    """A head on features as they are."""
    return Way(contender, {0: name}, lambda _, seed: Recipe((Stage("probe"),), seed=seed))


def from_scratch(name: str, contender: Contender, steps: int | None) -> Way:
    """The same network from random weights, other ones in each division."""
    return Way(lambda _: contender, {0: name}, lambda count, seed: budgeted(SCRATCH, count, steps, seed))


def budgeted(recipe: str, examples: int, steps: int | None, seed: int) -> Recipe:
    """A recipe by name whose stages that train take as many steps in all as training from scratch does.

    Args:
        recipe: its name.
        examples: to learn from.
        steps: in all; None for those of `scratch`.
        seed: of the recipe.
    """
    found = named_recipe(recipe, examples=examples, seed=seed)
    tuned = sum(stage.kind == "tune" for stage in found.stages)
    each = max(1, (steps or steps_from_scratch(examples)) // max(1, tuned))
    stages = tuple(replace(stage, steps=each) if stage.kind == "tune" else stage for stage in found.stages)
    return replace(found, stages=stages)


def steps_from_scratch(examples: int) -> int:
    """That training from scratch takes on so many examples."""
    (stage,) = named_recipe(SCRATCH, examples=examples).stages
    return stage.epochs * -(-examples // stage.batch_size)
