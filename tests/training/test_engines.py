"""The seam between work and where it is done."""

import pytest

from transfer.training.engines import LocalEngine


def test_the_work_is_prepared_once_and_done_in_order_as_it_is_asked_for():
    log = []

    def prepare():
        log.append("prepared")
        return lambda shard: log.append(shard) or shard * 10

    found = LocalEngine().map(prepare, [1, 2, 3])
    assert log == []
    assert next(found) == 10
    assert log == ["prepared", 1]
    assert list(found) == [20, 30]
    assert log == ["prepared", 1, 2, 3]


def test_an_error_of_the_work_ends_it():
    def fail(shard):
        raise ValueError(shard)

    with pytest.raises(ValueError, match="7"):
        list(LocalEngine().map(lambda: fail, [7, 8]))
