"""Scores as they are printed."""

from transfer.answers import Evaluation
from transfer.scores import Interval, Score


def test_an_evaluation_prints_what_it_left_out_the_whole_and_each_class():
    found = Evaluation(Score("model", 7, 8, Interval(0.875, 0.529, 0.978)), 3, (("cat", 4, 4), ("a dog", 3, 4)))
    assert str(found).splitlines() == [
        "3 examples left out: the run learnt from them",
        "examples  accuracy  95 % interval   right",
        "model        0.875  0.529 to 0.978    7/8",
        "class  accuracy  right",
        "cat       1.000    4/4",
        "a dog     0.750    3/4",
    ]
    assert repr(found) == str(found)
    assert repr(Evaluation(found.score, 0, ())).startswith("examples ")
