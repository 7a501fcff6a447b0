"""What is not finite becomes null, wherever it stands."""

import json
import math

from transfer.plain_json import plain


def test_numbers_that_are_not_finite_become_null_at_any_depth_and_nothing_else_changes():
    values = {"a": math.nan, "b": (1.5, -math.inf, [math.inf, {"c": 0.0}]), "d": "nan", "e": None, "f": True, "g": 3}
    expected = {"a": None, "b": [1.5, None, [None, {"c": 0.0}]], "d": "nan", "e": None, "f": True, "g": 3}
    assert plain(values) == expected
    assert json.loads(json.dumps(plain(values), allow_nan=False)) == expected
