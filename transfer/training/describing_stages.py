"""What a stage of a recipe does, in a line."""

from __future__ import annotations

from transfer.recipes import Stage

OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD"}
SCHEDULES = {
    "constant": "",
    "linear": ", falling linearly to 0",
    "cosine": ", falling along a cosine to 0",
    "steps": ", divided by 10 at 30, 60 and 90 % of the steps",
}


def describe_stage(stage: Stage) -> str:
    """What is trained, how long, with what, and which of the other means are used."""
    if stage.kind == "probe":
        return "solves the head on frozen features"
    length = f"{stage.steps} steps" if stage.steps else f"{stage.epochs} epochs"
    return "; ".join([f"{_what(stage)} for {length} of {stage.batch_size} examples, {_how(stage)}", *_means(stage)])


def _what(stage: Stage) -> str:
    start = "starts every weight anew and trains" if stage.fresh else "trains"
    if stage.unfreeze_from:
        what = f"{stage.unfreeze_from!r} and all after it"
    elif stage.unfreeze_last is not None:
        blocks = "block" if stage.unfreeze_last == 1 else f"{stage.unfreeze_last} blocks"
        what = f"the head and the last {blocks}" if stage.unfreeze_last else "the head"
    else:
        what = (
            "the whole network" if stage.unfreeze == ("*",) else f"the head and {', '.join(map(repr, stage.unfreeze))}"
        )
    beside = f" by products of rank {stage.lora_rank} beside fixed kernels" if stage.lora_rank else ""
    return f"{start} {what}{beside}"


def _how(stage: Stage) -> str:
    rate = "a rate found by a range test" if stage.rate == "auto" else f"the rate {stage.rate:g}"
    warmup = f", after a warm-up over {100 * stage.warmup:.3g} % of the steps" if stage.warmup else ""
    decay = f", times {stage.layer_decay:.3g} for each block further from the head" if stage.layer_decay != 1 else ""
    momentum = f" of momentum {stage.momentum:g}" if stage.optimizer == "sgd" else ""
    return f"{OPTIMIZERS[stage.optimizer]}{momentum} at {rate}{SCHEDULES[stage.schedule]}{warmup}{decay}"


def _means(stage: Stage) -> list[str]:
    """The other fields that are set, a phrase each."""
    phrases = {
        f"batch normalization: {stage.batch_norm}": stage.batch_norm != "frozen",
        f"weight decay {stage.weight_decay:g}": stage.weight_decay,
        f"L2-SP {stage.l2_sp:g}": stage.l2_sp,
        f"label smoothing {stage.label_smoothing:g}": stage.label_smoothing,
        "classes weighed alike": stage.class_weights == "balanced",
        "outputs weighed by uncertainty": stage.balance == "uncertainty",
        f"mixup {stage.mixup:g}": stage.mixup,
        f"{stage.views} views of each example by {', '.join(stage.augment)}": stage.augment,
        f"ends after {stage.patience} epochs without a better validation loss": stage.patience,
        f"keeps an average of the weights with decay {stage.ema:g}": stage.ema,
        f"in the precision {stage.precision}": stage.precision != "float32",
    }
    return [phrase for phrase, is_used in phrases.items() if is_used]
