"""A finished run for phones and servers: written as ONNX, LiteRT and SavedModel, and held against its own answers.

    pip install 'h5transfer[export]'
    transfer finetune mobilenet_v2_imagenet examples/data/clipart --shots 20 --recipe probe --size 96 -o runs/clipart
    python examples/19_export.py runs/clipart examples/data/clipart

Prints, for each, the size and the largest difference between probabilities, on 16 of the pictures:
    onnx         8.5 MB  2e-06
    litert       8.5 MB  2e-06
    saved_model 18.7 MB  0e+00
Takes 40 s on two busy cores.
"""

import sys
from pathlib import Path

import transfer

NAMES = {"onnx": "model.onnx", "litert": "model.tflite", "saved_model": "model"}


def main(run, data, folder, formats=tuple(NAMES)):
    Path(folder).mkdir(exist_ok=True)
    for each in formats:
        found: transfer.Exported = transfer.export(run, Path(folder) / NAMES[each], format=each, inputs=data)
        print(f"{each:11} {found.size_bytes / 2**20:4.1f} MB  {found.difference:.0e}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], f"{sys.argv[1].rstrip('/')}.exported")
