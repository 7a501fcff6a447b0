"""The best cuts of a ranking, fine-tuned: what the probe promised beside what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from transfer.data.labelled import LabelledSet
from transfer.errors import TransferError
from transfer.evidence.rank_agreement import LEAST_CANDIDATES
from transfer.graphs.attaching import free_name
from transfer.jobs.examples.cached_features import Cache
from transfer.jobs.finetuning.finetuning import finetune
from transfer.jobs.rankings.features_of_cuts import Fitting
from transfer.jobs.rankings.opening_candidates import OpenedCandidate
from transfer.jobs.students.preparing import Student
from transfer.models.building import build_model
from transfer.models.extracting import extract_from_network
from transfer.rankings import RankedCut
from transfer.recipes import Recipe
from transfer.scores import Score
from transfer.specs import Extraction, Head, Progress, silent


def verify_cuts(
    cuts: Sequence[RankedCut],
    origins: Mapping[str, OpenedCandidate],
    data: LabelledSet,
    count: int,
    *,
    fitting: Fitting,
    cache: Cache | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[tuple[RankedCut, ...], tuple[str, ...]]:
    """The cuts with the first of them fine-tuned: the head solved, then trained on with the last blocks; and notes.

    The examples that are held out from training have had their say in the choice: the probe by which the cuts were put
    in order was tested on them as well. This favours the first a little.

    Args:
        cuts: the best first.
        origins: the network of each cut, by its name.
        data: examples; the same part of them is held out for each.
        count: how many cuts.
        fitting: of images.
        cache: where features are kept for other runs.
        seed: of the split and of training.
        progress: told of what is going on.
    """
    found, notes, held_out = [], list[str](), 0
    for cut in cuts[:count]:
        try:
            tuned = _tuned(origins[cut.name], cut.at, data, fitting, cache, seed, progress)
        except TransferError as error:
            notes.append(f"{cut.name} could not be fine-tuned: {error.summary}")
            found.append(cut)
        else:
            held_out = tuned.examples
            found.append(replace(cut, tuned=tuned))
    if held_out:
        notes.append(
            f"fine-tuned networks were tested on the same {held_out} examples, from which none of them learnt; they "
            "had been chosen with these, which favours the first a little"
        )
    if held_out and (few := tell_of_few(count)):
        notes.append(few)
    return (*found, *cuts[count:]), tuple(notes)


def tell_of_few(count: int) -> str:
    """That so many cuts, fine-tuned, are too few to judge an order by; empty where they are not, and for none.

    Args:
        count: how many.
    """
    if not 0 < count < LEAST_CANDIDATES:
        return ""
    good = "it is" if count == 1 else "they are"
    return (
        f"fine-tuning {count} of the cuts says how good {good}, and nothing of whether the probe and the scores put "
        f"cuts in the right order: that takes at least {LEAST_CANDIDATES}"
    )


def _tuned(
    opened: OpenedCandidate,
    at: str,
    data: LabelledSet,
    fitting: Fitting,
    cache: Cache | None,
    seed: int,
    progress: Progress,
) -> Score:
    preprocessing, size = fitting.of(opened.network)
    student, recipe = _student(opened, at, data, seed), Recipe(seed=seed)
    run = finetune(student, data, recipe=recipe, preprocessing=preprocessing, size=size, cache=cache, progress=progress)
    return run.result.stages[-1]


def _student(opened: OpenedCandidate, at: str, data: LabelledSet, seed: int) -> Student:
    """As `prepare_student`, of a network that need not come from a file."""
    network = opened.network
    output = data.labelling.outputs[0]
    head = Head(free_name(network.graph, output.name), len(output.classes))
    how = Extraction(at=(at,), freeze=("backbone",), heads=(head,), seed=seed)
    found = extract_from_network(network, build_model(network, opened.custom_objects), how)
    return Student(found.network, opened.custom_objects, at, found.dropped, (head.name,))
