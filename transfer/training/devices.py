"""Where training runs: on one device, or on several of a machine, which share each batch.

With two devices or more a model that is built in `scope` has its variables on each of them, and every step takes a part
of the batch there; gradients are added up before any weight moves, so that all copies stay the same:

    with scope():
        model = build_model(network)
    fit(model, …)                     # sees from the variables where they are

In the two functions for variables *here* means the device on which a part of a batch is computed; with one device it is
that one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Literal

import keras
import tensorflow as tf
from threadpoolctl import threadpool_limits

from transfer.errors import Problem, TrainingError


def devices_here() -> tuple[str, ...]:
    """Names of what can share training on this machine: its GPUs; without any its processors, which count as one."""
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tuple(f"{each.device_type}:{place}" for place, each in enumerate(found))


def settle_devices(asked: int | Literal["all"] | None) -> int:
    """On how many devices a machine is to train.

    Args:
        asked: so many; `all`; None for all GPUs, one device where there is none.

    Raises:
        TrainingError: if there are not so many.
    """
    here = devices_here()
    if asked == "all":
        return len(here)
    if asked is None:
        return len(here) if here[0].startswith("GPU") else 1
    if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
        raise TrainingError(
            f"devices: expected a number from 1, or 'all', found {asked!r}.", next_step="leave it out for all GPUs"
        )
    if asked > len(here):
        raise TrainingError(
            f"There are fewer devices here than the {asked} that were asked for.",
            [Problem("devices", f"at most {len(here)}", str(asked)), Problem("there is", found=", ".join(here))],
            "ask for fewer; all cores of a machine without GPUs are one device, and are all used",
        )
    return asked


@cache
def _sharing(devices: int) -> Any:
    """One strategy for the whole process: variables of two do not go together. None for a single device.

    Raises:
        TrainingError: if the process has one of another number: TensorFlow then mixes up the sums of both.
    """
    if devices == 1:
        return None
    if _COUNTS and devices not in _COUNTS:
        raise TrainingError(
            f"This process shares training among {_COUNTS[0]} devices already, and cannot change that to {devices}.",
            [Problem("devices", str(_COUNTS[0]), str(devices))],
            "start a process of its own for it",
        )
    _COUNTS.append(devices)
    return tf.distribute.MirroredStrategy(devices_here()[:devices])


_COUNTS: list[int] = []  # what TensorFlow holds for the whole process as well


def scope(devices: int | None = None) -> AbstractContextManager[Any]:
    """In which models are built that are to be trained on several devices of this machine; with one, nothing.

    Args:
        devices: so many, as `settle_devices` gives them; None for all GPUs.
    """
    strategy = _sharing(settle_devices(None) if devices is None else devices)
    return nullcontext() if strategy is None else strategy.scope()


def make_repeatable() -> None:
    """Let GPUs give the same bits at every run, and products of single precision all their digits.

    Processors do both anyway: the same bits came out with and without TensorFlow's switch, which slows attention there.
    It is for the whole process and cannot be taken back, so programs call it, not the library.
    """
    if tf.config.get_visible_devices("GPU"):
        tf.config.experimental.enable_op_determinism()
        tf.config.experimental.enable_tensor_float_32_execution(False)


def hide_gpus() -> None:
    """Let this process compute on processors alone, whatever else the machine has.

    TensorFlow takes nearly all memory of each GPU that it sees: of two processes on one machine the second has none.

    Raises:
        RuntimeError: if TensorFlow has begun to compute.
    """
    tf.config.set_visible_devices([], "GPU")


def settle_threads(threads: int) -> None:
    """Let TensorFlow compute with so many threads, in the whole process.

    Raises:
        RuntimeError: if it has begun with others.
    """
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def as_many_threads() -> AbstractContextManager[Any]:
    """While numpy computes with the threads that TensorFlow was given, so that it adds in the same order as there."""
    limits: AbstractContextManager[Any] = threadpool_limits(
        tf.config.threading.get_intra_op_parallelism_threads() or None
    )
    return limits


def strategy_of(variables: Sequence[Any]) -> Any:
    """The strategy in whose scope variables of Keras were made; None where they are on one device."""
    made_in = getattr(variables[0].value, "distribute_strategy", None) if variables else None
    return made_in if made_in is not None and made_in.num_replicas_in_sync > 1 else None


def make_agreement(strategy: Any) -> Callable[[int], int]:
    """A function that gives every process of a training the number that the first one has.

    What a clock settles has to be settled for all: they wait for each other in every step. Where there is one process
    it is that process's own number.

    Args:
        strategy: as `strategy_of` gives it.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return lambda value: value

    def of_first(value: Any) -> Any:
        context = tf.distribute.get_replica_context()
        is_first = tf.get_static_value(context.replica_id_in_sync_group) == 0
        own = tf.identity(value) if is_first else tf.zeros_like(value)  # made here, so that it is known where it is
        return context.all_reduce("sum", own)

    @tf.function(input_signature=[tf.TensorSpec((), tf.int64)], autograph=False)  # type: ignore[untyped-decorator]
    def settled(value: Any) -> Any:
        return strategy.experimental_local_results(strategy.run(of_first, (value,)))[0]

    return lambda value: int(settled(tf.constant(value, tf.int64)))


def handle_of(variable: Any) -> Any:
    """What kernels of TensorFlow take for a variable, of TensorFlow or Keras, here."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


def read_here(variable: Any) -> Any:
    """The value of a variable here."""
    return tf.raw_ops.ReadVariableOp(resource=handle_of(variable), dtype=tf.as_dtype(variable.dtype))


def assign_here(variable: Any, value: Any) -> None:
    """Give a variable a value here."""
    tf.raw_ops.AssignVariableOp(resource=handle_of(variable), value=value)
