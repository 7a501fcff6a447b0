"""Probabilities and answers that agree with each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from transfer.labellings import Labelling, Output
from transfer.training.decoding import decode, find_probabilities

LABELLING = Labelling(
    (
        Output("what", classes=("person", "car", "tree")),
        Output("model", classes=("mini", "van"), parent="what", under=("car", "car")),
        Output("sex", classes=("female", "male"), parent="what", under=("person", "person")),
        Output("beard", classes=("full", "none", "goatee"), parent="sex", under=("male",) * 3),
        Output("worn", "sigmoid", ("glasses", "hat"), parent="what", under=("person", "person")),
        Output("age", "regression", parent="what", under=("person",)),
        Output("tags", "sigmoid", ("dark",)),
    )
)
UNITS = 14
LOGITS = st.integers(1, 4).flatmap(lambda n: arrays(np.float32, (n, UNITS), elements=st.floats(-60, 60, width=32)))


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def test_probabilities_are_products_along_the_way_from_the_top():
    logits = np.random.default_rng(0).normal(size=(5, UNITS))
    what, model, sex, beard, worn, age, tags = find_probabilities(LABELLING, logits)
    for row, one in enumerate(logits):
        np.testing.assert_allclose(what[row], softmax(one[:3]))
        np.testing.assert_allclose(model[row], softmax(one[:3])[1] * softmax(one[3:5]))
        np.testing.assert_allclose(sex[row], softmax(one[:3])[0] * softmax(one[5:7]))
        np.testing.assert_allclose(beard[row], softmax(one[:3])[0] * softmax(one[5:7])[1] * softmax(one[7:10]))
        np.testing.assert_allclose(worn[row], softmax(one[:3])[0] / (1 + np.exp(-one[10:12])))
        np.testing.assert_allclose(tags[row], 1 / (1 + np.exp(-one[13:])))
        assert age[row, 0] == one[12]


@given(LOGITS)
def test_what_stands_under_a_class_has_as_much_as_it_in_all(logits):
    what, model, sex, beard, worn, _, _ = find_probabilities(LABELLING, logits)
    np.testing.assert_allclose(model.sum(1), what[:, 1], rtol=1e-12)
    np.testing.assert_allclose(sex.sum(1), what[:, 0], rtol=1e-12)
    np.testing.assert_allclose(beard.sum(1), sex[:, 1], rtol=1e-12)
    assert (worn <= what[:, :1]).all()


@given(LOGITS)
def test_a_child_is_answered_where_its_parent_is_and_nowhere_else(logits):
    what, model, sex, beard, worn, age, tags = decode(LABELLING, find_probabilities(LABELLING, logits))
    assert ((model != -1) == (what == 1)).all()
    assert ((sex != -1) == (what == 0)).all()
    assert ((beard != -1) == (sex == 1)).all()
    assert ((worn != -1) == (what == 0)[:, None]).all()
    assert (~np.isnan(age[:, 0]) == (what == 0)).all()
    assert (tags != -1).all()


def test_the_coarse_answer_is_its_own_most_probable_class_whatever_is_finer():
    logits = np.zeros((1, UNITS))
    logits[0, :3] = [1.0, 1.1, 0]
    logits[0, 5] = 50  # of a person it would be quite sure
    what, model, sex, *_ = decode(LABELLING, find_probabilities(LABELLING, logits))
    assert (what[0], sex[0]) == (1, -1)
    assert model[0] in (0, 1)


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, [1, 0]), (0.9, [0, 0]), (0.2, [1, 1])])
def test_thresholds_hold_for_the_probability_given_the_parent_s_class(threshold, expected):
    logits = np.zeros((1, UNITS))
    logits[0, 0] = 0.1  # a person by a hair, so p(person) is about 0.36
    logits[0, 10:12] = np.log([0.7 / 0.3, 0.3 / 0.7])
    answers = decode(LABELLING, find_probabilities(LABELLING, logits), {"worn": [threshold, threshold]})
    assert answers[4].tolist() == [expected]
