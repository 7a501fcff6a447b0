"""What a run would do and cost, told before it: the dry run of fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping

from transfer.analysis.forecast import Forecast, StageForecast
from transfer.analysis.training_cost import count_training
from transfer.data.labelled import LabelledSet
from transfer.data.splitting import split_stratified
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.shapes import Shape
from transfer.graphs.summarizing import summarize
from transfer.jobs.checking_inputs import warn_of_inputs
from transfer.jobs.checking_recipes import check_recipe
from transfer.jobs.counting_flops import settle_shapes
from transfer.jobs.feeding import make_feed
from transfer.jobs.learning import Learning, prepare_file
from transfer.models.building import classes_of, read_model
from transfer.models.timing import measure_throughput
from transfer.recipes import Stage
from transfer.training.stage_flags import flag_stage
from transfer.weights.checkpoint import Checkpoint

MEASURED_SECONDS = 1.0


def forecast_file(file: Checkpoint | str, data: LabelledSet, how: Learning | None = None) -> Forecast:
    """Work out what `learn_file` would do with the same; nothing is trained or written.

    Args:
        file: a checkpoint, its path, or the name of a shipped one.
        data: labelled examples; a few pictures are decoded, to look at their preprocessing.
        how: what is taken from the file, tested on and trained.

    Raises:
        TransferError: of the kind that fits.
    """
    how = how or Learning()
    recipe, test = how.recipe, how.test
    _, student = prepare_file(file, data, how)
    network = read_model(student.model)
    check_recipe(network.graph, network.graph.outputs[0].layer, recipe)
    feed = make_feed(
        network, data, preprocessing=how.preprocessing, size=how.size, custom_objects=classes_of(student.model)
    )
    if test is None:
        split = split_stratified(
            data.labels, seed=recipe.seed, shots=how.shots, test_share=how.test_share, classes=data.classes
        )
        train, held_out = map(len, split)
    else:
        train, held_out = len(data), len(test)
    shape = feed.example_shape(data)
    graph = with_input_shapes(read_model(feed.network).graph, shape)
    tried = round(train * (1 - recipe.validation)) if recipe.validation and len(recipe.stages) > 1 else 0
    shapes = settle_shapes(graph, custom_objects=classes_of(student.model))
    stages = tuple(_forecast(graph, shapes, stage, train, train + held_out, tried) for stage in recipe.stages)
    throughput = measure_throughput(feed.network, stages[0].cost.forward, input_shape=shape, seconds=MEASURED_SECONDS)
    warnings = warn_of_inputs(feed, network, data, seed=recipe.seed)
    notes = (student.describe(recipe), feed.note)
    return Forecast(data.classes, train, held_out, stages, throughput, notes, warnings)


def _forecast(
    graph: Graph, shapes: Mapping[Ref, Shape], stage: Stage, train: int, read: int, tried: int
) -> StageForecast:
    head = graph.outputs[0].layer
    flagged = flag_stage(graph, stage, head)
    cost = count_training(flagged, shapes=shapes)
    if stage.kind == "probe":
        return StageForecast("probe", head, read, 1, cost, read)
    trained = [each.name for each in summarize(flagged, shapes=shapes) if each.trainable]
    epochs = stage.epochs if not stage.steps else max(1, round(stage.steps * stage.batch_size / train))
    return StageForecast(stage.kind, trained[0], train, epochs, cost, read, tried)
