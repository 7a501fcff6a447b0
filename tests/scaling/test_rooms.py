"""How many workers find room, and what is said of those that do not."""

import pytest

from transfer.errors import TrainingError
from transfer.scaling.rooms import Need, Node, settle_workers

GIB = 2**30
SMALL, LARGE = Node("10.0.0.1", 2, 0, 4 * GIB), Node("10.0.0.2", 16, 2, 64 * GIB)


@pytest.mark.parametrize(
    ("need", "room"),
    [(Need(), 18), (Need(4), 4), (Need(1, 1), 2), (Need(1, 0, 3 * GIB), 17), (Need(1, 0, 5 * GIB), 12)],
)
def test_a_worker_needs_one_machine_that_has_all_of_it(need, room):
    assert settle_workers([SMALL, LARGE], need, None) == room


def test_fewer_are_taken_where_fewer_are_asked_for():
    assert settle_workers([SMALL, LARGE], Need(), 3) == 3


def test_those_that_have_begun_count():
    assert settle_workers([SMALL], Need(), 3, begun=1) == 3


def test_an_error_says_how_much_is_missing_and_what_there_is():
    with pytest.raises(TrainingError) as caught:
        settle_workers([SMALL, LARGE], Need(2, 0, 8 * GIB), 12)
    assert caught.value.summary == (
        "The cluster has room for 8 workers of 12 workers; 8 CPUs, 32.0 GiB of memory are missing."
    )
    assert [each.found for each in caught.value.problems] == [
        "2 CPUs, 4.0 GiB of memory free",
        "16 CPUs, 2 GPUs, 64.0 GiB of memory free",
    ]
    assert "--workers 8" in caught.value.next_step


@pytest.mark.parametrize("nodes", [[], [Node("10.0.0.3", 0.5, 0, GIB)]])
def test_no_room_at_all_is_an_error_too(nodes):
    with pytest.raises(TrainingError, match="room for 0 workers of 1 worker; 1 CPU is missing"):
        settle_workers(nodes, Need(), None)
