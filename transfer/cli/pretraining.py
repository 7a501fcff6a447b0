"""`transfer pretrain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transfer.cli.completing import complete_architectures
from transfer.cli.options import (
    PREPROCESSING_NAMES,
    ChoiceType,
    FiniteRange,
    SecondsType,
    SizeType,
    at_option,
    force_option,
    into_option,
    json_option,
    preprocessing_named,
    restoring_options,
    seed_option,
)
from transfer.cli.proving_options import proving_options

if TYPE_CHECKING:
    from transfer.cli.proving_options import ProofChoice
    from transfer.specs import Restoring

METHODS = ("autoencoder", "denoising", "masked", "variational", "gan", "rotation", "contrastive")


@click.command("pretrain")
@click.argument("architecture", metavar="ARCH", shell_complete=complete_architectures)
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The encoder's checkpoint: NAME.weights.h5, say.",
)
@click.option("--method", type=ChoiceType(METHODS), default="masked", show_default=True, help="How to pretrain.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the method, share=0.6; a wrong name lists all.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Passes over DATA.  [default: about 600,000 examples seen, 10 to 200 passes]",
)
@click.option("--batch-size", type=click.IntRange(min=2), default=128, show_default=True, help="Examples of a step.")
@click.option("--rate", type=FiniteRange(min=0, min_open=True), default=1e-3, show_default=True, help="Of Adam.")
@click.option(
    "--decoder", metavar="MODULE:FUNCTION", help="Makes the decoder from (code, shape), where none mirrors ARCH."
)
@into_option
@restoring_options
@at_option
@click.option(
    "--size", type=SizeType(), help="Fit images to this, keeping their aspect ratio: 160 or 160x224 (height x width)."
)
@click.option("--preprocessing", type=ChoiceType(PREPROCESSING_NAMES), help="How images are prepared.")
@click.option("--time-limit", type=SecondsType(), help="Write it by then, with what was learnt: 90s, 5m, 1h.")
@proving_options
@seed_option
@force_option
@json_option
def command(
    architecture: str,
    data: Path,
    out: Path,
    method: str,
    settings: tuple[str, ...],
    epochs: int | None,
    batch_size: int,
    rate: float,
    decoder: str | None,
    into: str | None,
    restoring: Restoring,
    at: str | None,
    size: tuple[int, int] | None,
    preprocessing: str | None,
    time_limit: Any,
    proof: ProofChoice | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Teach the encoder ARCH from examples DATA without labels, and save it as a checkpoint.

    ARCH is a builder (module:function, app:MobileNetV2), which starts from random weights, or a file or shipped
    checkpoint, which goes on from its own; random:FILE does not. DATA is a folder of pictures with all below it, a
    picture table, or a file of arrays: .npz or HDF5 with x, IDX images. Labels in it are not looked at. Beside the
    checkpoint a folder NAME.pretraining holds the curve and pictures to look at.

    With --prove the encoder is then probed and fine-tuned with few labels and with more, beside random features and
    the same network trained from scratch: whether it paid, or hurt. Asked for again, only the proof is made.

    \b
    transfer pretrain encoders.py:small scans/ --method contrastive -o encoder.weights.h5
    transfer pretrain mobilenet_v2_imagenet photos/ --method masked --size 96 --epochs 20 -o adapted.weights.h5
    transfer pretrain encoders.py:small scans/ --prove labelled/ --shots 1,5,10 -o encoder.weights.h5
    transfer finetune encoder.weights.h5 labelled/ -o runs/pretrained
    """
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.showing import progress_bar, show_json

    options = dict(_parted(each) for each in settings)
    import_tensorflow()
    from transfer.jobs.pretraining.pretraining import pretrain
    from transfer.jobs.pretraining.proof_files import prove_beside, refuse_proof
    from transfer.models.architectures import named_function
    from transfer.training.devices import make_repeatable
    from transfer.training.pretraining.fitting import Pace

    make_repeatable()
    if proof is not None:
        refuse_proof(proof.labelled, proof.shots, divisions=proof.divisions, backbone=proof.backbone, seed=seed)
    with progress_bar() as progress:
        found = pretrain(
            architecture,
            data,
            method=method,
            options=options,
            pace=Pace(epochs=epochs, batch_size=batch_size, rate=rate),
            into=into,
            restoring=restoring,
            at=at,
            decoder=None if decoder is None else named_function(decoder),
            preprocessing=preprocessing_named(preprocessing),
            size=size,
            out=out,
            force=force,
            time_limit=time_limit,
            seed=seed,
            progress=progress,
        )
        told, kept = None, None
        if proof is not None:
            told, kept = prove_beside(
                found,
                data,
                proof.labelled,
                shots=proof.shots,
                divisions=proof.divisions,
                steps=proof.steps,
                backbone=proof.backbone,
                size=size,
                seed=seed,
                progress=progress,
            )
    if as_json:
        show_json({**found.to_json(), **({"proof": told.to_json()} if told else {})})
        return
    if found.reused:
        click.echo(
            f"{out} is of this very request already; {'only the proof was made' if told else 'nothing was done'}."
        )
    click.echo(found)
    if told:
        click.echo(f"\n{told}\nwritten   {kept}")


def _parted(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise click.UsageError(f"--set {text}: expected NAME=VALUE, as share=0.6.")
    return name.strip(), value.strip()
