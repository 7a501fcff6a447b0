"""What becomes of a machine of a cluster that does not see the folders of the others."""

import pickle

import pytest

import transfer
from transfer.errors import TrainingError
from transfer.jobs.examples.shared_folders import refuse_unseen
from transfer.recipes import Recipe, Stage
from transfer.training.engines import LocalEngine


class OnAnotherDisk(LocalEngine):
    """An engine of a machine whose folder of features is another one."""

    def map(self, prepare, shards, *, lost=None):
        for each in super().map(prepare, shards, lost=lost):
            for path in prepare.folder.glob("*/*.h5"):
                path.unlink()
            yield each


class WithoutThePictures:
    """An engine of a machine without a folder that whoever asks has."""

    def __init__(self, folder):
        self.folder, self.hidden = folder, folder.with_name("elsewhere")

    def try_out(self, prepare, shard):
        return LocalEngine().try_out(self._sent(prepare), shard)

    def map(self, prepare, shards, *, lost=None):
        return LocalEngine().map(self._sent(prepare), shards, lost=lost)

    def _sent(self, prepare):
        sent = pickle.loads(pickle.dumps(prepare))  # noqa: S301  # of this very process

        def prepared():
            self.folder.rename(self.hidden)
            try:
                return sent()
            finally:
                self.hidden.rename(self.folder)

        return prepared


@pytest.fixture
def pictures(digits, write_pictures, tmp_path):
    return write_pictures(tmp_path / "pictures", *digits)


def test_shards_that_a_machine_wrote_elsewhere_are_not_taken_for_written(restored, pictures, tmp_path):
    with pytest.raises(TrainingError, match="has written what is not seen here") as found:
        transfer.compute_features(restored, pictures, tmp_path / "out", shard_rows=7, engine=OnAnotherDisk())
    assert str(tmp_path / "out") in found.value.problems[0].where
    assert not (tmp_path / "out" / "failed.csv").exists()
    done = transfer.compute_features(restored, pictures, tmp_path / "out", shard_rows=7)
    assert (done.computed, len(done.failed)) == (30, 0)


def test_pictures_that_a_machine_does_not_see_are_no_bad_pictures(restored, pictures, tmp_path):
    with pytest.raises(TrainingError, match="does not see the files") as found:
        transfer.compute_features(restored, pictures, tmp_path / "out", engine=WithoutThePictures(pictures))
    assert found.value.problems[0].where.startswith(str(pictures))
    assert not (tmp_path / "out").exists()


def test_nor_do_they_make_trials_candidates_or_divisions_fail(student, pictures, tmp_path):
    hidden = {"engine": WithoutThePictures(pictures)}
    recipe = Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=1, rate=1e-4)), seed=3)
    data = transfer.read_labelled(pictures)
    over = {"stages.1.rate": ["1e-4", "1e-3"]}
    with pytest.raises(TrainingError, match="does not see the files"):
        transfer.sweep(student, data, recipe=recipe, over=over, out=tmp_path / "sweep", folds=2, **hidden)
    with pytest.raises(TrainingError, match="does not see the files"):
        transfer.draw_curve(student, data, shots=(2,), divisions=2, **hidden)
    with pytest.raises(TrainingError, match="does not see the files"):
        transfer.rank(["digits_mlp", "random:digits_mlp"], data, **hidden)


def test_a_link_that_leads_nowhere_is_a_bad_picture_as_long_as_others_are_there(tmp_path):
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "here.png").touch()
    refuse_unseen(())
    refuse_unseen((tmp_path / "gone.png", tmp_path / "here.png"))
    with pytest.raises(TrainingError, match="does not see the files"):
        refuse_unseen((tmp_path / "gone.png",))
