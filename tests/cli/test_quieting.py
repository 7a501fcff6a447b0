"""What C++ writes unasked does not reach stderr; what comes after does."""

import os
from contextlib import contextmanager, suppress

from transfer.cli.quieting import entered_quietly
from transfer.silencing import stderr_closed


def test_nothing_reaches_stderr_for_that_while_and_all_does_after_it(capfd):
    with suppress(KeyError), stderr_closed():
        os.write(2, b"network_util.cc:330: Failed\n")
        raise KeyError
    os.write(2, b"after\n")
    assert "network_util" not in (seen := capfd.readouterr().err)
    assert seen == "after\n"


def test_of_a_block_the_beginning_alone_is_quiet(capfd):
    @contextmanager
    def cluster():
        os.write(2, b"network_util.cc:330: Failed\n")
        yield 7
        os.write(2, b"left\n")

    with entered_quietly(cluster()) as value:
        os.write(2, b"within\n")
    assert (value, capfd.readouterr().err) == (7, "within\nleft\n")
