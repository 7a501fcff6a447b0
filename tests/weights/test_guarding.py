"""A file is data: nothing in it may point outside, loop, or ask for more than it holds."""

import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest

from transfer.errors import CheckpointError
from transfer.weights.opening import open_checkpoint

VALUES = np.arange(6, dtype="float32").reshape(2, 3)


def legacy_file(path, fill):
    """A legacy file of one layer whose tensor `a/kernel` is put there by `fill(group)`."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"a"]
        group = file.create_group("a")
        group.attrs["weight_names"] = [b"a/kernel"]
        fill(group.create_group("a"))
    return path


def keras3_file(path, fill):
    """A Keras 3 file of one layer whose tensor is put there by `fill(group)`."""
    with h5py.File(path, "w") as file:
        fill(file.create_group("layers/dense/vars"))
    return path


WRITERS = {"legacy": (legacy_file, "kernel"), "keras3": (keras3_file, "0")}


def fault(path):
    with pytest.raises(CheckpointError) as caught:
        dict(open_checkpoint(path))
    error = caught.value
    assert error.exit_code == 3
    assert len(str(error).encode()) < 2048
    assert str(path) in error.summary
    assert error.next_step
    (problem,) = error.problems
    assert problem.where
    return problem


@pytest.fixture(params=WRITERS)
def write(request, tmp_path):
    """Writes a file of each layout; `fill(group, name)` puts the tensor there."""
    writer, name = WRITERS[request.param]
    return lambda fill: writer(tmp_path / "hostile.h5", lambda group: fill(group, name))


@pytest.fixture
def secret(tmp_path):
    """Another file, which nothing may read."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["values"] = VALUES
    return tmp_path / "secret.h5"


def test_an_honest_file_is_read(write):
    checkpoint = open_checkpoint(write(lambda group, name: group.create_dataset(name, data=VALUES)))
    (values,) = checkpoint.values()
    np.testing.assert_array_equal(values, VALUES)


# Pointing elsewhere


def test_an_external_link_is_refused(write, secret):
    def fill(group, name):
        group[name] = h5py.ExternalLink(str(secret), "/values")

    assert fault(write(fill)).found == "an external link to '/values'"


def test_a_soft_link_is_refused(write):
    def fill(group, name):
        group.file["elsewhere"] = VALUES
        group[name] = h5py.SoftLink("/elsewhere")

    assert fault(write(fill)).found == "a soft link to '/elsewhere'"


def test_a_soft_link_that_leads_nowhere_is_refused(write):
    def fill(group, name):
        group[name] = h5py.SoftLink("/nowhere")

    assert fault(write(fill)).found == "a soft link to '/nowhere'"


def test_a_virtual_data_set_is_refused(write, secret):
    def fill(group, name):
        layout = h5py.VirtualLayout((2, 3), "float32")
        layout[:] = h5py.VirtualSource(str(secret), "values", (2, 3))
        group.create_virtual_dataset(name, layout)

    assert fault(write(fill)).found == "storage in another file"


def test_external_storage_is_refused(write, tmp_path):
    (tmp_path / "passwords").write_bytes(bytes(24))

    def fill(group, name):
        group.create_dataset(name, (2, 3), "float32", external=[(str(tmp_path / "passwords"), 0, 24)])

    assert fault(write(fill)).found == "storage in another file"


@pytest.mark.parametrize("link", [h5py.SoftLink("/"), h5py.ExternalLink("other.h5", "/")])
@pytest.mark.parametrize("name", ["layers", "model_weights", "a", "optimizer_weights"])
def test_a_link_in_place_of_a_group_is_not_followed(tmp_path, link, name):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if name != "layers":
            file.attrs["layer_names"] = [b"a"]
        if name == "optimizer_weights":
            file.create_group("a").attrs["weight_names"] = np.array([], "S1")
        file[name] = link
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path / "a.h5")


def test_a_loop_of_hard_links_ends(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        layers = file.create_group("layers/dense")
        layers["again"] = layers
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path / "a.h5")


def test_groups_linked_many_times_over_are_not_listed_as_often(tmp_path):
    # Each level links the next one twice: 2 ** 8 ways down to one tensor, in a file of a few kilobytes.
    with h5py.File(tmp_path / "a.h5", "w") as file:
        here = file.create_group("layers/dense")
        for _ in range(8):
            below = here.create_group("left")
            here["right"] = below
            here = below
        here["vars/0"] = VALUES
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path / "a.h5")


@pytest.mark.parametrize("name", ["../secret/values", "/secret/values", ".", "..", "a//kernel", ""])
def test_a_path_that_leaves_its_group_is_refused(tmp_path, name):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["secret/values"] = VALUES
        file.attrs["layer_names"] = [b"a"]
        file["a/a/kernel"] = VALUES
        file["a"].attrs.create("weight_names", [name], dtype=h5py.string_dtype())
    fault(tmp_path / "a.h5")


# Asking for too much


def test_a_data_set_that_claims_far_more_than_is_stored_is_refused_before_memory_is_spent(write):
    path = write(lambda group, name: group.create_dataset(name, (1 << 20, 1 << 20), "float32", chunks=(1024, 1024)))
    tracemalloc.start()
    problem = fault(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problem.expected == "4,398,046,511,104 bytes for shape (1048576, 1048576)"
    assert problem.found == "0 bytes stored"
    assert peak < 5 << 20


def test_a_fill_value_is_no_tensor_either(write):
    path = write(lambda group, name: group.create_dataset(name, (1 << 15, 1 << 15), "float32", fillvalue=1.0))
    assert fault(path).found == "0 bytes stored"


def test_an_honestly_compressed_tensor_is_read(write):
    zeros = np.zeros((512, 512), "float32")  # deflate packs this 1:900
    checkpoint = open_checkpoint(write(lambda group, name: group.create_dataset(name, data=zeros, compression="gzip")))
    (values,) = checkpoint.values()
    np.testing.assert_array_equal(values, zeros)


def test_an_empty_tensor_is_read(write):
    empty = np.zeros((0, 4), "float32")
    checkpoint = open_checkpoint(write(lambda group, name: group.create_dataset(name, data=empty)))
    (values,) = checkpoint.values()
    assert values.shape == (0, 4)


def test_a_scalar_is_read(write):
    checkpoint = open_checkpoint(write(lambda group, name: group.create_dataset(name, data=np.float32(2.5))))
    (values,) = checkpoint.values()
    assert values.shape == ()
    assert values == 2.5


def test_a_member_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", "{}")
        file.writestr("model.weights.h5", bytes(160 << 20))
    with pytest.raises(CheckpointError, match="asks for more than it holds") as caught:
        open_checkpoint(path)
    assert caught.value.problems[0].where == "model.weights.h5"


# What is no tensor


def test_a_fault_inside_an_archive_is_told_with_the_archives_name(tmp_path):
    legacy_file(tmp_path / "inside.h5", lambda group: group.create_group("kernel"))
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", "{}")
        file.writestr("model.weights.h5", (tmp_path / "inside.h5").read_bytes())
    assert fault(path).found == "a group"


@pytest.mark.parametrize(
    "values",
    [
        np.array([b"text", b"more"]),
        np.zeros(3, [("a", "f4"), ("b", "i4")]),
        np.zeros(3, "complex64"),
        np.void(b"anything"),
    ],
    ids=["text", "compound", "complex", "opaque"],
)
def test_what_is_not_numbers_is_refused(write, values):
    assert fault(write(lambda group, name: group.create_dataset(name, data=values))).expected == "numbers"


def test_references_and_objects_are_refused(write):
    def fill(group, name):
        group.create_dataset(name, data=np.array([group.ref], h5py.ref_dtype), dtype=h5py.ref_dtype)

    assert fault(write(fill)).expected == "numbers"


def test_a_group_in_place_of_a_tensor_is_refused(tmp_path):
    path = legacy_file(tmp_path / "a.h5", lambda group: group.create_group("kernel"))
    assert (fault(path).expected, fault(path).found) == ("a tensor", "a group")


def test_a_group_among_the_numbered_variables_is_refused(tmp_path):
    fault(keras3_file(tmp_path / "a.h5", lambda group: group.create_group("0")))


def test_a_type_in_place_of_a_tensor_is_refused(write):
    def fill(group, name):
        group[name] = np.dtype("float32")

    fault(write(fill))


@pytest.mark.parametrize("where", ["/", "/layers", "/layers/dense/vars"])
def test_a_name_that_is_no_text_is_refused(tmp_path, where):
    path = keras3_file(tmp_path / "a.h5", lambda group: group.create_dataset("0", data=VALUES))
    with h5py.File(path, "r+") as file:
        h5py.h5g.create(file[where].id, b"\xff\xfe")
    with pytest.raises(CheckpointError):
        open_checkpoint(path)


def test_a_strange_name_in_a_file_of_somebody_else_is_told(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        h5py.h5g.create(file.id, b"\xff\xfe")
    with pytest.raises(CheckpointError, match="not weights in a layout of Keras"):
        open_checkpoint(tmp_path / "a.h5")


def test_a_tensor_in_place_of_a_layer_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [b"a"]
        file["a"] = VALUES
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(tmp_path / "a.h5")
    assert caught.value.problems[0].found == "a tensor"


@pytest.mark.parametrize("names", [5, 2.5, [1, 2], np.zeros((2, 2))])
def test_an_attribute_that_lists_no_names_is_refused(tmp_path, names):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = names
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path / "a.h5")


def test_a_tensor_in_place_of_a_variables_group_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layers/dense/vars"] = VALUES
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path / "a.h5")


def test_a_layer_listed_twice_is_refused_and_what_it_hides_is_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [b"a", b"a"]
        file["a/a/kernel"] = VALUES
        file["b/b/kernel"] = VALUES
        file["a"].attrs["weight_names"] = [b"a/kernel"]
    problem = fault(tmp_path / "a.h5")
    assert (problem.where, problem.found) == ("layer_names", "a several times; the file also holds b")
