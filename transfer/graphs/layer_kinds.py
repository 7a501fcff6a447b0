"""Classes of layers by how they behave: in training, and with masks."""

from __future__ import annotations

from transfer.graphs.keras_names import LAYERS

_RANKS = (1, 2, 3)

DROPOUTS = frozenset({"Dropout", "AlphaDropout", "GaussianDropout"} | {f"SpatialDropout{rank}D" for rank in _RANKS})
ATTENTIONS = frozenset({"Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"})

# Layers that go with the layer they follow: they hold no features of their own.
COMPANIONS = DROPOUTS | {
    *("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "ActivityRegularization", "Identity"),
    "GaussianNoise",
}

# Layers of images that do in training alone what they are for: at random, but for `Equalization`.
AUGMENTATIONS = frozenset({"AugMix", "CutMix", "MixUp", "RandAugment", "Equalization", "Solarization"}) | {
    kind for kind in LAYERS if kind.startswith("Random")
}

# Layers of Keras that may do something else in training; the flag in the call of another one changes nothing.
TRAINED_OTHERWISE = frozenset(
    {"BatchNormalization", "GaussianNoise", "SpectralNormalization", *DROPOUTS, *ATTENTIONS, *AUGMENTATIONS}
    | {"LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional", "TimeDistributed"}
    | {"ContrastLimitedAdaptiveHistogramEqualization", "Pipeline"}
)

# Layers of one input that hand its mask on. Recurrent ones do so with their sequences.
MASK_PASSING = COMPANIONS | {
    *("Dense", "TimeDistributed", "BatchNormalization", "LayerNormalization", "GroupNormalization"),
    *("UnitNormalization", "Normalization", "Rescaling"),
}
