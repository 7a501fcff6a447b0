"""What a report shows of examples: small pictures, and where the network looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.data.targets import known
from transfer.data.thumbnails import encode_attention, encode_thumbnail, thumbnail_size
from transfer.jobs.examples.feeding import Feed
from transfer.jobs.runs.finding_wrong_answers import SHOWN, FoundWrong, surest_wrong
from transfer.jobs.runs.kept_examples import KeptExamples
from transfer.jobs.runs.kept_predictions import KeptPredictions
from transfer.models.attention_maps import map_attention
from transfer.reports.contents import Picture, Suspect
from transfer.specs import Json


def show_examples(
    model: keras.Model,
    feed: Feed,
    data: LabelledSet,
    predictions: KeptPredictions,
    decisions: Json,
    suspects: tuple[Suspect, ...] = (),
    *,
    frame: tuple[float, float] = (0.0, 0.0),
) -> KeptExamples:
    """Pictures of the surest wrong answers and of doubtful labels.

    Args:
        model: raw input in, probabilities out.
        feed: how examples go into it.
        data: holds all examples that are named.
        predictions: for the test examples.
        decisions: of the result.
        suspects: labels that are likely wrong.
        frame: share of an image's height, and of its width, that the network adds on each side.
    """
    if feed.image is None or feed.image.size is None:
        return KeptExamples(suspects=suspects)
    wrong = surest_wrong(predictions, decisions)
    names = list(
        dict.fromkeys([*(predictions.names[each.row] for each in wrong), *(each.example for each in suspects)])
    )
    places = {name: place for place, name in enumerate(data.names)}
    there = [name for name in names if name in places]
    if not there:
        return KeptExamples(suspects=suspects)
    images = feed.load(data.subset([places[name] for name in there]), SHOWN)
    rows = dict(zip(there, images, strict=True))
    pictures = {name: Picture(name, encode_thumbnail(image)) for name, image in rows.items()}
    for name, attention in _attention(model, predictions, wrong, rows).items():
        drawn = encode_attention(attention, thumbnail_size(*rows[name].shape[:2]), frame)
        pictures[name] = replace(pictures[name], attention=drawn)
    return KeptExamples(pictures=pictures, suspects=suspects)


def frame_of(inside: Sequence[int] | None, whole: Sequence[int] | None) -> tuple[float, float]:
    """Share of an image's height, and of its width, that a network adds on each side.

    Args:
        inside: (h, w) of the image that it takes; None where it takes none.
        whole: with the frame; None where that is not known.
    """
    if inside is None or whole is None:
        return 0.0, 0.0
    return (whole[0] - inside[0]) / (2 * whole[0]), (whole[1] - inside[1]) / (2 * whole[1])


def count_learnt(data: LabelledSet) -> tuple[tuple[int, ...], ...]:
    """For each output how many examples have each class or label; none for numbers."""
    found: list[tuple[int, ...]] = []
    for output, values in zip(data.labelling, data.targets, strict=True):
        if output.kind == "regression":
            found.append(())
        elif output.kind == "sigmoid":
            found.append(tuple((values == 1).sum(0).tolist()))
        else:
            found.append(tuple(np.bincount(values[known(values)], minlength=len(output.classes)).tolist()))
    return tuple(found)


def _attention(
    model: keras.Model, predictions: KeptPredictions, wrong: Sequence[FoundWrong], rows: dict[str, NDArray[np.uint8]]
) -> dict[str, NDArray[Any]]:
    """By the name of each wrongly answered example where the network looked for its answer."""
    if not predictions.labelling.is_single:
        return {}
    asked = {predictions.names[each.row]: each.place for each in wrong if predictions.names[each.row] in rows}
    if not asked:
        return {}
    images = np.stack([rows[name] for name in asked])
    found = map_attention(model, images, np.array([*asked.values()], np.int64))
    return {} if found is None else dict(zip(asked, found, strict=True))
