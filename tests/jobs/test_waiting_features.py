"""Features that wait on the disk, held against those that stay in memory."""

from pathlib import Path

import numpy as np

import transfer
from transfer.jobs.rankings import ranking_checkpoints
from transfer.jobs.rankings.features_of_cuts import CutFeatures, ReadCandidate
from transfer.jobs.rankings.waiting_features import WaitingFeatures
from transfer.rankings import Cost


def read(rows):
    """Two cuts of ten numbers each of some examples, the second with probabilities: 80 + 160 bytes a row."""
    random = np.random.default_rng(rows)
    values = random.normal(size=(rows, 20)).astype(np.float32)
    early = CutFeatures("early", values[:, :10], Cost(1, 1, 4))
    return ReadCandidate(
        None, (early, CutFeatures("late", values[:, 10:], Cost(1, 1, 4), random.random((rows, 20)))), {}
    )


def test_what_does_not_fit_into_memory_is_mapped_from_files_that_go_at_the_end():
    given = [read(10), read(9), read(1)]
    with WaitingFeatures(memory_bytes=2700) as waiting:
        first, second, third = (waiting.take(each) for each in given)
        assert first is given[0]  # 2400 bytes
        assert third is given[2]  # 240 more
        for cut, before in zip(second.cuts, given[1].cuts, strict=True):
            assert isinstance(cut.values, np.memmap)
            assert np.array_equal(cut.values, before.values)
        assert second.cuts[0].probabilities is None
        assert np.array_equal(second.cuts[1].probabilities, given[1].cuts[1].probabilities)
        path = Path(second.cuts[0].values.filename)
        assert path.is_file()
    assert not path.parent.exists()


def test_a_ranking_is_the_same_whether_features_wait_in_memory_or_on_the_disk(digits_folder, monkeypatch):
    plain = transfer.rank(["digits_mlp"], digits_folder, random=True)
    taken = []

    class Small(WaitingFeatures):
        def __init__(self):
            super().__init__(memory_bytes=0)

        def take(self, read):
            taken.append(super().take(read))
            return taken[-1]

    monkeypatch.setattr(ranking_checkpoints, "WaitingFeatures", Small)
    assert transfer.rank(["digits_mlp"], digits_folder, random=True).to_json() == plain.to_json()
    assert all(isinstance(cut.values, np.memmap) for each in taken for cut in each.cuts)
    assert len(taken) == 2
