"""What a network costs, and what training it costs from each block on: numbers for choosing a cut before anything runs.

    python examples/07_flops.py

Prints the totals of the shipped MobileNetV2, which has no classifier, at two input sizes (299.5 M multiply-adds at 224
pixels, 55.0 M at 96), its three most expensive layers, and for three freeze boundaries what 10 epochs on 200 pictures
cost with and without kept features: 4.7 times less where the last convolution alone is trained, 1.9 times less from
block_14 on, and the same where everything is trained. TensorFlow is not imported. Takes 1 s.
"""

import transfer
from transfer.analysis.freeze_boundaries import cost_boundaries
from transfer.surgery.planning import own_graph

EXAMPLES, EPOCHS = 200, 10


def main():
    checkpoint = transfer.open_checkpoint("mobilenet_v2_imagenet")
    for size in (224, 96):
        counted: transfer.Flops = transfer.count_flops(checkpoint, input_shape=(size, size, 3))
        print(f"{size} pixels: {counted.summary}")
    for layer in sorted(counted.layers, key=lambda each: each.macs, reverse=True)[:3]:
        print(f"  {layer.name:20} {layer.macs / counted.macs:6.1%}")

    boundaries = cost_boundaries(own_graph(checkpoint), (96, 96, 3)).boundaries
    for each in boundaries:
        if each.first in ("Conv_1", "block_14_expand", "Conv1"):
            plain, kept = (each.cost.total(EXAMPLES, EPOCHS, cached=cached) / 1e9 for cached in (False, True))
            print(
                f"trained from {each.first:16} {plain:6.1f} GMAC, {kept:6.1f} with kept features, {plain / kept:.1f} x"
            )


if __name__ == "__main__":
    main()
