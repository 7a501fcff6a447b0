"""The command `transfer`: its subcommands, imported when they are called, and the way errors end."""

from __future__ import annotations

import importlib
import os
import sys

import click

from transfer.cli.volume import is_coloured, telling_time, volume_options, with_volume

COMMANDS = {
    "audit": "transfer.cli.auditing",
    "baselines": "transfer.cli.comparing_baselines",
    "cache": "transfer.cli.caching",
    "checkpoints": "transfer.cli.checkpoints",
    "compare": "transfer.cli.comparing",
    "completion": "transfer.cli.completion",
    "convert": "transfer.cli.converting",
    "curve": "transfer.cli.curving",
    "diagnose": "transfer.cli.diagnosing",
    "doctor": "transfer.cli.doctoring",
    "drift": "transfer.cli.drifting",
    "evaluate": "transfer.cli.evaluating",
    "export": "transfer.cli.exporting",
    "extract": "transfer.cli.extracting",
    "features": "transfer.cli.computing_features",
    "finetune": "transfer.cli.finetuning",
    "flops": "transfer.cli.counting_flops",
    "graph": "transfer.cli.graphing",
    "help": "transfer.cli.helping",
    "inspect": "transfer.cli.inspecting",
    "labelling": "transfer.cli.labellings",
    "leaderboard": "transfer.cli.listing",
    "match": "transfer.cli.matching",
    "new": "transfer.cli.starting",
    "predict": "transfer.cli.predicting",
    "pretrain": "transfer.cli.pretraining",
    "rank": "transfer.cli.ranking",
    "recipe": "transfer.cli.recipes",
    "report": "transfer.cli.reporting",
    "sweep": "transfer.cli.sweeping",
    "verify": "transfer.cli.verifying",
}


class _Commands(click.Group):
    """A group that imports a command when it is asked for, and ends with the exit code of the error."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        home = COMMANDS.get(cmd_name)
        if home is None:
            return None
        command: click.Command = importlib.import_module(home).command
        return with_volume(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        from transfer.cli.sections import SECTIONS

        width = max(map(len, COMMANDS))
        for title, texts in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in texts.items() if name in COMMANDS])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from transfer.errors import nearest

        if args[:1] == ["restore"]:
            ctx.fail(
                "Restoring has no command of its own: 'match' shows what it would do; 'extract', 'convert' and "
                "'finetune' restore a file and go on from there."
            )
        if args and args[0] not in COMMANDS:
            ctx.fail(f"There is no command {args[0]!r}. Nearest: {nearest(args[0], COMMANDS)}.")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        from transfer.errors import TransferError

        try:
            with telling_time():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            if sys.stderr.isatty():
                click.echo(err=True)  # behind the ^C
            raise click.Abort from None
        except TransferError as error:
            from transfer.cli.showing import show_error

            show_error(error, as_json=bool(ctx.obj and ctx.obj.get("json")))
            ctx.exit(error.exit_code)


@click.group(cls=_Commands, params=volume_options())
@click.version_option(package_name="h5transfer", prog_name="transfer")
@click.pass_context
def transfer(ctx: click.Context) -> None:
    """Transfer learning from pretrained Keras HDF5 weights.

    \b
    transfer inspect  pretrained_weights.h5
    transfer extract  pretrained_weights.h5 --into module:create_model --drop-last --head label:5 -o student.keras
    transfer finetune mobilenet_v2_imagenet photos/ -o runs/photos
    transfer predict  runs/photos new/*.jpg

    'transfer help' lists topics: recipes, architectures, labellings, exit codes, completion, files, JSON.
    """
    ctx.obj = {"json": "--json" in sys.argv[1:]}
    # None: each stream for itself, drawn in colour where it is a terminal
    ctx.color = None if is_coloured(sys.stdout) or is_coloured(sys.stderr) else False


def main() -> None:
    """Run the command line."""
    # TensorFlow reads these when it is imported: no chatter on stderr, and the backend that the project is written for.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        code = transfer.main(prog_name="transfer", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)  # click gives the code of an exit back, and does not raise it
    except click.ClickException as error:
        if "--json" in sys.argv[1:]:
            _show_slip(error)
        else:
            error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        from transfer.cli.interrupting import CODE, show_interruption

        show_interruption(sys.argv[1:], as_json="--json" in sys.argv[1:])
        sys.exit(CODE)


def _show_slip(error: click.ClickException) -> None:
    """A slip on the command line, as JSON."""
    from transfer.cli.showing import show_json_error

    ctx = getattr(error, "ctx", None)
    asked = f"{ctx.command_path if ctx else 'transfer'} --help"
    show_json_error("UsageError", error.exit_code, error.format_message(), next_step=f"see {asked}")
