"""The whole of `transfer finetune` on 250 clip-art pictures after the imports, step by step.

    python tests/benchmarks/bench_finetune.py

Prints the seconds of the whole and of its steps, each also as a share of the imports, measured in the same run.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path

PICTURES = Path(__file__).parents[2] / "examples" / "data" / "clipart"
EACH = 50  # of five classes


def main() -> None:
    """Import, then fine-tune with baselines, into a folder that goes away."""
    start = time.perf_counter()
    import sklearn.linear_model
    import sklearn.model_selection  # noqa: F401

    from transfer.data.reading import read_labelled
    from transfer.jobs.finetuning.learning import Learning, learn_file

    imports = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as place:
        for folder in sorted(PICTURES.iterdir()):
            (Path(place) / "data" / folder.name).mkdir(parents=True)
            for picture in sorted(folder.iterdir())[:EACH]:
                shutil.copy(picture, Path(place) / "data" / folder.name)
        start = time.perf_counter()
        run = learn_file(
            "mobilenet_v2_imagenet", read_labelled(Path(place) / "data"), Path(place) / "run", Learning(shots=40)
        )
        whole = time.perf_counter() - start
        steps = json.loads((Path(place) / "run" / "timing.json").read_text())
    share = whole / imports
    print(f"imports {imports:.1f} s; finetune {whole:.1f} s, {share:.1f} x the imports; {run.result.score.accuracy}")
    for name, seconds in steps.items():
        print(f"  {name:10} {seconds:5.1f} s, {seconds / imports:.2f} x the imports")


if __name__ == "__main__":
    main()
