"""A student as plain values, which another process can be given."""

from __future__ import annotations

from dataclasses import replace

import keras

from transfer.data.labelled import LabelledSet
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.preparing import Student
from transfer.models.building import classes_of


def as_plain(student: keras.Model | Student, data: LabelledSet) -> Student:
    """A student whose tensors are arrays in memory, which any process can be given.

    Args:
        student: a model, or one of `prepare_student`.
        data: what it will learn.

    Raises:
        LayerError: as `check_heads`.
    """
    network, heads = check_heads(student, data, None)
    plain = replace(network, tensors=dict(network.tensors.items()))
    if isinstance(student, Student):
        return replace(student, network=plain)
    return Student(plain, classes_of(student), "", (), heads)
