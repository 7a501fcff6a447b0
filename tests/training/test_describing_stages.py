"""A line for each stage."""

import pytest

from transfer.recipes import Stage
from transfer.training.describing_stages import describe_stage

PLAIN = " for 10 epochs of 32 examples, Adam at the rate 1e-05"


@pytest.mark.parametrize(
    ("stage", "line"),
    [
        (Stage("probe"), "solves the head on frozen features"),
        (Stage(unfreeze_last=0), f"trains the head{PLAIN}"),
        (Stage(unfreeze_last=2), f"trains the head and the last 2 blocks{PLAIN}"),
        (Stage(unfreeze_from="conv5"), f"trains 'conv5' and all after it{PLAIN}"),
        (Stage(unfreeze=("a", "b*")), f"trains the head and 'a', 'b*'{PLAIN}"),
        (Stage(unfreeze="*", fresh=True), f"starts every weight anew and trains the whole network{PLAIN}"),
        (
            Stage(unfreeze="*", lora_rank=4),
            f"trains the whole network by products of rank 4 beside fixed kernels{PLAIN}",
        ),
        (
            Stage(unfreeze_last=0, steps=500, optimizer="sgd", rate="auto", schedule="steps", layer_decay=0.5),
            "trains the head for 500 steps of 32 examples, SGD of momentum 0.9 at a rate found by a range test, "
            "divided by 10 at 30, 60 and 90 % of the steps, times 0.5 for each block further from the head",
        ),
        (
            Stage(
                unfreeze_last=0,
                batch_norm="adapt",
                optimizer="adamw",
                weight_decay=0.1,
                l2_sp=0.01,
                label_smoothing=0.1,
                class_weights="balanced",
                mixup=0.2,
                augment=("flip", "zoom"),
                patience=3,
                ema=0.99,
                precision="mixed_bfloat16",
            ),
            f"trains the head{PLAIN.replace('Adam', 'AdamW')}; batch normalization: adapt; weight decay 0.1; L2-SP "
            "0.01; label smoothing 0.1; classes weighed alike; mixup 0.2; 4 views of each example by flip, zoom; ends "
            "after 3 epochs without a better validation loss; keeps an average of the weights with decay 0.99; in "
            "the precision mixed_bfloat16",
        ),
    ],
)
def test_a_stage_says_what_it_does(stage, line):
    assert describe_stage(stage) == line
