"""Extraction on graph and tensors: nothing is read, nothing is changed, the card says what was done."""

import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.freezing import frozen_layers
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.specs import Extraction, Head
from transfer.surgery.extracting import extract_network
from transfer.surgery.network import Network, Selection
from transfer.weights.cards import Card, Fingerprint


class Counted(dict):
    """Tensors that count how often one is read."""

    reads = 0

    def __getitem__(self, name):
        self.reads += 1
        return super().__getitem__(name)


def layer(name, source, kind="Dense", **config):
    return Layer(name, kind, {"name": name, "trainable": True, **config}, (Call([Ref(source)], {}),))


def network(card=None, new=()):
    layers = (
        Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 4]}),
        layer("a", "x", units=3),
        layer("b", "a", units=3),
        layer("b_relu", "b", "ReLU"),
        layer("logits", "b_relu", units=10),
    )
    tensors = Counted({f"{name}/kernel": np.full((3, 3), k) for k, name in enumerate(("a", "b", "logits"))})
    return Network(Graph("net", layers, (Ref("x"),), (Ref("logits"),)), tensors, card, frozenset(new))


def extracted(source, **options):
    return extract_network(source, Extraction(**options)).network


def test_dropping_the_last_layer_drops_its_tensors_and_reads_none():
    source = network()
    student = extracted(source, drop_last=1)
    assert student.graph.names == ("x", "a", "b", "b_relu")
    assert list(student.tensors) == ["a/kernel", "b/kernel"]
    assert source.tensors.reads == 0
    np.testing.assert_array_equal(student.tensors["b/kernel"], np.full((3, 3), 1))
    assert source.graph == network().graph


def test_cutting_at_a_layer_and_where_features_end():
    assert extracted(network(), at="a").graph.names == ("x", "a")
    assert extracted(network(), at="features").graph.names == ("x", "a", "b", "b_relu")


def test_heads_are_new_layers_with_values_of_their_own():
    student = extracted(network(), drop_last=1, heads=[Head("label", classes=5)])
    assert student.graph.names[-1] == "label"
    assert student.new == {"label"}
    assert list(student.tensors) == ["a/kernel", "b/kernel", "label/kernel", "label/bias"]
    assert student.tensors["label/kernel"].shape == (3, 5)
    assert np.abs(student.tensors["label/kernel"]).max() <= (6 / 8) ** 0.5
    assert not student.tensors["label/bias"].any()


def test_a_head_of_a_dropped_layers_name_does_not_take_its_tensors():
    student = extracted(network(), drop_last=1, heads=[Head("logits", classes=5)])
    assert student.new == {"logits"}
    assert student.tensors["logits/kernel"].shape == (3, 5)


def test_layers_that_were_new_stay_new_as_long_as_they_are_kept():
    assert extracted(network(new={"a", "logits"}), drop_last=1).new == {"a"}


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        ("backbone", ("a", "b", "b_relu")),
        ("a", ("a",)),
        (["a", "label"], ("a", "label")),
        (["backbone", "label"], ("a", "b", "b_relu", "label")),
        ((), ()),
    ],
)
def test_the_backbone_or_names_are_frozen_and_the_head_only_by_its_name(frozen, expected):
    student = extracted(network(), drop_last=1, freeze=frozen, heads=[Head("label", classes=5)])
    assert frozen_layers(student.graph) == expected


def test_patterns_are_not_used_up_by_reading_them_once():
    student = extracted(network(), freeze=(name for name in ["a", "b"]))
    assert frozen_layers(student.graph) == ("a", "b")


def test_a_pattern_for_a_dropped_layer_is_refused():
    with pytest.raises(LayerError, match="no layer that fits 'logits'"):
        extracted(network(), drop_last=1, freeze="logits")


def test_drop_last_and_at_exclude_each_other():
    with pytest.raises(ValueError, match="not both"):
        extracted(network(), drop_last=1, at="a")


CARD = Card(
    name="net",
    architecture={"class_name": "Functional"},
    classes=tuple("0123456789"),
    origin="here",
    fingerprint=Fingerprint(1, ((2, 4),), ("float32",), ((0.5,),)),
    digests={"a/kernel": "00"},
    history=("trained",),
)


def test_a_card_says_what_was_done_and_drops_what_no_longer_holds():
    card = extracted(network(CARD), drop_last=1, heads=[Head("label", classes=5), Head("colour", classes=2)]).card
    assert card.history == ("trained", "dropped logits", "attached label:5, colour:2")
    assert (card.architecture, card.classes, card.fingerprint, card.digests) == (None, (), None, {})
    assert (card.name, card.origin) == ("net", "here")


def test_a_card_names_the_layer_at_which_features_end():
    assert extracted(network(CARD), at="features").card.history == ("trained", "cut at b_relu")


def test_freezing_alone_leaves_the_proof_in_force():
    assert extracted(network(CARD), freeze="a").card.fingerprint == CARD.fingerprint


def test_no_card_stays_no_card():
    assert extracted(network(), drop_last=1).card is None


# A selection of tensors


def test_a_selection_shows_the_tensors_of_its_layers_alone():
    chosen = Selection({"a/kernel": 1, "a/inner/bias": 2, "ab/kernel": 3, "b/a": 4}, frozenset({"a"}))
    assert dict(chosen) == {"a/kernel": 1, "a/inner/bias": 2}
    assert len(chosen) == 2
    assert "ab/kernel" not in chosen
    with pytest.raises(KeyError):
        chosen["b/a"]
