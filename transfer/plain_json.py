"""Values as JSON can hold them: it knows no NaN and no infinity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from transfer.specs import Json


def plain(values: Any) -> Json:
    """The same with null for each number that is not finite and lists for tuples; all else is left as it is."""
    if isinstance(values, Mapping):
        return {key: plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [plain(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
