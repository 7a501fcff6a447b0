#!/bin/sh
# 03_digits.py from the shell; prints the same accuracies. Takes 15 s on two cores.
#
#     sh examples/03_digits.sh runs/digits
set -eu
here=$(dirname "$0")
transfer finetune digits_mlp "$here/data/scanned_digits.npz" --drop-last --shots 20 --seed 7 -o "${1:-runs/digits}"
