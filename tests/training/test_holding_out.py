"""What is held out to choose by."""

import numpy as np
import pytest

from transfer.recipes import Recipe, Stage
from transfer.training.holding_out import hold_out
from transfer.training.labels import Labels

LABELS = np.array([0] * 10 + [1] * 20)


def test_the_same_share_of_each_class_is_held_out_by_the_seed():
    found = hold_out(Labels.of_classes(LABELS, LABELS.max() + 1), Recipe(seed=3))
    assert np.bincount(LABELS[found]).tolist() == [2, 4]
    assert (
        found.tolist()
        == sorted(set(found.tolist()))
        == hold_out(Labels.of_classes(LABELS, LABELS.max() + 1), Recipe(seed=3)).tolist()
    )
    assert found.tolist() != hold_out(Labels.of_classes(LABELS, LABELS.max() + 1), Recipe(seed=4)).tolist()
    assert len(hold_out(Labels.of_classes(LABELS, LABELS.max() + 1), Recipe(validation=0.5))) == 15


@pytest.mark.parametrize("recipe", [Recipe(Stage("probe")), Recipe(validation=0.0)])
def test_nothing_is_held_out_where_there_is_nothing_to_choose(recipe):
    assert len(hold_out(Labels.of_classes(LABELS, LABELS.max() + 1), recipe)) == 0


def test_a_class_of_one_example_lets_nothing_be_held_out():
    assert len(hold_out(Labels.of_classes(np.array([0, 0, 0, 1]), 2), Recipe())) == 0
