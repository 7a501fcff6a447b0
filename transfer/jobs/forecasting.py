"""What a run would do and cost, told before it: the dry run of fine-tuning."""

from __future__ import annotations

from transfer.analysis.forecast import Forecast, StageForecast
from transfer.analysis.training_cost import count_training
from transfer.data.labelled import LabelledSet
from transfer.data.splitting import split_stratified
from transfer.graphs.graph import Graph
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.summarizing import summarize
from transfer.jobs.checking_inputs import warn_of_inputs
from transfer.jobs.checking_recipes import check_recipe
from transfer.jobs.feeding import make_feed
from transfer.jobs.preparing import prepare_student
from transfer.models.building import read_model
from transfer.models.restoring import restore_file
from transfer.models.timing import measure_throughput
from transfer.recipes import Recipe, Stage
from transfer.specs import Preprocessing, Restoring
from transfer.training.stage_flags import flag_stage
from transfer.weights.checkpoint import Checkpoint

MEASURED_SECONDS = 1.0


def forecast_file(
    file: Checkpoint | str,
    data: LabelledSet,
    *,
    into: str | None = None,
    restoring: Restoring | None = None,
    drop_last: int = 0,
    at: str | None = None,
    size: tuple[int, int] | None = None,
    preprocessing: Preprocessing | None = None,
    shots: int | None = None,
    test_share: float = 0.25,
    test: LabelledSet | None = None,
    recipe: Recipe | None = None,
) -> Forecast:
    """Restore a file, put a new head on it, and work out what `learn_file` would do; nothing is trained or written.

    Args:
        file: a checkpoint, its path, or the name of a shipped one.
        data: labelled examples; pictures are not decoded.
        into: name of the original architecture, where the file does not hold it.
        restoring: how the file is brought into the architecture.
        drop_last: number of last layers to drop.
        at: the last layer to keep; with neither, the old classifier goes.
        size: (h, w) of images.
        preprocessing: of images; by default what the card says.
        shots: examples a class to learn from.
        test_share: share to test on otherwise.
        test: examples to test on instead.
        recipe: stages and seed.

    Raises:
        TransferError: of the kind that fits.
    """
    recipe = recipe or Recipe()
    restored = restore_file(file, into, restoring or Restoring())
    student = prepare_student(restored, len(data.classes), at=at, drop_last=drop_last, seed=recipe.seed)
    network = read_model(student.model)
    check_recipe(network.graph, network.graph.outputs[0].layer, recipe)
    feed = make_feed(network, data, preprocessing=preprocessing, size=size)
    if test is None:
        split = split_stratified(
            data.labels, seed=recipe.seed, shots=shots, test_share=test_share, classes=data.classes
        )
        train, held_out = map(len, split)
    else:
        train, held_out = len(data), len(test)
    shape = feed.example_shape(data)
    graph = with_input_shapes(read_model(feed.network).graph, shape)
    tried = round(train * (1 - recipe.validation)) if recipe.validation and len(recipe.stages) > 1 else 0
    stages = tuple(_forecast(graph, stage, train, train + held_out, tried) for stage in recipe.stages)
    throughput = measure_throughput(feed.network, stages[0].cost.forward, input_shape=shape, seconds=MEASURED_SECONDS)
    warnings = warn_of_inputs(feed, network, data, seed=recipe.seed)
    notes = (student.describe(recipe), feed.note)
    return Forecast(data.classes, train, held_out, stages, throughput, notes, warnings)


def _forecast(graph: Graph, stage: Stage, train: int, read: int, tried: int) -> StageForecast:
    head = graph.outputs[0].layer
    flagged = flag_stage(graph, stage, head)
    if stage.kind == "probe":
        return StageForecast("probe", head, read, 1, count_training(flagged), read)
    trained = [each.name for each in summarize(flagged) if each.trainable]
    epochs = stage.epochs if not stage.steps else max(1, round(stage.steps * stage.batch_size / train))
    return StageForecast(stage.kind, trained[0], train, epochs, count_training(flagged), read, tried)
