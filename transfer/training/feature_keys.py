"""What kept features were made from, in a line of text: features are used again only where nothing of it has changed.

A piece of a network has a key. In it are

- its graph: every layer with every option, preprocessing and the size of the input among them; its tensors, by bits;
- how examples are brought to it: the size they are fitted to, grey or colour, the background behind transparent pixels;
- the batch size, and all that may round in another way (see `arithmetic`): versions of Keras, TensorFlow, numpy, Pillow
  with its decoders and of this package, the processor and how many of them, accelerators, precision, switches.

An example has a key for each piece, view and way of augmentation: a digest of its file's bytes comes in (orientation
and all; not its name, not its date), or of an array's row with its type and shape. A piece that runs on the outputs of
another takes the keys there as digests, so that all of the above is in its own.

What no key can hold is code: of a network with classes of the user's own nothing is kept (see `jobs.cached_features`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from transfer.graphs.unparsing import unparse_graph
from transfer.specs import Json
from transfer.surgery.network import Network
from transfer.weights.digests import digest_json, digest_manifest
from transfer.weights.tensor_digests import digest_tensor

SCHEME = 2  # raised when the same piece gives other numbers than before, or rows are kept in another way
_DIGITS = 32


def piece_key(network: Network, *, feeding: Json, batch_size: int, arithmetic: Json) -> str:
    """64 hex digits that tell two pieces apart, whatever the names of their graphs.

    Args:
        network: with its tensors, each of which is read.
        feeding: how examples are brought to it, as plain values.
        batch_size: of each batch: another one may add in another order.
        arithmetic: what computes, as plain values: versions, machine, devices.
    """
    return digest_json(
        {
            "scheme": SCHEME,
            "graph": unparse_graph(replace(network.graph, name="piece")),
            "tensors": digest_manifest({name: digest_tensor(values) for name, values in network.tensors.items()}),
            "feeding": feeding,
            "batch_size": batch_size,
            "arithmetic": arithmetic,
        }
    )


def example_keys(piece: str, digests: Sequence[str], *, augmentation: Json = None, view: int = 0) -> tuple[str, ...]:
    """32 hex digits for each example: what its features under a piece are kept under.

    Args:
        piece: its key.
        digests: of the examples' own bytes; for a piece that runs on the outputs of another, their keys there.
        augmentation: how examples are changed on the way in, with the seed, as plain values; None for not at all.
        view: which of several changed copies.
    """
    start = hashlib.sha256(digest_json([piece, augmentation, view]).encode())
    keys = []
    for digest in digests:
        whole = start.copy()
        whole.update(digest.encode())
        keys.append(whole.hexdigest()[:_DIGITS])
    return tuple(keys)
