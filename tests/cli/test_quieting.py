"""What C++ writes unasked does not reach stderr; what comes after does."""

import os
from contextlib import suppress

from transfer.cli.quieting import stderr_closed


def test_nothing_reaches_stderr_for_that_while_and_all_does_after_it(capfd):
    with suppress(KeyError), stderr_closed():
        os.write(2, b"network_util.cc:330: Failed\n")
        raise KeyError
    os.write(2, b"after\n")
    assert "network_util" not in (seen := capfd.readouterr().err)
    assert seen == "after\n"
