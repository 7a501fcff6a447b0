"""What came of a pretraining: the encoder as an ordinary network with a card, and all there is to know of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.graphs.layer_kinds import AUGMENTATIONS
from transfer.graphs.walking import walk
from transfer.jobs.pretraining.pretrained import Pretrained
from transfer.jobs.pretraining.pretraining_requests import PretrainingRequest, method_name
from transfer.models.building import attach_card, build_model, read_model
from transfer.specs import Json
from transfer.surgery.network import Chosen
from transfer.training.pretraining.fitting import Followed
from transfer.training.pretraining.objectives import Objective
from transfer.training.pretraining.signs import features_of, find_signs
from transfer.weights.cards import Card

_AT_RANDOM = AUGMENTATIONS - {"Equalization"}
_AS_THEY_WERE = "and they are to be given back as they were: what cannot be known then stays in the error"
_MEANING = {
    **dict.fromkeys(("autoencoder", "denoising", "masked", "variational"), _AS_THEY_WERE),
    "rotation": "after they are turned: where that turns or flips them, the answer cannot be known",
}
_NO_STEP = "nothing is learnt: the time limit left none for a single step; give more time"


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """An objective that was followed.

    Attributes:
        objective: with all that it trained.
        followed: how that went.
        before: (m, d), features of some rows before it.
        shown: (m, …), the raw rows of the pictures.
    """

    objective: Objective
    followed: Followed
    before: NDArray[np.float32]
    shown: NDArray[np.float32]


def tell_pretrained(request: PretrainingRequest, asked: Json, learnt: Learnt) -> Pretrained:
    """All that came of it, not yet written.

    Args:
        request: what was asked.
        asked: its description.
        learnt: what was done.
    """
    objective, history, rows = learnt.objective, learnt.followed.history, request.rows
    signs: tuple[str, ...] = () if learnt.followed.steps else (_NO_STEP,)
    if history:
        after = features_of(objective, rows, request.batch_size)
        signs = find_signs(objective, history[-1], learnt.before, after, batch_size=request.batch_size)
    model = encoder_as_it_came(request, objective.encoder.model)
    attach_card(model, _card(request, asked, learnt))
    return Pretrained(
        model,
        method_name(request.method),
        rows.source,
        len(rows),
        history,
        signs,
        tuple(_notes(request, learnt.followed)),
        None,
        asked,
        rows.failures,
        learnt.followed.resumed_at,
    )


def encoder_as_it_came(request: PretrainingRequest, trained: keras.Model) -> keras.Model:
    """The architecture as it came, whatever sizes it takes, with what was learnt."""
    learnt, network = read_model(trained), request.prepared.network
    held = Chosen(learnt.tensors, {name: name for name in network.tensors})
    return build_model(replace(network, tensors=held), request.prepared.custom_objects)


def _card(request: PretrainingRequest, asked: Json, learnt: Learnt) -> Card:
    network, data = request.prepared.network, asked["data"]
    card = network.card or Card(name=network.graph.name)
    curve = " ".join(f"{each.loss:.4g}" for each in learnt.followed.history)
    done = (
        f"pretrained: {method_name(request.method)} {asked['options']}, {data['examples']} examples of "
        f"{data['source']} (digest {data['digest'][:16]}), {learnt.followed.steps} steps, seed {request.seed}, "
        f"loss by epoch {curve}"
    )
    (end,) = network.graph.outputs
    return replace(
        card.without_proof(),
        architecture=None,
        preprocessing=request.feed.preprocessing or card.preprocessing,
        classes=(),
        features=end.layer,
        history=(*card.history, done),
    )


def _notes(request: PretrainingRequest, followed: Followed) -> Iterator[str]:
    yield request.prepared.note
    yield from request.rows.notes
    yield request.feed.note
    if request.batch_size < request.pace.batch_size:
        yield f"batches hold {request.batch_size} examples: there are no more"
    places = tuple(walk(request.prepared.network.graph))
    if frozen := [each.name for each in places if each.config.get("trainable") is False]:
        yield f"what is frozen there is trained as well: {_listed(frozen)}"
    if random := [each.name for each in places if each.kind in _AT_RANDOM]:
        yield (
            f"{_listed(random)} of the network change{'s' if len(random) == 1 else ''} examples at random while it "
            f"learns, {_MEANING.get(method_name(request.method), 'beside what the method does')}"
        )
    if followed.ended == "deadline":
        untold = "" if followed.history or not followed.steps else ": what was learnt is told of complete ones alone"
        yield f"the time limit ended it after {followed.steps} steps, {len(followed.history)} complete epochs{untold}"


def _listed(names: list[Any], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
