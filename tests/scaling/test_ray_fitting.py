"""Training on two workers of a cluster is training on one device, up to rounding, whatever dies on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import transfer
from transfer.errors import NotFiniteError, TrainingError
from transfer.jobs.students.preparing import prepare_student
from transfer.labellings import Labelling
from transfer.recipes import Recipe, Stage
from transfer.scaling.ray_fitting import RayFitter
from transfer.specs import silent
from transfer.training.history import unwatched
from transfer.training.labels import Labels
from transfer.training.lessons import Lesson, take_lesson

pytestmark = [
    pytest.mark.ray,
    # Ray Train makes a context of Ray Data, which copies its own deprecated fields.
    pytest.mark.filterwarnings("ignore:.use_:DeprecationWarning:ray.data"),
]
CLIPART = Path(__file__).parents[2] / "examples" / "data" / "clipart"
RANDOM = np.random.default_rng(0)
TARGETS = np.arange(61) % 3
FEATURES = (RANDOM.normal(size=(3, 6))[TARGETS] + RANDOM.normal(size=(61, 6))).astype(np.float32)
LABELS = Labels(Labelling.of_classes(("a", "b", "c")), (TARGETS,))


@pytest.fixture(scope="module")
def fitter():
    """Two workers of a cluster of this machine, which ends with them."""
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'h5transfer[ray]'")
    ray.init("local", num_cpus=2, object_store_memory=2 * 10**8, include_dashboard=False, log_to_driver=False)
    with RayFitter(2) as fitter:
        yield fitter
    ray.shutdown()


def network(*, norm: bool = True) -> keras.Model:
    """Features (6,) to three logits, the same weights each time."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, activation="tanh", name="block1_dense")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x) if norm else x
    return keras.Model(inputs, keras.layers.Dense(3, name="label")(x), name="suffix")


def started_by(process: int) -> set[tuple[int, str]]:
    """Numbers and starting times of the processes that one has started, and those of theirs."""
    found: dict[int, tuple[int, str]] = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            fields = (each / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(each.name)] = (int(fields[1]), fields[19])
    whole, more = set[int](), {process}
    while more:
        more = {number for number, (parent, _) in found.items() if parent in more}
        whole |= more
    return {(number, found[number][1]) for number in whole}


def still_there(processes: set[tuple[int, str]]) -> list[str]:
    """Those of some processes that have not ended, by what they were started with."""
    left = []
    for number, start in processes:
        place = Path("/proc") / str(number)
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            if fields[19] == start and fields[0] != "Z":
                left.append((place / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return left


@pytest.fixture
def digits_pictures(tmp_path) -> Path:
    """Ten pictures of each of three digits."""
    found = load_digits(n_class=3)
    for place in range(30):
        target = tmp_path / "pictures" / str(found.target[place]) / f"{place}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(found.images[place] * 15).astype(np.uint8)).save(target)
    return tmp_path / "pictures"


def lesson(stage: Stage, features=FEATURES, **more) -> Lesson:
    return Lesson("stage_1", features, LABELS, [str(each) for each in range(61)], stage, **more)


def learnt(fitter, model, asked, *, folder=None, watch=unwatched):
    """What a lesson comes to, with the weights."""
    how = {"heads": ("label",), "seed": 7, "state_folder": folder, "custom_objects": {}}
    found = fitter(model, asked, progress=silent, watch=watch, **how)
    return found, model.get_weights()


def gap(some, others) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(some, others, strict=True))


def is_running(name: str) -> list[int]:
    """Numbers of processes with a name like that."""
    found = []
    for each in Path("/proc").iterdir():
        try:
            if name in (each / "cmdline").read_bytes().decode(errors="replace"):
                found.append(int(each.name))
        except (OSError, ValueError):
            continue
    return found


def test_two_workers_give_the_weights_of_one_device_on_pictures_with_norms_that_are_trained(fitter, tmp_path):
    data = transfer.read_labelled(CLIPART)
    student = prepare_student(transfer.restore("mobilenet_v2_imagenet"), data.labelling, seed=7)
    tune = Stage(
        "tune", unfreeze_last=2, batch_norm="adapt", epochs=3, batch_size=31, optimizer="sgd", momentum=0.9, rate=1e-3
    )
    how = {"recipe": Recipe((Stage("probe"), tune), seed=7), "shots": 20, "size": (96, 96), "cache": tmp_path / "cache"}
    one = transfer.finetune(student, data, report=False, **how)
    two = transfer.finetune(student, data, fitter=fitter, out=tmp_path / "run", **how)
    assert gap(one.model.get_weights(), two.model.get_weights()) < 1e-6
    told = [{name: each for name, each in line.items() if name != "updates"} for line in two.history]
    assert [line["stage"] for line in told] == [line["stage"] for line in one.history]
    asked = json.loads((tmp_path / "run" / "run.json").read_text())
    assert asked["workers"] == 2
    assert asked["digest"] != one.asked["digest"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "run"]  # no state is left


def test_every_way_to_train_is_that_of_one_device_or_as_near_as_adam_lets_it_be(fitter):
    plain = Stage("tune", unfreeze=("*",), epochs=3, batch_size=7, optimizer="sgd", momentum=0.0, rate=0.05)
    much = replace(
        plain,
        optimizer="adamw",
        momentum=0.9,
        weight_decay=0.1,
        ema=0.9,
        l2_sp=0.3,
        mixup=0.3,
        layer_decay=0.5,
        rate=1e-3,
        patience=2,
    )
    validation = (FEATURES[:13], LABELS[np.arange(13)])
    ways = {
        "plain": (plain, 1e-6, {}),
        "much": (much, 1e-4, {"validation": validation}),
        "low rank": (replace(plain, lora_rank=2), 1e-6, {}),
    }
    for name, (stage, tolerance, more) in ways.items():
        asked = lesson(stage, **more)
        norm = not stage.lora_rank
        alone, weights = learnt(take_lesson, network(norm=norm), asked)
        together, others = learnt(fitter, network(norm=norm), asked)
        assert gap(weights, network(norm=norm).get_weights()) > 1e-3, name
        assert gap(weights, others) < tolerance, name
        assert (alone.steps, alone.kept_epoch, alone.ended) == (together.steps, together.kept_epoch, together.ended)
        np.testing.assert_allclose(
            [each.loss for each in alone.history], [each.loss for each in together.history], atol=1e-5
        )


def test_what_is_not_finite_ends_it_in_the_same_step_with_the_weights_before_it(fitter):
    features = FEATURES.copy()
    features[17] = np.nan
    asked = lesson(Stage("tune", unfreeze=("*",), epochs=3, batch_size=7, optimizer="sgd", rate=0.05), features)
    found = []
    for where in (take_lesson, fitter):
        model = network(norm=False)
        with pytest.raises(NotFiniteError) as error:
            learnt(where, model, asked)
        found.append((error.value.problems[0].where, model.get_weights()))
    assert found[0][0] == found[1][0]
    assert gap(found[0][1], found[1][1]) < 1e-6


def test_a_worker_that_is_killed_changes_no_bit_and_each_epoch_is_told_once(fitter, tmp_path):
    asked = lesson(Stage("tune", unfreeze=("*",), epochs=300, batch_size=7, optimizer="adam", rate=1e-4))
    whole, weights = learnt(fitter, network(), asked)
    told, killed = [], []

    def watch(_, epoch):
        told.append(epoch.number)
        if epoch.number > 20 and not killed:
            killed.extend(is_running("ray::RayTrainWorker")[:1])
            os.kill(killed[0], signal.SIGKILL)

    found, others = learnt(fitter, network(), asked, folder=tmp_path, watch=watch)
    assert killed
    assert told == list(range(1, 301))
    assert found.history == whole.history
    assert [each.tobytes() for each in weights] == [each.tobytes() for each in others]


def test_an_error_of_the_work_is_raised_here_once_and_no_worker_is_left(fitter):
    model = network()
    model.trainable = False
    with pytest.raises(ValueError, match="nothing is trainable"):
        learnt(fitter, model, lesson(Stage("tune", unfreeze=("*",), epochs=1)))
    until = time.monotonic() + 20
    while is_running("ray::RayTrainWorker") and time.monotonic() < until:
        time.sleep(0.2)
    assert is_running("ray::RayTrainWorker") == []


def test_a_cluster_without_room_is_refused_before_anything_starts(fitter):  # noqa: ARG001  # of that cluster
    with pytest.raises(TrainingError, match="7 CPUs are missing"), RayFitter(9):
        pass


def test_an_interrupted_run_leaves_no_process_and_goes_on(digits_pictures, tmp_path):
    out = tmp_path / "run"
    stage = ["--set", "stages.1.epochs=1500", "--set", "stages.1.batch_size=7", "--set", "validation=0"]
    command = [sys.executable, "-m", "transfer", "finetune", "digits_mlp", str(digits_pictures), "-o", str(out)]
    command += ["--recipe", "full", *stage, "--engine", "ray", "--workers", "2", "--no-report", "--no-cache"]
    command += ["--set", "stages.1.rate=1e-5"]
    env = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    child = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not list(tmp_path.rglob("*.state")) and time.monotonic() < until and child.poll() is None:
        time.sleep(0.1)
    started = started_by(child.pid)
    assert any("ray::" in each for each in still_there(started))
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=90)
    assert child.returncode == 130, said[-2000:]
    until = time.monotonic() + 20
    while (left := still_there(started)) and time.monotonic() < until:
        time.sleep(0.2)
    assert left == []
    done = subprocess.run([*command, "--json"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["resumed"].startswith("step ")
