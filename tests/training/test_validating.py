"""Validation by what is traced already."""

from suffixes import VALIDATION, VALIDATION_LABELS, suffix

from transfer.training.features import make_answering, make_runner
from transfer.training.labels import Labels
from transfer.training.validating import make_validator

LABELS = Labels.of_classes(VALIDATION_LABELS, 3)


def test_a_runner_that_is_there_already_is_used():
    model = suffix()
    asked = []

    def runner(batch):
        asked.append(len(batch))
        return make_runner(model, 8)(batch)

    found = make_validator(model, VALIDATION, LABELS, 8, runner)()
    assert found == make_validator(model, VALIDATION, LABELS, 8)()
    assert asked == [8, 4]


def test_answers_are_those_of_the_weights_as_they_are_by_then():
    model = suffix()
    answer = make_answering(model, 8)
    before = answer(VALIDATION)
    assert before.shape == (12, 3)
    model.get_layer("label").bias.assign_add([1.0, 0.0, 0.0])
    assert abs(answer(VALIDATION) - before - [1, 0, 0]).max() < 1e-6
