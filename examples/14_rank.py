"""Which file to start from for these pictures, and where to cut it? Four depths, random weights, a network on digits.

    python examples/14_rank.py

Prints the ten cuts of three networks, the best first, by a probe over 2 x 5 folds. The end of block 16 of the shipped
MobileNetV2 (0.57) and its pooled end (0.56) come first and are not told apart; then blocks 10 (0.48) and 4 (0.35); last
the same network with random weights (0.27 to 0.29) and the one on digits (0.26 to 0.27), both told to be worse. LogME
puts the six trained cuts in nearly that order (weighted tau 0.94, p 0.003); the H-score (0.62, p 0.06) should not be
trusted here. Random weights do not count in this: any score puts them last. The three best fine-tuned reach 0.56, 0.57
and 0.47 on 75 pictures that they have not learnt from: the two best have changed places, which is within the noise.
Takes 60 s on two cores.
"""

from pathlib import Path

import transfer

DATA = Path(__file__).parent / "data" / "clipart"
FILES = ("mobilenet_v2_imagenet", "random:mobilenet_v2_imagenet", "digits_mlp")


def main(verify=3):
    ranking = transfer.rank(FILES, transfer.read_labelled(DATA), cuts=4, verify=verify)
    print(ranking)
    return ranking


if __name__ == "__main__":
    main()
