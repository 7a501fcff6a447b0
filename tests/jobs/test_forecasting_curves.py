"""How long a curve trains, from a forecast of its largest run."""

from types import SimpleNamespace

import transfer
from transfer.jobs.comparisons import forecasting_curves
from transfer.jobs.comparisons.forecasting_curves import forecast_training
from transfer.jobs.finetuning.learning import Learning


def test_all_points_of_all_divisions_are_counted_by_their_examples(digits, monkeypatch):
    data = transfer.from_arrays(digits[0], digits[1], ["zero", "one", "two"])  # 10 of each
    asked = []

    def forecast(*given, **_):
        asked.append(given[2])
        return SimpleNamespace(estimate=SimpleNamespace(seconds={"starting": 7.0, "tuning": 10.0}))

    monkeypatch.setattr(forecasting_curves, "forecast_file", forecast)
    wanted = Learning(at="dense_1")
    seconds = forecast_training("digits_mlp", data, wanted, "scratch", shots=(4, 2, 99), divisions=3)
    assert seconds == 3 * (10 + 5)
    (how,) = asked
    assert (how.at, how.shots, how.recipe) == ("dense_1", 4, transfer.named_recipe("scratch", examples=12))
    assert forecast_training("digits_mlp", data, wanted, "scratch", shots=(99,), divisions=3) == 0


def test_a_batch_is_trained_on_to_tell(digits):
    data = transfer.from_arrays(digits[0], digits[1], ["zero", "one", "two"])
    how = Learning()
    few, more = (
        forecast_training("digits_mlp", data, how, "scratch", shots=(4,), divisions=count) for count in (2, 200)
    )
    assert 0 < few < more < 10_000
