"""A run in a notebook and in scikit-learn: tables and charts that show themselves, and the network as an estimator.

    python examples/22_notebook.py

Takes 20 s. Prints, for the digits of scikit-learn and the shipped network on other digits: right on 417 of 450 (0.90 to
0.95), which the run and its plot show as 5 tables and 13 charts, and 0.86 by cross-validation of the estimator on 599.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score

import transfer


def main(count: int = 1797) -> None:
    """Learn digits as `keras.datasets` would give them, show the run, and cross-validate the same as an estimator."""
    found = load_digits()
    learnt = count * 3 // 4
    x = np.pad(np.kron(found.images, np.ones((3, 3))) * 255 / 16, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    data = ((x[:learnt], found.target[:learnt]), (x[learnt:count], found.target[learnt:count]))

    student = transfer.extract(
        transfer.restore("digits_mlp"), drop_last=1, freeze="backbone", heads=[transfer.Head("label", 10)]
    )
    run = transfer.finetune(student, data)  # the second pair is tested on
    print(f"right on {run.result.score.correct} of {run.result.score.examples}")
    page = run._repr_html_() + transfer.plot(run)._repr_html_()  # what a notebook asks of a cell's last value
    print(f"{page.count('<table')} tables and {page.count('<svg')} charts")

    estimator = transfer.Classifier("digits_mlp", recipe="probe")
    shares = cross_val_score(estimator, x[: count // 3], found.target[: count // 3], cv=3, error_score="raise")
    print(f"cross-validated {shares.mean():.2f}")


if __name__ == "__main__":
    main()
