"""Layers that hold no weights. Random generators keep a state, which is no weight."""

from __future__ import annotations

from transfer.graphs.layer_kinds import AUGMENTATIONS, DROPOUTS

_RANKS = (1, 2, 3)
WEIGHTLESS = frozenset(
    {"InputLayer", "Activation", "ReLU", "LeakyReLU", "ELU", "ThresholdedReLU", "Softmax", "Identity", "Masking"}
    | DROPOUTS
    | AUGMENTATIONS
    | {"RandomHeight", "RandomWidth"}  # of Keras 2
    | {"GaussianNoise", "ActivityRegularization"}
    | {"StochasticDepth", "CustomScaleLayer"}  # of keras.applications
    | {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot", "UnitNormalization"}
    | {"Flatten", "Reshape", "Permute", "RepeatVector", "Lambda", "Rescaling", "Resizing", "CenterCrop"}
    | {"CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup"}
    | {"TextVectorization", "MelSpectrogram", "Pipeline", "MaxNumBoundingBoxes"}
    | {"AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization"}
    | {f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping", "UpSampling") for rank in _RANKS}
    | {
        f"{kind}Pooling{rank}D"
        for kind in ("Max", "Average", "GlobalMax", "GlobalAverage", "AdaptiveMax", "AdaptiveAverage")
        for rank in _RANKS
    }
)
