"""What a learner has learnt, as one Keras model: raw input in, probabilities out."""

from __future__ import annotations

from dataclasses import replace

import keras

from transfer.graphs.packing import unpack_inputs
from transfer.jobs.runs.learnt_before import TUNED
from transfer.labellings import Labelling
from transfer.models.building import attach_card, build_model, read_model
from transfer.models.giving_probabilities import give_probabilities
from transfer.models.taking_over import take_over
from transfer.training.learner import Learner
from transfer.weights.cards import Card


def finished_model(model: keras.Model, learner: Learner, labelling: Labelling, card: Card | None) -> keras.Model:
    """Raw input in, probabilities out, what is trainable as in the last stage.

    Args:
        model: of the feed; unless it holds classes of the caller's, it is given what was learnt.
        learner: that learnt it.
        labelling: of the answers.
        card: of the student.
    """
    learnt = learner.learnt()
    if len(model.inputs) > 1:
        learnt = replace(learnt, graph=unpack_inputs(learnt.graph, read_model(model).graph))
    if learner.custom_objects:  # layers of the caller's own may have flags that are set as they are made
        model = build_model(learnt, learner.custom_objects)
    else:
        take_over(model, learnt)
    whole = give_probabilities(model, labelling, learner.heads)
    old = card or Card()
    done = f"{TUNED}: {', '.join(stage.kind for stage in learner.recipe.stages)}"
    classes = labelling.outputs[0].classes if labelling.is_single else ()
    told = replace(old.without_proof(), architecture=None, preprocessing=None, classes=classes)
    attach_card(whole, replace(told, history=(*old.history, done)))
    return whole
