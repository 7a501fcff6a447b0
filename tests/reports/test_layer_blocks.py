"""Layers in groups that can be looked over."""

import made_up_pages
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.reports.contents import LayerRow
from transfer.reports.layer_blocks import FEW, MOST, group_layers


def chain(names, part="frozen"):
    return tuple(
        LayerRow(each, "Dense", "4", 1, 1, part, names[k - 1 : k] if k else ()) for k, each in enumerate(names)
    )


def names_of(blocks):
    return [row.name for block in blocks for row in block.rows]


def test_blocks_are_those_of_the_names():
    found = group_layers(made_up_pages.mobile_layers())
    assert [block.name for block in found[:4]] == ["input_1", "Conv1 … Conv1_relu", "block_0", "block_1"]
    assert found[3].parameters == 3 * 5900 + 3 * 384
    assert found[3].macs == 3 * 2_100_000


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("conv4_block12_1_conv", "conv4_block12"),
        ("block5_conv1", "block5"),
        ("stage2_unit1_conv2", "stage2_unit1"),
        ("encoder/layer_3/attention", "encoder/layer_3"),
        ("block_16_project_BN", "block_16"),
    ],
)
def test_names_of_known_families_are_understood(name, block):
    found = group_layers(chain([f"stem{k}" for k in range(FEW)] + [name, f"{block}_relu"]))
    assert found[-1].name == block
    assert len(found[-1].rows) == 2


def test_a_block_in_which_batch_norms_are_frozen_stays_together_and_layers_without_a_block_part():
    names = [f"block_1_{k}" for k in range(FEW)]
    mixed = tuple(
        row
        for pair in zip(chain(names), chain([f"{each}_BN" for each in names], "trained"), strict=True)
        for row in pair
    )
    alone = chain(["head_a", "head_b"]) + chain(["out"], part="new")
    found = [(block.part, block.about, len(block.rows)) for block in group_layers(mixed + alone)]
    assert found == [("trained", "in part trained", 2 * FEW), ("frozen", "frozen", 2), ("new", "new", 1)]


def test_without_names_a_block_ends_where_one_layer_passes_all_on():
    rows, last = [LayerRow("x0", "Dense", "4", 0, 0, "frozen")], "x0"
    for k in range(6):  # branches that meet again: only the meeting points can end a block
        for j in range(8):
            rows.append(
                LayerRow(f"b{k}{'abcdefgh'[j]}", "Dense", "4", 0, 0, "frozen", (last if j < 2 else rows[-2].name,))
            )
        rows.append(LayerRow(f"m{'uvwxyz'[k]}", "Add", "4", 0, 0, "frozen", (rows[-1].name, rows[-2].name)))
        last = rows[-1].name
    found = group_layers(rows)
    assert len(found) > 3
    assert all(block.rows[-1].kind == "Add" for block in found)


def test_few_layers_stand_by_themselves():
    assert [len(block.rows) for block in group_layers(chain([f"dense_{k}" for k in range(FEW)]))] == [1] * FEW


@given(st.integers(0, 300), st.sampled_from(["layer_{}_x", "l{}", "unit{}", "{}"]), st.integers(1, 40))
def test_every_layer_is_in_one_block_in_order_and_blocks_are_few(count, pattern, changes):
    parts = ["frozen", "trained", "new", "input", "of some other kind"]
    rows = tuple(
        LayerRow(pattern.format(k), "Dense", "4", 1, 1, parts[(k // changes) % 5], (pattern.format(k - 1),))
        for k in range(count)
    )
    found = group_layers(rows)
    assert names_of(found) == [row.name for row in rows]
    assert len(found) <= MOST
