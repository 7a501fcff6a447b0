"""A process of a cluster that takes its part in a lesson: of each batch its own rows, as one device of several does."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from transfer.errors import NotFiniteError
from transfer.scaling.clusters import load_ray
from transfer.scaling.lesson_post import Ended, PostedStates
from transfer.scaling.workers import portable
from transfer.specs import silent
from transfer.surgery.network import Network
from transfer.training.devices import hide_gpus, make_repeatable, settle_threads
from transfer.training.history import unwatched
from transfer.training.lessons import Lesson, take_lesson


@dataclass(frozen=True, slots=True)
class Part:
    """What every worker is told.

    Attributes:
        network: what is trained, with its flags.
        lesson: what it learns from; its rows are `ShippedRows`, and its deadline the post's.
        heads: names of the layers that give the logits.
        seed: of all that is drawn.
        custom_objects: classes of the caller's, by name.
    """

    network: Network
    lesson: Lesson
    heads: tuple[str, ...]
    seed: int
    custom_objects: Mapping[str, Any] = field(default_factory=dict)


def take_part(settings: Mapping[str, Any]) -> None:
    """What Ray Train runs in each worker.

    An error that every try would end with is told to the post, and then the next try has nothing to do; any other one,
    such as a worker's death, leaves the rest to that try.

    Args:
        settings: `part`, by which Ray keeps what to do; `post`; `threads` and `gpus` of each; `devices` in all;
            `folders` of modules.
    """
    ray, post = load_ray(), settings["post"]
    if ray.get(post.ended.remote()) is not None:
        return
    sys.path += [each for each in settings["folders"] if each not in sys.path]
    if not settings["gpus"]:
        hide_gpus()
    settle_threads(settings["threads"])
    import tensorflow as tf

    make_repeatable()
    # before anything else of TensorFlow, which cannot join others later
    strategy = tf.distribute.MultiWorkerMirroredStrategy() if settings["devices"] > 1 else None
    is_first = load_ray("ray.train").get_context().get_world_rank() == 0
    try:
        ended = _taken(ray.get(settings["part"][0]), post, strategy, is_first=is_first)
    except tf.errors.OpError:
        raise
    except Exception as error:
        ray.get(post.end.remote(Ended(error=portable(error))))
        raise
    if is_first:
        ray.get(post.end.remote(ended))


def _taken(part: Part, post: Any, strategy: Any, *, is_first: bool) -> Ended:
    import keras

    from transfer.models.building import build_model
    from transfer.models.variables import copy_variables

    ray = load_ray()
    keras.utils.set_random_seed(part.seed)
    with strategy.scope() if strategy is not None else nullcontext():
        model = build_model(part.network, part.custom_objects)
    left = ray.get(post.seconds_left.remote())
    lesson = replace(part.lesson, deadline=None if left is None else time.monotonic() + left)

    def tell(kind: str, *values: Any) -> None:
        post.tell.remote(kind, *values)

    try:
        fit = take_lesson(
            model,
            lesson,
            heads=part.heads,
            seed=part.seed,
            state_folder=PostedStates(post, is_first),
            progress=(lambda *told: tell("progress", *told)) if is_first else silent,
            watch=(lambda *told: tell("epoch", *told)) if is_first else unwatched,
        )
    except NotFiniteError as error:  # all end with it, in the same step
        return Ended(None, copy_variables(model), error)
    return Ended(replace(fit, stepping=None), copy_variables(model))
