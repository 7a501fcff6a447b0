"""Layers that hold no weights. Random generators keep a state, which is no weight."""

from __future__ import annotations

_RANKS = (1, 2, 3)
_RANDOM = (
    *("Brightness", "ColorDegeneration", "ColorJitter", "Contrast", "Crop", "ElasticTransform", "Erasing", "Flip"),
    *("GaussianBlur", "Grayscale", "Height", "Hue", "Invert", "Perspective", "Posterization", "Rotation"),
    *("Saturation", "Sharpness", "Shear", "Translation", "Width", "Zoom"),
)
WEIGHTLESS = frozenset(
    {"InputLayer", "Activation", "ReLU", "LeakyReLU", "ELU", "ThresholdedReLU", "Softmax", "Identity", "Masking"}
    | {"Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization"}
    | {"StochasticDepth", "CustomScaleLayer"}  # of keras.applications
    | {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot", "UnitNormalization"}
    | {"Flatten", "Reshape", "Permute", "RepeatVector", "Lambda", "Rescaling", "Resizing", "CenterCrop"}
    | {"CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup"}
    | {"TextVectorization", "MelSpectrogram", "Pipeline", "MaxNumBoundingBoxes", "AugMix", "CutMix", "MixUp"}
    | {"AutoContrast", "Equalization", "Solarization", "RandAugment", "ContrastLimitedAdaptiveHistogramEqualization"}
    | {f"Random{what}" for what in _RANDOM}
    | {f"{kind}{rank}D" for kind in ("SpatialDropout", "ZeroPadding", "Cropping", "UpSampling") for rank in _RANKS}
    | {
        f"{kind}Pooling{rank}D"
        for kind in ("Max", "Average", "GlobalMax", "GlobalAverage", "AdaptiveMax", "AdaptiveAverage")
        for rank in _RANKS
    }
)
