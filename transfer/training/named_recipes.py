"""Recipes that go by a name, with defaults for sets of a few hundred examples on a laptop.

Each but `probe` and `scratch` starts from the solved head, so that its result is held against the probe. The numbers of
`lp-ft` and `full` were tried on drawings; the others are starting points from the papers named.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from math import ceil

from transfer.errors import DataError, nearest
from transfer.recipes import LP_FT, Recipe, Stage

BATCH = 32
DEFAULT = "lp-ft"
PROBE = Stage("probe")


def named_recipe(name: str, *, examples: int, seed: int = 0, blocks: int = 3) -> Recipe:
    """The recipe that goes by a name.

    Args:
        name: `probe`, `lp-ft`, `full`, `scratch`, `gradual`, `bit` or `lora`.
        examples: number of training examples, by which steps, epochs and rates are chosen.
        seed: of all that is drawn.
        blocks: for `gradual`, how many are unfrozen one after another; the network has at least as many.

    Raises:
        DataError: if no recipe goes by it.
    """
    if examples < 1 or blocks < 1:
        raise ValueError(f"examples and blocks are at least 1, not {examples} and {blocks}")
    if name not in NAMED:
        raise unknown_name(name)
    stages = _gradual(examples, blocks) if name == "gradual" else NAMED[name](examples)
    return Recipe(stages, seed=seed, name=name, validation=0.2 if len(stages) > 1 else 0.0)


def unknown_name(name: str) -> DataError:
    """The error for a name that is no recipe's."""
    return DataError(
        f"No recipe goes by {name!r}.",
        next_step=f"nearest: {nearest(name, NAMED)}; all: {', '.join(NAMED)}; or give a file that ends in .toml",
    )


def summarize_named() -> dict[str, str]:
    """A sentence about each, by name."""
    return {name: (stages_of.__doc__ or "").partition("\n")[0].rstrip(".") for name, stages_of in NAMED.items()}


def explain_named(name: str) -> str:
    """What a recipe does, what in it differs from its paper, and where it comes from, in lines."""
    return cleandoc(NAMED[name].__doc__ or "")


def _probe(examples: int) -> tuple[Stage, ...]:  # noqa: ARG001
    """Solve the head on frozen features, and train nothing else.

    Source: Kumar et al. (2022), section 2.
    """
    return (PROBE,)


def _lp_ft(examples: int) -> tuple[Stage, ...]:  # noqa: ARG001
    """Solve the head, then train it and the last two blocks at a small rate.

    The paper goes on with the whole network; on a few hundred examples the last blocks are most of what pays, and the
    features before them are computed once. `full` trains all.

    Source: Kumar et al. (2022), "Fine-tuning can distort pretrained features", section 3.4.
    """
    return LP_FT


def _full(examples: int) -> tuple[Stage, ...]:  # noqa: ARG001
    """Solve the head, then train the whole network at a small rate.

    Source: Kumar et al. (2022), section 3.4.
    """
    return (PROBE, Stage(unfreeze=("*",), epochs=10, rate=5e-5, schedule="cosine", warmup=0.1))


def _scratch(examples: int) -> tuple[Stage, ...]:
    """Start every weight anew and train the whole network: what the pretrained weights are held against.

    It goes five times as long as the others, since a network without pretraining needs longer; batch normalization
    learns its statistics.

    Source: He et al. (2019), "Rethinking ImageNet pre-training", section 3.
    """
    stage = Stage(
        unfreeze=("*",),
        fresh=True,
        batch_norm="train",
        epochs=5 * _epochs(examples),
        rate=1e-3,
        schedule="cosine",
        warmup=0.05,
    )
    return (stage,)


def _gradual(examples: int, blocks: int = 3) -> tuple[Stage, ...]:
    """Solve the head, then unfreeze block by block from the last one, earlier blocks at smaller rates.

    Each block has 2.6 times the rate of the one before it; within a stage the rate rises over a tenth of the steps and
    falls linearly.

    Source: Howard & Ruder (2018), section 3.3 for the unfreezing, 3.2 for the rates and their schedule.
    """
    return (
        PROBE,
        *(
            Stage(
                unfreeze_last=count,
                epochs=_epochs(examples, steps=100),
                rate=1e-4,
                layer_decay=1 / 2.6,
                schedule="linear",
                warmup=0.1,
            )
            for count in range(1, blocks + 1)
        ),
    )


def _bit(examples: int) -> tuple[Stage, ...]:
    """Solve the head, then train the whole network by the BiT hyper-rule, which goes by the size of the set alone.

    SGD with momentum 0.9 for 500, 10,000 or 20,000 steps, below 20,000 examples, below 500,000 and from there on; the
    rate divided by 10 at 30, 60 and 90 % of them; warm-up over 500 steps, 100 of 500; mixup with alpha 0.1 but for
    small sets. Different from the paper: batches of 32 instead of 512, which a laptop can hold, with the rate 0.003
    scaled linearly to 0.003 * 32 / 512; as many steps, thus a sixteenth of the passes; the head starts solved, not
    at 0; pictures are neither flipped nor cropped unless `augment` says so.

    Source: Kolesnikov et al. (2020), "Big transfer (BiT)", section 3.3; Goyal et al. (2017), section 2.1, for the
    scaling.
    """
    steps = 500 if examples < 20_000 else 10_000 if examples < 500_000 else 20_000
    stage = Stage(
        unfreeze=("*",),
        steps=steps,
        batch_size=BATCH,
        optimizer="sgd",
        momentum=0.9,
        rate=0.003 * BATCH / 512,
        schedule="steps",
        warmup=(100 if steps == 500 else 500) / steps,
        mixup=0.0 if steps == 500 else 0.1,
    )
    return (PROBE, stage)


def _lora(examples: int) -> tuple[Stage, ...]:
    """Solve the head, then train products of small matrices beside kernels that stay fixed, where layers offer it.

    Rank, rate and decay are those with which the paper adapts GPT-2.

    Source: Hu et al. (2022), section 4.1.
    """
    stage = Stage(
        unfreeze=("*",),
        lora_rank=4,
        epochs=_epochs(examples),
        optimizer="adamw",
        rate=2e-4,
        weight_decay=0.01,
        schedule="linear",
        warmup=0.1,
    )
    return (PROBE, stage)


def _epochs(examples: int, *, steps: int = 200) -> int:
    """Passes that give at least so many steps; at least 10, at most 100."""
    return min(max(ceil(steps / ceil(examples / BATCH)), 10), 100)


NAMED: dict[str, Callable[[int], tuple[Stage, ...]]] = {
    "probe": _probe,
    "lp-ft": _lp_ft,
    "full": _full,
    "scratch": _scratch,
    "gradual": _gradual,
    "bit": _bit,
    "lora": _lora,
}
