"""Options that say what shares each batch, and which of them go together."""

import pytest
from click.testing import CliRunner

from transfer.cli.finetuning import command

ASKED = ["digits_mlp", "pictures", "-o", "run"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers", "2"], "--workers belong to a cluster: add --engine ray"),
        (["--address", "head:6379", "--workers", "2"], "--address and --workers belong to a cluster"),
        (["--engine", "ray"], "Say how many share each batch with --workers N"),
        (["--engine", "ray", "--workers", "2", "--devices", "all"], "how many GPUs each worker has"),
        (["--devices", "0"], "neither a number from 1 nor 'all'"),
        (["--devices", "two"], "neither a number from 1 nor 'all'"),
        (["--features", "kept", "--devices", "2"], "Give --features without --devices"),
        (["--features", "kept", "--engine", "ray"], "Give --features without --engine ray"),
    ],
)
def test_what_does_not_go_together_is_a_slip(options, said):
    found = CliRunner().invoke(command, [*ASKED, *options])
    assert found.exit_code == 2
    assert said in " ".join(found.output.split())
