"""Equal digests, equal bits: whatever makes two tensors different makes their digests different."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from transfer.weights.digests import digest_manifest
from transfer.weights.tensor_digests import digest_tensor

ONES = np.ones((2, 3), "float32")


def test_a_digest_is_sha256_of_type_shape_and_bytes():
    expected = hashlib.sha256(b"float32(2, 3)" + ONES.tobytes()).hexdigest()
    assert digest_tensor(ONES) == expected


@pytest.mark.parametrize(
    "other",
    [
        np.ones((3, 2), "float32"),
        np.ones(6, "float32"),
        np.ones((2, 3), "float64"),
        np.ones((2, 3), "int32"),
        np.full((2, 3), np.nextafter(np.float32(1), np.float32(2))),
        np.zeros((2, 3), "float32"),
        -np.ones((2, 3), "float32"),
    ],
    ids=["shape", "rank", "width", "kind", "one bit", "values", "sign"],
)
def test_another_tensor_has_another_digest(other):
    assert digest_tensor(other) != digest_tensor(ONES)


def test_zero_and_minus_zero_differ():
    assert digest_tensor(np.zeros(2)) != digest_tensor(-np.zeros(2))


def test_types_of_one_width_with_the_same_bytes_differ():
    assert digest_tensor(np.zeros(4, "float32")) != digest_tensor(np.zeros(4, "int32"))


@given(
    hnp.arrays(hnp.floating_dtypes(endianness="<") | hnp.integer_dtypes(endianness="<"), hnp.array_shapes(min_dims=0))
)
def test_the_order_of_bytes_and_axes_in_memory_does_not_matter(values):
    swapped = values.astype(values.dtype.newbyteorder(">"))
    assert digest_tensor(swapped) == digest_tensor(values)
    assert digest_tensor(np.array(values, order="F")) == digest_tensor(values)


def test_a_view_has_the_digest_of_its_copy():
    values = np.arange(24.0).reshape(4, 6)[::2, ::-1]
    assert digest_tensor(values) == digest_tensor(values.copy())


@pytest.mark.parametrize(
    "values",
    [np.float16([1.5, -2]), np.array([True, False]), np.array(3.0), np.array(True), np.zeros((0, 4))],
    ids=["float16", "bool", "0-d", "0-d bool", "empty"],
)
def test_small_kinds_have_a_digest_of_their_own(values):
    digest = digest_tensor(values)
    assert len(digest) == 64
    assert digest == digest_tensor(values.copy())
    assert digest != digest_tensor(values.reshape(1, *values.shape))
    assert digest != digest_tensor(values.astype("float32"))


def test_a_manifest_depends_on_names_and_digests_and_not_on_their_order():
    first = digest_manifest({"a": "1", "b": "2"})
    assert digest_manifest({"b": "2", "a": "1"}) == first
    assert len({first, digest_manifest({"a": "2", "b": "1"}), digest_manifest({"a": "1"}), digest_manifest({})}) == 4
