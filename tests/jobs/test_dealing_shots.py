"""Few and more labels of the same divisions."""

from dataclasses import replace

import numpy as np

import transfer
from transfer.jobs.examples.dealing_shots import deal_shots


def labelled(labels):
    images = np.arange(len(labels) * 4, dtype=np.uint8).reshape(-1, 2, 2)
    return transfer.from_arrays(images, labels, ["a", "b"])


def test_more_shots_hold_those_of_fewer_and_none_is_tested_on():
    data = labelled(np.tile([0, 1], 20))
    dealt = deal_shots(data, (5, 1, 3), divisions=3, seed=4, test_share=0.25)
    assert dealt.shots == (1, 3, 5)
    for number in range(3):
        few, more, most = (set(dealt.learnt(number, count)) for count in dealt.shots)
        assert few < more < most
        assert [int((data.labels[list(some)] == 0).sum()) for some in (few, more, most)] == [1, 3, 5]
        assert not most & set(dealt.tested(number))
    assert dealt.pools == (30, 30, 30)


def test_groups_are_never_parted():
    groups = np.repeat(np.arange(10), 4)
    data = replace(labelled(np.tile([0, 1], 20)), groups=groups)
    dealt = deal_shots(data, (2,), divisions=4, seed=0, test_share=0.25)
    for train, test in dealt.splits:
        assert not set(groups[train]) & set(groups[test])


def test_what_a_class_has_too_few_examples_for_is_left_out():
    dealt = deal_shots(labelled(np.array([0] * 20 + [1] * 8)), (2, 7), divisions=2, seed=0, test_share=0.25)
    assert dealt.shots == (2,)
    assert [(each.where, each.found) for each in dealt.left_out] == [
        ("7 shots", "the smallest class has 6 to learn from")
    ]
