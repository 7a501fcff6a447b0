"""What a run would do and cost, told before it: the dry run of fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from transfer.analysis.training_cost import TrainingCost, count_training
from transfer.data.labelled import LabelledSet
from transfer.data.splitting import split_stratified
from transfer.graphs.freezing import unfreeze_from
from transfer.graphs.graph import Graph
from transfer.graphs.input_shapes import with_input_shapes
from transfer.jobs.checking_recipes import check_recipe
from transfer.jobs.feeding import make_feed
from transfer.jobs.preparing import prepare_student
from transfer.models.building import read_model
from transfer.models.restoring import restore_file
from transfer.models.throughput import Throughput, measure_throughput
from transfer.recipes import Recipe, Stage
from transfer.specs import Json, Preprocessing, Restoring
from transfer.tabulating import format_scaled, format_table
from transfer.weights.checkpoint import Checkpoint

MEASURED_SECONDS = 1.0
COLUMNS = (
    "stage",
    "trained from",
    "parameters",
    "examples",
    "epochs",
    "once",
    "per epoch",
    "kept: per epoch",
    "kept: size",
)


@dataclass(frozen=True, slots=True)
class StageForecast:
    """What one stage would cost, in multiply-adds over all its examples.

    Attributes:
        kind: `probe` or `tune`.
        first: the first layer that is trained.
        examples: that go through the network in each epoch.
        epochs: how often; the probe's features are computed once and its head is solved on them, which costs little.
        cost: of a step, per example.
    """

    kind: str
    first: str
    examples: int
    epochs: int
    cost: TrainingCost

    @property
    def once(self) -> int:
        """Running what is frozen over the examples, to keep its output."""
        return self.examples * self.cost.prefix

    @property
    def per_epoch(self) -> int:
        """The whole network forwards, and backwards as far as it is trained."""
        return self.examples * self.cost.step

    @property
    def per_epoch_kept(self) -> int:
        """The same from kept features on."""
        return self.examples * self.cost.cached_step

    @property
    def kept_bytes(self) -> int:
        """What the kept features take."""
        return self.examples * self.cost.feature_bytes

    @property
    def total(self) -> int:
        """What the stage does: the probe runs the frozen part once, tuning the whole network in each epoch."""
        return self.once if self.kind == "probe" else self.epochs * self.per_epoch

    @property
    def total_kept(self) -> int:
        """What it would do with kept features."""
        return self.once if self.kind == "probe" else self.once + self.epochs * self.per_epoch_kept

    def to_json(self) -> Json:
        """As plain values."""
        names = ("kind", "first", "examples", "epochs", "once", "per_epoch", "per_epoch_kept", "kept_bytes")
        return {**{name: getattr(self, name) for name in (*names, "total", "total_kept")}, "step": self.cost.to_json()}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would do and cost; printed, it is a table.

    Attributes:
        classes: of the new head.
        train_examples: that would be learnt from.
        test_examples: that would be held out.
        stages: in order.
        throughput: of the network on this machine, measured.
        notes: how the network and its input would be prepared.
    """

    classes: tuple[str, ...]
    train_examples: int
    test_examples: int
    stages: tuple[StageForecast, ...]
    throughput: Throughput
    notes: tuple[str, ...]

    def seconds(self, macs: int) -> float:
        """About how long so many multiply-adds take here, at the speed of the forward pass."""
        return 2 * macs / (1e9 * self.throughput.gflops)

    def __str__(self) -> str:
        rows = [
            (
                each.kind,
                each.first,
                f"{each.cost.trainable:,}",
                str(each.examples),
                str(each.epochs),
                *(f"{format_scaled(macs)}MAC" for macs in (each.once, each.per_epoch, each.per_epoch_kept)),
                f"{format_scaled(each.kept_bytes)}B",
            )
            for each in self.stages
        ]
        whole, kept = (sum(getattr(each, name) for each in self.stages) for name in ("total", "total_kept"))
        lines = [
            f"would learn {len(self.classes)} classes from {self.train_examples} examples and test on "
            f"{self.test_examples}; nothing was written",
            *(f"  {note}" for note in self.notes),
            format_table(COLUMNS, rows, numbers=COLUMNS[2:]),
            f"in all {format_scaled(whole)}MAC, about {self.seconds(whole):.2g} s here"
            + (f"; with kept features {format_scaled(kept)}MAC, {self.seconds(kept):.2g} s" if kept < whole else ""),
            str(self.throughput),
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def to_json(self) -> Json:
        """As plain values, for `--json`."""
        return {
            "schema": 1,
            "classes": list(self.classes),
            "train_examples": self.train_examples,
            "test_examples": self.test_examples,
            "stages": [
                {**each.to_json(), "seconds": self.seconds(each.total), "seconds_kept": self.seconds(each.total_kept)}
                for each in self.stages
            ],
            "measured": self.throughput.to_json(),
            "notes": list(self.notes),
        }


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
    graph = with_input_shapes(read_model(feed.network).graph, feed.input_shape)
    stages = tuple(_forecast(graph, stage, train, held_out) for stage in recipe.stages)
    throughput = measure_throughput(
        feed.network, stages[0].cost.forward, input_shape=feed.input_shape, seconds=MEASURED_SECONDS
    )
    return Forecast(data.classes, train, held_out, stages, throughput, (student.describe(recipe), feed.note))


def _forecast(graph: Graph, stage: Stage, train: int, held_out: int) -> StageForecast:
    if stage.kind == "probe":
        head = graph.outputs[0].layer
        return StageForecast("probe", head, train + held_out, 1, count_training(unfreeze_from(graph, head)))
    cost = count_training(unfreeze_from(graph, stage.unfreeze_from))
    return StageForecast(stage.kind, stage.unfreeze_from, train, stage.epochs, cost)
