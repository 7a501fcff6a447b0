"""What goes into the part of a network that a stage trains: computed once for each example, and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.graphs.graph import Graph
from transfer.models.building import build_model
from transfer.specs import Json, Progress
from transfer.surgery.network import Network
from transfer.training.augmenting import Augmentation, augmented_batches
from transfer.training.feature_keys import example_keys
from transfer.training.feature_rows import Batches, Rows
from transfer.training.feature_store import FeatureStore
from transfer.training.features import make_answering
from transfer.training.prefixing import BATCH, Piece, before_head, split_off_prefix, split_stage


@dataclass(frozen=True, slots=True)
class Examples:
    """What is learnt from and tested on, as the network gets it.

    Attributes:
        digests: of each example's own bytes.
        batches: brings those at some places, in batches of 16.
        shape: of one, without the batch axis.
        feeding: how they are brought, as plain values.
        known: what the part that no stage trains gives for each, where that is there already; None to compute it.
    """

    digests: Sequence[str]
    batches: Batches
    shape: tuple[int, ...]
    feeding: Json
    known: Rows | None = None


class StageFeatures:
    """Features of one set of examples for all stages of a run.

    Attributes:
        rest: what follows the prefix, with its tensors as they were at the start.
        rows: outputs of the prefix, of all examples; `failures` names those that could not be read.
        keys: of the rows.
    """

    def __init__(
        self,
        network: Network,
        graphs: Sequence[Graph],
        examples: Examples,
        store: FeatureStore,
        *,
        custom_objects: Mapping[str, Any],
        progress: Progress,
    ) -> None:
        """Run what no stage trains once over all examples.

        Args:
            network: from raw inputs to logits.
            graphs: its graph with the flags of each stage.
            examples: to run over.
            store: keeps what is computed.
            custom_objects: classes of the caller's, by name.
            progress: told how many are done.
        """
        prefix, self.rest = split_off_prefix(network, graphs)
        self._examples, self._store, self._progress = examples, store, progress
        self._custom_objects = dict(custom_objects)
        self._piece = Piece(prefix, shape=examples.shape, feeding=examples.feeding, custom_objects=self._custom_objects)
        self.keys = example_keys(self._piece.key, examples.digests)
        known = examples.known
        self.rows = store.compute(self._piece, self.keys, examples.batches, progress) if known is None else known

    def of_stage(self, rest: Network, graph: Graph) -> tuple[Rows, Network]:
        """What goes into the suffix of a stage, of all examples, and the suffix.

        Args:
            rest: with its tensors as they are now.
            graph: of the whole network, with the stage's flags.
        """
        return self._between(rest, graph, self.rows, self.keys)

    def of_view(
        self, rest: Network, graph: Graph, places: NDArray[np.int64], augmentation: Augmentation, view: int
    ) -> tuple[Rows, tuple[str, ...]]:
        """The same of one changed copy of each of some examples; and the copies' keys.

        Args:
            rest: as for `of_stage`.
            graph: likewise.
            places: of the examples.
            augmentation: how they are changed.
            view: which of the copies.
        """
        digests = [self._examples.digests[place] for place in places]
        batches = augmented_batches(lambda chosen: self._examples.batches(places[chosen]), augmentation, digests, view)
        keys = example_keys(self._piece.key, digests, augmentation=augmentation.to_json(), view=view)
        rows = self._store.compute(self._piece, keys, batches, self._progress)
        return self._between(rest, graph, rows, keys)[0], keys

    def into_heads(self, graph: Graph, heads: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """(n, d) for each head: what goes into it before anything is trained, of all examples.

        Args:
            graph: of the whole network, with the flags of the first stage.
            heads: names of the layers.
        """
        rows, suffix = self.of_stage(self.rest, graph)
        found: dict[str, NDArray[np.float32]] = {}
        sources: dict[str, str] = {}  # of heads that take the same
        for head in heads:
            source = str(suffix.graph.layer(head).calls[0].sources[0])
            if source not in sources:
                before = before_head(suffix, head)
                found[head] = rows.values() if before is None else self.outputs(before, rows)
            found[head] = found[sources.setdefault(source, head)]
        return found

    def outputs(self, network: Network, rows: Rows) -> NDArray[np.float32]:
        """Of a network as it is, in inference, for some rows."""
        return make_answering(build_model(network, self._custom_objects), BATCH)(rows)

    def _between(self, rest: Network, graph: Graph, rows: Rows, keys: tuple[str, ...]) -> tuple[Rows, Network]:
        """From outputs of the prefix, with their keys, to what goes into the suffix of a stage; and the suffix."""
        between, suffix = split_stage(rest, graph)
        if between is None:
            return rows, suffix
        piece = Piece(between, custom_objects=self._custom_objects)
        computed = self._store.compute(piece, example_keys(piece.key, keys), rows.batches(BATCH), self._progress)
        return computed, suffix
