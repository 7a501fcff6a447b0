"""What kept features were made from, in a line of text: features are used again only where nothing of it has changed.

A piece of a network has a key: its graph, its tensors, how examples are brought to it, the batch size, and the versions
and the kind of device that change arithmetic. An example has one for each piece, view and way of augmentation: its
bytes come in by their digest.
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

SCHEME = 1  # raised when the same piece gives other numbers than before, or rows are kept in another way
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
