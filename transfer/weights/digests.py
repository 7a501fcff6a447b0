"""What plain values say, in one line of text. No array: `tensor_digests` has those."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from transfer.specs import Json


def digest_manifest(digests: Mapping[str, str]) -> str:
    """Sha256 over all names and digests, whatever their order."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def digest_json(values: Json) -> str:
    """Sha256 over plain values, whatever the order of keys and the way in which they are written down."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
